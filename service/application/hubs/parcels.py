"""A parcel as the people at a hub see it: what it is, what should be in it, and how far it is. Nobody's data in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from service.application.access.bounds import Bounds
from service.application.reading.filters import ReturnFilter
from service.application.reading.listing import Listing
from service.application.reading.numbers import numbers_in, numbers_of
from service.application.reading.pages import Page, PageKey, list_returns
from service.application.reading.tracking import RecordedEvent, ReturnReading
from service.domain.journey import State
from service.domain.milestones import NAMES, Milestone
from service.wire.judging.descriptions import country, text
from service.wire.times import rfc3339

_MOST_ROWS: Final = 200  # of a history; nobody at a hub needs to know who did what in a longer one
_MOST_NUMBERS: Final = 6  # that one scanned code is looked up as
_MOST_ALIKE: Final = 5  # returns of one tracking number
_MOST_ITEMS: Final = 200
_MOST_PIECES: Final = 2**31 - 1  # of an item
_LONGEST_SKU: Final = 256
_LONGEST_HUB: Final = 40
# What was done at hubs, by the member of the document that tells it.
_DONE: Final = {
    "received": Milestone.DS,
    "processed": Milestone.RP,
    "exported": Milestone.RE,
    "rejected": Milestone.RR,
}
_WAITING: Final = ("return_id", "tracking_number", "retailer", "carrier", "hub", "status", "status_at")


class Scanned(NamedTuple):
    """What a scanned code means: the returns that it may be, most of the time one.

    `is_not_ours`: none that leads through a hub; there is one that goes straight to its retailer.
    """

    parcels: list[dict[str, Any]]
    is_not_ours: bool


def look_up(reading: ReturnReading, listing: Listing, bounds: Bounds, typed: str) -> Scanned:
    """What was scanned: a return's number, or a tracking number, as it is or within a longer code. Raises Retryable.

    To who is bound to a hub it tells of a return that leads through none no more than that.
    """
    numbers = list(dict.fromkeys((*numbers_of(typed), *numbers_in(typed))))[:_MOST_NUMBERS]
    found = list(_found(reading, listing, bounds, numbers))
    if found or not bounds.hubs:
        return Scanned(found, is_not_ours=False)
    anywhere = Bounds(bounds.retailers, bounds.carriers)
    # Not every return that is seen without being bound goes straight: one that was created for two retailers is not seen else.
    routes = {parcel["route"] for parcel in _found(reading, listing, anywhere, numbers)}
    return Scanned([], is_not_ours=not routes <= bounds.routes)


def waiting(
    listing: Listing,
    bounds: Bounds,
    wanted: tuple[str | None, Milestone],
    limit: int,
    after: PageKey | None,
    now: datetime,
) -> Page:
    """Parcels that were left by a hub in a status, those that have waited longest first; `wanted` is the hub (None: any)
    and the status. Raises WrongPageKey and Retryable.
    """
    hub, status = wanted
    page = list_returns(
        listing, bounds, ReturnFilter(hub=hub, status=status, stuck=True), limit, after, due={status: now}
    )
    return page._replace(items=[{name: item[name] for name in _WAITING} for item in page.items])


def _found(
    reading: ReturnReading, listing: Listing, bounds: Bounds, numbers: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """By the first of the numbers that leads anywhere."""
    for number in numbers:
        if (parcel := find_parcel(reading, bounds, number)) is not None:
            yield parcel
            return
    for number in numbers:
        window = listing.returns(bounds, ReturnFilter(tracking_number=(number,)), {}, None, _MOST_ALIKE)
        parcels = [find_parcel(reading, bounds, row.return_id) for row in window.rows]
        if found := [parcel for parcel in parcels if parcel is not None]:
            yield from found
            return


def find_parcel(reading: ReturnReading, bounds: Bounds, return_id: str) -> dict[str, Any] | None:
    """A return by its own number; None where it is not seen. Raises Retryable."""
    found = reading.history(bounds, return_id, 0, _MOST_ROWS)
    if found is None or (attributes := found.state.evidence.attributes) is None:
        return None
    state, rows = found.state, found.rows
    created = _data(state, rows, Milestone.RC)
    status = state.timeline.status
    return {
        "return_id": return_id,
        "retailer": attributes.retailer,
        "carrier": attributes.carrier,
        "tracking_number": attributes.tracking_number,
        "route": attributes.route.value,
        "destination_country": country(created.get("destination_country")),
        "status": status,
        "status_name": None if status is None else NAMES[status],
        "connote": connote_of(state),
        "items": _items(created.get("items")),
        **{name: _done(state, rows, milestone) for name, milestone in _DONE.items()},
    }


def connote_of(state: State) -> str | None:
    """Under which it is exported; None where no export counts, whichever connote one named."""
    return state.evidence.connote if Milestone.RE in state.timeline.counts else None


def _done(state: State, rows: Sequence[RecordedEvent], milestone: Milestone) -> dict[str, Any] | None:
    """When and at which hub, if it counts."""
    sighting = state.timeline.counts.get(milestone)
    if sighting is None:
        return None
    return {"at": rfc3339(sighting.at), "hub": text(_data(state, rows, milestone).get("hub"), _LONGEST_HUB)}


def _data(state: State, rows: Sequence[RecordedEvent], milestone: Milestone) -> Mapping[str, Any]:
    """That of the event which a milestone is known by; empty where it stands further back than anybody looks."""
    sighting = state.evidence.earliest.get(milestone)
    if sighting is None:
        return {}
    return next((row.data for row in rows if (row.source, row.id) == (sighting.source, sighting.id)), {})


def _items(said: object) -> list[dict[str, Any]]:
    """What should be in the parcel, as far as it is understood: nothing but what and how many."""
    found = []
    for each in said[:_MOST_ITEMS] if isinstance(said, list) else ():
        sku = text(each.get("sku"), _LONGEST_SKU) if isinstance(each, dict) else None
        if sku is not None:
            found.append({"sku": sku, "quantity": _pieces(each.get("quantity"))})
    return found


def _pieces(said: object) -> int:
    """How many there should be, by the rules of `wire.models.Quantity`; one where that is not understood, or none."""
    number = int(said) if isinstance(said, float) and said.is_integer() else said
    return number if type(number) is int and 0 < number <= _MOST_PIECES else 1
