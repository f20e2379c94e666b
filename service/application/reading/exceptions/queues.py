"""The queues of the operations desk: what waits for somebody, how much of it, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, NamedTuple, Protocol

from service.application.access.bounds import Bounds, Everything
from service.application.ports import Partition, Stored

MOST_COUNTED: Final = 10_000  # a queue is counted up to here: nobody works through more, and millions take time
MOST_GROUPS: Final = 200  # of unmapped codes, in the order of their names
MOST_FUSES: Final = 50
CODE_COLUMNS: Final = ("carrier", "code", "reason", "scans", "oldest", "newest", "example")  # of their file


class Size(NamedTuple):
    """How long a queue is, and since when its oldest entry waits; None: it is empty.

    `acknowledged` are the entries that somebody has seen, who hid them: they are open, and not in `number`.
    """

    number: int
    oldest: datetime | None
    acknowledged: int = 0

    @property
    def is_more(self) -> bool:
        """Whether there are more than were counted."""
        return self.number + self.acknowledged > MOST_COUNTED


EMPTY: Final = Size(0, None)


class UnmappedCode(NamedTuple):
    """Open scans with a code that a carrier's table lacks; `example` is the return of the newest."""

    carrier: str
    code: str
    reason: str
    size: Size
    newest: datetime
    example: str


class Sizes(NamedTuple):
    """All queues at one moment.

    `stuck` is by status; `exceptions` are open ones by verdict, `in_use` those whose tracking number is another
    return's; `letters` are open ones by reason, `circumstances` what follows from several events, by reason.
    """

    stuck: Mapping[str, Size]
    exceptions: Mapping[str, Size]
    in_use: Size
    parked: Size
    letters: Mapping[str, Size]
    circumstances: Mapping[str, Size]


class DayCount(NamedTuple):
    """How many returns reached a milestone on a day, in UTC."""

    day: date
    milestone: str
    route: str
    returns: int


class ProjectionLag(NamedTuple):
    """How far the tables behind lists and figures are: `behind` batches of the journal, the oldest of them since
    `since`; `is_complete` tells whether the figures hold all returns.
    """

    behind: int
    since: datetime | None
    is_complete: bool


class FuseState(NamedTuple):
    """A source whose letters are thin, in one partition, or were; `source` is empty where none can be read.

    `letters` is how many since it was blown; `mended_at` is None while it is. The last one of them came to Kafka at
    `last_published_at`.
    """

    topic: str
    partition: int
    source: str
    letters: int
    blown_at: datetime
    last_at: datetime
    mended_at: datetime | None
    last_published_at: datetime
    reason: str


class Queues(Protocol):
    """What the desk reads of the database besides lists. Every method may raise Retryable.

    All but `offsets` is read from tables that follow the journal, a moment later; `projection_lag` tells how far. Queues are
    those within bounds; figures of the whole service are nobody's who is bound.
    """

    def sizes(self, bounds: Bounds, due: Mapping[str, datetime]) -> Sizes:
        """How long the queues are, all at one moment, each counted up to MOST_COUNTED and one.

        `due` says for each status since when a return in it is stuck (see `pages.due_times`).

        >>> queues.sizes(bounds, services.due()).stuck.get("RDTPF", EMPTY).number
        """

    def unmapped(self, bounds: Bounds) -> list[UnmappedCode]:
        """Unmapped codes, those with most scans first; of more than MOST_GROUPS the first by their names."""

    def counts(self, _: Everything) -> dict[tuple[str, str], int]:
        """How many returns there are, by route and status."""

    def days(self, _: Everything, since: date) -> list[DayCount]:
        """How many returns reached each milestone on each day (UTC) since then, that day included; no entry where none."""

    def minutes(self, _: Everything, since: datetime) -> dict[datetime, int]:
        """How many events were recorded in each minute since then; a minute without any has no entry."""

    def offsets(self, _: Everything) -> dict[Partition, Stored]:
        """The next offset to be ingested, by partition."""

    def fuses(self, _: Everything) -> list[FuseState]:
        """Those that are blown first, MOST_FUSES at most."""

    def projection_lag(self, _: Everything) -> ProjectionLag:
        """How far the tables behind lists and figures are."""
