"""The page of a connote: which returns travel under it, where each of them stands, and when it was delivered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi.responses import Response

from service.application.reading.desk import Delivery
from service.application.reading.local_time import local_time
from service.web.ops.desk import Desk, Visit, number
from service.web.ops.return_detail import is_number
from service.wire.judging.descriptions import location_of
from service.wire.models import CONNOTE_DELIVERED
from service.wire.stored import to_micros

_ROWS: Final = 50


class ConnotePage:
    """The page of a connote."""

    def __init__(self, desk: Desk) -> None:
        desk.page("/ops/connotes/{connote}", self.show, section="returns")

    def show(self, visit: Visit) -> Response:
        """Its members in the order of their creation."""
        connote = visit.request.path_params["connote"]
        if not is_number(connote):
            return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_connote")
        after = number(visit.request.query_params.get("after"))
        found = visit.parts.reading.connote(visit.bounds, connote, after or 0, _ROWS + 1)
        if found is None:
            return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_connote")
        deliveries = [
            (each, local_time(to_micros(each.occurred_at), None, _country(each), each.utc_offset))
            for each in found.deliveries
        ]
        members = found.members[:_ROWS]
        return visit.show(
            "ops/connote.html",
            connote=connote,
            members=members,
            deliveries=deliveries,
            statuses=found.statuses,
            due=visit.due,
            after=after,
            more=members[-1].return_no if len(found.members) > _ROWS else None,
        )


def _country(delivery: Delivery) -> str | None:
    return (location_of(CONNOTE_DELIVERED, delivery.data) or {}).get("country")
