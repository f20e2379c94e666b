"""Forms as browsers send them: read where it is known who sends them, never before."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from service.web.http.problems import Problem

# In bytes as they are sent, where a character may be nine: of who is logged in, and of whoever comes to a door of ours.
LONGEST_FORM: Final = 96 * 1024
LONGEST_OF_STRANGERS: Final = 32 * 1024
_MOST_FIELDS: Final = 50
_FORM: Final = "application/x-www-form-urlencoded"


async def form_of(request: Request, longest: int) -> dict[str, str]:
    """The fields of a form; the last of a name. Anything that is no form has none, and is not read.

    Raises Problem for one that is longer, by what it says before any of it is read.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return {}
    said = request.headers.get("content-length", "")
    if said.isdecimal() and (len(said) > 9 or int(said) > longest):
        raise _too_long(longest)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise _too_long(longest)
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def _too_long(longest: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content-too-large", f"A form here has at most {longest} bytes."
    )
