"""The cursors of lists: where a page ends, in the API and at the desk, as a text that is nobody's to read."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from http import HTTPStatus

from service.application.reading.pages import PageKey
from service.web.http.problems import Problem


def encode_cursor(end: PageKey) -> str:
    """Where a page ends, as a text that is nobody's to read."""
    text = json.dumps(end, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> PageKey | None:
    """The key that `encode_cursor` was given. Raises Problem for what is no cursor at all."""
    if cursor is None:
        return None
    try:
        key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON
        raise wrong_cursor() from None
    if not isinstance(key, list) or not all(type(value) in (int, str) for value in key):
        raise wrong_cursor()
    return tuple(key)


def wrong_cursor() -> Problem:
    """The problem of a cursor that no page of the list gave."""
    return invalid("query.cursor", "This is no `next_cursor` of a page of this list.")


def invalid(field: str, detail: str) -> Problem:
    """The problem of one field of a request."""
    errors = [{"field": field, "detail": detail}]
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request is not valid: see errors.", errors=errors
    )
