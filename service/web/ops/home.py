"""The first page: the search."""

from __future__ import annotations

from fastapi.responses import Response

from service.web.ops.desk import Desk, Visit


class HomePage:
    """The search box."""

    def __init__(self, desk: Desk) -> None:
        desk.page("/ops", self.show, section="home")

    def show(self, visit: Visit) -> Response:
        return visit.show("ops/home.html")
