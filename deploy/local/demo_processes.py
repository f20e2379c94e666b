"""Commands of the service as children of the demo."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from deploy.local.packages import CHECKOUT
from deploy.local.process import kill_all, tail
from deploy.local.stack import HOME

LOGS: Final = HOME / "demo"
_STOP_SECONDS: Final = 30
_PR_SET_PDEATHSIG: Final = 1


class DemoError(Exception):
    """The demo cannot go on; the message is one line."""


class Processes:
    """Commands of the service, each with a log of its own; none is left behind."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str) -> None:
        """Start a command that stays."""
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
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread here
            )

    def finish(self, name: str) -> None:
        """Wait for a command that comes to an end. Raises DemoError if it failed."""
        status = self._running[name].wait()
        del self._running[name]
        if status:
            raise _failed(name, status)

    def check(self) -> None:
        """Raise DemoError if one has ended that should stay."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise _failed(name, process.returncode)

    def ask(self, *arguments: str) -> str:
        """What a short command prints. Raises DemoError."""
        name = arguments[0]
        LOGS.mkdir(parents=True, exist_ok=True)
        with log_of(name).open("wb") as log:
            command = [sys.executable, "-m", "service", *arguments]
            answer = subprocess.run(
                command, cwd=CHECKOUT, env=self._environment, stdout=subprocess.PIPE, stderr=log, check=False
            )
        if answer.returncode:
            raise _failed(name, answer.returncode)
        return answer.stdout.decode().strip()

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


def _failed(name: str, status: int) -> DemoError:
    last = tail(log_of(name), 1)
    said = f": {last[:200]}" if last else ""
    return DemoError(f"{name} ended with exit status {status}, see {relative(log_of(name))}{said}")


def relative(path: Path) -> Path:
    return path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path


def _die_with_parent() -> None:
    """Have Linux stop this child when the demo is killed and cannot do it any more."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
