"""What came of each carrier lately, and how good it was: for the page of carriers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from service.application.access.bounds import Bounds

LATELY_ROWS: Final = 10_000  # of the history, the newest: what is older says little of how a feed is now
MOST_GROUPS: Final = 200


class Lately(NamedTuple):
    """The scans of a carrier by one way in; `feed` is None for those that came by topic.

    `late` are the 50th, 90th and 99th percentile of how long after it happened a scan was received: from a feed when
    that brought it, from elsewhere when it was recorded. `placeless` have no
    place, `naive` no offset.
    """

    carrier: str
    feed: str | None
    scans: int
    newest: datetime
    unmapped: int
    placeless: int
    naive: int
    late: tuple[timedelta, timedelta, timedelta]


class CarrierReading(Protocol):
    """What the page reads of the database: of returns within the bounds. Every method may raise Retryable."""

    def lately(self, bounds: Bounds) -> list[Lately]:
        """Those with most scans first."""

    def codes(self, bounds: Bounds, carrier: str) -> dict[str, int]:
        """How often each code of the carrier came."""
