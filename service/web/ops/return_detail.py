"""The page of a return: what it is, where it stands, and everything that was ever said of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import Response

from service.application.access.audit import Action
from service.application.reading.desk import ReturnDetail, ReturnDetailView, view_return_detail
from service.application.reading.filters import PARKED, ExceptionFilter
from service.domain.events import key_digest
from service.web.ops.desk import LARGEST_SEQ, Desk, Visit, number
from service.wire.models import (
    CARRIER_SCANNED,
    CONNOTE_DELIVERED,
    EVENT_VOIDED,
    HUB_DEPOT_SCANNED,
    HUB_EXPORTED,
    HUB_PROCESSED,
    HUB_REJECTED,
    NUMBER_PATTERN,
    RETURN_CLOSED,
    RETURN_CREATED,
    RETURN_REOPENED,
    compiled,
)
from service.wire.rows.claimed import LABEL_CLAIMED
from service.wire.rows.reassessed import REASSESSED
from service.wire.rows.reconciled import RECONCILED
from service.wire.rows.unheard import UNHEARD

_ROWS: Final = 50
_MOST_PARKED: Final = 20
is_number: Final = compiled(NUMBER_PATTERN)
# The names of texts that say what kind of event it is.
TYPES: Final = {
    RETURN_CREATED: "created",
    RETURN_CLOSED: "closed",
    RETURN_REOPENED: "reopened",
    CARRIER_SCANNED: "scanned",
    HUB_DEPOT_SCANNED: "depot_scanned",
    HUB_PROCESSED: "processed",
    HUB_EXPORTED: "exported",
    HUB_REJECTED: "rejected",
    CONNOTE_DELIVERED: "delivered",
    EVENT_VOIDED: "voided",
    RECONCILED: "reconciled",
    UNHEARD: "unheard",
    LABEL_CLAIMED: "label_claimed",
    REASSESSED: "reassessed",
}


class ReturnDetailPage:
    """The page of a return."""

    def __init__(self, desk: Desk) -> None:
        desk.page("/ops/returns/{return_id}", self.show, section="returns")

    def show(self, visit: Visit) -> Response:
        """With the newest page of its history. That somebody opened it is noted."""
        return_id = visit.request.path_params["return_id"]
        if not is_number(return_id):
            return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_return")
        before = number(visit.request.query_params.get("before"), LARGEST_SEQ)
        found = visit.parts.reading.return_detail(visit.bounds, return_id, before, _ROWS + 1)
        if found is None:
            return _unknown(visit, return_id)
        visit.note(Action.HISTORY, return_id)
        rows = found.rows[:_ROWS]
        more = rows[-1].seq if found.is_cut or len(found.rows) > _ROWS else None
        shown = view_of(visit, found._replace(rows=rows))
        exceptions = visit.parts.services.acknowledging.of_return(visit.bounds, return_id)
        given = visit.parts.services.giving.of_returns({each.return_no for each in exceptions})
        done = visit.request.query_params.get("acknowledged")
        return visit.show(
            "ops/return_detail.html",
            view=shown,
            types=TYPES,
            on_page={row.seq for row in rows},
            before=before,
            more=more,
            exceptions=exceptions,
            given=given.get(exceptions[0].return_no, {}) if exceptions else {},
            acknowledged=next((each.reason for each in exceptions if each.reason == done and each.acknowledged), None),
            **_sent(visit, found),
        )


def view_of(visit: Visit, found: ReturnDetail) -> ReturnDetailView:
    """What an agent sees of it."""
    return view_return_detail(found, visit.parts.tables, visit.due, visit.parts.services.now())


def _sent(visit: Visit, found: ReturnDetail) -> dict[str, Any]:
    """After a void was sent: of which event, and whether the history has it by now."""
    seq = number(visit.request.query_params.get("voided"), LARGEST_SEQ)
    target = None if seq is None else visit.parts.reading.return_detail(visit.bounds, found.return_id, seq + 1, 1)
    if target is None or not target.rows or target.rows[0].seq != seq:
        return {"sent": None, "is_recorded": False}
    row = target.rows[0]
    return {"sent": row, "is_recorded": key_digest(row.source, row.id) in target.state.voided}


def _unknown(visit: Visit, return_id: str) -> Response:
    """There may be events that wait for it all the same."""
    wanted = ExceptionFilter(verdict=PARKED, return_id=return_id)
    parked = visit.parts.services.listing.parked(visit.bounds, wanted, None, _MOST_PARKED).rows
    return visit.show("ops/unknown.html", HTTPStatus.NOT_FOUND, return_id=return_id, parked=parked, types=TYPES)
