"""What answers under /v1 have in common: pages, entity tags, and that nobody keeps them on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic_core import to_json

from service.application.reading.pages import Page, PageKey, WrongPageKey
from service.web.http.cursors import decode_cursor, encode_cursor, wrong_cursor
from service.web.http.problems import documented
from service.wire.documents import tracking_url

IfNoneMatch = Annotated[str | None, Header(description="The ETag of an answer that you have.")]
NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "It is still what `If-None-Match` names."}}
# What reading answers with besides: of a list, and of one thing by its number.
LIST_RESPONSES: Final = {**NOT_MODIFIED, **documented(HTTPStatus.UNPROCESSABLE_ENTITY)}
ITEM_RESPONSES: Final = {**NOT_MODIFIED, **documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)}
# Returns are somebody's: no cache keeps them. A client may keep an answer itself, and ask by its ETag.
_HEADERS: Final = {"cache-control": "no-store", "vary": "authorization"}


def given_once(*several: str) -> Callable[[Request], None]:
    """Requires that no parameter but these is given more than once: of two values the first would be dropped, in silence."""

    def check(request: Request) -> None:
        counted = Counter(name for name, _ in request.query_params.multi_items())
        repeated = [name for name, number in counted.items() if number > 1 and name not in several]
        if repeated:
            errors = [
                {"loc": ("query", name), "msg": "given more than once; one value is expected"} for name in repeated
            ]
            raise RequestValidationError(errors)

    return check


def answer(
    document: Mapping[str, Any],
    if_none_match: str | None = None,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The document as JSON with its ETag; 304 where that is among those that `if_none_match` names."""
    body = to_json(document)
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    sent = {**_HEADERS, "etag": etag, **(headers or {})}
    if if_none_match is not None and _matches(etag, if_none_match):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=sent)
    return Response(body, status, media_type="application/json", headers=sent)


def linked(document: Mapping[str, Any], public_url: str | None) -> dict[str, Any]:
    """A return with the address of its tracking page."""
    return {**document, "tracking_url": tracking_url(public_url, document["return_id"])}


def list_page(read: Callable[[PageKey | None], Page], cursor: str | None, if_none_match: str | None) -> Response:
    """The page that a cursor leads to. `read` answers with the page from behind a key on, and may raise WrongPageKey.

    Raises Problem for a cursor that no page of this list gave.
    """
    try:
        found = read(decode_cursor(cursor))
    except WrongPageKey:
        raise wrong_cursor() from None
    return page(found, if_none_match)


def page(found: Page, if_none_match: str | None) -> Response:
    """A page of a list."""
    cursor = None if found.end is None else encode_cursor(found.end)
    return answer({"items": found.items, "next_cursor": cursor}, if_none_match)


def _matches(etag: str, header: str) -> bool:
    """RFC 9110's weak comparison with any of a list."""
    return header.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in header.split(","))
