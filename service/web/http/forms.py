"""Forms as browsers send them."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

_MOST_FIELDS: Final = 50
_FORM: Final = "application/x-www-form-urlencoded"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; the last of a name. Anything that is no form has none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return {}
    body = await request.body()
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}
