"""The first page: the search, which leads straight to a return where only one is meant, what waits, and how it goes."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from fastapi.responses import Response

from service.application.reading.desk import Match, understand
from service.web.ops.desk import Desk, Visit, clean
from service.web.ops.figures import funnels, pulse
from service.web.ops.queues import board, stuck_hours


class HomePage:
    """The search box, and what an agent should look at next, or what the search found where that is not one thing."""

    def __init__(self, desk: Desk) -> None:
        desk.page("/ops", self.show, section="home")

    def show(self, visit: Visit) -> Response:
        """Any number: one return opens, several are a list, and what could be two things is a choice."""
        typed = clean(visit.request.query_params.get("q", ""))
        if not typed:
            everything = visit.bounds.everything
            return visit.show(
                "ops/home.html",
                typed="",
                matches=(),
                board=board(visit),
                hours=stuck_hours(visit),
                pulse=None if everything is None else pulse(visit, everything, large=False),
                funnels=() if everything is None else funnels(visit, everything),
            )
        terms = understand(typed)
        matches = visit.parts.reading.find(visit.bounds, terms) if terms.orders else []
        returns = {return_id for match in matches for return_id in match.return_ids}
        if len(returns) == 1 and all(match.return_ids for match in matches):
            return visit.go(f"/ops/returns/{returns.pop()}")
        if len(matches) == 1:
            return visit.go(address_of(matches[0]))
        status = HTTPStatus.OK if matches else HTTPStatus.NOT_FOUND
        found = [(match, address_of(match)) for match in matches]
        return visit.show("ops/home.html", status, typed=typed, matches=found)


def address_of(match: Match) -> str:
    """Where a match is shown: a return, a list, or a connote that nothing but its delivery is known of."""
    if match.kind == "return_id":
        return f"/ops/returns/{match.value}"
    if match.kind == "connote" and not match.return_ids:
        return f"/ops/connotes/{match.value}"
    return f"/ops/returns?{urlencode({match.kind: match.value})}"
