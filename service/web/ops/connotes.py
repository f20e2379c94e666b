"""Connotes: which are under way and for how long, and one with its returns and deliveries."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi.responses import Response

from service.application.reading.connotes.documents import head_item, list_connotes, travels
from service.application.reading.connotes.listing import UNDER_WAY, Delivery
from service.application.reading.filters import ConnoteFilter
from service.application.reading.local_time import local_time
from service.application.reading.pages import Page, PageKey
from service.web.ops.desk import Desk, Visit, number
from service.web.ops.forms import Field, Form, values
from service.web.ops.lists import List, narrowed, register
from service.web.ops.return_detail import is_number
from service.wire.judging.descriptions import location_of
from service.wire.models import CONNOTE_DELIVERED
from service.wire.stored import to_micros

_ROWS: Final = 50
_FORM: Final = Form(
    ConnoteFilter,
    (
        Field("state", "connotes.state", values(ConnoteFilter, "state", "connote_state.")),
        Field("retailer", "list.retailer"),
        # Of those delivered without members. Those are shown that wait, and what was acknowledged where somebody asks for it.
        Field("acknowledged", "seen.state", {"true": "seen.acknowledged"}, any="seen.not_acknowledged"),
    ),
)


class ConnotePages:
    """The list, the same list as a file, and the page of a connote."""

    def __init__(self, desk: Desk) -> None:
        columns = UNDER_WAY.file_columns
        register(desk, "/ops/connotes", "ops/connotes.html", columns, self.ask, section="connotes")
        desk.page("/ops/connotes/{connote}", self.show, section="connotes")

    def ask(self, visit: Visit) -> List:
        """Those under way, the longest first; then those delivered; then those delivered without members."""
        services, now = visit.parts.services, visit.parts.services.now()

        def read(wanted: ConnoteFilter, after: PageKey | None, limit: int) -> Page:
            shown = wanted.model_copy(update={"acknowledged": bool(wanted.acknowledged)})
            return list_connotes(services.connotes, visit.bounds, shown, limit, after, now)

        return narrowed(visit, _FORM, read)

    def show(self, visit: Visit) -> Response:
        """Its members in the order of their creation."""
        connote = visit.request.path_params["connote"]
        if not is_number(connote):
            return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_connote")
        after = number(visit.request.query_params.get("after"))
        services = visit.parts.services
        found = services.connotes.connote(visit.bounds, connote, after or 0, _ROWS + 1)
        if found is None:
            return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_connote")
        deliveries = [
            (each, local_time(to_micros(each.occurred_at), None, _country(each), each.utc_offset))
            for each in found.deliveries
        ]
        members = found.members.rows[:_ROWS]
        behind = members[-1].return_no if len(found.members.rows) > _ROWS else None
        return visit.show(
            "ops/connote.html",
            connote=connote,
            head=head_item(found, services.now()),
            members=[(member, travels(member, connote)) for member in members],
            deliveries=deliveries,
            statuses=found.statuses,
            due=visit.due,
            after=after,
            more=behind if behind is not None else (found.members.upto or (None,))[0],
        )


def _country(delivery: Delivery) -> str | None:
    return (location_of(CONNOTE_DELIVERED, delivery.data) or {}).get("country")
