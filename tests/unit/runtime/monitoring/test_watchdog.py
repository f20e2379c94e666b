from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest

from service.runtime.monitoring.watchdog import Watchdog, waits_in
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


def test_where_the_main_thread_is_names_the_service_alone() -> None:
    (place,) = waits_in()

    assert place.startswith("runtime/monitoring/watchdog.py:")
    assert place.endswith(" waits_in")


@pytest.mark.parametrize(
    "hangs", ("while True: pass", "ctypes.PyDLL(None).sleep(60)"), ids=("in Python", "in C that holds the lock")
)
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
