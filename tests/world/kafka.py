"""A model of Kafka: logs with transactions, a group of consumers, the coordinator of transactions, and what goes wrong.

Modelled is what bites: markers that take up offsets, aborted and open transactions and the last stable offset, markers
that reach one partition before another, epochs of producers and fencing, requests that arrive late, transactions that
time out, offsets committed within a transaction that nobody may read while it is pending; eager rebalances in the middle
of a batch, members that were silent for too long and do not know it; retention, logs that are cut and grow again under
another leader's epoch, topics made anew under their names, brokers that are away.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from kafka.structs import OffsetAndMetadata

from service.application.ports import EpochEnd
from tests.world.scheduler import Scheduler

MAX_POLL_SECONDS: Final = 8.0
JOIN_SECONDS: Final = 5.0
TRANSACTION_SECONDS: Final = 10.0
Headers = tuple[tuple[str, bytes | None], ...]
Partition = tuple[str, int]


class Fenced(Exception):
    """A younger producer has the transactional id."""


class Away(Exception):
    """No broker answers."""


@dataclass(slots=True, eq=False)
class Txn:
    """A transaction of a producer."""

    producer: int
    epoch: int
    began: float
    logs: list[Log] = field(default_factory=list)
    offset: OffsetAndMetadata | None = None
    outcome: bool | None = None  # decided by the coordinator; None: it is open
    is_complete: bool = False  # each partition has its marker


@dataclass(slots=True, eq=False)
class Entry:
    """What stands at an offset: a record, or a marker (of which `value` is None and `is_marker` set)."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int
    epoch: int
    txn: Txn | None = None
    is_marker: bool = False


class Log:
    """One partition."""

    def __init__(self, topic: str, number: int) -> None:
        self.topic, self.number = topic, number
        self.begin = 0
        self.entries: list[Entry] = []
        self.epoch = 0
        self.epoch_starts = [(0, 0)]
        self.ended: dict[Txn, bool] = {}  # whose marker stands here
        self._stable = (-1, -1, 0)

    @property
    def end(self) -> int:
        return self.begin + len(self.entries)

    def at(self, offset: int) -> Entry:
        return self.entries[offset - self.begin]

    def is_open(self, entry: Entry) -> bool:
        return entry.txn is not None and entry.txn not in self.ended

    @property
    def stable(self) -> int:
        """The last stable offset."""
        entries, ended, found = self._stable
        if entries == self.end and ended == len(self.ended) and found >= self.begin:
            return found
        found = self._find_stable()
        self._stable = self.end, len(self.ended), found
        return found

    def _find_stable(self) -> int:
        for place, entry in enumerate(self.entries):
            if entry.txn is not None and entry.txn not in self.ended:
                return self.begin + place
        return self.end

    def is_visible(self, entry: Entry) -> bool:
        """To a committed reader, below the last stable offset."""
        return not entry.is_marker and (entry.txn is None or self.ended.get(entry.txn, False))

    def append(self, entry: Entry) -> int:
        self.entries.append(entry)
        return self.end - 1

    def cut(self, end: int) -> None:
        """Lose what is behind this offset; another leader goes on."""
        del self.entries[end - self.begin :]
        self._stable = (-1, -1, 0)
        self.epoch += 1
        self.epoch_starts = [each for each in self.epoch_starts if each[1] < end or each[1] == 0]
        self.epoch_starts.append((self.epoch, end))

    def epoch_end(self, epoch: int) -> EpochEnd | None:
        """Where the records of an epoch, and of those before it, ended; None: they go on."""
        if epoch >= self.epoch:
            return None
        last = max((number for number, _ in self.epoch_starts if number <= epoch), default=epoch)
        return EpochEnd(last, min(start for number, start in self.epoch_starts if number > epoch))

    def retain_from(self, begin: int) -> None:
        del self.entries[: begin - self.begin]
        self.begin = begin


@dataclass(eq=False)
class Topic:
    name: str
    id: UUID
    logs: list[Log]


class Member:
    """Of the group: whether it has joined the round that is under way, and what it is to get."""

    def __init__(self, now: float) -> None:
        self.polled_at = self.seen_at = now
        self.has_joined = True
        self.given: set[Partition] | None = None


class Group:
    """Ingest's group of consumers, which rebalances eagerly: all give up everything, then some get something."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.members: dict[int, Member] = {}
        self._joining_since: float | None = None

    def shake(self) -> None:
        """Have everybody join again."""
        self._kafka.news += 1
        if self._joining_since is None:
            self._joining_since = self._kafka.world.now
        for member in self.members.values():
            member.has_joined, member.given = False, None

    def leave(self, number: int) -> None:
        if self.members.pop(number, None) is not None:
            self.shake()

    def poll(self, number: int) -> tuple[bool, set[Partition] | None]:
        """What the member learns: whether it has lost everything, and what it has gained (None: nothing new)."""
        now = self._kafka.world.now
        self._expire(number, now)
        has_lost = False
        member = self.members.get(number)
        if member is None:
            has_lost = True  # if it was one before
            member = self.members[number] = Member(now)
            self.shake()
            member.has_joined = True
        member.polled_at = member.seen_at = now
        if self._joining_since is not None and not member.has_joined:
            member.has_joined = has_lost = True
        if self._joining_since is not None:
            if now - self._joining_since > JOIN_SECONDS:
                for other in [n for n, each in self.members.items() if not each.has_joined]:
                    del self.members[other]
                    self._kafka.world.saw("a member was put out of the group")
            if all(each.has_joined for each in self.members.values()):
                self._assign()
        given, member.given = member.given, None
        return has_lost, given

    def _expire(self, asking: int, now: float) -> None:
        silent = [n for n, member in self.members.items() if now - member.polled_at > MAX_POLL_SECONDS]
        for number in silent:
            del self.members[number]
            self._kafka.world.saw("a member was put out of the group")
            if number == asking:
                self._kafka.world.saw("a member learnt that it was put out")
        if silent:
            self.shake()

    def _assign(self) -> None:
        """By ranges of each topic: the same numbers of every topic to one member."""
        self._kafka.news += 1
        self._joining_since = None
        numbers = sorted(self.members)
        for member in self.members.values():
            member.given = set()
        for topic in self._kafka.inputs:
            logs = self._kafka.topics[topic].logs
            each, more = divmod(len(logs), len(numbers))
            at = 0
            for place, number in enumerate(numbers):
                width = each + (place < more)
                given = self.members[number].given
                assert given is not None
                given |= {(topic, n) for n in range(at, at + width)}
                at += width
        self._kafka.world.saw("a rebalance")


class Kafka:
    """The brokers."""

    def __init__(self, world: Scheduler, inputs: Iterable[str], outputs: Iterable[str], partitions: int) -> None:
        self.world = world
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.partitions = partitions
        self._ids = 0
        self.topics = {name: self._made(name) for name in (*self.inputs, *self.outputs)}
        self.group = Group(self)
        self.is_up = True
        self.members = 0
        self.news = 0  # counts what a consumer might want to look at
        # Of the one transactional id:
        self.producer_epoch = -1
        self.txn: Txn | None = None
        self.committed: OffsetAndMetadata | None = None
        self.lost_unread = 0  # records that retention, cuts and topics made anew took
        self.on_commit: Callable[[], object] = lambda: None

    def _made(self, name: str) -> Topic:
        self._ids += 1
        return Topic(name, UUID(int=self._ids), [Log(name, n) for n in range(self.partitions)])

    def check(self) -> None:
        """Raises Away."""
        if not self.is_up:
            raise Away

    # what publishers do

    def publish(
        self, topic: str, number: int, key: bytes, value: bytes | None, headers: Headers, txn: Txn | None
    ) -> int:
        log = self.topics[topic].logs[number]
        entry = Entry(key, value, headers, int(self.world.wall() * 1000), log.epoch, txn)
        if txn is not None and log not in txn.logs:
            txn.logs.append(log)
        self.world.has_changed = True
        self.news += 1
        return log.append(entry)

    def mark(self, txn: Txn, log: Log, *, commit: bool) -> None:
        """The coordinator's marker reaches a partition."""
        log.ended[txn] = commit
        log.append(Entry(None, None, (), int(self.world.wall() * 1000), log.epoch, None, is_marker=True))
        self.news += 1
        self.world.has_changed = True

    # the coordinator of the relay's transactional id

    def init_producer(self) -> int | None:
        """The new epoch, once what an earlier producer left is over; None: ask again."""
        self._expire()
        txn = self.txn
        if txn is not None and not txn.is_complete:
            if txn.outcome is None:
                self.world.saw("a take-over aborted its predecessor's transaction")
                self.producer_epoch += 1
                self.decide(txn, commit=False)
            return None
        self.producer_epoch += 1
        return self.producer_epoch

    def in_txn(self, epoch: int) -> Txn:
        """The producer's open transaction, begun where there is none. Raises Fenced."""
        self._expire()
        if epoch != self.producer_epoch:
            self.world.saw("a relay was fenced")
            raise Fenced
        if self.txn is None or self.txn.is_complete:
            self.txn = Txn(1, epoch, self.world.now)
        return self.txn

    def end_txn(self, epoch: int) -> bool:
        """A request to commit arrives; whether it was taken."""
        self._expire()
        txn = self.txn
        if epoch != self.producer_epoch or txn is None:
            self.world.saw("an EndTxn was refused")
            return False
        if txn.outcome is None:
            self.decide(txn, commit=True)
        return txn.outcome is True

    def decide(self, txn: Txn, *, commit: bool) -> None:
        """Commit or abort; each partition learns of it in its own time."""
        txn.outcome = commit
        for place, log in enumerate(txn.logs):
            slow = self.world.fault("marker_late") if place else None
            self.world.at(0.001 * (place + 1) if slow is None else slow, partial(self._marked, txn, log))
        if not txn.logs:
            self.world.at(0.001, lambda: self._completed(txn))

    def _marked(self, txn: Txn, log: Log) -> None:
        self.mark(txn, log, commit=bool(txn.outcome))
        if all(txn in each.ended for each in txn.logs):
            self._completed(txn)

    def _completed(self, txn: Txn) -> None:
        if txn.outcome and txn.offset is not None:
            self.committed = txn.offset
        txn.is_complete = True
        self.world.has_changed = True

    @property
    def is_busy(self) -> bool:
        """Whether the last transaction is decided, and its markers are on their way: nothing may be added meanwhile."""
        return self.txn is not None and self.txn.outcome is not None and not self.txn.is_complete

    def is_pending(self) -> bool:
        """Whether a transaction may yet change the committed offset."""
        self._expire()
        return self.txn is not None and self.txn.offset is not None and not self.txn.is_complete

    def _expire(self) -> None:
        txn = self.txn
        if txn is not None and txn.outcome is None and self.world.now - txn.began > TRANSACTION_SECONDS:
            self.world.saw("a transaction timed out")
            self.producer_epoch += 1
            self.decide(txn, commit=False)

    # what goes wrong

    def retain(self, topic: str, number: int) -> None:
        """Delete the older half of what is stable."""
        log = self.topics[topic].logs[number]
        log.retain_from(log.begin + (log.stable - log.begin + 1) // 2)
        self.world.tell(f"retention: {topic} {number} begins at {log.begin}")
        self.world.saw("retention took records")

    def cut(self, topic: str, number: int) -> None:
        """An unclean election: the last third is lost."""
        log = self.topics[topic].logs[number]
        if log.stable != log.end:
            return
        end = log.end - (log.end - log.begin + 2) // 3
        if any(entry.txn is not None or entry.is_marker for entry in log.entries[end - log.begin :]):
            return  # a marker without its transaction is another story
        log.cut(end)
        self.world.tell(f"{topic} {number} is cut at {end}")
        self.world.saw("a log was cut")

    def make_anew(self, topic: str) -> None:
        """Delete a topic, and make it again."""
        self.topics[topic] = self._made(topic)
        self.news += 1
        self.world.tell(f"{topic} is made anew")
        self.world.saw("a topic was made anew")
        self.group.shake()

    def number_of(self, key: bytes) -> int:
        """The partition of a key of the inputs."""
        return zlib.crc32(key) % self.partitions


def visible(log: Log, after: int) -> tuple[list[tuple[int, Entry]], int]:
    """What a committed reader gets from an offset on, and where it stands then."""
    end = log.stable
    start = max(after, log.begin)
    entries: Sequence[Entry] = log.entries[start - log.begin : end - log.begin]
    return [(start + place, entry) for place, entry in enumerate(entries) if log.is_visible(entry)], max(after, end)
