"""Processes side by side: what each is given, and how long each may take to end; on children that take no real time.

That real ones end is shown in test_lifecycle.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.runtime import supervisor as supervising
from service.runtime.lifecycle import Stop
from service.runtime.supervisor import _die_with_parent, supervise
from tests.support.fakes import Clock, ClockStop
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")


class Child:
    """It ends by itself after `lasts` seconds, and `obeys` seconds after it is asked to."""

    def __init__(self, clock: Clock, *, lasts: float = inf, status: int = 0, obeys: float = 0.0) -> None:
        self._clock, self._status, self._obeys = clock, status, obeys
        self._ends_at = clock() + lasts
        self.pid = id(self)
        self.returncode: int | None = None
        self.signals: list[tuple[int, float]] = []

    def poll(self) -> int | None:
        if self._clock() >= self._ends_at:
            self.returncode = self._status
        return self.returncode

    def send_signal(self, number: int) -> None:
        self.signals.append((number, self._clock()))
        self._ends_at = min(self._ends_at, self._clock() + self._obeys)

    def kill(self) -> None:
        self._status, self._obeys = -signal.SIGKILL, 0.0
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float = inf) -> None:
        takes = max(0.0, self._ends_at - self._clock())
        self._clock.pass_(min(takes, timeout))
        if self.poll() is None:
            raise subprocess.TimeoutExpired("child", timeout)


class Bench:
    """Runs children of these ways, and asks for the end after some seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.began = self.clock()
        self.children: dict[str, Child] = {}
        self.lines: list[tuple[Any, ...]] = []
        self._monkeypatch = monkeypatch

    def run(self, ways: Mapping[str, Mapping[str, Any]], *, seconds: float = inf) -> bool:
        def start(command: Sequence[str], **_: Any) -> Child:
            (name,) = command
            self.children[name] = Child(self.clock, **ways[name])
            return self.children[name]

        fake = SimpleNamespace(Popen=start, TimeoutExpired=subprocess.TimeoutExpired)
        self._monkeypatch.setattr(supervising, "subprocess", fake)
        stop = ClockStop(self.clock)
        beat = stop.watchdog.beat

        def beat_and_stop() -> None:
            beat()
            if self.clock() - self.began >= seconds:
                stop.set()

        stop.watchdog.beat = beat_and_stop  # type: ignore[method-assign]
        with capture_logs() as lines:
            is_well = supervise({name: [name] for name in ways}, stop, clock=self.clock)
        facts = ("event", "child", "exit_status", "after_seconds")
        self.lines = [tuple(line[fact] for fact in facts if fact in line) for line in lines]
        assert {line["part"] for line in lines} <= {"supervisor"}
        assert [line["pid"] for line in lines if "pid" in line] == [child.pid for child in self.children.values()]
        return is_well

    def signals(self, name: str) -> list[tuple[int, float]]:
        return [(number, round(at - self.began, 3)) for number, at in self.children[name].signals]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_asked_to_stop_it_asks_each_child_once_and_waits_for_all(bench: Bench) -> None:
    assert bench.run({"a": {"obeys": 3.0}, "b": {"obeys": 1.0, "status": -signal.SIGTERM}}, seconds=2) is True

    assert bench.signals("a") == bench.signals("b") == [(signal.SIGTERM, 2.2)]
    assert bench.clock() - bench.began == pytest.approx(5.2)
    assert bench.lines == [
        ("child_started", "a"),
        ("child_started", "b"),
        ("child_stopped", "a", 0),
        ("child_stopped", "b", -signal.SIGTERM),
    ]


@pytest.mark.parametrize("status", (0, 3))
def test_a_child_that_ends_by_itself_is_noticed_soon_and_is_not_well_however_it_ended(
    bench: Bench, status: int
) -> None:
    assert bench.run({"a": {}, "b": {"lasts": 5.1, "status": status}}) is False

    assert bench.signals("a") == [(signal.SIGTERM, 5.2)]
    assert bench.signals("b") == []
    assert bench.lines[2:] == [("child_ended", "b", status), ("child_stopped", "a", 0)]


def test_children_that_do_not_stop_share_one_grace_and_are_killed_after_it(bench: Bench) -> None:
    assert bench.run({"a": {"obeys": inf}, "b": {"obeys": inf}, "c": {"obeys": 13.0}}, seconds=1) is False

    killed_at = 1.2 + 13.5
    assert bench.signals("a") == bench.signals("b") == [(signal.SIGTERM, 1.2), (signal.SIGKILL, killed_at)]
    assert bench.signals("c") == [(signal.SIGTERM, 1.2)]
    assert bench.clock() - bench.began == pytest.approx(killed_at)
    assert bench.lines[3:] == [
        ("child_killed", "a", 13.5),
        ("child_stopped", "a", -signal.SIGKILL),
        ("child_killed", "b", 13.5),
        ("child_stopped", "b", -signal.SIGKILL),
        ("child_stopped", "c", 0),
    ]


def test_a_child_that_fails_as_it_stops_is_not_well(bench: Bench) -> None:
    assert bench.run({"a": {"status": 1, "obeys": 1.0}, "b": {}}, seconds=1) is False


def run(script: str, **environment: str) -> int:
    """The exit status of a shell's script as a child."""
    with capture_logs() as lines:
        supervise({"a": ["/bin/sh", "-c", script]}, Stop(), environments={"a": environment} if environment else None)
    (status,) = [line["exit_status"] for line in lines if line["event"] == "child_ended"]
    return int(status)


class TestRealChild:
    @pytest.fixture(autouse=True)
    def look_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervising, "_LOOK_SECONDS", 0.01)

    def test_has_the_environment_that_it_is_given_and_nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OF_THE_PARENT", "yes")

        assert run('[ "$MINE$OF_THE_PARENT" = 7 ]', MINE="7") == 0
        assert run('[ "$MINE$OF_THE_PARENT" = yes ]') == 0

    def test_is_in_a_session_of_its_own_where_no_terminal_interrupts_it(self) -> None:
        assert run('read -r _ _ _ _ _ session _ < /proc/$$/stat; [ "$session" = $$ ]') == 0

    @pytest.mark.slow
    def test_ends_with_a_parent_that_is_killed(self) -> None:
        script = "from service.runtime.supervisor import *; supervise({'a': ['/bin/sleep', '60']}, Stop())"
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        child = 0
        try:
            eventually(lambda: children_of(parent.pid))
            (child,) = children_of(parent.pid)
            eventually(lambda: name_of(child) == "sleep")
            parent.kill()
            parent.wait()
            eventually(lambda: name_of(child) is None)
        finally:
            parent.kill()
            if child and name_of(child) == "sleep":
                os.kill(child, signal.SIGKILL)

    def test_whose_parent_was_killed_before_it_could_ask_does_not_even_begin(self) -> None:
        begun = subprocess.run(["/bin/echo"], preexec_fn=partial(_die_with_parent, os.getpid() + 1), check=False)

        assert begun.returncode == 1


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid: int) -> str | None:
    """None: it has ended, though perhaps nobody has asked how."""
    try:
        _, name, state, *_ = Path(f"/proc/{pid}/stat").read_text().split()
    except FileNotFoundError:
        return None
    return None if state == "Z" else name.strip("()")
