"""Connotes under /v1: what is under way and for how long, and which returns travel under one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.config import JsonValue

from service.application.access.callers import Caller
from service.application.reading.connotes.documents import find_connote, list_connotes
from service.application.reading.filters import ConnoteFilter, ConnoteState
from service.application.reading.pages import Page, PageKey, WrongPageKey
from service.domain.milestones import NAMES, Milestone
from service.web.api.acknowledging import Seen
from service.web.api.answers import ITEM_RESPONSES, LIST_RESPONSES, IfNoneMatch, answer, given_once, list_page
from service.web.api.lists import NEXT_CURSOR, PageQuery
from service.web.api.models import Answer, Location
from service.web.http.cursors import decode_cursor, encode_cursor, wrong_cursor
from service.web.http.problems import Problem
from service.web.http.security import Require
from service.web.services import Wired
from service.wire.models import NUMBER_PATTERN

router = APIRouter(prefix="/v1", tags=["connotes"])

Reader = Annotated[Caller, Depends(Require("read"))]
ConnoteNumber = Annotated[
    str, Path(pattern=NUMBER_PATTERN, description="The consolidated consignment note.", examples=["CN-4711"])
]


class ConnotesQuery(ConnoteFilter, PageQuery):
    """A page of the list of connotes."""


_EXAMPLE: Final[dict[str, JsonValue]] = {
    "connote": "CN-4711",
    "state": "under_way",
    "members": 3,
    "under_way": 2,
    "delivered": 1,
    "exported_at": "2026-11-16T08:00:00Z",
    "delivered_at": "2026-11-19T10:30:00Z",
    "days_under_way": 4,
    "exception_id": None,
    "acknowledged": None,
}


class ListedConnote(Answer):
    """What travels under a connote: of the returns that the token sees, and of those alone."""

    connote: str
    state: ConnoteState
    members: int = Field(description="How many returns were exported under it, as far as their export counts.")
    under_way: int = Field(description="How many of them are not delivered.")
    delivered: int
    exported_at: AwareDatetime | None = Field(
        description="The earliest export of those under way; where none is, of those that were delivered last."
    )
    delivered_at: AwareDatetime | None = Field(description="The latest delivery that counts for a member.")
    days_under_way: int | None = Field(
        description="Whole days from the export to now, or to the delivery once none is under way any more."
    )
    exception_id: str | None = Field(
        description="Delivered without members: what is acknowledged, `connote/{connote}/without_members`. null: it is none."
    )
    acknowledged: Seen | None = Field(
        description="That somebody has seen that it was delivered without members; by whom and with what note is told to `ops` alone."
    )


class ConnotesPage(Answer):
    """Those under way, the longest first; then those delivered, the latest first; then those delivered without members."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[ListedConnote]
    next_cursor: str | None = Field(description=NEXT_CURSOR)


class ConnoteDelivery(Answer):
    """A delivery of the connote, as it was told."""

    source: str
    id: str
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    location: Location | None


class ConnoteMember(Answer):
    """A return that an export put under the connote."""

    return_id: str
    retailer: str | None = Field(description="null, as the status: recorded a moment ago.")
    status: Milestone | None
    status_name: str | None
    status_at: AwareDatetime | None = Field(description="When the milestone of the status happened.")
    complete: bool | None
    travels: bool = Field(description="Whether its export under this connote counts.")
    connote: str | None = Field(description="Under which it is exported now; another one where it was repacked.")
    exported_at: AwareDatetime | None


class Connote(ListedConnote):
    """A connote, its deliveries and a page of its members."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_EXAMPLE,
                    "deliveries": [],
                    "items": [
                        {
                            "return_id": "R-1001",
                            "retailer": "acme",
                            "status": "RE",
                            "status_name": NAMES[Milestone.RE],
                            "status_at": "2026-11-16T08:00:00Z",
                            "complete": False,
                            "travels": True,
                            "connote": "CN-4711",
                            "exported_at": "2026-11-16T08:00:00Z",
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    state: ConnoteState | Literal["not_exported"] = Field(  # type: ignore[assignment]
        description="not_exported: exports name it, and none of them counts."
    )
    deliveries: list[ConnoteDelivery] = Field(description="The newest first, up to 50.")
    items: list[ConnoteMember] = Field(description="Its members, in the order of their creation.")
    next_cursor: str | None = Field(description=NEXT_CURSOR)


@router.get(
    "/connotes",
    summary="Connotes under way, and delivered",
    response_model=ConnotesPage,
    responses=LIST_RESPONSES,
    dependencies=[Depends(given_once())],
)
def get_connotes(
    query: Annotated[ConnotesQuery, Query()], services: Wired, caller: Reader, if_none_match: IfNoneMatch = None
) -> Response:
    """Those under way, the longest first; behind them those that were delivered, the latest first; behind them those that
    were delivered without members, which a token that is bound does not see.

    Made from tables that follow what is recorded, a moment later.
    """

    def read(after: PageKey | None) -> Page:
        page = list_connotes(services.connotes, caller.bounds, query, query.limit, after, services.now())
        return page._replace(items=[_told(caller, item) for item in page.items])

    return list_page(read, query.cursor, if_none_match)


@router.get(
    "/connotes/{connote}", summary="A connote and its members", response_model=Connote, responses=ITEM_RESPONSES
)
def get_connote(
    connote: ConnoteNumber,
    query: Annotated[PageQuery, Query()],
    services: Wired,
    caller: Reader,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """With a page of its members. A token that is bound sees its own, and everything that is told is of those alone."""
    key = decode_cursor(query.cursor)
    try:
        found = find_connote(services.connotes, caller.bounds, connote, query.limit, key, services.now())
    except WrongPageKey:
        raise wrong_cursor() from None
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-connote", f"No export and no delivery names a connote {connote}.")
    document, page = found
    cursor = None if page.end is None else encode_cursor(page.end)
    return answer({**_told(caller, document), "items": page.items, "next_cursor": cursor}, if_none_match)


def _told(caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
    """The document as this caller is told it: a note may be personal."""
    seen = document["acknowledged"]
    if seen is None or "ops" in caller.scopes:
        return document
    return {**document, "acknowledged": {**seen, "by": None, "note": None}}
