"""What a scan station asks: what a parcel is that was scanned, and which wait. What it says goes to POST /v1/events."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonValue

from service.application.access.callers import Caller
from service.application.hubs.consolidating import Readings, how_far, shared_connote
from service.application.hubs.parcels import look_up, waiting
from service.application.reading.filters import ConnoteState, Filter, Number, Slug
from service.application.reading.pages import Page, PageKey
from service.domain.milestones import NAMES, Milestone, Route
from service.web.api.answers import LIST_RESPONSES, IfNoneMatch, answer, list_page
from service.web.api.connotes import ConnoteNumber
from service.web.api.lists import NEXT_CURSOR, PageQuery
from service.web.api.models import Answer
from service.web.api.returns import Store
from service.web.http.cursors import invalid
from service.web.http.problems import documented
from service.web.http.security import Require
from service.web.services import Wired

router = APIRouter(prefix="/v1/hub", tags=["hubs"])

Hub = Annotated[Caller, Depends(Require("hub"))]
# What scanners read is longer than numbers are, and has spaces in it.
Scanned = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{1,127}$",
        description="As it was scanned: a return's number, or a tracking number, or a carrier's longer code around one.",
        examples=["R-1001"],
    ),
]


class Station(Answer):
    """Whose token it is."""

    publisher: str = Field(description="Events are published in its name: their `source` begins with `/{publisher}/`.")
    hubs: list[str] = Field(description="The hubs that the token is bound to; empty: it is bound to none.")


class Handled(Answer):
    """Something that was done at a hub, and counts."""

    at: AwareDatetime
    hub: str | None


class ExpectedItem(Answer):
    """What the consumer said is in the parcel."""

    sku: str
    quantity: int


_EXAMPLE: Final[dict[str, JsonValue]] = {
    "return_id": "R-1001",
    "retailer": "acme",
    "carrier": "omniparcel",
    "tracking_number": "OP123456789GB",
    "route": "omnirps",
    "destination_country": "NZ",
    "status": "DS",
    "status_name": NAMES[Milestone.DS],
    "connote": None,
    "items": [{"sku": "SHOE-42", "quantity": 1}],
    "received": {"at": "2026-11-24T08:12:00Z", "hub": "leeds"},
    "processed": None,
    "exported": None,
    "rejected": None,
}


class Parcel(Answer):
    """A return as the people at a hub see it; without personal data, whoever asks."""

    return_id: str
    retailer: str
    carrier: str
    tracking_number: str
    route: Route
    destination_country: str | None = Field(description="ISO 3166-1 alpha-2.")
    status: Milestone | None
    status_name: str | None
    connote: str | None = Field(description="Under which it is exported.")
    items: list[ExpectedItem] = Field(description="Expected in it; empty where nobody said.")
    received: Handled | None
    processed: Handled | None
    exported: Handled | None
    rejected: Handled | None


class Parcels(Answer):
    """What a scanned code may mean."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "not_ours": False}]})

    items: list[Parcel] = Field(description="Most of the time one; several where a number is in use more than once.")
    not_ours: bool = Field(
        description="There is a return of this number, and its route leads through no hub: it goes straight to the retailer."
    )


class WaitingParcel(Answer):
    """A return that waits at a hub."""

    return_id: str
    tracking_number: str
    retailer: str
    carrier: str
    hub: str | None
    status: Milestone
    status_at: AwareDatetime = Field(description="Since when.")


class WaitingPage(Answer):
    """The one that has waited for longest first."""

    items: list[WaitingParcel]
    next_cursor: str | None = Field(description=NEXT_CURSOR)


class SharedConnote(Answer):
    """A connote as the stations of a hub share it: by the exports that name it, whoever made them."""

    connote: str
    state: ConnoteState | Literal["not_exported", "new"] = Field(
        description="new: nothing that is seen names it. not_exported: exports name it, and none of them counts."
    )
    members: int = Field(description="How many returns were exported under it, as far as their export counts.")
    exported: Handled | None = Field(
        description="When and at which hub its first one was; null: none that was found travels under it."
    )
    retailer: str | None = Field(description="Where it goes: where its first parcel goes.")
    destination_country: str | None = Field(description="ISO 3166-1 alpha-2.")


class FarParcel(Answer):
    """How far a return is."""

    return_id: str
    status: Milestone
    status_name: str
    connote: str | None = Field(description="Under which it is exported.")


class FarParcels(Answer):
    """Those that are seen, in the order in which they were asked for."""

    items: list[FarParcel]


class FarQuery(BaseModel):
    """Which returns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    return_id: list[Number] = Field(min_length=1, max_length=100, description="Up to 100, each by itself.")


class WaitingQuery(Filter, PageQuery):
    """Which parcels."""

    status: Literal["DS", "RP"] = Field(default="DS", description="DS: to be processed. RP: to be exported.")
    hub: Slug | None = Field(default=None, description="One that the token is bound to, which may be left out.")


@router.get("", summary="Whose token it is", response_model=Station, responses=documented())
async def get_station(caller: Hub) -> Response:
    """For a station that signs in."""
    return answer({"publisher": caller.publisher, "hubs": sorted(caller.bounds.hubs)})


@router.get("/scans/{number}", summary="What a scanned code is", response_model=Parcels, responses=LIST_RESPONSES)
def get_scan(
    number: Scanned, store: Store, services: Wired, caller: Hub, if_none_match: IfNoneMatch = None
) -> Response:
    """Records nothing. Empty where nobody knows the number.

    A return is found by its own number at once; by a tracking number a moment after its creation is recorded.
    """
    found = look_up(store, services.listing, caller.bounds, number)
    return answer({"items": found.parcels, "not_ours": found.is_not_ours}, if_none_match)


@router.get(
    "/connotes/{connote}",
    summary="What was exported under a connote",
    response_model=SharedConnote,
    responses=LIST_RESPONSES,
)
def get_shared(
    connote: ConnoteNumber, store: Store, services: Wired, caller: Hub, if_none_match: IfNoneMatch = None
) -> Response:
    """For a station that opens it: other stations may have exported under it, each its own parcels.

    What lies in a connote that is not exported is known to its station alone.
    """
    readings = Readings(store, services.connotes)
    return answer(shared_connote(readings, caller.bounds, connote, services.now()), if_none_match)


@router.get("/parcels", summary="How far parcels are", response_model=FarParcels, responses=LIST_RESPONSES)
def get_parcels(
    query: Annotated[FarQuery, Query()], store: Store, caller: Hub, if_none_match: IfNoneMatch = None
) -> Response:
    """For a station that exports: which of them were exported or rejected elsewhere meanwhile. As of now."""
    return answer({"items": how_far(store, caller.bounds, query.return_id)}, if_none_match)


@router.get("/returns", summary="Parcels that wait at a hub", response_model=WaitingPage, responses=LIST_RESPONSES)
def get_waiting(
    query: Annotated[WaitingQuery, Query()], services: Wired, caller: Hub, if_none_match: IfNoneMatch = None
) -> Response:
    """The one that has waited for longest first: to be processed, or to be exported.

    A return is where the hub is whose event moved it last.
    """
    own = caller.bounds.hubs
    if own and query.hub not in own and (query.hub is not None or len(own) > 1):
        raise invalid("query.hub", f"The token is bound to {', '.join(sorted(own))}: name one of them.")
    wanted = (query.hub or next(iter(own), None), Milestone(query.status))

    def read(after: PageKey | None) -> Page:
        return waiting(services.listing, caller.bounds, wanted, query.limit, after, services.now())

    return list_page(read, query.cursor, if_none_match)
