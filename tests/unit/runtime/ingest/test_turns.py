"""What the loop's turns do beside its batches: how long they wait, what they say, and what they leave to whom."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from service.application.clocks import SYSTEM
from service.application.journal import sweep
from service.application.journal.ingest import Outcome
from service.application.ports import Journal, Partition, Stored, WhileWaiting
from service.errors import BrokenSource, ChangedTopics, Conflict
from service.metrics import Metrics
from service.runtime.ingest.loop import IngestLoop
from service.runtime.ingest.worker import LoopOptions, Ports
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.fakes import FakeSource
from tests.support.journals import DELIVERED, creation, event, scan
from tests.unit.runtime.ingest.test_loop import AWAY, TABLES, A, B, Bench, returns


def lines_of(lines: list[Any], event: str) -> list[Any]:
    return [line for line in lines if line["event"] == event]


class TestWaiting:
    @pytest.mark.parametrize(("poll_timeout_ms", "waits"), ((200, [0.05, 0.1, 0.2, 0.2]), (40, [0.04, 0.01])))
    def test_for_a_source_is_until_the_next_try_in_pieces_that_a_stop_can_end(
        self, poll_timeout_ms: int, waits: list[float]
    ) -> None:
        bench = Bench()
        bench.kafka.open_errors.extend([BrokenSource("Kafka: KafkaTimeoutError")] * 9)
        loop = IngestLoop(
            Ports(bench.kafka.open, bench.journal, Parser(TABLES)),
            bench.stop,
            bench.metrics,
            options=LoopOptions(poll_timeout_ms=poll_timeout_ms),
            clocks=SYSTEM._replace(monotonic=bench.clock, jitter=lambda: 0.0),
        )
        waited: list[float] = []
        wait = bench.stop.wait

        def note(seconds: float) -> bool:
            waited.append(seconds)
            return wait(seconds)

        bench.stop.wait = note  # type: ignore[method-assign]

        while len(waited) < len(waits):
            loop.run_once()

        assert waited == pytest.approx(waits)

    def test_for_records_is_no_longer_than_what_was_written_may_wait_for_its_sweep(self) -> None:
        bench = Bench(poll_timeout_ms=5000)
        bench.tick()
        bench.kafka.put(A, creation())
        bench.tick()

        bench.tick(2)

        assert [timeout for timeout, _ in bench.kafka.source.polls[-2:]] == [pytest.approx(100, abs=1), 5000]

    def test_for_records_is_as_long_as_it_may_while_there_is_more_to_come(self) -> None:
        bench = Bench(batch_size=2, poll_timeout_ms=700)
        bench.kafka.put(A, *returns(1, 2))
        bench.tick(3)

        assert bench.kafka.source.polls[-1][0] == 700

    def test_for_a_try_is_no_longer_than_until_it_is_due_with_nothing_held_either(self) -> None:
        bench = Bench(poll_timeout_ms=200)
        bench.journal.offset_errors.append(AWAY)
        bench.tick()

        bench.tick()

        assert 50 <= bench.kafka.source.polls[-1][0] <= 100

    def test_is_over_with_the_try_that_is_due(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 2))
        bench.journal.failures.append(("before", AWAY))
        bench.tick(2)
        began = bench.clock()

        bench.tick()

        assert bench.offsets == {A: 2}
        assert bench.clock() - began <= 0.101


def test_a_batch_whose_time_to_be_tried_again_has_come_is_tried_at_once_and_as_it_was() -> None:
    bench = Bench(batch_size=2)
    bench.kafka.put(A, *returns(1, 4))
    bench.journal.failures.append(("before", AWAY))
    bench.tick(2)  # holds the first batch, and has read the second
    bench.clock.pass_(10)
    began = bench.clock()

    bench.tick()

    assert bench.journal.commits == [{A: (0, 2)}]
    assert bench.clock() == began


@pytest.mark.parametrize(("held", "is_behind"), ((4, False), (5, True)))
def test_half_a_batch_is_a_sign_that_there_is_more_to_come(held: int, *, is_behind: bool) -> None:
    bench = Bench(batch_size=10)
    bench.kafka.put(A, *returns(1, held))
    bench.tick()
    bench.story.clear()

    bench.tick()

    assert bench.story.count("poll") == (2 if is_behind else 1)


def test_of_a_batch_that_is_tried_again_nothing_is_read_ahead() -> None:
    bench = Bench(batch_size=2)
    bench.kafka.put(A, *returns(1, 2))
    bench.journal.failures.extend([("before", AWAY), ("before", AWAY)])
    bench.tick(2)
    bench.story.clear()
    bench.kafka.put(A, *returns(3, 4))

    bench.until(lambda: bench.offsets == {A: 2})

    at = bench.story.index("commit")
    assert bench.story[at - 2 : at] == ["poll", "read offsets"]


def test_a_drain_asks_how_far_all_workers_are_only_once_its_own_part_is_done() -> None:
    bench = Bench(drain=True, batch_size=2)
    bench.kafka.put(A, *returns(1, 20))

    bench.loop.run()

    assert bench.offsets == {A: 20}
    assert bench.story.count("read offsets") == 3  # as it takes the partition up, when nothing had come yet, at the end


def test_while_the_sweep_of_a_drain_fails_nobody_is_asked_whether_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(drain=True)
    bench.kafka.put(A, creation())
    fails, real = [AWAY] * 5, sweep.sweep

    def sometimes(journal: Journal, while_waiting: WhileWaiting | None = None) -> Outcome | None:
        if fails:
            raise fails.pop()
        return real(journal, while_waiting)

    monkeypatch.setattr(sweep, "sweep", sometimes)
    bench.tick(2)
    bench.story.clear()

    bench.loop.run()

    assert not fails
    assert bench.value("returns_retries_total", cause="database") == 5
    assert bench.story.count("read offsets") == 6  # after each failure where it stands, and at the end


def test_a_batch_after_others_that_could_not_be_written_is_not_read_again() -> None:
    bench = Bench()
    bench.kafka.put(A, *returns(1, 2))
    bench.tick(2)
    bench.kafka.put(A, *returns(3, 4))
    bench.journal.failures.append(("before", AWAY))
    bench.tick()
    bench.story.clear()

    bench.until(lambda: bench.offsets == {A: 4})

    at = bench.story.index("commit")
    assert bench.story[at - 2 : at] == ["poll", "read offsets"]


def test_a_batch_that_collided_is_read_again_with_what_came_meanwhile() -> None:
    bench = Bench()
    bench.kafka.put(A, *returns(1, 3))
    bench.journal.failures.append(("before", Conflict("PostgreSQL 23505 history history_pkey")))
    bench.tick(2)
    bench.kafka.put(A, *returns(4, 5))

    bench.tick()

    assert bench.journal.commits == [{A: (0, 5)}]


class TestTelling:
    def test_a_loop_without_a_board_beats_the_watchdog_of_the_process(self) -> None:
        bench = Bench()
        loop = IngestLoop(
            Ports(bench.kafka.open, bench.journal, Parser(TABLES)),
            bench.stop,
            Metrics(),
            options=LoopOptions(),
            clocks=SYSTEM._replace(monotonic=bench.clock),
        )
        assert bench.stop.watchdog.seconds_since_turn is None

        loop.run_once()

        assert bench.stop.watchdog.seconds_since_turn is not None

    def test_a_long_outage_is_told_at_its_first_and_tenth_try_and_every_hundredth(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.failures.extend([("before", AWAY)] * 205)

        with capture_logs() as lines:
            bench.until(lambda: bench.offsets.get(A) == 3, ticks=9000)

        assert [(line["tries"], line["records"]) for line in lines_of(lines, "held")] == [
            (1, 3),
            (10, 3),
            (100, 3),
            (200, 3),
        ]
        assert {line["error"] for line in lines_of(lines, "held")} == {str(AWAY)}
        assert [line["tries"] for line in lines_of(lines, "resumed")] == [205]
        assert {line["part"] for line in lines} == {"ingest"}

    def test_a_rebalance_is_told_with_what_came_went_and_is_held(self) -> None:
        bench = Bench(A, B)
        bench.kafka.put(A, *returns(1, 3))
        bench.kafka.put(B, *returns(4, 5))
        bench.journal.failures.append(("before", AWAY))
        with capture_logs() as lines:
            bench.tick(2)

            def rebalance(source: FakeSource) -> None:
                source.revoke(A, B)
                source.assign(B)

            bench.kafka.source.at_poll.append(rebalance)
            bench.tick()

        told = [(line["gained"], line["lost"], line["held"]) for line in lines_of(lines, "rebalanced")]
        assert told == [(2, 0, 0), (1, 1, 0)]

    def test_each_way_to_lose_the_consumer_is_told_by_its_own_name(self) -> None:
        bench = Bench()
        bench.tick()

        def raising(error: Exception) -> None:
            def fails(_: FakeSource) -> None:
                raise error

            bench.kafka.source.at_poll.append(fails)

        with capture_logs() as lines:
            raising(BrokenSource("Kafka: CorruptRecordError"))
            bench.until(lambda: len(bench.kafka.sources) == 2)
            raising(ChangedTopics("in was made anew"))
            bench.until(lambda: len(bench.kafka.sources) == 3)

        told = [(line["event"], line["error"]) for line in lines if line["log_level"] == "warning"]
        assert told == [("kafka_away", "Kafka: CorruptRecordError"), ("topics_changed", "in was made anew")]

    def test_a_collision_is_told_with_the_records_that_are_to_be_read_again(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.failures.append(("before", Conflict("PostgreSQL 23505 batches batches_pkey")))

        with capture_logs() as lines:
            bench.tick(3)

        told = [(line["error"], line["records"]) for line in lines_of(lines, "conflict")]
        assert told == [("PostgreSQL 23505 batches batches_pkey", 3)]

    def test_a_batch_has_all_its_steps(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))

        with capture_logs() as lines:
            bench.tick(2)

        (batch,) = lines_of(lines, "batch")
        assert set(batch["ms"]) == {"poll", "decode", "load", "decide", "write", "commit"}
        assert bench.value("returns_step_seconds_count", step="commit") == 1

    def test_time_spent_on_reading_ahead_is_told_of_the_batch_that_was_read(self) -> None:
        bench = Bench(batch_size=2)
        bench.kafka.put(A, *returns(1, 4))
        bench.tick()
        source, seconds = bench.kafka.source, iter((1.0, 2.0, 4.0))
        poll = source.poll

        def slow(timeout_ms: int, limit: int) -> list[Record]:
            bench.clock.pass_(next(seconds))
            return poll(timeout_ms, limit)

        source.poll = slow  # type: ignore[method-assign]
        bench.loop._observer._seconds.clear()

        with capture_logs() as lines:
            bench.tick(2)

        assert [line["ms"]["poll"] for line in lines_of(lines, "batch")] == [1000, 2000]


class TestPlaces:
    def test_are_stored_with_the_topic_and_the_epoch_that_they_are_of(self) -> None:
        bench = Bench()
        bench.kafka.epoch = 3
        bench.kafka.put(A, *returns(1, 3))

        bench.tick(2)

        assert bench.journal.tables.stored(A) == Stored(3, bench.kafka.ids["in"], 3)

    def test_are_read_on_from_in_the_epoch_in_which_they_were_stored(self) -> None:
        bench = Bench()
        bench.kafka.epoch = 3
        bench.kafka.put(A, *returns(1, 3))
        bench.tick(2)
        bench.kafka.source.revoke(A)
        bench.kafka.source.assign(A)
        bench.kafka.epoch = 5

        bench.tick()

        assert bench.kafka.source.epoch(A, 3) == 3

    def test_past_transaction_markers_are_found_while_it_is_idle_and_not_more_often_than_once_a_second(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation(), None)
        bench.tick(2)
        assert bench.offsets == {A: 1}
        bench.until(lambda: bench.offsets == {A: 2})
        began = bench.clock()
        bench.kafka.put(A, None)

        bench.until(lambda: bench.offsets == {A: 3})

        assert bench.clock() - began > 0.7

    def test_of_a_drain_are_past_its_markers_as_soon_as_nothing_comes(self) -> None:
        bench = Bench(drain=True)
        bench.kafka.put(A, creation(), None)
        began = bench.clock()

        bench.loop.run()

        assert bench.offsets == {A: 2}
        assert bench.clock() - began < 0.5

    def test_of_a_partition_that_kafka_does_not_tell_stay(self) -> None:
        bench = Bench(A, B, drain=True)
        bench.kafka.put(A, creation(), None)
        bench.tick(2)
        position = bench.kafka.source.position

        def told(partition: Partition) -> int | None:
            return None if partition == A else position(partition)

        bench.kafka.source.position = told  # type: ignore[method-assign]
        bench.tick(10)

        assert bench.offsets == {A: 1, B: 0}

    def test_that_went_with_a_journal_that_went_back_are_taken_up_anew(self) -> None:
        bench = Bench(A, B)
        bench.kafka.put(A, *returns(1, 3))
        bench.tick(2)
        bench.kafka.put(B, *returns(4, 5))
        bench.journal.failures.append(("before", AWAY))
        bench.tick()
        bench.journal.tables.offsets = {B: 0}  # restored from before A was ever read
        bench.journal.tables.returns.clear()
        bench.journal.tables.history.clear()

        bench.until(lambda: bench.offsets == {A: 3, B: 2})

        assert sorted(bench.journal.tables.returns) == [f"R-{number:04}" for number in range(1, 6)]


class TestSweepAfterABatch:
    @pytest.mark.parametrize(
        ("event_", "is_at_once"),
        (
            (scan("COLLECTED", "10:00"), True),  # parked: its return may have come meanwhile
            (event(DELIVERED, "d", "12:00", connote="C-777"), True),  # for all members
            (creation(), False),
        ),
    )
    def test_is_at_once_where_it_left_something(self, event_: dict[str, Any], *, is_at_once: bool) -> None:
        bench = Bench(poll_timeout_ms=20)
        bench.tick()
        bench.kafka.put(A, event_)

        bench.tick()

        assert (bench.journal.tables.swept == 1) is is_at_once

    def test_looks_at_every_part_of_a_batch_that_was_written_in_parts(self) -> None:
        bench = Bench(poll_timeout_ms=20)
        bench.tick()
        everything = [scan("COLLECTED", "10:00"), *returns(1, 3)]
        bench.journal.refuses = lambda event: event.id == everything[3]["id"]
        bench.kafka.put(A, *everything)

        bench.tick()

        assert bench.journal.tables.swept == bench.journal.tables.batches


def test_a_refused_value_is_kept_with_what_postgresql_said_of_it() -> None:
    bench = Bench()
    bench.kafka.put(A, *returns(1, 2))
    bench.journal.refuses = lambda event: event.id == "R-0002-rc"

    bench.tick(2)

    (letter,) = bench.journal.tables.letters
    assert (letter.record.offset, letter.reason, letter.error) == (1, "rejected_value", "PostgreSQL 22P02 history")


def test_postgresql_is_never_waited_for_in_vain() -> None:
    """What was read ahead is decoded while it is at work, also where it has to write in parts."""
    bench = Bench(batch_size=4)
    everything = returns(1, 8)
    bench.kafka.put(A, *everything)
    bench.journal.refuses = lambda event: event.id == everything[0]["id"]
    bench.tick()
    decoded: list[int] = []
    work = bench.loop._intake._prefetch.work

    def note() -> bool:
        decoded.append(len(bench.journal.commits))
        return work()

    bench.loop._intake._prefetch.work = note  # type: ignore[method-assign]

    bench.tick()

    assert sorted(set(decoded)) == [0, 1, 2]


def test_while_it_sweeps_what_was_read_ahead_is_decoded_too() -> None:
    bench = Bench(batch_size=4)
    bench.kafka.put(A, *returns(1, 12))
    bench.tick()
    after: list[str] = []
    work = bench.loop._intake._prefetch.work

    def note() -> bool:
        after.append(bench.story[-1])
        return work()

    bench.loop._intake._prefetch.work = note  # type: ignore[method-assign]
    bench.clock.pass_(2)

    bench.tick()

    assert set(after) == {"poll", "commit"}
