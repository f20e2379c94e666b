"""How far the input topics are ingested and the journal is read, as of now: from what each server said last, and when.

A worker that waits for a frozen server cannot say how it stands. So whoever asks computes it, from the last answers and
their age. What is not known any more is never told as 0: the last number stays, and seconds grow from the moment at
which it was last known that nothing waited (ADR 18). Times are the monotonic clock's unless said otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from service.application.lag import own
from service.application.ports import Bounds, Partition, Stored
from service.errors import Cause

FRESH_SECONDS: Final = 8.0  # an answer that is older is none: its server has not answered since
STANDS_SECONDS: Final = 10.0  # what waits and does not move for so long stands still
_EARLIEST: Final = 946_684_800.0  # 2000-01-01: a record that claims to be older has a publisher with a broken clock
_ARRIVALS: Final = 256  # remembered of a partition; then every second one is forgotten
_LOOK_AGAIN_SECONDS: Final = 10.0


class CursorFacts(NamedTuple):
    """A reader of the journal: the batch up to which it is, and how long the next one has waited, in seconds."""

    n: int
    oldest_seconds: float | None


class Counted(NamedTuple):
    """Events parked and letters open, each counted up to a cap."""

    parked: int
    letters: int


class DatabaseFacts(NamedTuple):
    """What PostgreSQL says of itself and of the journal; `refused`: why it takes no further session, in a word."""

    is_read_only: bool
    end: int
    cursors: Mapping[str, CursorFacts]
    offsets: Mapping[Partition, Stored]
    counted: Counted | None
    refused: Cause | None = None


class Heads(Protocol):
    """When records came into Kafka."""

    def timestamps(self, wanted: Mapping[Partition, int]) -> dict[Partition, int | None]:
        """Kafka's timestamps, in milliseconds, of the first records from these offsets on; None: it has none."""


class PartitionLag(NamedTuple):
    """`records` wait, None: never known; the oldest for `seconds`; nothing has moved for `standing` of them.

    `deleted` records are gone from Kafka, unread.
    """

    records: int | None
    seconds: float
    standing: float
    deleted: int


class ReaderLag(NamedTuple):
    """The same for a reader of the journal, in batches. All None: it was never known."""

    batches: int | None = None
    seconds: float | None = None
    standing: float | None = None


@dataclass
class _Stand:
    """What was seen of a partition; each time is when it was seen."""

    bounds: Bounds
    clear_at: float  # the last time it was known that nothing waited, or when the partition was seen first
    moved_at: float
    first_end: int  # where it ended then: what is before came at a time that nobody saw
    next: int | None = None  # the stored offset, or the beginning where there is none
    arrivals: list[tuple[float, int]] = field(default_factory=list)  # when the end rose, and to where
    head: tuple[int, float | None] | None = None  # an offset, and when its record came, in seconds of the epoch
    head_at: float = 0.0


class InputLag:
    """Of every partition of the input topics, whoever reads it: Kafka's end minus the offset in PostgreSQL."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stands: dict[Partition, _Stand] = {}
        self._said: Mapping[Partition, Stored] | None = None
        self._stored: Mapping[Partition, int] | None = None  # of the topics that are
        self._topic_ids: Mapping[str, bytes | None] = {}
        self._ends_at = self._stored_at = float("-inf")

    def ends_said(
        self, bounds: Mapping[Partition, Bounds], at: float, topic_ids: Mapping[str, bytes | None] | None = None
    ) -> None:
        """Kafka has answered."""
        with self._lock:
            self._ends_at, self._topic_ids = at, topic_ids or {}
            for partition in self._stands.keys() - bounds.keys():
                del self._stands[partition]
            for partition, found in bounds.items():
                stand = self._stands.get(partition)
                if stand is None or found.end < stand.bounds.end:  # new, made anew, or cut
                    self._stands[partition] = _Stand(found, at, at, found.end)
                    continue
                if found.end > stand.bounds.end:
                    stand.arrivals.append((at, found.end))
                    if len(stand.arrivals) > _ARRIVALS:
                        del stand.arrivals[1:-1:2]
                stand.bounds = found
            self._note(at)

    def stored_said(self, offsets: Mapping[Partition, Stored], at: float) -> None:
        """PostgreSQL has answered."""
        with self._lock:
            self._said, self._stored_at = offsets, at
            self._note(at)

    def heads_said(self, found: Mapping[Partition, tuple[int, int | None]], at: float, now: float) -> None:
        """Kafka has told the timestamps of these offsets; `now` is the time of day, in seconds of the epoch."""
        with self._lock:
            for partition, (offset, milliseconds) in found.items():
                if (stand := self._stands.get(partition)) is not None:
                    seconds = None if milliseconds is None else milliseconds / 1000
                    is_likely = seconds is not None and _EARLIEST <= seconds <= now
                    stand.head, stand.head_at = (offset, seconds if is_likely else None), at

    def heads_wanted(self, at: float, limit: int) -> dict[Partition, int]:
        """Offsets of which nobody has seen when they came; those that were looked at longest ago first."""
        with self._lock:
            wanted = [
                (stand.head_at, partition, stand.next)
                for partition, stand in self._stands.items()
                if stand.next is not None
                and stand.next < min(stand.first_end, stand.bounds.end)
                and (stand.head is None or stand.head[0] != stand.next)
                and (stand.head is None or at - stand.head_at >= _LOOK_AGAIN_SECONDS)
            ]
        return {partition: offset for _, partition, offset in sorted(wanted)[:limit]}

    def is_known(self, at: float) -> bool:
        """Whether both servers have answered lately."""
        return at - min(self._ends_at, self._stored_at) < FRESH_SECONDS

    def lags(self, at: float, now: float) -> dict[Partition, PartitionLag]:
        """Each partition's lag; `now` is the time of day, in seconds of the epoch."""
        with self._lock:
            return {partition: self._lag(partition, at, now) for partition in sorted(self._stands)}

    def _note(self, at: float) -> None:
        """See what has moved."""
        if self._said is None:
            return
        self._stored = own(self._said, self._topic_ids)
        known = self.is_known(at)
        for partition, stand in self._stands.items():
            reached = max(self._stored.get(partition, 0), stand.bounds.begin)
            if stand.next is not None and reached > stand.next:
                stand.moved_at = at
                stand.arrivals = [arrival for arrival in stand.arrivals if arrival[1] > reached]
            stand.next = reached
            if known and reached >= stand.bounds.end:
                stand.clear_at, stand.first_end = at, stand.bounds.end

    def _lag(self, partition: Partition, at: float, now: float) -> PartitionLag:
        stand = self._stands[partition]
        quiet = at - max(stand.clear_at, stand.moved_at)
        if stand.next is None or self._stored is None:
            return PartitionLag(None, quiet, quiet, 0)
        stored = self._stored.get(partition, stand.bounds.begin)
        records, deleted = max(0, stand.bounds.end - stand.next), max(0, stand.bounds.begin - stored)
        if records:
            return PartitionLag(records, self._waited(stand, at, now), quiet, deleted)
        if self.is_known(at):
            return PartitionLag(0, 0.0, 0.0, deleted)
        return PartitionLag(0, at - stand.clear_at, quiet, deleted)

    @staticmethod
    def _waited(stand: _Stand, at: float, now: float) -> float:
        """How long the first record that is not ingested has waited."""
        if stand.next is not None and stand.next >= stand.first_end:
            # Without one it went back, among what was there when nothing waited.
            came = next((when for when, end in stand.arrivals if end > (stand.next or 0)), stand.clear_at)
            return at - came
        seen = at - stand.clear_at
        return seen if stand.head is None or stand.head[1] is None else max(seen, now - stand.head[1])


class CursorLag:
    """Of one reader of the journal."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[float, int, CursorFacts] | None = None
        self._clear_at = self._moved_at = float("-inf")

    def said(self, end: int, cursor: CursorFacts, at: float) -> None:
        """Where the journal ends, and where the reader is."""
        with self._lock:
            if self._last is None or cursor.n > self._last[2].n:
                self._moved_at = at
            if cursor.n >= end:
                self._clear_at = at
            self._last = at, end, cursor

    def is_known(self, at: float) -> bool:
        """Whether it was heard of lately."""
        return self._last is not None and at - self._last[0] < FRESH_SECONDS

    def lag(self, at: float) -> ReaderLag:
        """How far it is behind."""
        with self._lock:
            if self._last is None:
                return ReaderLag()
            said_at, end, cursor = self._last
            behind = max(0, end - cursor.n)
            quiet = at - max(self._clear_at, self._moved_at)
            if behind:
                return ReaderLag(behind, at - said_at + (cursor.oldest_seconds or 0.0), quiet)
            since = 0.0 if self.is_known(at) else at - said_at
            return ReaderLag(0, since, since)


def standing(lags: Mapping[Partition, PartitionLag]) -> list[Partition]:
    """The partitions that stand still though something waits in them, and nothing older is being ingested elsewhere.

    A worker that is behind takes the oldest records of all partitions first (ADR 8): one with younger ones has to wait.
    """
    waiting = {partition: lag for partition, lag in lags.items() if lag.records}
    moving = max((lag.seconds for lag in waiting.values() if lag.standing < STANDS_SECONDS), default=0.0)
    return [p for p, lag in waiting.items() if lag.standing >= STANDS_SECONDS and lag.seconds >= moving]
