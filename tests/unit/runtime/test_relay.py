"""What the relay does when something goes wrong, on fakes; that nothing is repeated is shown on real servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from pydantic_core import from_json

from service.application.clocks import SYSTEM
from service.application.journal.publish import Outgoing, OutputTopics, Reconciled, Tail, Told
from service.application.journal.slices import Position, RowKey, Slice
from service.errors import Cause, Refused, Retryable
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.monitoring.health import TURN_SECONDS
from service.runtime.relay import Relay, RelayOptions, Servers
from service.wire.rows.letters import KeptLetter
from tests.support.fakes import Clock
from tests.unit.application.journal.test_publish import rows

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TOPICS = OutputTopics("changes", "current", "exceptions", "dead")


def at(n: int) -> Position:
    """The end of a batch of the journal that is not another one."""
    return Position(n, batch_id=f"batch-{n}" if n else "")


class FakeKafka:
    """The position that is committed, what was published, and what happened, in order."""

    def __init__(self) -> None:
        self.position: Position | None = None
        self.published = 0
        self.messages: list[Outgoing] = []
        self.happened: list[str] = []
        self.fails: list[Exception] = []
        self.is_empty = True
        self.is_silent = False


class FakeSink:
    def __init__(self, kafka: FakeKafka, waiting: Callable[[], None]) -> None:
        self._kafka, self.waiting = kafka, waiting
        kafka.happened.append("open sink")

    def position(self) -> Position | None:
        self._kafka.happened.append("read position")
        return self._kafka.position

    def is_empty(self) -> bool:
        return self._kafka.is_empty

    def tails(self) -> dict[int, Tail]:
        return {}

    def begins(self) -> dict[int, int]:
        return {0: 0}

    def partition(self, return_id: str) -> int:
        del return_id
        return 0

    def topic_id(self) -> str:
        return "topic"

    def publish(self, messages: Sequence[Outgoing], position: Position | None) -> None:
        if messages and self._kafka.fails:
            self.waiting()
            raise self._kafka.fails.pop()
        self._kafka.published += len(messages)
        self._kafka.messages += messages
        self._kafka.position = position or self._kafka.position

    def check(self) -> None:
        if self._kafka.is_silent:
            raise Retryable("Kafka: no broker has answered for 15 s")

    def close(self) -> None:
        self._kafka.happened.append("close sink")


class Resting:
    """Stops the relay after one rest, and knows for how long it went without saying that it turns."""

    def __init__(self, bench: Bench, rest: Callable[[float], None]) -> None:
        self._bench, self._rest = bench, rest
        self.longest = self.total = self._since = 0.0

    def __call__(self, seconds: float) -> None:
        self._bench.stop.wait = self._wait  # type: ignore[method-assign]
        self._bench.relay.board.beat = self._beat  # type: ignore[method-assign]
        self._rest(seconds)
        self._bench.stop.set()

    def _wait(self, seconds: float) -> bool:
        self.total += seconds
        self._since += seconds
        self.longest = max(self.longest, self._since)
        return False

    def _beat(self) -> None:
        self._since = 0.0


class FakeLog:
    def __init__(self, kafka: FakeKafka, batches: int) -> None:
        self._kafka, self._batches = kafka, batches
        self.leads = True
        self.past = "batch-"
        self.pings = 0
        kafka.happened.append("open log")

    def lead(self) -> bool:
        return self.leads

    def ping(self) -> None:
        self.pings += 1

    def end(self) -> int:
        return self._batches

    def read(self, position: Position) -> Slice:
        if position.n >= self._batches:
            return Slice(position)
        n = position.n + 1
        letter = KeptLetter(n, "t", None, 0, n, NOW, b"k", b"v", 1, (), "r", "e", 1, NOW, n=n)
        return Slice(at(n), letters=[letter], batches=1)

    def wait(self, n: int, seconds: float) -> bool:
        del n, seconds
        return True

    def batch_id(self, n: int) -> str | None:
        return f"{self.past}{n}" if n <= self._batches else None

    def told_before(self, position: Position, limit: int) -> list[Told]:
        del position, limit
        return []

    def row_of(self, return_id: str, version: int) -> RowKey | None:
        del return_id, version
        return None

    def reconciled(self, position: Position) -> Reconciled | None:
        del position
        return None

    def close(self) -> None:
        self._kafka.happened.append("close log")


class Bench:
    def __init__(self, batches: int = 3, options: RelayOptions | None = None) -> None:
        self.kafka, self.stop, self.log = FakeKafka(), Stop(), FakeLog(FakeKafka(), batches)
        self.log._kafka = self.kafka
        self.metrics, self.clock = Metrics(), Clock()
        self.relay = Relay(
            Servers(lambda: self.log, lambda waiting: FakeSink(self.kafka, waiting), lambda: self.kafka.position),
            TOPICS,
            self.stop,
            self.metrics,
            options=options,
            clocks=SYSTEM._replace(monotonic=self.clock),
        )


def test_the_position_is_read_after_the_predecessor_is_fenced() -> None:
    bench = Bench()

    bench.relay.run(drain=True)

    assert bench.kafka.happened[:2] == ["open sink", "read position"]
    assert bench.kafka.published == 3
    assert bench.kafka.position == at(3)


def test_what_subscribers_are_told_links_to_the_public_pages() -> None:
    bench = Bench(batches=1, options=RelayOptions(public_url="https://returns.example"))

    def read(position: Position) -> Slice:
        return Slice(at(position.n + 1), rows(7, "RC@1"))

    bench.log.read = read  # type: ignore[method-assign]

    bench.relay.run_once()

    told = [(each.topic, from_json(each.message.value or b"")["data"]["tracking_url"]) for each in bench.kafka.messages]
    assert told == [(topic, "https://returns.example/track/R-7") for topic in ("changes", "current")]


def test_after_an_error_everything_is_thrown_away_and_the_position_read_again() -> None:
    bench = Bench()
    bench.kafka.fails = [Retryable("Kafka: unknown outcome")]

    bench.relay.run(drain=True)

    again = bench.kafka.happened[2:6]
    assert again == ["close sink", "close log", "open sink", "read position"]
    assert bench.kafka.published == 3
    assert bench.log.pings == 1  # while it waited for Kafka


def test_a_relay_with_nothing_to_do_notices_that_no_broker_answers() -> None:
    bench = Bench(batches=0)
    bench.relay.run_once()
    bench.kafka.is_silent = True

    pause = bench.relay._guarded()

    assert pause > 0
    assert not bench.relay.is_ready
    assert bench.kafka.happened[-2:] == ["close sink", "close log"]


def test_what_was_committed_although_the_answer_was_lost_is_not_sent_again() -> None:
    bench = Bench()
    bench.relay.run_once()

    def commit_and_lose_the_answer() -> None:
        bench.kafka.position = at(2)
        bench.kafka.published += 1

    bench.log.ping = commit_and_lose_the_answer  # type: ignore[method-assign]
    bench.kafka.fails = [Retryable("Kafka: unknown outcome")]
    bench.relay.run(drain=True)

    assert bench.kafka.published == 3


def test_a_relay_without_the_lead_opens_no_producer() -> None:
    bench = Bench()
    bench.log.leads = False

    pause = bench.relay.run_once()

    assert pause == 1.0
    assert bench.relay.is_ready
    assert bench.kafka.happened == []


def test_the_metrics_say_whether_a_relay_is_ready() -> None:
    bench = Bench()
    said: list[float | None] = []

    def note() -> None:
        said.append(bench.metrics.registry.get_sample_value("returns_reader_ready", {"reader": "relay"}))

    note()
    bench.relay.run_once()
    note()
    bench.kafka.fails = [Retryable("Kafka: away")]
    bench.relay._guarded()
    note()

    assert said == [0.0, 1.0, 0.0]


def test_retries_are_counted_by_their_cause_and_not_by_their_words() -> None:
    # "cannot connect to PostgreSQL" was once counted as Kafka's fault.
    bench = Bench()
    bench.relay.run_once()
    causes: list[Cause] = ["database", "connections", "fenced"]

    for cause in causes:
        bench.kafka.fails = [Retryable("cannot connect to PostgreSQL", cause=cause)]
        bench.relay._guarded()
        assert bench.relay.board.trouble is not None
        assert bench.relay.board.trouble.cause == cause
        counted = bench.metrics.registry.get_sample_value("returns_retries_total", {"cause": cause})
        assert counted == 1


def test_only_the_relay_that_leads_knows_what_is_published() -> None:
    bench = Bench()
    assert (bench.relay.leads, bench.relay.published) == (False, None)

    bench.relay.run_once()
    assert (bench.relay.leads, bench.relay.published) == (True, 1)

    bench.kafka.fails = [Retryable("Kafka: away", cause="kafka")]
    bench.relay._guarded()
    assert (bench.relay.leads, bench.relay.published) == (False, None)


def test_drained_is_also_what_another_relay_has_published() -> None:
    bench = Bench()
    bench.log.leads = False
    bench.kafka.position = at(3)

    bench.relay.run(drain=True)

    assert bench.kafka.published == 0


def test_a_relay_that_drains_ends_where_it_must_refuse() -> None:
    bench = Bench()
    bench.kafka.is_empty = False

    with pytest.raises(Refused, match="is gone from Kafka"):
        bench.relay.run(drain=True)

    assert bench.kafka.published == 0
    assert "close sink" in bench.kafka.happened


def test_a_relay_that_refuses_stays_says_so_and_goes_on_once_it_is_set_right() -> None:
    bench = Bench(options=RelayOptions(refused_seconds=0.0))
    bench.kafka.is_empty = False
    said: list[tuple[str | None, float | None, bool]] = []

    def look() -> float:
        gauge = bench.metrics.registry.get_sample_value("returns_relay_refuses")
        said.append((bench.relay.refuses, gauge, bench.relay.is_ready))
        if len(said) == 2:
            assert bench.kafka.happened[-2:] == ["close sink", "close log"]  # the lead is free for whoever mends it
            bench.kafka.position = at(2)
        if len(said) == 4:
            bench.stop.set()
        return guarded()

    guarded = bench.relay._guarded
    bench.relay._guarded = look  # type: ignore[method-assign]
    bench.relay.run()

    assert said[0] == (None, 0.0, False)
    assert said[1][0] is not None
    assert "reconcile" in said[1][0]
    assert said[1][1:] == (1.0, False)
    assert said[3] == (None, 0.0, True)
    assert bench.kafka.published == 1


def test_a_relay_that_refuses_does_not_look_stuck_nor_as_if_a_server_were_away() -> None:
    """It rests for longer than a loop may stand still, and what went wrong before is over: the servers have answered."""
    bench = Bench(options=RelayOptions(refused_seconds=11.0))
    bench.kafka.is_empty = False
    bench.relay.board.fails("database")
    bench.relay._rest = rest = Resting(bench, bench.relay._rest)  # type: ignore[method-assign]

    bench.relay.run()

    assert rest.longest < TURN_SECONDS
    assert rest.total == 11.0
    assert bench.relay.board.trouble is None


def test_a_position_of_another_past_of_the_journal_is_refused_however_long_it_has_grown() -> None:
    bench = Bench(batches=300)
    bench.kafka.position = Position(2, batch_id="other-2")

    with pytest.raises(Refused, match="batch 2 of this journal is not the batch 2 that was published"):
        bench.relay.run(drain=True)


def test_a_position_beyond_the_end_of_the_journal_is_refused() -> None:
    bench = Bench(batches=3)
    bench.kafka.position = at(4)

    with pytest.raises(Refused, match="the journal ends at 3"):
        bench.relay.run(drain=True)


def test_a_stop_in_the_middle_of_an_outage_ends_the_wait() -> None:
    bench = Bench()
    bench.relay.run_once()
    bench.stop.set()

    bench.relay._while_waiting()
    bench.clock.pass_(6)

    with pytest.raises(Retryable, match="told to stop"):
        bench.relay._while_waiting()


class TestRest:
    def test_ends_with_the_hint_that_a_batch_is_there(self) -> None:
        bench = Bench()
        bench.relay.run_once()
        told = iter((False, False, True))
        waited: list[tuple[int, float]] = []

        def wait(n: int, seconds: float) -> bool:
            waited.append((n, seconds))
            return next(told)

        bench.log.wait = wait  # type: ignore[method-assign]

        bench.relay._rest(1.0)

        assert [n for n, _ in waited] == [1, 1, 1]  # the batch that it is at
        assert sum(seconds for _, seconds in waited) == pytest.approx(0.6)

    def test_ends_after_a_while_without_a_hint_too(self) -> None:
        bench = Bench()
        bench.relay.run_once()
        waited: list[float] = []

        def wait(n: int, seconds: float) -> bool:
            del n
            waited.append(seconds)
            return False

        bench.log.wait = wait  # type: ignore[method-assign]

        bench.relay._rest(1.0)

        assert sum(waited) == pytest.approx(1.0)

    def test_ends_soon_after_it_is_asked_to_stop(self) -> None:
        bench = Bench()
        bench.relay.run_once()
        waited: list[float] = []

        def wait(n: int, seconds: float) -> bool:
            del n
            waited.append(seconds)
            bench.stop.set()
            return False

        bench.log.wait = wait  # type: ignore[method-assign]

        bench.relay._rest(10.0)

        assert sum(waited) <= 0.2

    def test_leaves_a_session_that_has_ended_to_the_next_turn(self) -> None:
        bench = Bench()
        bench.relay.run_once()

        def wait(n: int, seconds: float) -> bool:
            raise Retryable("PostgreSQL 57P01")

        bench.log.wait = wait  # type: ignore[method-assign]

        bench.relay._rest(10.0)

        assert bench.kafka.happened[-1] != "close log"

    def test_of_a_relay_that_leads_is_never_so_long_that_it_loses_the_lead(self) -> None:
        bench = Bench(batches=0, options=RelayOptions(poll_seconds=10.0))

        assert bench.relay.run_once() <= 2.0
