"""What an address of the desk asks for: filters and the place in a list. Nonsense leads nowhere."""

from __future__ import annotations

from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from fastapi.responses import Response

from service.application.reading.pages import PageKey, WrongPageKey
from service.web.http.cursors import decode_cursor, encode_cursor
from service.web.http.problems import Problem
from service.web.ops.desk import Visit

_LONGEST: Final = 128
_LONGEST_CURSOR: Final = 2048


class WrongQuestion(ValueError):
    """No list can be asked for this."""


def text(visit: Visit, name: str) -> str | None:
    """A filter that people type; an empty field is none."""
    value = visit.request.query_params.get(name, "").strip()
    # What PostgreSQL does not keep is not found either.
    if len(value) > _LONGEST or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise WrongQuestion(name)
    return value or None


def choice(visit: Visit, name: str, allowed: Collection[str]) -> str | None:
    """A filter with a closed list of values."""
    value = visit.request.query_params.get(name, "")
    if value and value not in allowed:
        raise WrongQuestion(name)
    return value or None


def place(visit: Visit) -> PageKey | None:
    """Where the page before ended."""
    cursor = visit.request.query_params.get("after") or None
    if cursor is not None and len(cursor) > _LONGEST_CURSOR:
        raise WrongQuestion("after")
    try:
        return decode_cursor(cursor)
    except Problem:
        raise WrongQuestion("after") from None


def address(path: str, filters: dict[str, str | None], end: PageKey | None = None) -> str:
    """The address of a list with these filters, from a place on."""
    asked = {name: value for name, value in filters.items() if value is not None}
    if end is not None:
        asked["after"] = encode_cursor(end)
    return f"{path}?{urlencode(asked)}" if asked else path


def checked(show: Callable[[Visit], Response]) -> Callable[[Visit], Response]:
    """The page, or one that says that there is nothing, for an address that asks for nonsense."""

    def answer(visit: Visit) -> Response:
        try:
            return show(visit)
        except (WrongQuestion, WrongPageKey):
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")

    return answer
