"""What is read of connotes: lists of them by where they are, and one with its members, a page at a time.

A connote is under way while any return is exported under it and not delivered, delivered when none is, and without members
where a delivery names it and no export has. Within bounds all of it is told of the returns that are seen, and of nothing
else: counts, times and the state are theirs, and a connote without any that is seen is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from service.application.access.bounds import Bounds, Everything
from service.application.commands.acknowledging import Acknowledgement
from service.application.reading.filters import ConnoteFilter
from service.application.reading.listing import ListSpec, Window


class ListedConnote(NamedTuple):
    """How many returns travel under a connote, and since when.

    `exported_at` is the earliest export of those under way; where none is, of those that were delivered last, at
    `delivered_at`. A return whose export does not count, say because no hub has processed it, travels under none.
    """

    connote: str
    under_way: int
    delivered: int
    exported_at: datetime | None
    delivered_at: datetime | None


class UnclaimedDelivery(NamedTuple):
    """The latest delivery of a connote under which no export has put a return."""

    connote: str
    delivered_at: datetime
    recorded_at: datetime
    topic: str
    partition: int
    offset: int
    source: str
    id: str
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_note: str | None = None


class Member(NamedTuple):
    """A return that an export put under a connote; None where the search table does not know it yet."""

    return_no: int
    return_id: str
    retailer: str | None
    status: str | None
    complete: bool | None
    status_at: datetime | None
    since: datetime | None  # when the status became known
    connote: str | None  # under which it travels: another one where this connote's export does not count
    exported_at: datetime | None


class Delivery(NamedTuple):
    """A delivery of a connote."""

    source: str
    id: str
    type: str
    occurred_at: datetime
    recorded_at: datetime
    zone_source: str
    topic: str
    partition: int
    offset: int
    data: Mapping[str, Any]
    utc_offset: int | None


class Connote(NamedTuple):
    """A connote, a page of its members, how many of all there are in each status, and its deliveries, the newest first.

    `acknowledged` is of one that was delivered without members.
    """

    head: ListedConnote
    members: Window[Member]
    statuses: Sequence[tuple[str | None, int, bool]]  # how many members, and whether all of them are complete
    deliveries: Sequence[Delivery]
    acknowledged: Acknowledgement | None = None


_COLUMNS: Final = (
    "connote",
    "state",
    "members",
    "under_way",
    "delivered",
    "exported_at",
    "delivered_at",
    "days_under_way",
    "acknowledged.at",
    "acknowledged.by",
)
UNDER_WAY: Final = ListSpec("cu", ListedConnote, (("exported_at", "timestamptz"), ("connote", "text")), _COLUMNS)
DELIVERED: Final = ListSpec("cd", ListedConnote, (("delivered_at", "timestamptz"), ("connote", "text")), _COLUMNS)
WITHOUT_MEMBERS: Final = ListSpec(
    "cw",
    UnclaimedDelivery,
    (("recorded_at", "timestamptz"), ("connote", "text"), ("source", "text"), ("id", "text")),
    _COLUMNS,
)
MEMBERS: Final = ListSpec("cm", Member, (("return_no", "int8"),))

Key = tuple[datetime, str]


class ConnoteReading(Protocol):
    """Connotes, a window at a time, as `service.application.reading.listing.Listing` reads lists. Every method may raise
    Retryable.
    """

    def under_way(self, bounds: Bounds, wanted: ConnoteFilter, after: Key | None, limit: int) -> Window[ListedConnote]:
        """Those under way, the longest first: by UNDER_WAY."""

    def delivered(self, bounds: Bounds, wanted: ConnoteFilter, after: Key | None, limit: int) -> Window[ListedConnote]:
        """Those of which none is under way any more, the latest delivery first: by DELIVERED."""

    def without_members(
        self, _: Everything, wanted: ConnoteFilter, after: tuple[datetime, str, str, str] | None, limit: int
    ) -> Window[UnclaimedDelivery]:
        """Those that were delivered without members, the latest first: by WITHOUT_MEMBERS. They are nobody's."""

    def connote(self, bounds: Bounds, connote: str, after: int, limit: int) -> Connote | None:
        """The connote with up to `limit` members whose `return_no` is above `after` (0: from the first), in that order, all
        of one moment. None where neither an export nor a delivery names it, or within bounds no member is seen.
        """
