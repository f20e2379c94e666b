"""What a scan station is told that consolidates: what was exported under a connote already, and how far its parcels are.

A parcel in an open connote is nothing that happened to its return yet, so no event says it and nobody but its station knows
it. What two stations of a hub share is the number of the connote, and what was exported under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from service.application.access.bounds import Bounds
from service.application.hubs.parcels import connote_of, find_parcel
from service.application.reading.connotes.documents import head_item, travels
from service.application.reading.connotes.listing import MEMBERS, Connote, ConnoteReading, Member
from service.application.reading.tracking import ReturnReading
from service.domain.milestones import NAMES

NEW: Final = "new"  # no export and no delivery that is seen names it
# To find a parcel that tells where a connote goes: so many members at once, so many times, and of those that travel under it
# so many parcels.
_PAGE: Final = 200
_MOST_PAGES: Final = 10
_MOST_READ: Final = 20
_LATEST: Final = datetime.max.replace(tzinfo=UTC)


class Readings(NamedTuple):
    """Where it is read."""

    returns: ReturnReading
    connotes: ConnoteReading


def shared_connote(readings: Readings, bounds: Bounds, connote: str, now: datetime) -> dict[str, Any]:
    """What is known of a connote by the exports that name it, whichever station made them. Raises Retryable.

    Where it goes is where the first parcel goes that was exported under it.
    """
    known: dict[str, Any] = {"connote": connote, "state": NEW, "members": 0, "exported": None}
    known |= {"retailer": None, "destination_country": None}
    found = readings.connotes.connote(bounds, connote, 0, _PAGE)
    if found is None:
        return known
    head = head_item(found, now)
    known |= {"state": head["state"], "members": head["members"]}
    parcel = _first(readings, bounds, found, connote) if head["members"] else None
    if parcel is not None:
        known |= {name: parcel[name] for name in ("retailer", "destination_country", "exported")}
    return known


def _first(readings: Readings, bounds: Bounds, found: Connote, connote: str) -> dict[str, Any] | None:
    """The parcel that was exported under it before the others; where one is repacked just now, the next."""
    for member in islice(_travelling(readings.connotes, bounds, found, connote), _MOST_READ):
        parcel = find_parcel(readings.returns, bounds, member.return_id)
        if parcel is not None and parcel["connote"] == connote:
            return parcel
    return None


def _travelling(reading: ConnoteReading, bounds: Bounds, found: Connote, connote: str) -> Iterator[Member]:
    """Members that travel under it, from page to page: of each those that were exported before the others."""
    for further in reversed(range(_MOST_PAGES)):
        rows, upto = found.members
        yield from sorted((row for row in rows if travels(row, connote)), key=lambda row: row.exported_at or _LATEST)
        if len(rows) == _PAGE:
            upto = MEMBERS.key_of(rows[-1])
        more = reading.connote(bounds, connote, upto[0], _PAGE) if further and upto is not None else None
        if more is None:
            return
        found = more


def how_far(reading: ReturnReading, bounds: Bounds, return_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The status of each return that is seen, in their order, and the connote that it is exported under. Raises Retryable."""
    wanted = list(dict.fromkeys(return_ids))
    states = reading.states(bounds, wanted)
    found = []
    for return_id in wanted:
        state = states.get(return_id)
        if state is not None and (status := state.timeline.status) is not None:
            connote = connote_of(state)
            found.append({"return_id": return_id, "status": status, "status_name": NAMES[status], "connote": connote})
    return found
