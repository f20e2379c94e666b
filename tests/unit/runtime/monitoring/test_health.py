"""What a process says of itself: lives, is ready, and why not; by checks that wait for nothing."""

from __future__ import annotations

import json
import threading

import pytest

from service.errors import Fatal, Retryable
from service.metrics import Metrics
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.health import Check, Monitor, Watch, work
from tests.support.fakes import Clock
from tests.support.waiting import eventually


def test_a_process_lives_as_long_as_its_loop_turns() -> None:
    clock = Clock()
    board, monitor = Board(clock), Monitor(Metrics(), stall_seconds=120, clock=clock)
    routes = monitor.routes()

    with monitor.watching(board.seconds_since_turn, {}, ()):
        clock.pass_(119)
        assert routes["/livez"]().status == 200
        clock.pass_(2)
        stuck = routes["/livez"]()
        board.beat()
        again = routes["/livez"]()

    assert (stuck.status, json.loads(stuck.body)) == (503, {"live": False, "reason": "no turn for 121 s"})
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
    assert (late["ready"], late["checks"]["progress"]) == (False, "no turn for 17 s")


def test_a_check_that_fails_is_not_well_and_shows_no_value() -> None:
    monitor = Monitor(Metrics())

    def broken() -> Check:
        raise ValueError("a secret")

    with monitor.watching(lambda: 0.0, {"broken": broken}, ()):
        answer = monitor.routes()["/readyz"]()

    assert answer.status == 503
    assert b"secret" not in answer.body


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
        shown = monitor.routes()["/metrics"]().body.decode()

    assert 'returns_lag_records{partition="0",topic="scans"} 7.0' in shown
    assert "returns_ready 1.0" in shown
    assert "returns_turn_age_seconds 3.0" in shown
