from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.runtime.monitoring import watchdog
from service.runtime.monitoring.watchdog import Watchdog, waits_in
from service.runtime.pace import Pace
from tests.support.fakes import Clock


class Bench:
    """A watchdog whose time passes when told to, and which ends nothing."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.ended: list[int] = []
        self.armed: list[float] = []
        self.dog = Watchdog(
            lambda key, **values: self.told.append((key, values)),
            slow_seconds=25,
            clock=self.clock,
            end=self.ended.append,
            arm=self.armed.append,
        )
        self.dog._spawn = lambda: None  # type: ignore[method-assign]  # the test looks itself

    def pass_(self, seconds: int) -> None:
        for _ in range(seconds * 2):
            self.clock.pass_(0.5)
            self.dog.look()

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.told]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_turn_that_takes_too_long_is_told_once_with_where_it_is(bench: Bench) -> None:
    bench.dog.start(120)
    bench.dog.beat()

    bench.pass_(24)
    assert bench.keys == []
    bench.pass_(30)

    assert bench.keys == ["no_progress"]
    assert bench.told[0][1]["seconds"] == pytest.approx(25.5)
    assert bench.dog.seconds_since_turn == 54


def test_turns_that_come_are_no_matter(bench: Bench) -> None:
    bench.dog.start(120)
    for _ in range(20):
        bench.dog.beat()
        bench.pass_(20)

    assert not bench.told
    assert not bench.ended


def test_each_turn_that_takes_too_long_is_told(bench: Bench) -> None:
    bench.dog.start(120)
    for _ in range(2):
        bench.dog.beat()
        bench.pass_(30)

    assert bench.keys == ["no_progress"] * 2


def test_a_turn_that_never_ends_ends_the_process(bench: Bench) -> None:
    bench.dog.start(120)
    bench.dog.beat()

    bench.pass_(120)
    assert not bench.ended
    bench.pass_(1)

    assert bench.keys[:2] == ["no_progress", "stuck"]
    assert bench.ended[0] == 1


def test_before_the_first_turn_nothing_is_watched(bench: Bench) -> None:
    bench.dog.start(120)
    bench.pass_(300)

    assert not bench.told
    assert bench.dog.seconds_since_turn is None


def test_a_process_that_was_frozen_is_not_blamed_for_it(bench: Bench) -> None:
    bench.dog.start(120)
    bench.dog.beat()
    bench.pass_(1)

    bench.clock.pass_(3600)
    bench.pass_(20)

    assert not bench.told
    assert not bench.ended


def test_what_was_asked_to_stop_ends_in_time_whatever_it_waits_for(bench: Bench) -> None:
    bench.dog.start(120)
    bench.dog.beat()
    bench.dog.must_end(12)
    bench.pass_(11)
    bench.dog.must_end(12)  # asked again: no more time for that
    assert not bench.ended

    bench.pass_(1)

    assert bench.ended == [1]
    assert bench.keys == ["stop_takes_too_long"]


def test_the_other_thread_is_armed_for_later_than_this_one(bench: Bench) -> None:
    bench.dog.start(120)
    bench.dog.beat()
    bench.pass_(100)

    assert all(120 < seconds + passed < 130 for passed, seconds in enumerate(bench.armed[1::2], 1))


@pytest.mark.parametrize(("seconds", "since"), ((5.0, 15.0), (5.1, 0.0)))
def test_a_process_in_which_nobody_looked_for_more_than_five_seconds_was_frozen(
    bench: Bench, seconds: float, since: float
) -> None:
    bench.dog.start(120)
    bench.dog.beat()
    bench.pass_(10)

    bench.clock.pass_(seconds)
    bench.dog.look()

    assert bench.dog.seconds_since_turn == since


def test_a_frozen_process_that_had_no_turn_yet_still_has_none(bench: Bench) -> None:
    bench.dog.start(120)
    bench.clock.pass_(600)
    bench.dog.look()

    assert bench.dog.seconds_since_turn is None


def test_what_is_told_is_how_long_and_where(bench: Bench) -> None:
    bench.dog.start(26)
    bench.dog.beat()
    for seconds in (5, 5, 5, 5, 5, 0.14, 1):
        bench.clock.pass_(seconds)
        bench.dog.look()
    bench.dog.must_end(3)
    bench.clock.pass_(3.14)
    bench.dog.look()

    assert [(key, told["seconds"]) for key, told in bench.told] == [
        ("no_progress", 25.1),
        ("stuck", 26.1),
        ("stop_takes_too_long", 3.1),
    ]
    assert all("watchdog.py" in told["waits_in"][-1] for _, told in bench.told)


def test_the_thread_that_needs_no_interpreter_ends_a_process_a_little_later_than_this_one_would(bench: Bench) -> None:
    bench.dog.look()
    assert bench.armed == []  # nothing is watched yet

    bench.dog.start(120)
    bench.dog.look()
    bench.dog.beat()
    for seconds in (1, 4, 5):
        bench.clock.pass_(seconds)
        bench.dog.look()
    bench.pass_(112)
    assert bench.armed[:4] == [127, 126, 122, 117]
    assert bench.armed[-1] == 7  # overdue, and this thread still looks

    bench.dog.must_end(12)
    assert bench.armed[-1] == 14


def test_a_process_ends_even_if_nothing_can_be_told_of_it(bench: Bench) -> None:
    def broken(key: str, **values: object) -> None:
        raise OSError(f"stderr is closed: {key} {len(values)}")

    bench.dog._tell = broken
    bench.dog.must_end(1)
    bench.clock.pass_(1)

    with pytest.raises(OSError, match="closed"):
        bench.dog.look()

    assert bench.ended == [1]


def test_unless_it_is_given_a_way_to_tell_it_logs_and_shows_the_stacks_of_all_threads(
    capfd: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    dog = Watchdog(slow_seconds=2, clock=clock, end=lambda _: None, arm=lambda _: None)
    dog.beat()
    clock.pass_(3)

    with capture_logs() as lines:
        dog.look()

    (line,) = lines
    facts = {"event": "no_progress", "log_level": "error", "part": "watchdog", "seconds": 3}
    assert facts.items() <= line.items()
    assert "Current thread" in capfd.readouterr().err


def test_it_looks_on_one_thread_that_keeps_no_process_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, armed, slept = Clock(), list[float](), list[float]()
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread))  # noqa: PLW0108 - binds
    dog = Watchdog(clock=clock, end=lambda _: None, arm=armed.append)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.pass_(seconds)
        if len(slept) == 4:
            raise InterruptedError

    monkeypatch.setattr(watchdog, "time", SimpleNamespace(sleep=sleep))
    dog.start(20)
    dog.start(10)
    (thread,) = started
    assert (thread.name, thread.daemon) == ("watchdog", True)
    with pytest.raises(InterruptedError):
        thread.run()
    dog.must_end(3)

    assert started == [thread]
    assert slept == [0.5] * 4
    assert armed == [17] * 3 + [5]


class TestWhereTheMainThreadIs:
    """By the service's own frames, whoever asks."""

    @staticmethod
    def within(depth: int, ask: Any) -> None:
        """Ask so many calls of the service deep."""
        if depth:
            pace = Pace(1, Clock())
            pace.begin()
            pace.rest(1, lambda _: TestWhereTheMainThreadIs.within(depth - 1, ask))
        else:
            ask()

    def test_is_told_to_another_thread(self) -> None:
        places: list[str] = []

        def ask() -> None:
            thread = threading.Thread(target=lambda: places.extend(waits_in()))
            thread.start()
            thread.join()

        self.within(1, ask)

        assert places
        assert all(re.fullmatch(r"runtime/pace\.py:\d+ \S*rest\S*", place) for place in places)

    def test_is_told_from_the_outermost_to_the_innermost_and_of_those_eight(self) -> None:
        places: list[str] = []

        self.within(1, lambda: places.extend(waits_in()))
        assert ("pace.py" in places[0], "watchdog.py" in places[-1]) == (True, True)

        places.clear()
        self.within(12, lambda: places.extend(waits_in()))
        assert len(places) == 8
        assert "watchdog.py" in places[-1]


@pytest.mark.parametrize(
    "hangs", ("while True: pass", "ctypes.PyDLL(None).sleep(60)"), ids=("in Python", "in C that holds the lock")
)
@pytest.mark.slow
def test_a_process_that_hangs_is_ended_with_its_stacks_in_the_log(hangs: str) -> None:
    script = f"""
        import ctypes
        from service import logs  # which a process has imported long before
        from service.runtime.monitoring import watchdog
        watchdog._LOOK_SECONDS, watchdog._MARGIN_SECONDS = 0.05, 0.2
        dog = watchdog.Watchdog(slow_seconds=0.5)
        dog.start(0.9)
        dog.beat()
        def the_turn():
            import time
            time.sleep(0.15)
            {hangs}
        the_turn()
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode == 1
    assert ("no_progress" in done.stdout + done.stderr) == ("ctypes" not in hangs)
    assert "in the_turn" in done.stderr
