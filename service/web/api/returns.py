"""Returns under /v1: one of them, its history, and lists of many."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from service.application.access.callers import Caller
from service.application.reading import tracking
from service.application.reading.pages import Page, PageKey, list_returns
from service.application.reading.tracking import ReturnReading
from service.web.api.answers import (
    ITEM_RESPONSES,
    LIST_RESPONSES,
    IfNoneMatch,
    answer,
    given_once,
    linked,
    list_page,
    page,
)
from service.web.api.lists import ReturnsPage, ReturnsQuery
from service.web.api.models import HistoryPage, Return
from service.web.http.cursors import decode_cursor, wrong_cursor
from service.web.http.problems import Problem
from service.web.http.security import Require
from service.web.services import Wired
from service.wire.models import NUMBER_PATTERN

router = APIRouter(prefix="/v1", tags=["returns"])

Reader = Annotated[Caller, Depends(Require("read"))]

ReturnId = Annotated[
    str, Path(pattern=NUMBER_PATTERN, description="The consignment number on the label.", examples=["R-1001"])
]


async def _reading(request: Request) -> ReturnReading:
    """That of this application."""
    found: ReturnReading = request.app.state.reading
    return found


Store = Annotated[ReturnReading, Depends(_reading)]
_LARGEST_SEQ: Final = 2**31 - 1


@router.get(
    "/returns",
    summary="Returns by what they are now",
    response_model=ReturnsPage,
    responses=LIST_RESPONSES,
    dependencies=[Depends(given_once("return_id", "tracking_number"))],
)
def get_returns(
    request: Request,
    query: Annotated[ReturnsQuery, Query()],
    services: Wired,
    caller: Reader,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The newest first; with `stuck=true` the one that has not moved for longest. Filters narrow the list together.

    Made from tables that follow what is recorded, a moment later: a return by itself is always up to date.
    """
    public_url = request.app.state.public_url

    def read(after: PageKey | None) -> Page:
        found = list_returns(services.listing, caller.bounds, query, query.limit, after, due=services.due())
        return found._replace(items=[linked(item, public_url) for item in found.items])

    return list_page(read, query.cursor, if_none_match)


@router.get(
    "/returns/{return_id}",
    summary="A return with its status and timeline",
    response_model=Return,
    responses=ITEM_RESPONSES,
)
def get_return(
    request: Request, return_id: ReturnId, store: Store, caller: Reader, if_none_match: IfNoneMatch = None
) -> Response:
    """Carries an ETag; the document is the same as the latest one on the topic of current statuses."""
    document = tracking.find_return(store, caller.bounds, return_id)
    if document is None:
        raise unknown_return(return_id)
    return answer(linked(document, request.app.state.public_url), if_none_match)


@router.get(
    "/returns/{return_id}/history",
    summary="Every event of a return, in the order of recording",
    response_model=HistoryPage,
    responses=ITEM_RESPONSES,
)
def get_history(
    return_id: ReturnId,
    store: Store,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=500, description="Most items on a page.")] = 100,
    cursor: Annotated[str | None, Query(max_length=64, description="The `next_cursor` of the page before.")] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Events that wait for the return's creation are not in it until that comes."""
    found = tracking.find_history(store, caller.bounds, return_id, _seq(decode_cursor(cursor)), limit)
    if found is None:
        raise unknown_return(return_id)
    items, after = found
    return page(Page(items, ("h", after) if after else None), if_none_match)


def unknown_return(return_id: str) -> Problem:
    """There is none of this number, or none that may be seen."""
    return Problem(HTTPStatus.NOT_FOUND, "unknown-return", f"No creation of a return {return_id} is known.")


def _seq(after: PageKey | None) -> int:
    if after is None:
        return 0
    if len(after) != 2 or after[0] != "h" or type(after[1]) is not int or not 0 <= after[1] <= _LARGEST_SEQ:
        raise wrong_cursor()
    return after[1]
