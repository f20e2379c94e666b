"""Lists: returns by what they are now, exceptions, and dead letters, each a page at a time.

A page goes on where the last one ended, by the key of its last row: it costs the same however far into a list it is,
and nothing is repeated or skipped when rows come while somebody turns pages. No page looks at more than so many rows of a
list: where a combination of filters lets few of very many through, it holds fewer than were asked for, and the next one
goes on from where it stopped looking.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from service.domain.milestones import Milestone
from service.wire.letters import KeptLetter

PARKED: Final = "parked"
# How long a return may stay in a status before it counts as stuck, in hours. The longest waits are for the consumer,
# who has a label and time, and for consignments that cross borders.
STUCK_HOURS: Final[dict[Milestone, float]] = {
    Milestone.RC: 14 * 24,
    Milestone.RT: 7 * 24,
    Milestone.RDTPF: 3 * 24,
    Milestone.DS: 3 * 24,
    Milestone.RP: 7 * 24,
    Milestone.RE: 14 * 24,
}


class ReturnFilter(NamedTuple):
    """Which returns; None: any. `stuck` is judged at the time of asking."""

    status: str | None = None
    retailer: str | None = None
    route: str | None = None
    carrier: str | None = None
    hub: str | None = None
    tracking_number: str | None = None
    order_number: str | None = None
    connote: str | None = None
    stuck: bool | None = None


class ListedReturn(NamedTuple):
    """A return as lists know it."""

    return_no: int
    return_id: str
    retailer: str
    order_number: str | None
    route: str
    carrier: str
    tracking_number: str
    connote: str | None
    hub: str | None
    status: str
    version: int
    complete: bool
    status_at: datetime
    status_recorded_at: datetime
    created_at: datetime
    updated_at: datetime


class ExceptionFilter(NamedTuple):
    """Which exceptions; None: any. `verdict` may be `parked`; `open` tells those that still wait for somebody."""

    verdict: str | None = None
    reason: str | None = None
    carrier: str | None = None
    code: str | None = None
    return_id: str | None = None
    open: bool | None = None

    @property
    def wants_parked(self) -> bool:
        """Parked events are open and have no reason."""
        return self.verdict in (None, PARKED) and self.reason is None and self.open is not False

    @property
    def wants_recorded(self) -> bool:
        """Whether others than parked events are wanted."""
        return self.verdict != PARKED


class ListedException(NamedTuple):
    """An event that was held, refused, unmapped, or that counts with a reason to look at it."""

    recorded_at: datetime
    return_no: int
    seq: int
    return_id: str
    retailer: str
    verdict: str
    reason: str
    milestone: str | None
    code: str | None
    type: str
    source: str
    id: str
    carrier: str
    tracking_number: str
    connote: str | None
    occurred_at: datetime
    resolved_at: datetime | None
    topic: str | None
    partition: int | None
    offset: int | None


class ParkedEvent(NamedTuple):
    """An event whose return is not known yet."""

    recorded_at: datetime
    kind: str
    subject: str
    source: str
    id: str
    type: str
    code: str | None
    milestone: str | None
    occurred_at: datetime
    topic: str
    partition: int
    offset: int


class LetterFilter(NamedTuple):
    """Which dead letters; None: any. `since` (inclusive) and `until` (exclusive) are of when they were kept."""

    reason: str | None = None
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    open: bool | None = None


Row = TypeVar("Row")


class Window(NamedTuple, Generic[Row]):
    """The rows that were found, and how far was looked.

    `upto` is the key of the last row that was looked at, where there may be more behind it; None: there are no more,
    or as many were found as were asked for.
    """

    rows: list[Row]
    upto: tuple[Any, ...] | None = None


class Listing(Protocol):
    """The lists. `after` is the key of the row before; every method may raise Retryable."""

    def returns(
        self, wanted: ReturnFilter, due: Mapping[str, datetime], after: int | None, limit: int
    ) -> Window[ListedReturn]:
        """The newest first. `due` says since when a return of that status is stuck."""

    def stuck_returns(
        self, wanted: ReturnFilter, due: Mapping[str, datetime], after: tuple[datetime, int] | None, limit: int
    ) -> Window[ListedReturn]:
        """Those that moved before `due` and are not complete, the one that has not moved for longest first."""

    def exceptions(
        self, wanted: ExceptionFilter, after: tuple[datetime, int, int] | None, limit: int
    ) -> Window[ListedException]:
        """The newest first, by (`recorded_at`, `return_no`, `seq`)."""

    def parked(
        self, wanted: ExceptionFilter, after: tuple[datetime, str, str, str, str] | None, limit: int
    ) -> Window[ParkedEvent]:
        """The newest first, by (`recorded_at`, `kind`, `subject`, `source`, `id`)."""

    def letters(
        self, wanted: LetterFilter, after: tuple[datetime, int] | None, limit: int, most: int
    ) -> Window[KeptLetter]:
        """The newest first, with the values of up to `most` bytes."""

    def letter(self, letter_no: int) -> KeptLetter | None:
        """This one, its value whole."""
