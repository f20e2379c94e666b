"""Records on their way into a worker: how long it waits for them, whose time that is, and what the fuse hears of them."""

from __future__ import annotations

from typing import Any

import pytest

from service.application.clocks import SYSTEM
from service.application.journal.ingest import Outcome
from service.application.ports import DeadLetter
from service.metrics import Metrics
from service.runtime.ingest.intake import Intake
from service.runtime.ingest.worker import LoopOptions
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.observer import Observer
from service.wire.carriers import CarrierTables
from service.wire.inbound import Inbound, Parser
from service.wire.reasons import Invalid
from service.wire.record import Record, Unread
from tests.support.fakes import Clock, FakeKafka
from tests.support.journals import creation

A, B = ("in", 0), ("in", 1)
TABLES = CarrierTables.load()


class SlowParser(Parser):
    """A record takes it a second."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(TABLES)
        self._clock = clock

    def parse(self, record: Record) -> Inbound:
        self._clock.pass_(1)
        return super().parse(record)


class Bench:
    def __init__(self, **options: Any) -> None:
        self.clock, self.metrics = Clock(), Metrics()
        self.kafka = FakeKafka(self.clock, [], A, B)
        self.source = self.kafka.open()
        self.source.assign(A, B)
        self.source.resume((A, B))
        self.source.at_poll.clear()
        self.observer = Observer(self.metrics, SYSTEM._replace(monotonic=self.clock), Board(self.clock))
        self.intake = Intake(SlowParser(self.clock), LoopOptions(**options), self.observer)

    def times(self) -> dict[str, float]:
        """Of the batch that ends here."""
        metrics = Metrics()
        self.observer._metrics = metrics
        self.observer.batch((), Outcome({}))
        return {
            sample.labels["step"]: sample.value
            for family in metrics.registry.collect()
            for sample in family.samples
            if sample.name == "returns_step_seconds_sum"
        }

    def takes(self, *values: dict[str, Any] | bytes | None) -> None:
        """Records of partition A; None stands for a record of one batch that cannot be read."""
        first = self.kafka.end(A) + values.index(None) if None in values else 0
        for value in values:
            if value is None:
                unread = Unread(Invalid.BATCH_TOO_LARGE, "", first)
                self.kafka.logs[A].append(Record(*A, self.kafka.end(A), 0, None, None, unread=unread))
            else:
                self.kafka.put(A, value)
        self.intake.poll(self.source, 0)
        self.taken = self.intake.take()

    @property
    def is_blown(self) -> bool:
        return self.observer._board.blown == {A}

    @property
    def thin(self) -> list[bool]:
        """Of the letters that came last, in their order."""
        return [item.is_thin for item in self.taken if isinstance(item, DeadLetter)]


@pytest.mark.parametrize(("seconds", "timeout_ms"), ((0.2, 200), (0.0001, 1), (0.0101, 11), (0, 0)))
def test_it_waits_for_whole_milliseconds_and_not_less_than_it_is_told(seconds: float, timeout_ms: int) -> None:
    bench = Bench()

    assert not bench.intake.poll(bench.source, seconds)

    assert [timeout for timeout, _ in bench.source.polls] == [timeout_ms]
    assert not bench.intake


def test_it_takes_no_more_than_a_batch_at_a_time_and_all_of_them_in_order() -> None:
    bench = Bench(batch_size=3)
    bench.kafka.put(A, *[creation()] * 5)

    assert bench.intake.poll(bench.source, 1)
    bench.kafka.put(B, creation())
    assert bench.intake.poll(bench.source, 1)

    assert bench.intake
    assert [(item.record.partition, item.record.offset) for item in bench.intake.take()] == [
        *[(0, offset) for offset in range(5)],
        (1, 0),
    ]
    assert not bench.intake


def test_time_is_that_of_the_batch_for_which_it_was_spent() -> None:
    bench = Bench()
    bench.intake.poll(bench.source, 0.25)
    bench.kafka.put(A, *[creation()] * 20)
    bench.intake.poll(bench.source, 1)
    bench.intake.take()
    bench.intake.poll(bench.source, 0.5, of_next=True)
    bench.kafka.put(A, *[creation()] * 20)
    bench.intake.poll(bench.source, 1)
    bench.intake.work()  # a few of them

    assert bench.times() == {"poll": 0.25, "decode": 20}

    bench.intake.take()
    assert bench.times() == {"poll": 0.5, "decode": 20}


class TestFuse:
    def test_hears_of_valid_records_once_there_was_an_invalid_one(self) -> None:
        bench = Bench(fuse_run=4)

        bench.takes(b"{")
        for _ in range(2):
            bench.takes(creation())
        bench.takes(b"{", b"{", b"{")
        assert not bench.is_blown  # 3 of the last 4

        bench.takes(b"{")
        assert bench.is_blown

    def test_is_not_blown_by_what_is_valid(self) -> None:
        bench = Bench(fuse_run=2)
        bench.takes(b"{", creation(), creation())

        assert not bench.is_blown

    def test_takes_a_batch_that_could_not_be_read_for_one_mishap_and_what_comes_behind_it_for_itself(self) -> None:
        bench = Bench(fuse_run=3)
        bench.takes(None, None, None, None, b"{")
        assert not bench.is_blown  # 2 of 3

        bench.takes(b"{")
        assert bench.is_blown

    def test_takes_what_it_can_read_of_a_letter_for_its_source_and_leaves_the_others_whole(self) -> None:
        bench = Bench(fuse_run=3)
        broken, other = creation() | {"type": "x"}, creation() | {"type": "x", "source": "/other"}
        bench.takes(broken, broken, broken, other, b"{", creation() | {"source": "/other"}, broken)

        assert bench.thin == [False, False, True, False, False, True]
        letters = [item for item in bench.taken if isinstance(item, DeadLetter)]
        assert [letter.source for letter in letters] == ["/test"] * 3 + ["/other", None, "/test"]

    def test_leaves_of_a_thin_letter_where_it_is_and_why(self) -> None:
        bench = Bench(fuse_run=1)
        bench.takes(creation() | {"type": "of a type that nobody knows"})

        (letter,) = bench.taken
        assert isinstance(letter, DeadLetter)
        record = letter.record
        assert (record.topic, record.partition, record.offset, record.timestamp) == (*A, 0, 1_795_600_000_000)
        assert record.topic_id == bench.kafka.ids["in"]
        assert (record.key, record.value, record.headers) == (None, None, ())
        assert (letter.reason, len(letter.error)) == ("unknown_type", 200)

    def test_is_as_new_with_another_owner(self) -> None:
        bench = Bench(fuse_run=2)
        bench.takes(b"{", b"{")
        assert bench.is_blown

        bench.intake.forget(A)

        assert not bench.is_blown
