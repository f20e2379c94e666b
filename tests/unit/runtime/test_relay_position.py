"""Where the relay is, when it commits that, how fast it goes and what it counts; on fakes and a clock that is told to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from service.application.clocks import SYSTEM
from service.application.journal.publish import Outgoing
from service.application.journal.slices import Position, Slice
from service.errors import Refused, Retryable
from service.metrics import Metrics
from service.runtime.monitoring.board import Board
from service.runtime.relay import Relay, RelayOptions, Servers
from service.wire.rows.letters import KeptLetter
from tests.support.fakes import Clock, ClockStop
from tests.unit.runtime.test_relay import NOW, TOPICS, FakeKafka, FakeLog, FakeSink, at

AWAY = Retryable("Kafka: away", cause="kafka")


class Kafka(FakeKafka):
    """It remembers each commit of a position."""

    def __init__(self) -> None:
        super().__init__()
        self.committed: list[Position | None] = []


class Sink(FakeSink):
    def __init__(self, kafka: Kafka, waiting: Callable[[], None]) -> None:
        super().__init__(kafka, waiting)
        self._commits = kafka.committed

    def publish(self, messages: Sequence[Outgoing], position: Position | None) -> None:
        super().publish(messages, position)
        self._commits.append(position)


class Log(FakeLog):
    """A journal whose batches hold so many dead letters each."""

    def __init__(self, kafka: FakeKafka, *letters: int) -> None:
        super().__init__(kafka, 0)
        self.letters = list(letters)
        self.waits: list[float] = []
        self.at_read: Callable[[], object] = lambda: None

    def end(self) -> int:
        return len(self.letters)

    def batch_id(self, n: int) -> str | None:
        return f"batch-{n}" if n <= len(self.letters) else None

    def read(self, position: Position) -> Slice:
        self.at_read()
        if position.n >= len(self.letters):
            return Slice(position)
        n = position.n + 1
        letter = KeptLetter(n, "t", None, 0, n, NOW, b"k", b"v", 1, (), "r", "e", 1, NOW, n=n)
        return Slice(at(n), letters=[letter] * self.letters[n - 1], batches=1, recorded_at=NOW)

    def wait(self, n: int, seconds: float) -> bool:
        del n
        self.waits.append(seconds)
        return True


class Bench:
    def __init__(self, *letters: int, options: RelayOptions | None = None) -> None:
        self.kafka, self.clock = Kafka(), Clock()
        self.log = Log(FakeKafka(), *letters)
        self.log._kafka = self.kafka
        self.stop, self.metrics, self.board = ClockStop(self.clock), Metrics(), Board(self.clock)
        self.read_errors: list[Exception] = []
        self.relay = Relay(
            Servers(lambda: self.log, lambda waiting: Sink(self.kafka, waiting), self.read_position),
            TOPICS,
            self.stop,
            self.metrics,
            options=options,
            clocks=SYSTEM._replace(monotonic=self.clock, now=lambda: NOW + timedelta(seconds=5), jitter=lambda: 0.0),
            board=self.board,
        )

    def read_position(self) -> Position | None:
        if self.read_errors:
            raise self.read_errors.pop()
        return self.kafka.position

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def stops_within(self, turns: int) -> Callable[[], bool]:
        """Tells whether a run had to be stopped, so many turns after its beginning; call it after the run."""
        beats: list[int] = []
        beat = self.board.beat

        def count() -> None:
            beats.append(1)
            beat()
            if len(beats) > turns:
                self.stop.set()

        self.board.beat = count  # type: ignore[method-assign]
        return lambda: bool(self.stop)


class TestPosition:
    def test_stands_in_kafka_before_the_first_message(self) -> None:
        bench = Bench()

        bench.relay.run_once()

        assert bench.kafka.committed == [Position(0)]

    def test_is_read_by_others_through_the_relay_where_it_stands_in_kafka(self) -> None:
        bench = Bench()
        bench.kafka.position = at(2)

        assert bench.relay.read_position() == at(2)

    def test_stays_where_it_is_when_it_is_refused(self) -> None:
        bench = Bench(1, 1, 1)
        bench.kafka.position = at(4)

        with pytest.raises(Refused):
            bench.relay.run(drain=True)

        assert bench.kafka.committed == []

    def test_moves_past_batches_without_messages_in_memory_and_is_committed_a_second_after_the_last_commit(
        self,
    ) -> None:
        bench = Bench(1, 0, 0)
        assert [bench.relay.run_once() for _ in range(3)] == [0.0, 0.0, 0.0]
        assert (bench.kafka.position, bench.relay.published) == (at(1), 3)

        bench.clock.pass_(0.75)
        bench.relay.run_once()
        assert bench.kafka.position == at(1)
        bench.clock.pass_(0.25)
        bench.relay.run_once()
        assert bench.kafka.position == at(3)

    def test_of_a_long_stretch_without_messages_is_committed_once_a_second(self) -> None:
        bench = Bench(*[0] * 10)
        for _ in range(10):
            bench.relay.run_once()
            bench.clock.pass_(0.25)

        assert bench.kafka.committed == [Position(0), at(5), at(9)]

    def test_at_rest_is_committed_anew_once_an_hour_so_that_kafka_does_not_forget_it(self) -> None:
        bench = Bench(1)
        bench.relay.run_once()
        for _ in range(4):
            bench.clock.pass_(1200)
            bench.relay.run_once()

        assert bench.kafka.committed == [Position(0), at(1), at(1)]

    def test_is_committed_at_the_end_where_it_was_not_yet(self) -> None:
        bench = Bench(1, 0)
        stopped = bench.stops_within(3)

        bench.relay.run()

        assert stopped()
        assert bench.kafka.committed == [Position(0), at(1), at(2)]

    def test_that_is_committed_is_not_committed_again_at_the_end(self) -> None:
        bench = Bench(1)
        bench.stops_within(3)

        bench.relay.run()

        assert bench.kafka.committed == [Position(0), at(1)]

    def test_is_left_to_the_next_relay_by_one_that_has_lost_its_servers(self) -> None:
        bench = Bench(0, 1)
        bench.kafka.fails = [AWAY] * 9
        bench.stops_within(4)

        bench.relay.run()

        assert bench.kafka.committed[-1] == Position(0)

    def test_that_cannot_be_committed_at_the_end_is_no_failure(self) -> None:
        bench = Bench(0)
        bench.relay.run_once()
        bench.stop.set()
        sink = bench.relay._sink
        assert sink is not None

        def away(messages: Sequence[Outgoing], position: Position | None) -> None:
            del messages, position
            raise AWAY

        sink.publish = away  # type: ignore[method-assign]

        with capture_logs() as lines:
            bench.relay.run()

        assert [line["event"] for line in lines][-1] == "relay_did_not_settle"
        assert bench.kafka.happened[-2:] == ["close sink", "close log"]


class TestDrain:
    def test_ends_with_what_was_there_at_the_start_though_the_journal_grows(self) -> None:
        bench = Bench(1, 1, 1)
        bench.log.at_read = lambda: bench.log.letters.append(1)
        stopped = bench.stops_within(20)

        bench.relay.run(drain=True)

        assert not stopped()
        assert 3 <= bench.kafka.published <= 5

    def test_is_not_asked_for_unless_it_is(self) -> None:
        bench = Bench(1)
        stopped = bench.stops_within(5)

        bench.relay.run()

        assert stopped()

    @pytest.mark.parametrize(
        ("position", "is_reached"),
        (
            (None, False),
            (at(2), False),
            (Position(2, 5, 1), False),
            (Position(3, 5, 1), False),  # in the middle of the last batch
            (Position.with_letters(3, 7), False),
            (at(3), True),
            (Position(4, 5, 1), True),
            (at(4), True),
        ),
    )
    def test_that_another_relay_does_is_done_once_the_last_batch_is_published_whole(
        self, position: Position | None, *, is_reached: bool
    ) -> None:
        bench = Bench(1, 1, 1)
        bench.log.leads = False
        bench.kafka.position = position
        stopped = bench.stops_within(5)

        bench.relay.run(drain=True)

        assert stopped() is not is_reached

    def test_is_not_done_while_nobody_tells_how_far_it_is(self) -> None:
        bench = Bench(1)
        bench.log.leads = False
        bench.kafka.position = at(1)
        bench.read_errors = [AWAY] * 3
        stopped = bench.stops_within(20)

        bench.relay.run(drain=True)

        assert not stopped()
        assert bench.read_errors == []

    def test_is_not_done_while_the_journal_does_not_say_where_it_ends(self) -> None:
        bench = Bench(1)
        bench.log.leads = False
        end, errors = bench.log.end, [AWAY] * 2

        def sometimes() -> int:
            if errors:
                raise errors.pop()
            return end()

        bench.log.end = sometimes  # type: ignore[method-assign]
        stopped = bench.stops_within(5)

        bench.relay.run(drain=True)

        assert stopped()  # nothing is published, and it does not say that it were
        assert errors == []


class TestPace:
    @pytest.mark.parametrize(("letters", "seconds"), ((1, 0.02), (499, 0.02), (500, 0.0)))
    def test_slices_that_hold_little_come_at_a_pace_and_others_one_after_the_other(
        self, letters: int, seconds: float
    ) -> None:
        bench = Bench(letters, letters, letters)
        began = bench.clock()

        for _ in range(3):
            bench.relay.run_once()

        assert bench.clock() - began == pytest.approx(seconds)
        assert bench.kafka.published == 3 * letters

    def test_may_be_set(self) -> None:
        bench = Bench(1, 1, options=RelayOptions(pace_seconds=0.5))
        began = bench.clock()
        for _ in range(2):
            bench.relay.run_once()

        assert bench.clock() - began == 0.5


class TestRest:
    def test_of_nothing_is_none(self) -> None:
        bench = Bench(1)
        bench.relay.run_once()

        bench.relay._rest(0.0)

        assert bench.log.waits == []

    def test_of_one_that_stands_by_listens_to_nothing_and_shows_that_it_turns(self) -> None:
        bench = Bench(1)
        bench.log.leads = False
        bench.relay.run_once()
        began, ages = bench.clock(), list[float]()
        wait = bench.stop.wait

        def note(seconds: float) -> bool:
            wait(seconds)
            ages.append(bench.board.seconds_since_turn())
            return False

        bench.stop.wait = note  # type: ignore[method-assign]

        bench.relay._rest(5.0)

        assert bench.log.waits == []
        assert bench.clock() - began == 5.0
        assert ages == [2.0, 2.0, 1.0]

    def test_of_one_that_has_lost_its_servers_is_the_wait_until_the_next_try(self) -> None:
        bench = Bench(1)
        bench.kafka.fails = [AWAY]
        began = bench.clock()
        pause = bench.relay._guarded()

        bench.relay._rest(pause)

        assert bench.clock() - began == pytest.approx(0.05)

    def test_ends_with_a_session_that_has_ended(self) -> None:
        bench = Bench(1)
        bench.relay.run_once()
        waited: list[float] = []

        def wait(n: int, seconds: float) -> bool:
            del n
            waited.append(seconds)
            raise Retryable("PostgreSQL 57P01")

        bench.log.wait = wait  # type: ignore[method-assign]

        bench.relay._rest(10.0)

        assert len(waited) == 1  # the next turn meets it too


class TestTelling:
    def test_what_is_published_is_counted_by_topic_and_by_how_its_transaction_ended(self) -> None:
        bench = Bench(2, 1)
        bench.relay.run_once()
        assert bench.value("returns_relay_transactions_total", outcome="aborted") == 0

        bench.kafka.fails = [AWAY]
        bench.relay._guarded()
        for _ in range(3):
            bench.relay._guarded()

        assert bench.value("returns_relay_transactions_total", outcome="aborted") == 1
        assert bench.value("returns_relay_transactions_total", outcome="committed") == 2
        assert bench.value("returns_published_total", topic="dead") == 3
        assert bench.value("returns_published_total", topic="changes") == 0
        assert bench.value("returns_relay_delay_seconds_count") == 2
        assert bench.value("returns_relay_delay_seconds_sum") == 10

    def test_a_failure_is_told_with_its_cause_and_when_it_tries_again_and_ends_with_a_turn_that_goes_well(self) -> None:
        bench = Bench(1, 1, 1)
        bench.relay.run_once()
        bench.kafka.fails = [AWAY, AWAY]

        with capture_logs() as lines:
            pauses = [bench.relay._guarded() for _ in range(2)]

        assert pauses == pytest.approx([0.05, 0.1])
        told = [line for line in lines if line["event"] == "relay_retries"]
        assert [(line["error"], line["was_leading"], line["seconds"]) for line in told] == [
            ("Kafka: away", True, 0.05),
            ("Kafka: away", True, 0.1),
        ]
        assert {line["part"] for line in lines} == {"relay"}
        assert bench.board.trouble is not None
        assert bench.board.trouble.cause == "kafka"

        bench.relay._guarded()
        assert bench.board.trouble_seconds() == 0
        bench.kafka.fails = [AWAY]
        assert bench.relay._guarded() == pytest.approx(0.05)  # as after the first one

    def test_one_that_cannot_get_the_lead_was_not_leading(self) -> None:
        bench = Bench(1)

        def away() -> bool:
            raise Retryable("PostgreSQL 57P01")

        bench.log.lead = away  # type: ignore[method-assign]
        with capture_logs() as lines:
            bench.relay._guarded()

        assert [line["was_leading"] for line in lines] == [False]


def test_a_stop_gives_what_is_under_way_five_seconds_from_when_it_is_seen() -> None:
    bench = Bench(1)
    bench.relay.run_once()
    bench.relay._while_waiting()
    bench.clock.pass_(60)
    bench.stop.set()
    bench.relay._while_waiting()
    bench.clock.pass_(5)
    bench.relay._while_waiting()
    bench.clock.pass_(0.5)

    with pytest.raises(Retryable, match="told to stop") as raised:
        bench.relay._while_waiting()

    assert raised.value.cause == "stopping"
    assert bench.log.pings == 4
