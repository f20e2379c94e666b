from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.runtime.lifecycle import Stop
from service.runtime.monitoring.watchdog import Watchdog
from service.runtime.supervisor import supervise
from tests.support.waiting import eventually

# Ten seconds or so, and nothing is left of them whatever becomes of a test.
LOOP = (
    "for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 0.05; done; done"
)
# Ends well on SIGTERM.
OBEDIENT = ("/bin/sh", "-c", f"trap 'exit 0' TERM; {LOOP}")


def child(on_sigterm: str, ready: Path) -> Sequence[str]:
    """What it does on SIGTERM holds once this file is there."""
    return ("/bin/sh", "-c", f"trap '{on_sigterm}' TERM; : > {ready}; {LOOP}")


@contextmanager
def asked_once_there_are(*ready: Path) -> Iterator[Stop]:
    """Somebody asks to stop as soon as these files are there."""
    stop = Stop()

    def ask() -> None:
        eventually(lambda: all(path.exists() for path in ready), 20)
        stop.set()

    asking = threading.Thread(target=ask)
    asking.start()
    yield stop
    asking.join()


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_a_signal_sets_the_flag_and_the_handlers_from_before_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = Stop()

    with stop.install():
        assert not stop
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        assert signal.getsignal(number) == signal.SIG_DFL  # the second one ends the process

    assert signal.getsignal(number) == before
    assert stop


def test_a_terminal_that_closes_stops_too_and_may_say_so_twice() -> None:
    stop = Stop()

    with stop.install():
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.wait(5)
        os.kill(os.getpid(), signal.SIGHUP)  # would end the test run

    assert stop


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop().install():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("grace_seconds", (12.0, None))
def test_with_a_signal_begins_the_time_in_which_the_process_has_to_end_if_there_is_one(
    grace_seconds: float | None,
) -> None:
    dog, asked = Watchdog(), list[float]()

    def must_end(within_seconds: float) -> None:
        asked.append(within_seconds)

    dog.must_end = must_end  # type: ignore[method-assign]
    stop = Stop(dog, grace_seconds=grace_seconds)

    with stop.install():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        eventually(lambda: "stop" not in {thread.name for thread in threading.enumerate()})

    assert asked == ([] if grace_seconds is None else [grace_seconds])


def test_a_wait_is_as_long_as_asked_for_unless_a_stop_is() -> None:
    stop = Stop()
    assert not stop.wait(0.001)
    stop.set()

    assert stop.wait(60)


@pytest.mark.slow
def test_a_process_that_was_asked_to_stop_and_hangs_says_where_and_fails() -> None:
    script = """if True:
        import os, signal, time
        from service.runtime.lifecycle import Stop
        with Stop(grace_seconds=0.3).install():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
    """

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode == 1
    assert "stop_takes_too_long" in done.stdout + done.stderr


def test_children_are_stopped_when_asked_to_and_that_is_well(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"

    with asked_once_there_are(a, b) as stop:
        assert supervise({"a": child("exit 0", a), "b": child("exit 0", b)}, stop)


def test_a_child_that_ends_takes_the_others_with_it_even_if_it_ended_well() -> None:
    assert not supervise({"a": OBEDIENT, "b": ["/bin/sh", "-c", "exit 0"]}, Stop())


def test_a_child_that_does_not_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    with asked_once_there_are(ready) as stop:
        assert not supervise({"a": child("", ready)}, stop, grace_seconds=0.3)


def test_a_command_that_cannot_be_started_leaves_no_other_behind() -> None:
    with pytest.raises(FileNotFoundError):
        supervise({"a": OBEDIENT, "b": ["/no/such/program"]}, Stop())
