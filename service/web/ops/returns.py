"""The list of returns: filters in the address, and for each return its status, since when, and whether it is stuck."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from service.application.reading.filters import ReturnFilter
from service.application.reading.listing import RETURNS
from service.application.reading.pages import Page, PageKey, list_returns
from service.web.ops.desk import Desk, Visit
from service.web.ops.forms import Field, Form, values
from service.web.ops.lists import List, register

# What people filter by first, and how; after those, whatever else a list of returns can be filtered by.
_FIRST: Final = (
    Field("status", "field.status", values(ReturnFilter, "status", "status.")),
    Field("stuck", "field.stuck", {"true": "listed.stuck", "false": "listed.not_stuck"}),
    Field("route", "field.route", values(ReturnFilter, "route", "route.")),
    Field("carrier", "field.carrier", suggestions="carriers"),
    Field("hub", "field.hub"),
)
# The desk finds a return by its number at once.
_NOT_HERE: Final = {"return_id", "updated_since"}
_OTHERS: Final = ReturnFilter.model_fields.keys() - {field.name for field in _FIRST} - _NOT_HERE
FORM: Final = Form(
    ReturnFilter,
    (*_FIRST, *(Field(name, f"field.{name}") for name in ReturnFilter.model_fields if name in _OTHERS)),
    ids="f",
    any="listed.any",
    direction="auto",
)
# Lists that are looked at every day, by the name of their text.
QUICK: Final = (
    ("all", ""),
    ("stuck", "stuck=true"),
    ("undelivered", "status=RDTPF&stuck=true"),
    ("rejected", "status=RR"),
)


class ReturnsPage:
    """The list, and the same list as a file."""

    def __init__(self, desk: Desk) -> None:
        columns = RETURNS.file_columns
        register(desk, "/ops/returns", "ops/returns.html", columns, self.ask, section="returns", cursor="cursor")

    def ask(self, visit: Visit) -> List:
        """The newest first; of stuck ones the one that has not moved for longest."""
        given = FORM.read(visit.request.query_params)
        wanted = ReturnFilter() if given.wrong else ReturnFilter.model_validate(given.typed)
        listing, due = visit.parts.services.listing, visit.due

        def read(after: PageKey | None, limit: int) -> Page:
            return list_returns(listing, visit.bounds, wanted, limit, after, due)

        values = {
            "form": FORM,
            "given": given.typed,
            "carriers": visit.parts.tables.carriers,
            "quick": QUICK,
            "query_of": urlencode(given.typed),
        }
        return List(read, given.texts, values, given.wrong)
