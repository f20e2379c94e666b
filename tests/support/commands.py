"""Commands of the service as a person or a supervisor runs them: as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.support import forking
from tests.support.topics import Topics
from tests.support.waiting import PATIENCE, eventually

ROOT = Path(__file__).parents[2]
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
TOPICS = {
    "RETURNS_TOPIC_RETURNS": "returns",
    "RETURNS_TOPIC_SCANS": "scans",
    "RETURNS_TOPIC_HUB_EVENTS": "hub-events",
    "RETURNS_TOPIC_DELIVERIES": "deliveries",
    "RETURNS_TOPIC_STATUS_CHANGES": "status-changes",
    "RETURNS_TOPIC_CURRENT_STATUS": "current-status",
    "RETURNS_TOPIC_EXCEPTIONS": "exceptions",
    "RETURNS_TOPIC_DEAD_LETTERS": "dead-letters",
}


def settings_of(database_url: str, topics: Topics, **more: str) -> dict[str, str]:
    """The settings of a service of the test's own, on the shared servers."""
    return {
        "RETURNS_DATABASE_URL": database_url,
        "RETURNS_KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap_servers,
        "RETURNS_GROUP_ID": topics.name("group"),
        "RETURNS_CREATION_AGE_DAYS": "36500",  # tests tell of the year in which they were written
        "RETURNS_TOPIC_PARTITIONS": "2",
        "RETURNS_SESSION_TIMEOUT_MS": "6000",
        "RETURNS_HTTP_PORT": "0",
        **{variable: topics.name(name) for variable, name in TOPICS.items()},
        **more,
    }


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, **settings}


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command from its start to its end, with these settings and no others; forked where that is wanted."""
    environment = _environment(settings)
    if forking.fits(environment):
        return forking.run(arguments, environment, 60 * PATIENCE)
    return run_afresh(*arguments, **settings)


def run_afresh(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The same in a Python of its own, always: for tests of the command line itself."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env=_environment(settings),
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
    )


class Running:
    """A command that runs; its log lines are JSON."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        text = self._log.read_text(encoding="utf-8")
        return [
            json.loads(line) for line in text.splitlines(keepends=True) if line.startswith("{") and line[-1] == "\n"
        ]

    def logged(self, event: str, count: int = 1, timeout: float = 20.0) -> list[dict[str, Any]]:
        """The lines of an event, once there are so many."""

        def found() -> list[dict[str, Any]] | None:
            lines = [line for line in self.lines() if line["event"] == event]
            assert self.process.poll() is None or len(lines) >= count, self._log.read_text(encoding="utf-8")
            return lines if len(lines) >= count else None

        return eventually(found, timeout, why=f"{count} x {event}") or []

    def end(self, timeout: float = 30.0) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(timeout * PATIENCE)

    def family(self) -> list[psutil.Process]:
        """It and its children."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]


@contextmanager
def running(log: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    """A command that goes on during the block, and is killed with its children if it is still there at the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", *arguments],
            cwd=ROOT,
            env={"PYTHONUNBUFFERED": "1", **_environment(settings)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    command = Running(process, log)
    try:
        yield command
    finally:
        if process.poll() is None:
            family = command.family()
            for member in family:
                member.kill()
            psutil.wait_procs(family, 10)
        process.wait(10)
