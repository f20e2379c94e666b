"""What the use cases need of the outside world, as protocols; the adapters fulfil them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from msgspec import Struct

from service.application.label_ports import KeepsClaims, LabelQueries
from service.application.void_ports import WatchesVoids
from service.application.wait_ports import TellsWaits
from service.domain.events import Event
from service.domain.journey import Entry, State
from service.domain.labels import Label
from service.domain.rules import Rules
from service.wire.inbound import Inbound
from service.wire.record import Record

Partition = tuple[str, int]  # a topic and the number of one of its partitions

# Does a little of something else (less than a millisecond of it) and says whether it did anything: False, and the wait
# for the server's answer goes on without it.
WhileWaiting = Callable[[], bool]


class Arrival(Struct, frozen=True, gc=False):
    """An understood event and the record that it came in (of one that waited: without its bytes)."""

    inbound: Inbound
    record: Record


class DeadLetter(Struct, frozen=True, gc=False):
    """A message that is no event, why (a stable word), and in a sentence.

    `source` is what it calls its publisher, where that can be read. One that `is_thin` is kept by its coordinates alone: the
    fuse of its publisher is blown.
    """

    record: Record
    reason: str
    error: str
    source: str | None = None
    is_thin: bool = False


Item = Arrival | DeadLetter  # what a record turned out to be


class HistoryRow(Struct, frozen=True, gc=False):
    """One row of the history to be."""

    return_no: int
    entry: Entry
    arrival: Arrival


class Stored(NamedTuple):
    """A stored offset and what it belongs to: the topic's id, and the leader epoch of the record before it.

    None and -1: not known.
    """

    next: int
    topic_id: bytes | None = None
    epoch: int = -1


class EpochEnd(NamedTuple):
    """Where the records of a leader epoch, and of those before it, ended: before the offset `end`; -1: before all records.

    `epoch` is the last of those epochs that the log has: no later one wrote the record before `end`. -1: not known.
    """

    epoch: int
    end: int


class Move(NamedTuple):
    """A stored offset's way: from what this worker left there to the next record to read, in the topic of this id.

    `epoch` is the leader epoch of the record before that one. None and -1: not known.
    """

    expected: int
    next: int
    topic_id: bytes | None = None
    epoch: int = -1


class Rebinding(NamedTuple):
    """A stored offset's way to what it is worth in the topic that has its name now."""

    before: Stored
    after: Stored


class Waiting(Struct, frozen=True, gc=False):
    """An event that waited for a return (parked, or a delivery of its connote) and has found it."""

    return_no: int
    arrival: Arrival


class Swept(NamedTuple):
    """What a slice of the batch log left to do, and how far it is done with that; None: there may be more.

    `batches` are the ids of those that it looked at. Scans of labels with several claims are not among what waits. `after`: of
    these batches nothing else waits any more, and their labels are done with up to this one.
    """

    upto: int | None
    waiting: Sequence[Waiting]
    batches: Sequence[str] = ()
    after: Label | None = None


class SweepProgress(NamedTuple):
    """The last batch that the sweep is done with, and the last batch there is."""

    upto: int
    newest: int


class Transaction(KeepsClaims, WatchesVoids, TellsWaits, Protocol):
    """One atomic append to the journal. Every method may raise Retryable, RejectedValue or Fatal.

    What writes is called in this order, since all workers write in one order and could else wait for each other:
    `advance`, `number_returns`, `claim_labels`, `park`, `keep_deliveries`, `take_turn`, `join_connotes`, `join_claims`,
    `set_claims`, `append` and `append_contested` until nothing collides, `watch_voids`, `forget_voids`,
    `keep_dead_letters`, `number_batch`.
    """

    @property
    def rules(self) -> Rules:
        """The rules by which this journal's returns are decided."""

    def advance(self, moves: Mapping[Partition, Move]) -> None:
        """Move the stored offsets; raises LostPartition if one is not where, or not in the topic, it is expected."""

    def rebind(self, rebindings: Mapping[Partition, Rebinding]) -> None:
        """Bind stored offsets anew; raises LostPartition if one is not what it was before."""

    def number_returns(self, return_ids: Collection[str], created: Collection[str]) -> tuple[dict[str, int], set[int]]:
        """The numbers of those of these returns that exist, or are created; and which of them exist since now.

        `return_ids` are all that the batch names, `created` those among them that a creation of the batch names: these
        get a number where they have none. One that nobody created is not in the answer.
        """

    def find_labels(self, labels: Collection[str]) -> dict[str, int]:
        """The returns that claimed these labels first, as `inbound.label` writes them."""

    def claim_labels(self, claims: Mapping[str, int]) -> dict[str, int]:
        """Claim labels for returns; answers with each label's owner, who may have been another one, first."""

    def take_turn(self) -> None:
        """Wait for the others that append to the same returns, if some are expected; from here to the commit."""

    def load(self, return_nos: Collection[int]) -> dict[int, State]:
        """The states of returns that have a history."""

    def past(self, return_nos: Collection[int]) -> dict[int, list[Event]]:
        """Every event in the histories of these returns, in the order of recording."""

    def append(self, rows: Sequence[HistoryRow]) -> bool:
        """Append to the history, or append nothing and answer False: another worker was, or may be, first somewhere."""

    def append_contested(self, rows: Sequence[HistoryRow]) -> set[int]:
        """Append what does not collide; the numbers of the returns where another worker was first."""

    def park(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Keep events until their return becomes known; those that were kept already."""

    def keep_deliveries(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Keep deliveries of connotes for members now and later; those that were kept already."""

    def join_connotes(self, members: Mapping[tuple[str, int], int]) -> None:
        """Note which returns were exported under which connote, and when last (microseconds since 1970-01-01 UTC)."""

    def keep_dead_letters(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Keep dead letters; those that were not kept already."""

    def number_batch(self, events: int) -> None:
        """Take the batch's number, and note how many events it recorded: the last thing before the commit."""


class SweepTransaction(Transaction, LabelQueries, Protocol):
    """A transaction that may also move the sweep's cursor."""

    def begin_sweep(self, batches: int, events: int) -> Swept | None:
        """What the next so many batches left to do, so many events at most, parked ones taken out.

        None: there is no batch to look at, or another worker sweeps.
        """

    def end_sweep(self, upto: int) -> None:
        """Move the sweep's cursor."""

    def stop_sweep(self, upto: int, label: Label) -> None:
        """Leave the cursor where it is; of the batches up to there the labels up to this one are done with, and all that waited."""


class Journal(Protocol):
    """The append-only store of events, verdicts and states. One thread uses it. Every method may raise Retryable."""

    def transaction(self, while_waiting: WhileWaiting | None = None) -> AbstractContextManager[SweepTransaction]:
        """A transaction that commits at the end of the block, or rolls back on an exception.

        After Retryable it is unknown whether the commit happened. `while_waiting` is called again and again, on the
        caller's thread, while the server has not answered; what it raises ends the transaction.
        """

    def stored_offsets(self, starts: Mapping[Partition, Stored]) -> dict[Partition, Stored]:
        """Where to read on in these partitions; one that was never read starts as is given for it."""

    def known_offsets(self, partitions: Collection[Partition]) -> dict[Partition, Stored]:
        """Where to read on in these partitions; without those that were never read."""

    def swept(self) -> SweepProgress:
        """How far the sweep is, and how far it has to go."""

    def extend(self) -> None:
        """Make room for the returns to come."""

    def mend_fuses(self, partitions: Collection[Partition], sources: Collection[str] | None = None) -> None:
        """Note that fuses in these partitions are whole again: of these sources ("": of none), None: of all."""

    def close(self) -> None:
        """Let go of the connection; the next call makes a new one."""


class Bounds(NamedTuple):
    """A partition's first offset and the one after its last."""

    begin: int
    end: int


class Source(Protocol):
    """The input topics as one member of a consumer group reads them. Every method may raise BrokenSource.

    `poll` raises ChangedTopics as soon as it is known that a topic was made anew.
    """

    def poll(self, timeout_ms: int, limit: int) -> list[Record]:
        """Records of the partitions that are not paused, in the order of each partition."""

    def take_gained(self) -> set[Partition]:
        """Partitions that came with the last polls, paused, until the next call."""

    def take_lost(self) -> set[Partition]:
        """Partitions that went with the last polls, until the next call."""

    def seek(self, partition: Partition, offset: int, epoch: int = -1) -> None:
        """Read on from `offset`; `epoch` is the leader epoch of the record before it, -1: not known."""

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Give no records of these until they are resumed."""

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Give records of these again."""

    def position(self, partition: Partition) -> int | None:
        """The next offset to be read, past transaction markers; None while it is not known."""

    def high_water(self, partition: Partition) -> int | None:
        """The end of the partition as of the last fetch; None while it is not known."""

    def bounds(self, partitions: Collection[Partition]) -> dict[Partition, Bounds]:
        """The first and the next offset of each partition."""

    def all_partitions(self) -> set[Partition]:
        """Every partition of the input topics, whoever reads it."""

    def check_topics(self) -> None:
        """Ask Kafka whether the topics are still those that this source reads. Raises ChangedTopics."""

    def topic_id(self, topic: str) -> bytes | None:
        """The id of the topic that this source reads under the name; None: the broker does not tell."""

    def epoch(self, partition: Partition, offset: int) -> int:
        """The leader epoch of the record before `offset`, which was given last or is sought; -1: not known."""

    def epoch_ends(self, epochs: Mapping[Partition, int]) -> dict[Partition, EpochEnd]:
        """Where the records of these leader epochs, and of those before them, ended.

        Left out are those that are not over, and what the broker does not tell.
        """

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka how far this worker is; never waits, never fails."""

    def close(self) -> None:
        """Leave the group."""
