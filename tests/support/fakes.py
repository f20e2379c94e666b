"""Kafka and the journal in memory, for ticks of the loop that a test drives by hand.

They keep the promises that the loop relies on and nothing else: order within a partition, positions that move with
each poll, partitions that come paused; transactions that take effect as a whole or not at all, and stored offsets
that move by compare-and-set. A test tells them when to fail.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from service.application.label_ports import Claimed, KeptClaim, ScanPlace
from service.application.ports import (
    Arrival,
    Bounds,
    DeadLetter,
    EpochEnd,
    HistoryRow,
    Move,
    Partition,
    Rebinding,
    Stored,
    SweepProgress,
    Swept,
    Waiting,
    WhileWaiting,
)
from service.application.void_ports import Names
from service.domain.events import Event
from service.domain.journey import State
from service.domain.labels import Label, Retailers, Window
from service.domain.rules import DEFAULT
from service.errors import BrokenSource, ChangedTopics, LostPartition, RejectedValue
from service.runtime.lifecycle import Stop
from service.wire.inbound import SubjectKind
from service.wire.record import Record
from service.wire.rows.unheard import Unheard

STRUCTURED = (("content-type", b"application/cloudevents+json"),)


class Clock:
    """A time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class ClockStop(Stop):
    """A stop flag whose waits take no real time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, seconds: float) -> bool:
        self._clock.pass_(seconds)
        return bool(self)


class FakeKafka:
    """Partitions with records, and the sources that were opened on them. None stands for a transaction marker."""

    def __init__(self, clock: Clock, story: list[str], *partitions: Partition) -> None:
        self.clock, self.story = clock, story
        self.logs: dict[Partition, list[Record | None]] = {partition: [] for partition in partitions}
        self.begin: dict[Partition, int] = defaultdict(int)
        self.ids: dict[str, bytes | None] = {topic: bytes(15) + b"1" for topic, _ in partitions}
        self.epoch = 0  # in which the leaders write
        self.epoch_ends: dict[Partition, dict[int, int]] = defaultdict(dict)  # of the epochs before this one
        self.held_back: dict[Partition, int] = {}  # the first offset of a transaction that is still open
        self.open_errors: deque[Exception] = deque()
        self.sources: list[FakeSource] = []

    def put(self, partition: Partition, *values: dict[str, Any] | bytes | None) -> None:
        """Append events, other bytes, or (None) a transaction marker."""
        log = self.logs[partition]
        for value in values:
            raw = json.dumps(value).encode() if isinstance(value, dict) else value
            offset = self.begin[partition] + len(log)
            id_ = self.ids[partition[0]]
            record = Record(*partition, offset, 1_795_600_000_000, b"key", raw, STRUCTURED, id_)
            log.append(None if raw is None else record)

    def make_anew(self, topic: str) -> None:
        """Delete the topic, and make it with as many partitions and nothing in them."""
        self.ids[topic] = (int.from_bytes(self.ids[topic] or b"") + 1).to_bytes(16)
        for partition in [each for each in self.logs if each[0] == topic]:
            self.logs[partition], self.begin[partition] = [], 0

    def truncate(self, partition: Partition, end: int) -> None:
        """Lose what is behind this offset, as after an unclean election; another leader goes on."""
        del self.logs[partition][end - self.begin[partition] :]
        ends = self.epoch_ends[partition]
        for epoch in (*ends, self.epoch):
            ends[epoch] = min(end, ends.get(epoch, end))
        self.epoch += 1

    def end(self, partition: Partition) -> int:
        return self.begin[partition] + len(self.logs[partition])

    def readable_end(self, partition: Partition) -> int:
        return self.held_back.get(partition, self.end(partition))

    def open(self) -> FakeSource:
        if self.open_errors:
            raise self.open_errors.popleft()
        self.sources.append(FakeSource(self))
        return self.sources[-1]

    @property
    def source(self) -> FakeSource:
        """The latest one."""
        return self.sources[-1]


class FakeSource:
    """`ports.Source`. Its first poll gives it all partitions, unless `at_poll` says otherwise."""

    def __init__(self, kafka: FakeKafka) -> None:
        self.kafka = kafka
        self.ids = dict(kafka.ids)
        self.assigned: set[Partition] = set()
        self.paused: set[Partition] = set()
        self.positions: dict[Partition, int] = {}
        self.committed: dict[Partition, int] = {}
        self.at_poll: deque[Callable[[FakeSource], object]] = deque([lambda self: self.assign(*kafka.logs)])
        self.closed = False
        self.polls: list[tuple[int, frozenset[Partition]]] = []
        self._gained: set[Partition] = set()
        self._lost: set[Partition] = set()
        self._epochs: dict[tuple[Partition, int], int] = {}  # of the record before an offset

    def assign(self, *partitions: Partition) -> None:
        for partition in partitions:
            self.assigned.add(partition)
            self.paused.add(partition)
            self.positions[partition] = 0
            self._gained.add(partition)

    def revoke(self, *partitions: Partition) -> None:
        for partition in partitions:
            self.assigned.discard(partition)
            self.positions.pop(partition, None)
            self._gained.discard(partition)
            self._lost.add(partition)

    def poll(self, timeout_ms: int, limit: int) -> list[Record]:
        assert not self.closed
        self.kafka.story.append("poll")
        if self.at_poll:
            self.at_poll.popleft()(self)
        self.polls.append((timeout_ms, frozenset(self.paused & self.assigned)))
        records: list[Record] = []
        for partition in sorted(self.assigned - self.paused):
            self._read(partition, records, limit)
        if not records:
            self.kafka.clock.pass_(timeout_ms / 1000)
        return records

    def _read(self, partition: Partition, records: list[Record], limit: int) -> None:
        begin, end = self.kafka.begin[partition], self.kafka.end(partition)
        if not begin <= self.positions[partition] <= end:
            raise BrokenSource("Kafka: OffsetOutOfRangeError")
        while len(records) < limit and self.positions[partition] < self.kafka.readable_end(partition):
            record = self.kafka.logs[partition][self.positions[partition] - begin]
            self.positions[partition] += 1
            self._epochs[partition, self.positions[partition]] = self.kafka.epoch
            if record is not None:
                records.append(record)

    def take_gained(self) -> set[Partition]:
        gained, self._gained = self._gained, set()
        return gained

    def take_lost(self) -> set[Partition]:
        lost, self._lost = self._lost, set()
        return lost

    def seek(self, partition: Partition, offset: int, epoch: int = -1) -> None:
        if partition in self.assigned:
            self.positions[partition] = offset
            self._epochs[partition, offset] = epoch

    def pause(self, partitions: Iterable[Partition]) -> None:
        self.paused |= self.assigned & set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self.kafka.story.append("resume")
        self.paused -= self.assigned & set(partitions)

    def position(self, partition: Partition) -> int | None:
        return self.positions.get(partition)

    def high_water(self, partition: Partition) -> int | None:
        return self.kafka.end(partition) if partition in self.assigned else None

    def bounds(self, partitions: Collection[Partition]) -> dict[Partition, Bounds]:
        return {p: Bounds(self.kafka.begin[p], self.kafka.readable_end(p)) for p in partitions}

    def all_partitions(self) -> set[Partition]:
        return set(self.kafka.logs)

    def check_topics(self) -> None:
        if self.ids != self.kafka.ids:
            raise ChangedTopics("in was made anew")

    def topic_id(self, topic: str) -> bytes | None:
        return self.ids[topic]

    def epoch(self, partition: Partition, offset: int) -> int:
        return self._epochs.get((partition, offset), -1)

    def epoch_ends(self, epochs: Mapping[Partition, int]) -> dict[Partition, EpochEnd]:
        assert all(epoch >= 0 for epoch in epochs.values())
        ends = self.kafka.epoch_ends
        return {p: EpochEnd(epoch, ends[p][epoch]) for p, epoch in epochs.items() if epoch in ends[p]}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        self.kafka.story.append("tell Kafka")
        self.committed.update(offsets)

    def close(self) -> None:
        self.closed = True


class Moved(NamedTuple):
    """A stored offset's way."""

    expected: int
    next: int


@dataclass
class Tables:
    """What a transaction changes."""

    offsets: dict[Partition, int] = field(default_factory=dict)
    bound: dict[Partition, tuple[bytes | None, int]] = field(default_factory=dict)  # to which topic, in which epoch
    returns: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    history: dict[int, list[HistoryRow]] = field(default_factory=dict)
    parked: dict[tuple[SubjectKind, str, bytes], Arrival] = field(default_factory=dict)
    deliveries: dict[tuple[str, bytes], Arrival] = field(default_factory=dict)
    members: dict[tuple[str, int], int] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    batches: int = 0
    numbered: list[int] = field(default_factory=list)  # how many events each batch has
    swept: int = 0
    claims: dict[tuple[Label, int], Claimed] = field(default_factory=dict)

    def stored(self, partition: Partition) -> Stored:
        return Stored(self.offsets[partition], *self.bound.get(partition, (None, -1)))


class MemoryJournal:
    """`ports.Journal`.

    `failures` are raised, one a transaction (None: this one is fine): ("before", error) as if the server had gone
    before the commit, ("after", error) as if only its answer had been lost. `refuses` tells which events
    PostgreSQL would refuse.
    """

    def __init__(self, story: list[str] | None = None) -> None:
        self.tables = Tables()
        self.failures: deque[tuple[str, Exception] | None] = deque()
        self.refuses: Callable[[Event], bool] = lambda _: False
        self.offset_errors: deque[Exception] = deque()
        self.commits: list[dict[Partition, Moved]] = []
        self.story = [] if story is None else story
        self.closed = 0
        self.mended_fuses: list[tuple[set[Partition], set[str] | None]] = []
        self.while_committing: deque[Callable[[], object]] = deque()  # what happens meanwhile, one an append

    @contextmanager
    def transaction(self, while_waiting: WhileWaiting | None = None) -> Iterator[MemoryTransaction]:
        tx = MemoryTransaction(self, copy.deepcopy(self.tables))
        yield tx
        if tx.is_append and self.while_committing:
            self.while_committing.popleft()()
        if while_waiting is not None:
            while_waiting()  # the server takes its time to commit, though not for ever
        when, error = (tx.is_append and self.failures and self.failures.popleft()) or (None, None)
        if error and when == "before":
            raise error
        self.tables = tx.tables
        if tx.is_append:
            self.commits.append(tx.moves)
            self.story.append("commit")
        if error:
            raise error

    def stored_offsets(self, starts: Mapping[Partition, Stored]) -> dict[Partition, Stored]:
        if self.offset_errors:
            raise self.offset_errors.popleft()
        self.story.append("read offsets")
        for partition, start in starts.items():
            if partition not in self.tables.offsets:
                self.tables.offsets[partition] = start.next
                self.tables.bound[partition] = (start.topic_id, -1)
        return {partition: self.tables.stored(partition) for partition in starts}

    def known_offsets(self, partitions: Collection[Partition]) -> dict[Partition, Stored]:
        if self.offset_errors:
            raise self.offset_errors.popleft()
        self.story.append("read offsets")
        return {p: self.tables.stored(p) for p in partitions if p in self.tables.offsets}

    def swept(self) -> SweepProgress:
        return SweepProgress(self.tables.swept, self.tables.batches)

    def extend(self) -> None:
        self.story.append("extend")

    def mend_fuses(self, partitions: Collection[Partition], sources: Collection[str] | None = None) -> None:
        self.mended_fuses.append((set(partitions), None if sources is None else set(sources)))

    def close(self) -> None:
        self.closed += 1

    def recorded(self, return_id: str) -> list[str]:
        """The ids of the events in a return's history."""
        return [row.entry.event.id for row in self.tables.history.get(self.tables.returns.get(return_id, 0), [])]

    def letters(self) -> list[tuple[Partition, int, str]]:
        """Where each dead letter came from, and why."""
        return [
            ((each.record.topic, each.record.partition), each.record.offset, each.reason)
            for each in self.tables.letters
        ]


class MemoryTransaction:
    """`ports.SweepTransaction` on a copy of the tables."""

    rules = DEFAULT

    def __init__(self, journal: MemoryJournal, tables: Tables) -> None:
        self._journal = journal
        self.tables = tables
        self.moves: dict[Partition, Moved] = {}
        self.is_append = False

    def advance(self, moves: Mapping[Partition, Move]) -> None:
        self.is_append = True
        self.moves = {partition: Moved(move.expected, move.next) for partition, move in moves.items()}
        for partition, move in moves.items():
            if self.tables.offsets.get(partition) != move.expected:
                raise LostPartition("a stored offset was moved by another worker")
            if move.topic_id not in {None, self.tables.stored(partition).topic_id}:
                raise LostPartition("a stored offset is of another topic")
            self.tables.offsets[partition] = move.next
            self.tables.bound[partition] = (self.tables.stored(partition).topic_id, move.epoch)

    def rebind(self, rebindings: Mapping[Partition, Rebinding]) -> None:
        for partition, (before, after) in rebindings.items():
            if self.tables.stored(partition) != before:
                raise LostPartition("a stored offset was moved by another worker")
            self.tables.offsets[partition] = after.next
            self.tables.bound[partition] = after[1:]

    def number_returns(self, return_ids: Collection[str], created: Collection[str]) -> tuple[dict[str, int], set[int]]:
        returns = self.tables.returns
        new = sorted(set(created) - returns.keys())
        for return_id in new:
            returns[return_id] = len(returns) + 1
        known = {return_id: returns[return_id] for return_id in return_ids if return_id in returns}
        return known, {returns[return_id] for return_id in new}

    def find_labels(self, labels: Collection[str]) -> dict[str, int]:
        return {name: self.tables.labels[name] for name in labels if name in self.tables.labels}

    def claim_labels(self, claims: Mapping[str, int]) -> dict[str, int]:
        return {name: self.tables.labels.setdefault(name, return_no) for name, return_no in claims.items()}

    def join_claims(self, claims: Mapping[tuple[Label, int], Claimed]) -> None:
        self.tables.claims |= claims

    def set_claims(self, claims: Mapping[tuple[Label, int], Claimed]) -> None:
        self.tables.claims |= claims

    def touched_labels(self, batches: Sequence[str]) -> dict[Label, bool]:
        del batches
        return {}  # windows are looked at on the real server, and in the world

    def claims(self, label: Label) -> list[KeptClaim]:
        raise NotImplementedError

    def stored_states(self, return_nos: Collection[int]) -> dict[int, State]:
        return self.load(return_nos)

    def bounds(self, label: Label) -> dict[Retailers, dict[int, Window | None]]:
        raise NotImplementedError

    def tell(self, label: Label, windows: Mapping[int, Window], retailers: Retailers = ()) -> None:
        raise NotImplementedError

    def waiting_scans(self, label: Label, limit: int, bounds: Collection[Retailers] = ((),)) -> list[Arrival]:
        raise NotImplementedError

    def unpark(self, label: Label, arrivals: Sequence[Arrival]) -> None:
        raise NotImplementedError

    def scan_places(
        self, return_no: int, label: Label, since: int, until: int, retailers: Retailers = ()
    ) -> Iterator[ScanPlace]:
        raise NotImplementedError

    def scans_at(self, label: Label, places: Sequence[ScanPlace]) -> list[Arrival]:
        raise NotImplementedError

    def take_turn(self) -> None:
        """One worker at a time, always."""

    def load(self, return_nos: Collection[int]) -> dict[int, State]:
        history = self.tables.history
        return {number: history[number][-1].entry.state for number in return_nos if number in history}

    def past(self, return_nos: Collection[int]) -> dict[int, list[Event]]:
        history = self.tables.history
        return {number: [row.entry.event for row in history.get(number, [])] for number in return_nos}

    def append(self, rows: Sequence[HistoryRow]) -> bool:
        if any(self._journal.refuses(row.entry.event) for row in rows):
            raise RejectedValue("PostgreSQL 22P02 history")
        for row in rows:
            own = self.tables.history.setdefault(row.return_no, [])
            assert row.entry.state.seq == len(own) + 1
            own.append(row)
        return True

    def append_contested(self, rows: Sequence[HistoryRow]) -> set[int]:
        raise NotImplementedError("nobody else appends here")

    def park(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        keys = [(a.inbound.kind, a.inbound.subject, a.inbound.event.key) for a in arrivals]
        return [a for key, a in zip(keys, arrivals, strict=True) if self.tables.parked.setdefault(key, a) is not a]

    def keep_deliveries(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        keys = [(a.inbound.subject, a.inbound.event.key) for a in arrivals]
        return [a for key, a in zip(keys, arrivals, strict=True) if self.tables.deliveries.setdefault(key, a) is not a]

    def join_connotes(self, members: Mapping[tuple[str, int], int]) -> None:
        for member, exported in members.items():
            self.tables.members[member] = max(exported, self.tables.members.get(member, exported))

    def keep_dead_letters(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        self.tables.letters += letters
        return list(letters)

    def number_batch(self, events: int) -> None:
        self.tables.batches += 1
        self.tables.numbered.append(events)

    def begin_sweep(self, batches: int, events: int) -> Swept | None:
        del batches, events
        tables = self.tables
        if tables.swept == tables.batches:
            return None
        waiting: list[Waiting] = []
        for key, arrival in list(tables.parked.items()):
            kind, subject, _ = key
            owner = tables.returns.get(subject) if kind is SubjectKind.RETURN else tables.labels.get(subject)
            if owner is not None:
                waiting.append(Waiting(owner, arrival))
                del tables.parked[key]
        for (connote, return_no), exported in sorted(tables.members.items()):
            for (of, _), arrival in tables.deliveries.items():
                event = arrival.inbound.event
                is_due = (
                    event.at <= exported + self.rules.after_export and event not in self.past([return_no])[return_no]
                )
                if of == connote and is_due:
                    waiting.append(Waiting(return_no, arrival))
        waiting.sort(key=lambda item: item.arrival.inbound.event.order)
        return Swept(tables.batches, waiting)

    def end_sweep(self, upto: int) -> None:
        self.tables.swept = upto

    def stop_sweep(self, upto: int, label: Label) -> None:
        raise NotImplementedError

    def tell_waits(self, new: int, known: int) -> int:
        del new, known
        return 0  # no time passes here

    def tell_waits_again(self) -> None:
        """Nothing waits."""

    def watch_voids(self, names: Names) -> None:
        """Nobody looks."""

    def due_voids(self, limit: int) -> list[Unheard]:
        del limit
        return []

    def forget_voids(self, due: Sequence[Unheard]) -> None:
        raise NotImplementedError("no time passes here")
