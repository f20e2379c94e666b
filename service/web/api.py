"""The HTTP API under /v1."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import Response
from pydantic_core import to_json

from service.application import tracking
from service.application.tracking import Reading
from service.web.models import HistoryPage, Return
from service.web.problems import Problem, documented
from service.web.security import reading, require
from service.wire.models import NUMBER_PATTERN

router = APIRouter(prefix="/v1")

ReturnId = Annotated[
    str, Path(pattern=NUMBER_PATTERN, description="The consignment number on the label.", examples=["R-1001"])
]
Store = Annotated[Reading, Depends(reading)]
_SEQ: Final = "seq:"
_LARGEST_SEQ: Final = 2**31 - 1


@router.get(
    "/returns/{return_id}",
    summary="A return with its status and timeline",
    response_model=Return,
    responses={
        304: {"description": "It is still what `If-None-Match` names."},
        **documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
    },
    dependencies=[Depends(require("read"))],
    tags=["returns"],
)
def get_return(
    return_id: ReturnId,
    store: Store,
    if_none_match: Annotated[str | None, Header(description="The ETag of an answer that you have.")] = None,
) -> Response:
    """Carries an ETag; the document is the same as the latest one on the topic of current statuses."""
    document = tracking.find_return(store, return_id)
    if document is None:
        raise _unknown(return_id)
    body = to_json(document)
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "private, no-cache", "vary": "authorization"}
    if if_none_match is not None and _matches(etag, if_none_match):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@router.get(
    "/returns/{return_id}/history",
    summary="Every event of a return, in the order of recording",
    response_model=HistoryPage,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
    dependencies=[Depends(require("read"))],
    tags=["returns"],
)
def get_history(
    return_id: ReturnId,
    store: Store,
    limit: Annotated[int, Query(ge=1, le=500, description="Most items on a page.")] = 100,
    cursor: Annotated[str | None, Query(max_length=64, description="The `next_cursor` of the page before.")] = None,
) -> Response:
    """Events that wait for the return's creation are not in it until that comes."""
    found = tracking.find_history(store, return_id, _decode_cursor(cursor), limit)
    if found is None:
        raise _unknown(return_id)
    items, after = found
    page: dict[str, Any] = {"items": items, "next_cursor": _encode_cursor(after) if after else None}
    return Response(to_json(page), media_type="application/json", headers={"cache-control": "private, no-cache"})


def _unknown(return_id: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "unknown-return", f"No creation of a return {return_id} is known.")


def _matches(etag: str, header: str) -> bool:
    """RFC 9110's weak comparison with any of a list."""
    return header.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in header.split(","))


def _encode_cursor(seq: int) -> str:
    return urlsafe_b64encode(f"{_SEQ}{seq}".encode()).decode().rstrip("=")


def _decode_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        seq = int(text.removeprefix(_SEQ)) if text.startswith(_SEQ) else -1
    except ValueError:  # not base64, not ASCII, not a number
        seq = -1
    if not 0 <= seq <= _LARGEST_SEQ:
        errors = [{"field": "query.cursor", "detail": "This is no `next_cursor` of a page."}]
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request is not valid: see errors.", errors=errors
        )
    return seq
