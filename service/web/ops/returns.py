"""The list of returns: filters in the address, and for each return its status, since when, and whether it is stuck."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from fastapi.responses import Response

from service.application.reading.export import RETURN_COLUMNS
from service.application.reading.listing import ReturnFilter
from service.application.reading.pages import WrongPageKey, list_returns, read_on
from service.domain.milestones import Milestone, Route
from service.web.http.cursors import decode_cursor, encode_cursor
from service.web.http.problems import Problem
from service.web.ops.desk import Desk, Visit, clean
from service.web.ops.lists import List, register
from service.web.ops.query import WrongQuestion, address
from service.wire.models import NUMBER_PATTERN, SLUG_PATTERN, compiled

_ROWS: Final = 50
_MOST_CHARACTERS: Final = 128
_MOST_OF_A_CURSOR: Final = 2048
_number, _slug = compiled(NUMBER_PATTERN), compiled(SLUG_PATTERN)
_STUCK: Final = {"true": True, "false": False}


def _order(text: str) -> bool:
    return len(text) <= _MOST_CHARACTERS


# What each filter takes, in the order of the form. Slugs are written in small letters.
FILTERS: Final[dict[str, Callable[[str], bool]]] = {
    "status": lambda text: text in set(Milestone),
    "stuck": _STUCK.__contains__,
    "route": lambda text: text in set(Route),
    "carrier": _slug,
    "hub": _slug,
    "retailer": _slug,
    "tracking_number": _number,
    "order_number": _order,
    "connote": _number,
}
_SLUGS: Final = frozenset({"carrier", "hub", "retailer"})
# Lists that are looked at every day, by the name of their text.
QUICK: Final = (
    ("all", ""),
    ("stuck", "stuck=true"),
    ("undelivered", "status=RDTPF&stuck=true"),
    ("rejected", "status=RR"),
)


class ReturnsPage:
    """The list."""

    def __init__(self, desk: Desk) -> None:
        desk.page("/ops/returns", self.show, section="returns")
        register(desk, "/ops/returns", "", RETURN_COLUMNS, self.ask, section="returns", export_only=True)

    def show(self, visit: Visit) -> Response:
        """The newest first; of stuck ones the one that has not moved for longest."""
        asked = visit.request.query_params
        given, wrong = given_filters(asked)
        cursor = asked.get("cursor")
        values: dict[str, Any] = {
            "given": given,
            "wrong": wrong,
            "carriers": visit.parts.tables.carriers,
            "quick": QUICK,
            "query_of": urlencode(given),
            "file": address("/ops/returns.csv", dict(given)),
            "most": visit.parts.export_rows,
            "first": cursor is not None,
            "statuses": tuple(Milestone),
            "routes": tuple(Route),
        }
        if wrong:
            return visit.show("ops/returns.html", HTTPStatus.UNPROCESSABLE_ENTITY, items=[], next=None, **values)
        try:
            place = decode_cursor(cursor[:_MOST_OF_A_CURSOR]) if cursor else None
            listing, due = visit.parts.services.listing, visit.due
            found = read_on(lambda after: list_returns(listing, wanted(given), _ROWS, after, due), place)
        except (Problem, WrongPageKey):
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")
        next_page = None if found.end is None else urlencode({**given, "cursor": encode_cursor(found.end)})
        return visit.show("ops/returns.html", items=found.items, next=next_page, **values)

    def ask(self, visit: Visit) -> List:
        """The same list, as a file."""
        given, wrong = given_filters(visit.request.query_params)
        if wrong:
            raise WrongQuestion(wrong[0])
        listing, asked, due = visit.parts.services.listing, wanted(given), visit.due
        return List(lambda after, limit: list_returns(listing, asked, limit, after, due), dict(given))


def given_filters(asked: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The filters that are set, as typed, and those of them that cannot be meant so."""
    typed = {name: clean(asked.get(name, "")) for name in FILTERS}
    given = {name: text.lower() if name in _SLUGS else text for name, text in typed.items() if text}
    return given, [name for name, text in given.items() if not FILTERS[name](text)]


def wanted(given: Mapping[str, str]) -> ReturnFilter:
    """The filter that these texts are."""
    texts: dict[str, Any] = dict(given)
    if "stuck" in texts:
        texts["stuck"] = _STUCK[texts["stuck"]]
    return ReturnFilter(**texts)
