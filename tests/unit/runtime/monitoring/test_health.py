"""What a process says of itself: lives, is ready, and why not; by checks that wait for nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.samples import Sample
from structlog.testing import capture_logs

from service.application.health import FRESH_SECONDS
from service.errors import CAUSES, Cause, Fatal, Retryable
from service.metrics import Metrics
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.health import Check, Monitor, Watch, work
from tests.support.fakes import Clock
from tests.support.waiting import eventually


def test_a_process_lives_as_long_as_its_loop_turns() -> None:
    clock = Clock()
    board, monitor = Board(clock), Monitor(Metrics(), clock=clock)
    routes = monitor.routes()

    with monitor.watching(board.seconds_since_turn, {}, ()):
        clock.pass_(120)
        lives = routes["/livez"]()
        clock.pass_(1)
        stuck = routes["/livez"]()
        board.beat()
        again = routes["/livez"]()

    assert (lives.status, lives.content_type, json.loads(lives.body)) == (200, "application/json", {"live": True})
    assert (stuck.status, json.loads(stuck.body)) == (503, {"live": False, "reason": "no turn for 121 s"})
    assert stuck.content_type == "application/json"
    assert again.status == 200


def test_it_is_ready_only_while_every_check_is_well_and_says_what_each_says() -> None:
    clock = Clock()
    board, monitor, says = Board(clock), Monitor(Metrics(), clock=clock), [Check("PostgreSQL is read-only", ok=False)]
    checks = {"writes": lambda: says[0], "kafka": lambda: Check("2 of 3 brokers are there")}

    assert monitor.routes()["/readyz"]().status == 503  # it has no loop yet
    with monitor.watching(board.seconds_since_turn, checks, ()):
        wrong = monitor.routes()["/readyz"]()
        says[0] = Check()
        right = monitor.routes()["/readyz"]()
        problems = monitor.problems()
        clock.pass_(17)
        late = json.loads(monitor.routes()["/readyz"]().body)

    assert wrong.status == 503
    assert json.loads(wrong.body) == {
        "ready": False,
        "checks": {"progress": "ok", "writes": "PostgreSQL is read-only", "kafka": "2 of 3 brokers are there"},
    }
    assert (right.status, problems) == (200, [])
    assert (wrong.content_type, json.loads(right.body)["ready"]) == ("application/json", True)
    assert (late["ready"], late["checks"]["progress"]) == (False, "no turn for 17 s")


def test_a_check_that_fails_is_not_well_and_shows_no_value() -> None:
    monitor = Monitor(Metrics())

    def broken() -> Check:
        raise ValueError("a secret")

    with monitor.watching(lambda: 0.0, {"broken": broken}, ()):
        answer = monitor.routes()["/readyz"]()

    assert answer.status == 503
    assert json.loads(answer.body)["checks"]["broken"] == "cannot be told (ValueError)"


def test_a_watch_that_gets_no_answer_for_long_says_so_though_it_never_returns() -> None:
    clock, hangs = Clock(), threading.Event()
    answers = iter([1])

    def ask() -> int:
        for answer in answers:
            return answer
        hangs.wait(20)
        return 2

    watch = Watch("test", ask, every=0.001, clock=clock)
    watch.start()
    eventually(lambda: watch.answer == 1)
    assert watch.check("PostgreSQL") == Check("ok")

    clock.pass_(9)
    assert watch.check("PostgreSQL") == Check("PostgreSQL does not answer, for 9 s", ok=False)
    hangs.set()
    eventually(lambda: watch.check("PostgreSQL").ok)
    watch.stop()


@pytest.mark.parametrize(
    ("error", "says"),
    (
        (Retryable("x", cause="connections"), "PostgreSQL takes no more connections, for 9 s"),
        (Retryable("x", cause="timeout"), "PostgreSQL does not answer in time, for 9 s"),
        (Fatal("PostgreSQL 42P01"), "PostgreSQL answers with an error (PostgreSQL 42P01), for 9 s"),
        (ValueError("a secret"), "PostgreSQL cannot be asked (ValueError), for 9 s"),
    ),
)
def test_a_watch_says_why_it_gets_no_answer(error: Exception, says: str) -> None:
    clock = Clock()

    def ask() -> int:
        raise error

    watch = Watch("test", ask, clock=clock)
    with capture_logs():
        watch.turn()
    clock.pass_(9)

    assert watch.check("PostgreSQL") == Check(says, ok=False)


def test_trouble_is_told_with_its_cause_once_it_lasts_and_ends_with_a_turn_that_goes_well() -> None:
    clock = Clock()
    board = Board(clock)
    board.fails("deadlock")
    assert work(board).ok

    clock.pass_(5)
    board.fails("read_only")
    assert work(board) == Check("has tried again for 5 s: PostgreSQL is read-only", ok=False)
    board.works()
    assert work(board) == Check()


def test_gauges_are_set_when_somebody_looks() -> None:
    metrics = Metrics()
    monitor = Monitor(metrics)

    with monitor.watching(lambda: 3.0, {}, (), (lambda: metrics.lag.labels("scans", 0).set(7),)):
        answer = monitor.routes()["/metrics"]()

    shown = answer.body.decode()
    assert (answer.status, answer.content_type) == (200, CONTENT_TYPE_LATEST)
    assert 'returns_lag_records{partition="0",topic="scans"} 7.0' in shown
    assert "returns_ready 1.0" in shown
    assert "returns_turn_age_seconds 3.0" in shown


def test_a_process_that_has_no_loop_yet_lives_and_says_that_it_starts() -> None:
    clock, metrics = Clock(), Metrics()
    monitor = Monitor(metrics, stall_seconds=60, clock=clock)
    clock.pass_(5)

    monitor.refresh()

    assert monitor.readiness() == (False, {"start": "the process starts"})
    assert monitor.problems() == ["start: the process starts"]
    assert metrics.registry.get_sample_value("returns_ready") == 0
    assert metrics.registry.get_sample_value("returns_turn_age_seconds") == 5
    clock.pass_(56)
    assert monitor.stuck() == "no turn for 61 s"


def test_what_is_not_as_it_should_be_is_no_problem_while_it_keeps_nobody_from_work() -> None:
    monitor = Monitor(Metrics())
    checks = {"lag": lambda: Check("ok, 3 behind"), "kafka": lambda: Check("2 of 3 brokers are there")}

    with monitor.watching(lambda: 0.0, checks, ()):
        assert monitor.problems() == []
        assert monitor.readiness().problems == ["kafka: 2 of 3 brokers are there"]
    with monitor.watching(lambda: 0.0, {**checks, "writes": lambda: Check("PostgreSQL is read-only", ok=False)}, ()):
        assert monitor.problems() == ["kafka: 2 of 3 brokers are there", "writes: PostgreSQL is read-only"]


@pytest.mark.parametrize(("seconds", "says"), ((9.9, Check()), (10.0, Check("no turn for 10 s", ok=False))))
def test_a_loop_that_has_not_turned_for_ten_seconds_cannot_be_said_to_work(seconds: float, says: Check) -> None:
    monitor = Monitor(Metrics())

    with monitor.watching(lambda: seconds, {}, ()):
        assert monitor.readiness() == (says.ok, {"progress": says.says})


@pytest.mark.parametrize(
    ("cause", "says"),
    (
        ("database", "PostgreSQL does not answer"),
        ("read_only", "PostgreSQL is read-only"),
        ("connections", "PostgreSQL takes no more connections"),
        ("disk", "PostgreSQL cannot write to its disk"),
        ("deadlock", "PostgreSQL ended a transaction for a deadlock"),
        ("lock", "PostgreSQL has a lock that somebody holds"),
        ("timeout", "PostgreSQL does not answer in time"),
        ("kafka", "Kafka does not answer"),
        (
            "pending",
            "Kafka has a transaction that does not end (hanging_transaction in the log names one that it has forgotten)",
        ),
        ("fenced", "another one has taken over"),
        ("stopping", "is stopping"),
    ),
)
def test_trouble_names_the_server_that_it_is_with(cause: Cause, says: str) -> None:
    clock = Clock()
    board = Board(clock)
    board.fails(cause)

    clock.pass_(2)

    assert work(board) == Check(f"has tried again for 2 s: {says}", ok=False)


def test_there_are_words_for_every_cause() -> None:
    for cause in CAUSES:
        watch = Watch("test", raising(Retryable(cause=cause)))
        watch.turn()

        assert watch.check("it").says.startswith("it ")


def samples(metrics: Metrics, name: str) -> list[Sample]:
    return [each for family in metrics.registry.collect() for each in family.samples if each.name == name]


def raising(error: Exception) -> Callable[[], int]:
    def ask() -> int:
        raise error

    return ask


class TestWatch:
    def test_that_is_stopped_waits_for_its_question_no_longer_than_it_is_told(self) -> None:
        asked, answers, answered = threading.Event(), threading.Event(), list[bool]()

        def ask() -> None:
            asked.set()
            answered.append(answers.wait(10))

        watch = Watch("test", ask)
        watch.start()
        assert asked.wait(10)

        watch.stop(within_seconds=0)

        assert answered == []
        answers.set()
        watch.stop(within_seconds=10)
        assert answered == [True]

    def test_that_was_never_answered_says_so_since_it_was_made(self) -> None:
        clock = Clock()
        watch = Watch("test", lambda: 1, clock=clock)
        clock.pass_(3)

        assert (watch.answer, watch.is_known) == (None, False)
        assert watch.check("Kafka") == Check("Kafka has not answered yet, for 3 s", ok=False)

    def test_knows_its_answer_for_as_long_as_it_is_fresh_by_when_it_was_asked_for(self) -> None:
        clock = Clock()
        then: list[tuple[int, float]] = []

        def slow() -> int:
            clock.pass_(2)
            return 7

        watch = Watch("test", slow, clock=clock, then=lambda answer, at: then.append((answer, at)))
        clock.pass_(100)
        asked_at = clock()
        watch.turn()
        assert then == [(7, asked_at)]

        clock.now = asked_at + FRESH_SECONDS - 0.1
        assert (watch.answer, watch.is_known) == (7, True)
        assert watch.check("Kafka") == Check()
        clock.now = asked_at + FRESH_SECONDS
        assert (watch.answer, watch.is_known) == (7, False)
        assert watch.check("Kafka") == Check(f"Kafka does not answer, for {FRESH_SECONDS:.0f} s", ok=False)

    def test_an_answer_that_nothing_could_be_made_of_is_none(self) -> None:
        def broken(_answer: int, _at: float) -> None:
            raise Retryable(cause="timeout")

        watch = Watch("test", lambda: 1, then=broken)
        watch.turn()

        assert (watch.answer, watch.is_known) == (None, False)

    def test_counts_what_is_to_be_asked_again_and_nothing_else(self) -> None:
        metrics = Metrics()
        watches = [
            Watch("a", raising(Retryable(cause="disk"))),
            Watch("b", raising(Fatal("PostgreSQL 42P01"))),
            Watch("c", lambda: 1),
        ]
        for watch in watches:
            watch.turn()  # nobody is told of what comes before
            watch.start = lambda: None  # type: ignore[method-assign]  # the test asks itself

        with capture_logs(), Monitor(metrics).watching(lambda: 0.0, {}, watches):
            for watch in watches:
                watch.turn()

        counted = {sample.labels["cause"]: sample.value for sample in samples(metrics, "returns_retries_total")}
        assert counted == {"disk": 1}

    def test_a_question_that_cannot_be_asked_is_logged_with_what_was_raised(self) -> None:
        error = ValueError("a value")
        with capture_logs() as lines:
            Watch("lag", raising(error)).turn()

        facts = {"event": "health_question_failed", "part": "health", "watch": "lag", "exc_info": error}
        assert [facts.items() <= line.items() for line in lines] == [True]

    def test_asks_on_a_thread_that_keeps_no_process_alive_and_closes_at_the_end(self) -> None:
        closed = threading.Event()
        asked: list[threading.Thread] = []
        watch = Watch("lag", lambda: asked.append(threading.current_thread()), every=0.001, close=closed.set)
        with Monitor(Metrics()).watching(lambda: 0.0, {}, [watch]):
            eventually(lambda: len(asked) > 2)
            assert not closed.is_set()

        assert closed.is_set()
        assert {(thread.name, thread.daemon) for thread in asked} == {("health-lag", True)}
        Watch("never started", lambda: 1).stop()

    def test_that_was_told_to_stop_asks_nothing(self) -> None:
        asked: list[int] = []
        watch = Watch("lag", lambda: asked.append(1))
        watch.stop()

        watch.start()
        watch.stop()

        assert asked == []
