"""The ingest loop: records from Kafka into the journal, whatever goes wrong in between.

One thread owns the consumer. `run_once` is a tick, the unit of testing; its order is the guarantee:

1. poll and decode (everything paused while a batch is held, so that the group keeps this member);
2. act on what the rebalance listener noted: drop held records of lost partitions, read the stored offsets of gained
   ones, seek and resume;
3. decide, append and COMMIT the batch together with the offsets; behind, poll before and decode the next batch while
   PostgreSQL is at work;
4. tell Kafka the same offsets, for those who look there; they are never read back;
5. sweep, metrics, watch over progress.
"""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service import logs
from service.application.journal import ingest, sweep
from service.application.ports import DeadLetter, Item, Journal, Move, Partition, Source
from service.errors import BrokenSource, ChangedTopics, Conflict, Fatal, RejectedValue, Retryable
from service.metrics import Metrics
from service.runtime.backoff import Backoff
from service.runtime.fuse import Fuse
from service.runtime.lifecycle import Stop
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.observer import Observer
from service.runtime.prefetch import Ahead
from service.runtime.progress import Drain, Progress
from service.runtime.taking_up import take_up
from service.wire.reasons import Invalid
from service.wire.record import Record

_HOUSEKEEPING_SECONDS: Final = 1.0
_IDLE_SWEEP_SECONDS: Final = 0.25  # how long an event may wait that a crash or a race left to the sweep
_TIDY_SECONDS: Final = 30.0
_SWEEPS_A_TICK: Final = 4
_BEHIND_SWEEP_SECONDS: Final = 1.0  # few large sweeps take less time than many small ones


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """What one worker may be told."""

    batch_size: int = 5000
    batch_wait_ms: int = 50
    poll_timeout_ms: int = 200
    fuse_run: int = 1000
    fuse_ratio: float = 0.9
    stall_seconds: float = 120.0
    drain: bool = False


class IngestLoop:
    """One worker. Raises Fatal when a supervisor should start a new one.

    `tidy` is called every few seconds between batches, `alive` at each tick.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        journal: Journal,
        parser: ingest.Parser,
        options: LoopOptions,
        *,
        stop: Stop,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        tidy: Callable[[], object] = lambda: None,
        alive: Callable[[], object] = lambda: None,
        board: Board | None = None,
    ) -> None:
        self._open_source = open_source
        self._journal = journal
        self._parser = parser
        self._stop = stop
        self._options = options
        self._clock = clock
        self._tidy = tidy
        self._alive = alive
        self._board = Board(clock) if board is None else board
        self._observer = Observer(metrics, clock, board=self._board)
        self._log = logs.get("ingest")
        self._backoff = Backoff(clock)
        self._fuse = Fuse(options.fuse_run, options.fuse_ratio)
        self._ahead = Ahead(self._decode)
        journal.meanwhile = self._work_ahead
        self._source: Source | None = None
        self._positions: dict[Partition, int] = {}  # the stored offsets of the partitions that are read
        self._gained: set[Partition] = set()  # whose stored offset is still to be read
        self._blown: set[Partition] = set()
        self._held: list[Item] = []
        self._uncertain = False  # a transaction failed: it is not known whether it was committed
        self._idle = False  # the last poll brought nothing, though it could
        self._drain: Drain | None = None
        self._progress = Progress(clock)
        self._last = dict.fromkeys(("housekeeping", "sweep", "tidy"), clock())

    def run(self) -> None:
        """Work until asked to stop, or until everything is drained."""
        try:
            while not self._stop and not self._is_drained():
                self.run_once()
        finally:
            self.close()

    def run_once(self) -> None:
        """One tick; see the module's text for its order."""
        self._alive()
        self._board.beat()
        try:
            source = self._source or self._open()
            if source is None:
                return
            self._poll(source)
            self._rebalance(source)
            if self._backoff.remaining():
                return
            self._settle(source)
            is_behind = self._is_behind
            wrote = self._record(source)
            self._carry_on(source)
            at_once = self._nears_the_end or (wrote and not is_behind)
            self._sweep(after=0 if at_once else _BEHIND_SWEEP_SECONDS if is_behind else _IDLE_SWEEP_SECONDS)
            self._housekeeping(source)
            self._board.works()
        except ChangedTopics as error:
            self._begin_anew(error)
        except BrokenSource as error:
            self._reopen(error)
        except Conflict as error:
            self._yield_to_other(error)
        except Retryable as error:
            self._hold(error)

    def close(self) -> None:
        """Leave the group. What is held was not committed: the next owner reads it again."""
        self._drop_source()
        self._journal.close()

    # 1. poll

    def _open(self) -> Source | None:
        if self._backoff.remaining():
            self._stop.wait(min(self._backoff.remaining(), self._options.poll_timeout_ms / 1000))
            return None
        self._source = self._open_source()
        if self._options.drain and self._drain is None:
            self._drain = Drain(self._source)
        return self._source

    def _poll(self, source: Source) -> None:
        waiting = bool(self._held) or self._backoff.remaining() > 0
        if self._ahead and not waiting:
            self._idle = False
            with self._observer.timed("decode"):
                self._hold_items(self._ahead.take())
            return
        timeout_ms = self._options.poll_timeout_ms
        if waiting:
            timeout_ms = max(1, min(timeout_ms, int(self._backoff.remaining() * 1000)))
        with self._observer.timed("poll"):
            records = source.poll(timeout_ms, self._options.batch_size)
            if records and not waiting:
                records += self._company(source, records)
        self._idle = not records and not waiting
        self._ahead.add(records)
        if not waiting:
            with self._observer.timed("decode"):
                self._hold_items(self._ahead.take())

    @property
    def _is_behind(self) -> bool:
        """With so much in hand there is more to come."""
        return len(self._held) * 2 >= self._options.batch_size

    def _decode(self, records: Iterable[Record]) -> list[Item]:
        return ingest.decode(self._parser, records)

    def _hold_items(self, items: Sequence[Item]) -> None:
        if self._fuse.is_watching or any(isinstance(item, DeadLetter) for item in items):
            for item in items:
                unread = item.record.unread
                if unread is not None and unread.first != item.record.offset:
                    continue  # one batch that cannot be read is one mishap
                self._fuse.feed(*_place(item), invalid=isinstance(item, DeadLetter))
        self._held += items

    def _read_ahead(self, source: Source) -> None:
        """Let the next batch be decoded while PostgreSQL is at work on this one."""
        if self._is_behind and not self._ahead and not self._backoff.failures:
            with self._observer.timed("poll", of_next=True):
                self._ahead.add(source.poll(0, self._options.batch_size))

    def _work_ahead(self) -> bool:
        with self._observer.timed("decode", of_next=True):
            return self._ahead.work()

    def _company(self, source: Source, records: Sequence[Record]) -> list[Record]:
        """What else comes within the batch's wait, up to its size."""
        more: list[Record] = []
        deadline = self._clock() + self._options.batch_wait_ms / 1000
        while (room := self._options.batch_size - len(records) - len(more)) > 0:
            remaining_ms = int((deadline - self._clock()) * 1000)
            if remaining_ms <= 0:
                break
            more += source.poll(remaining_ms, room)
        return more

    # 2. rebalance

    def _rebalance(self, source: Source) -> None:
        lost, gained = source.take_lost(), source.take_gained()
        if not lost and not gained:
            return
        # An eager rebalance takes all away and gives some back: those are read again from their stored offsets.
        self._forget(lost | gained)
        self._gained = (self._gained - lost) | gained
        self._log.info("rebalanced", gained=len(gained), lost=len(lost - gained), held=len(self._held))

    def _forget(self, partitions: Collection[Partition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            for memory in (self._progress, self._fuse, self._observer):
                memory.forget(partition)
        self._blown.difference_update(partitions)
        self._drop_held(partitions)

    def _settle(self, source: Source) -> None:
        """Make positions certain: after a failure, and where partitions were gained."""
        if self._uncertain:
            ids = {partition: source.topic_id(partition[0]) for partition in self._positions}
            stored = self._journal.known_offsets(self._positions)
            moved = {p for p, each in stored.items() if each.next != self._positions[p]}
            self._positions |= {partition: each.next for partition, each in stored.items()}
            self._give_back(source, moved)
            # Bound to another topic meanwhile: either that one, or the one that this worker reads, is of the past. Or gone
            # with a journal that went back to before this partition was ever read.
            rebound = {p for p, each in stored.items() if ids[p] not in {None, each.topic_id}}
            rebound |= ids.keys() - stored.keys()
            self._forget(rebound)
            self._gained |= rebound
            self._uncertain = False
        if self._gained:
            self._take_up(source)

    def _take_up(self, source: Source) -> None:
        source.pause(self._gained)
        taken = take_up(source, self._journal, self._gained, self._observer.strayed)
        self._observer.took_up(source, taken)
        self._drop_held(taken)
        for partition, (offset, _, epoch) in taken.items():
            source.seek(partition, offset, epoch)
            self._positions[partition] = offset
        source.resume(taken)
        self._gained = set()

    def _give_back(self, source: Source, partitions: Collection[Partition]) -> None:
        """Forget what is held of these partitions; it will be read again from where they stand."""
        self._drop_held(partitions)
        for partition in partitions:
            source.seek(partition, self._positions[partition])

    def _drop_held(self, partitions: Collection[Partition]) -> None:
        self._held = [item for item in self._held if _place(item)[0] not in partitions]
        self._ahead.drop(partitions)

    # 3. record

    def _record(self, source: Source) -> bool:
        if not self._held:
            return self._idle and self._skip_markers(source)
        self._stop_blown(source)
        self._read_ahead(source)
        self._write()
        return True

    def _write(self) -> None:
        """Commit what is held, in its order. Whatever is raised: what is not committed is still held."""
        sizes = [len(self._held)]
        while self._held:
            items = self._held[: sizes.pop()]
            try:
                self._commit(items, _ends(items))
            except RejectedValue as error:
                # Find the one record that PostgreSQL refuses; its neighbours are kept.
                if len(items) > 1:
                    middle = len(items) // 2
                    sizes += [len(items) - middle, middle]
                    continue
                letter = DeadLetter(items[0].record, Invalid.REJECTED_VALUE, str(error))
                self._commit([letter], _ends(items))
            self._held = self._held[len(items) :]

    def _commit(self, items: Sequence[Item], ends: Mapping[Partition, int]) -> None:
        moves = self._moves(ends)
        self._observer.begin()
        outcome = ingest.write(self._journal, items, moves, self._observer.step)
        self._positions |= ends
        self._observer.batch(items, outcome)

    def _moves(self, ends: Mapping[Partition, int]) -> dict[Partition, Move]:
        source = self._source
        if source is None:
            raise BrokenSource("there is no consumer to have read this")
        return {
            partition: Move(
                self._positions[partition], end, source.topic_id(partition[0]), source.epoch(partition, end)
            )
            for partition, end in ends.items()
        }

    def _stop_blown(self, source: Source) -> None:
        if not self._fuse.is_watching:
            return
        for partition in _ends(self._held).keys() - self._blown:
            if self._fuse.is_blown(partition):
                self._blown.add(partition)
                source.pause([partition])
                self._give_back(source, [partition])
                self._observer.blown(partition)

    def _skip_markers(self, source: Source) -> bool:
        """Move stored offsets past transaction markers at the end of partitions, so that lag is told right."""
        if not self._due("housekeeping", 0 if self._options.drain else _HOUSEKEEPING_SECONDS, peek=True):
            return False
        ends = {}
        for partition, stored in self._positions.items():
            position = source.position(partition)
            if position is not None and position > stored and partition not in self._blown:
                ends[partition] = position
        if ends:
            self._commit([], ends)
        return bool(ends)

    # when something is away, or somebody else was first

    def _hold(self, error: Retryable) -> None:
        """Keep the batch, give no more, keep polling: PostgreSQL will be back."""
        self._uncertain = True
        self._backoff.fail()
        self._observer.retry(error.cause)
        if self._backoff.failures in {1, 10} or self._backoff.failures % 100 == 0:
            self._log.warning("held", records=len(self._held), error=str(error), tries=self._backoff.failures)
        if self._source is not None:
            self._source.pause(self._positions)

    def _yield_to_other(self, error: Conflict) -> None:
        self._log.warning("conflict", error=str(error), records=len(self._held))
        self._observer.lost_partition()
        self._uncertain = True
        if self._source is not None:
            self._give_back(self._source, _ends(self._held).keys())

    def _carry_on(self, source: Source) -> None:
        if self._backoff.failures:
            self._log.info("resumed", tries=self._backoff.failures)
            self._backoff.succeed()
            self._progress.clear()
            source.resume(self._positions.keys() - self._blown)

    def _begin_anew(self, error: ChangedTopics) -> None:
        """What the consumer knows and has fetched may be of a topic that is gone; so may be the goal of a drain."""
        self._log.warning("topics_changed", error=str(error))
        self._drop_source()
        self._drain = None
        self._backoff.fail()

    def _reopen(self, error: Exception) -> None:
        self._log.warning("kafka_away", error=str(error), tries=self._backoff.failures + 1)
        self._observer.retry("kafka")
        self._drop_source()
        self._backoff.fail()

    def _drop_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()
        self._positions, self._gained, self._blown, self._held = {}, set(), set(), []
        self._ahead = Ahead(self._decode)
        self._progress.clear()

    # 5. sweep, housekeeping, drain

    def _sweep(self, *, after: float) -> None:
        if not self._due("sweep", after):
            return
        for _ in range(_SWEEPS_A_TICK):
            outcome = sweep.sweep(self._journal)
            if outcome is None:
                return
            self._observer.swept(outcome)

    def _housekeeping(self, source: Source) -> None:
        if self._due("tidy", _TIDY_SECONDS):
            self._journal.extend()
            self._tidy()
        if not self._due("housekeeping", _HOUSEKEEPING_SECONDS):
            return
        source.commit(self._positions)
        for partition, position in self._positions.items():
            high_water = source.high_water(partition)
            if high_water is not None:
                self._watch(source, partition, max(0, high_water - position))

    def _watch(self, source: Source, partition: Partition, lag: int) -> None:
        position = self._positions[partition]
        seconds = self._progress.seconds(partition, position, lag)
        if seconds <= self._options.stall_seconds or partition in self._blown:
            return
        self._progress.forget(partition)
        # What it lags behind may be a publisher's open transaction, which nobody may read yet.
        if source.bounds([partition])[partition].end > position:
            faulthandler.dump_traceback()
            raise Fatal(f"{partition[0]} {partition[1]} has a lag of {lag} and did not move for {seconds:.0f} s")

    def _due(self, what: str, seconds: float, *, peek: bool = False) -> bool:
        if self._clock() - self._last[what] < seconds:
            return False
        if not peek:
            self._last[what] = self._clock()
        return True

    @property
    def _nears_the_end(self) -> bool:
        """Whether what is left of a drain is the sweep, or other workers' part."""
        return self._drain is not None and self._drain.is_ingested(self._positions, self._blown)

    def _is_drained(self) -> bool:
        source = self._source
        if self._drain is None or source is None or self._backoff.failures:
            return False
        if not self._idle and not self._nears_the_end:  # publishers may go on, so that it is never idle
            return False
        try:
            return self._drain.is_done(self._journal, source, self._blown)
        except Retryable as error:
            self._hold(error)
        except BrokenSource as error:
            self._reopen(error)
        return False


def _place(item: Item) -> tuple[Partition, int]:
    record = item.record
    return (record.topic, record.partition), record.offset


def _ends(items: Iterable[Item]) -> dict[Partition, int]:
    """The offset after the last record of each partition; the items are in the order of their partitions."""
    ends = dict[Partition, int]()
    for item in items:
        record = item.record
        ends[record.topic, record.partition] = record.offset + 1
    return ends
