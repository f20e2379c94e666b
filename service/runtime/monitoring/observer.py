"""What a worker shows of itself: one log line a batch and one a dead letter, and the metrics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from service import logs
from service.application.clocks import Clocks
from service.application.journal.ingest import Outcome
from service.application.ports import Arrival, DeadLetter, Item, Partition, Source
from service.errors import Cause
from service.metrics import Metrics, Step
from service.runtime.ingest.taking_up import Strayed
from service.runtime.monitoring.board import Board

# When a worker catches up, so many records of a batch stand for all of it in the end-to-end times.
_TIMED_A_BATCH: Final = 100
# An earlier timestamp is none: a publisher sent no time (-1), zero, or seconds. Each would count as half a century.
_FIRST_MS: Final = 946_684_800_000  # 2000-01-01


class Observer:
    """Never a payload: topics, offsets, counts and seconds."""

    def __init__(
        self,
        metrics: Metrics,
        clocks: Clocks,
        board: Board,
    ) -> None:
        self._metrics = metrics
        self._board = board
        self._clock, self._now = clocks.monotonic, clocks.now
        self._log = logs.get("ingest")
        self._seconds: defaultdict[Step, float] = defaultdict(float)
        self._next_seconds: defaultdict[Step, float] = defaultdict(float)
        self._since = self._clock()
        self._has_told = False

    @contextmanager
    def timed(self, step: Step, *, of_next: bool = False) -> Iterator[None]:
        """Add the block's time to a step of the batch that comes; or of the one behind it, not of this one's."""
        started = self._clock()
        yield
        seconds = self._clock() - started
        if of_next:
            self._next_seconds[step] += seconds
            self._since += seconds
        else:
            self._seconds[step] += seconds

    def begin(self) -> None:
        """A transaction starts."""
        self._since = self._clock()

    def step(self, name: Step) -> None:
        """A step of it has ended."""
        now = self._clock()
        self._seconds[name] += now - self._since
        self._since = now

    def batch(self, items: Sequence[Item], outcome: Outcome) -> None:
        """A batch is committed."""
        letters = outcome.letters_kept
        self._count(items, letters, outcome)
        verdicts: Counter[str] = Counter()
        for (_, verdict), number in outcome.verdicts.items():
            verdicts[verdict.value] += number
        self._log.info(
            "batch",
            records=len(items),
            verdicts=dict(verdicts),
            duplicates=sum(outcome.duplicates.values()),
            parked=sum(outcome.parked.values()),
            deliveries=outcome.deliveries,
            invalid=len(letters),
            conflicts=outcome.conflicts,
            ms={step: round(seconds * 1000, 1) for step, seconds in self._seconds.items()},
        )
        self._seconds, self._next_seconds = self._next_seconds, defaultdict(float)
        self._tell_thin(letters)
        for letter in letters:
            if letter.is_thin:
                continue
            record = letter.record
            self._log.warning(
                "dead_letter",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=letter.reason,
                error=letter.error,
            )

    def _tell_thin(self, letters: Sequence[DeadLetter]) -> None:
        thin = Counter(letter.record.topic for letter in letters if letter.is_thin)
        for topic, number in thin.items():
            self._metrics.thin_letters.labels(topic).inc(number)
        if thin:
            self._log.warning(
                "thin_letters", topics=dict(thin), hint="their bodies are in Kafka alone: `replay` has them"
            )

    def _count(self, items: Sequence[Item], letters: Sequence[DeadLetter], outcome: Outcome) -> None:
        metrics = self._metrics
        for (topic, verdict), number in outcome.verdicts.items():
            metrics.events.labels(topic, verdict.value).inc(number)
        for topic, number in outcome.duplicates.items():
            metrics.duplicates.labels(topic).inc(number)
        for topic, number in outcome.parked.items():
            metrics.parked.labels(topic).inc(number)
        for item in items:
            if isinstance(item, Arrival):
                for member in item.inbound.not_understood:
                    metrics.not_understood.labels(item.inbound.type, member).inc()
        for letter in letters:
            metrics.invalid.labels(letter.record.topic, letter.reason).inc()
        if outcome.conflicts:
            metrics.conflicts.labels("history").inc(outcome.conflicts)
        if items:
            metrics.batch_size.observe(len(items))
        for step, seconds in self._seconds.items():
            metrics.step_seconds.labels(step).observe(seconds)
        now = self._now().timestamp()
        for item in items[:: len(items) // _TIMED_A_BATCH + 1]:
            if item.record.timestamp < _FIRST_MS:
                continue
            delay = max(0.0, now - item.record.timestamp / 1000)
            metrics.end_to_end_seconds.labels(item.record.topic).observe(delay)

    def swept(self, outcome: Outcome) -> None:
        """What had to wait is placed."""
        for (topic, verdict), number in outcome.verdicts.items():
            self._metrics.events.labels(topic, verdict.value).inc(number)
            self._metrics.adopted.labels(topic).inc(number)
        if outcome.recorded:
            self._log.info("swept", recorded=outcome.recorded, conflicts=outcome.conflicts)

    def retry(self, cause: Cause) -> None:
        """Something is done again."""
        self._metrics.retries.labels(cause).inc()
        self._board.fails(cause)

    def lost_partition(self) -> None:
        """Another worker moved an offset that was this one's to move."""
        self._metrics.conflicts.labels("offset").inc()

    def fuses(self, blown: frozenset[Partition]) -> None:
        """These are the partitions with letters of blown fuses: an alarm, because a person has to mend their publisher."""
        before, tripped = self._board.blown, self._metrics.tripped
        self._board.blown = blown
        hint = "nearly everything of a source is invalid: its letters are kept without bodies, /ops/letters names it"
        for topic, number in sorted(blown - before):
            tripped.labels(topic, number).set(1)
            self._log.error("fuse_blown", topic=topic, partition=number, hint=hint)
        for topic, number in sorted(before - blown):
            tripped.remove(topic, number)
            self._log.info("fuse_mended", topic=topic, partition=number)

    def took_up(self, source: Source, partitions: Iterable[Partition]) -> None:
        """Say once if the brokers do not tell which topic has a name."""
        if not self._has_told and any(source.topic_id(topic) is None for topic, _ in partitions):
            self._has_told = True
            hint = "with Kafka before 2.8 a topic made anew is not noticed once it has grown past the stored offset"
            self._log.warning("topic_ids_unknown", hint=hint)

    def strayed(self, found: Strayed) -> None:
        """A stored offset was not where the topic has records, or of another topic: what was done about it is done."""
        (topic, number), (begin, end), (at, reason, lost) = found.partition, found.bounds, found.taken
        facts = {"topic": topic, "partition": number, "stored": found.stored, "begin": begin, "end": end}
        self._metrics.out_of_range.labels(topic, reason).inc()
        if lost:
            self._metrics.records_lost.labels(topic).inc(lost)
        if reason == "topic_made_anew":
            self._log.warning("topic_made_anew", **facts)
        else:
            self._log.error("stored_offset_out_of_range", **facts, reason=reason, reads_on_at=at.next, lost=lost)
