"""Carriers: what came of each lately and how late, and how its codes are read."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from fastapi.responses import Response

from service.application.reading.carriers import LATELY_ROWS
from service.web.ops.desk import Desk, Visit
from service.wire.feeds.definition import is_slug

_NUMBER = f"{LATELY_ROWS:,}"


class Code(NamedTuple):
    """A code as the page shows it: `listed` is the list of its table, None where none has it."""

    code: str
    description: str
    listed: str | None
    scans: int


class CarrierPages:
    """All carriers, and each one's codes."""

    def __init__(self, desk: Desk) -> None:
        desk.page("/ops/carriers", self.show, section="queues")
        desk.page("/ops/carriers/{carrier}", self.codes, section="queues")

    def show(self, visit: Visit) -> Response:
        """What came lately, those with most scans first; then the tables of which nothing did."""
        carriers, tables = visit.parts.carriers, visit.parts.tables
        if carriers is None:
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")
        lately = carriers.lately(visit.bounds)
        came = {each.carrier for each in lately}
        names = {name: table.name for name in came if (table := tables.table(name)) is not None}
        silent = [table for name in tables.carriers if name not in came and (table := tables.table(name)) is not None]
        return visit.show("ops/carriers.html", lately=lately, names=names, silent=silent, rows=_NUMBER)

    def codes(self, visit: Visit) -> Response:
        """The codes of a carrier's table, and those that came and are in none."""
        carriers, carrier = visit.parts.carriers, visit.request.path_params["carrier"]
        if carriers is None or not is_slug(carrier):
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")
        table, tables = visit.parts.tables.table(carrier), visit.parts.tables
        came = carriers.codes(visit.bounds, carrier)
        if table is None and not came:
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")
        known = [] if table is None else list(table.codes)
        codes = []
        for code in [*(code for code in came if code not in known), *known]:
            found = tables.lookup(carrier, code) if code in came or table is None else table.codes[code]
            listed = None if found is None else found.listed.value
            codes.append(Code(code, found.description if found else "", listed, came.get(code, 0)))
        return visit.show("ops/carrier.html", carrier=carrier, table=table, codes=codes, rows=_NUMBER)
