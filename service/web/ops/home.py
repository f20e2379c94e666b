"""The first page: the search, what waits, and how the service is doing."""

from __future__ import annotations

from fastapi.responses import Response

from service.web.ops.desk import Desk, Visit
from service.web.ops.figures import funnels, pulse
from service.web.ops.queues import board, stuck_hours


class HomePage:
    """The search box, and what an agent should look at next."""

    def __init__(self, desk: Desk) -> None:
        desk.page("/ops", self.show, section="home")

    def show(self, visit: Visit) -> Response:
        return visit.show(
            "ops/home.html",
            board=board(visit),
            hours=stuck_hours(visit),
            pulse=pulse(visit, large=False),
            funnels=funnels(visit),
        )
