"""What a scan station is told that consolidates: what was exported under a connote already, and how far its parcels are.

A parcel in an open connote is nothing that happened to its return yet, so no event says it and nobody but its station knows
it. What two stations of a hub share is the number of the connote, and what was exported under it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from service.application.access.bounds import Bounds
from service.application.hubs.parcels import find_parcel
from service.application.reading.connotes.documents import head_item, travels
from service.application.reading.connotes.listing import ConnoteReading, Member
from service.application.reading.tracking import ReturnReading
from service.domain.milestones import NAMES

NEW: Final = "new"  # no export and no delivery that is seen names it
_MOST_LOOKED_AT: Final = 20  # members, to find one that tells where the connote goes


class Readings(NamedTuple):
    """Where it is read."""

    returns: ReturnReading
    connotes: ConnoteReading


def shared_connote(readings: Readings, bounds: Bounds, connote: str, now: datetime) -> dict[str, Any]:
    """What is known of a connote by the exports that name it, whichever station made them. Raises Retryable.

    Where it goes is where the first parcel goes that travels under it.
    """
    known: dict[str, Any] = {"connote": connote, "state": NEW, "members": 0, "exported": None}
    known |= {"retailer": None, "destination_country": None}
    found = readings.connotes.connote(bounds, connote, 0, _MOST_LOOKED_AT)
    if found is None:
        return known
    head = head_item(found, now)
    known |= {"state": head["state"], "members": head["members"]}
    parcel = _first(readings.returns, bounds, found.members.rows, connote)
    if parcel is not None:
        known |= {name: parcel[name] for name in ("retailer", "destination_country", "exported")}
    return known


def _first(reading: ReturnReading, bounds: Bounds, members: Iterable[Member], connote: str) -> dict[str, Any] | None:
    """The first member that travels under it; where one is repacked just now, the next."""
    for member in members:
        if travels(member, connote):
            parcel = find_parcel(reading, bounds, member.return_id)
            if parcel is not None and parcel["connote"] == connote:
                return parcel
    return None


def how_far(reading: ReturnReading, bounds: Bounds, return_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The status of each return that is seen, in their order, and the connote that it is exported under. Raises Retryable."""
    wanted = list(dict.fromkeys(return_ids))
    states = reading.states(bounds, wanted)
    found = []
    for return_id in wanted:
        state = states.get(return_id)
        if state is not None and (status := state.timeline.status) is not None:
            connote = state.evidence.connote
            found.append({"return_id": return_id, "status": status, "status_name": NAMES[status], "connote": connote})
    return found
