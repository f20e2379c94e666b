"""Commands of the service as children of the demo."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

import psutil

from deploy.local.packages import CHECKOUT
from deploy.local.process import kill_all, tail
from deploy.local.stack import HOME

LOGS: Final = HOME / "demo"
# `run` gives its children 30 s.
_STOP_SECONDS: Final = 40
_FINISH_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.05
_PR_SET_PDEATHSIG: Final = 1


class DemoError(Exception):
    """The demo cannot go on; the message is one line."""


class Stop:
    """Whether the person wants it to end. `wait` and `check` raise KeyboardInterrupt then, and nothing else does.

    Raising from the handler itself, wherever the program stands, would break a client in the middle of a call, or
    lose a process between its start and our knowing of it.
    """

    def __init__(self) -> None:
        self._asked = False

    def install(self) -> None:
        """Listen to SIGINT and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if asked to stop."""
        if self._asked:
            raise KeyboardInterrupt

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Poll until the condition holds; False when time is up. Raises KeyboardInterrupt."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            if condition():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_POLL_SECONDS, left))


class Processes:
    """Commands of the service, each with a log of its own; none is left behind."""

    def __init__(self, environment: dict[str, str], stop: Stop) -> None:
        self._environment = environment
        self._stop = stop
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str) -> None:
        """Start a command."""
        self._stop.check()
        LOGS.mkdir(parents=True, exist_ok=True)
        with log_of(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "service", *arguments],
                cwd=CHECKOUT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for this process alone, which then stops each of them once.
                start_new_session=True,
                preexec_fn=partial(_die_with, os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread here
            )

    def finish(self, name: str) -> None:
        """Wait for a command that comes to an end. Raises DemoError if it failed."""
        process = self._running[name]
        if not self._stop.wait(lambda: process.poll() is not None, _FINISH_SECONDS):
            raise DemoError(f"{name} is not done after {_FINISH_SECONDS} s, see {relative(log_of(name))}")
        del self._running[name]
        if process.returncode:
            raise _failed(name, process.returncode)

    def check(self) -> None:
        """Raise DemoError if one has ended that should stay."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise _failed(name, process.returncode)

    def stop(self) -> None:
        """SIGTERM to all at once; whoever is still there much later is killed, with all that it started."""
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(psutil.NoSuchProcess):
                    parent = psutil.Process(process.pid)
                    kill_all([parent, *parent.children(recursive=True)])
                process.wait()
        self._running.clear()


def log_of(name: str) -> Path:
    """Where a command's output goes."""
    return LOGS / f"{name}.log"


def open_feed(file: Path) -> Path:
    """A feeds file that opens the simulated carrier's own feed, with a secret of this run; nobody else reads it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(f'[omniparcel]\nsecret = "demo:{secrets.token_urlsafe(24)}"\n')
    return file


def _failed(name: str, status: int) -> DemoError:
    last = tail(log_of(name), 1)
    said = f": {last[:200]}" if last else ""
    return DemoError(f"{name} ended with exit status {status}, see {relative(log_of(name))}{said}")


def relative(path: Path) -> Path:
    return path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path


def _die_with(parent: int) -> None:
    """Have Linux stop this child when the demo is killed and cannot do it any more."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
