"""The demo as a newcomer runs it, on the shared stack, with a database and topics of the test's own."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from deploy.local.demo import Demo
from deploy.local.demo_figures import Figures
from deploy.local.demo_processes import Stop, log_of
from deploy.local.packages import CHECKOUT
from deploy.local.process import free_port, tail
from deploy.local.stack import LocalStack
from tests.support.topics import Topics
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOPICS = (
    "RETURNS", "SCANS", "HUB_EVENTS", "DELIVERIES", "STATUS_CHANGES", "CURRENT_STATUS", "EXCEPTIONS", "DEAD_LETTERS",
)  # fmt: skip


@pytest.fixture
def settings(stack: LocalStack, empty_database: str, topics: Topics) -> dict[str, str]:
    """An environment in which the demo meets nobody else."""
    return {
        **os.environ,
        "RETURNS_KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "RETURNS_DATABASE_URL": empty_database,
        "RETURNS_HTTP_PORT": str(free_port()),
        "RETURNS_GROUP_ID": topics.name("demo"),
        "RETURNS_TOPIC_PARTITIONS": "2",
        **{f"RETURNS_TOPIC_{name}": topics.name(name.lower()) for name in TOPICS},
    }


class Run:
    """One demo under way, and every process that it was seen to have."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.offspring: dict[int, psutil.Process] = {}

    def read_until(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """The first line from here on that matches."""
        deadline = time.monotonic() + seconds
        for line in self._out:
            self.lines.append(line.rstrip())
            self.note_offspring()
            if found := re.search(pattern, line):
                return found
            assert time.monotonic() < deadline, f"no {pattern} within {seconds} s:\n{self}"
        raise AssertionError(f"no {pattern} before the end:\n{self}")

    def note_offspring(self) -> bool:
        """Whether it was ever seen to have a process of its own."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self.offspring[child.pid] = child
        return bool(self.offspring)

    def end(self) -> int:
        """Read to the end; the exit status."""
        self.lines += [line.rstrip() for line in self._out]
        return self.process.wait(timeout=60)

    def survivors(self) -> list[psutil.Process]:
        return [child for child in self.offspring.values() if child.is_running() and child.status() != "zombie"]

    @property
    def _out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def __str__(self) -> str:
        return "\n".join((*self.lines, "", tail(log_of("run"), 20)))


@contextlib.contextmanager
def demo(settings: dict[str, str], *arguments: str) -> Iterator[Run]:
    command = [sys.executable, "-m", "deploy.local.demo", "--plain", "--seed", "11", *arguments]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        run = Run(process)
        try:
            yield run
        finally:
            if process.poll() is None:
                process.terminate()
                run.end()
            for survivor in run.survivors():
                survivor.kill()


def ask(url: str, token: str) -> dict[str, object]:
    """What the curl line of the demo answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        document = json.load(answer)
    assert isinstance(document, dict)
    return document


def test_a_newcomer_sees_statuses_advance_and_may_ask_for_a_return(settings: dict[str, str], stack: LocalStack) -> None:
    # The demo of this test runs on a database of its own; whoever sources the file must not be led there.
    shared = (stack.home / "env").read_bytes()

    with demo(settings, "--rate", "500") as run:
        token = run.read_until(r"TOKEN=(\S+)")[1]
        url = run.read_until(r"curl .* (http\S+)")[1]
        shown = ask(url, token)
        run.read_until(r" returns=[1-9]\d\d.* RE=[1-9]")
        run.process.send_signal(signal.SIGINT)
        status = run.end()

    assert status == 0, str(run)
    assert log_of("simulate").read_text().startswith(f"playing through the API at {url.partition('/v1/')[0]}: ")
    assert shown["return_id"] == url.rpartition("/")[2]
    figures = [dict(re.findall(r"(\w+)=(\d+)", line)) for line in run.lines if " returns=" in line]
    returns = [int(shown["returns"]) for shown in figures]
    assert returns == sorted(returns)
    assert returns[-1] >= 100
    assert int(figures[-1]["advanced"]) > returns[-1]
    assert (stack.home / "env").read_bytes() == shared
    eventually(lambda: not run.survivors(), why="processes are left")


def test_who_stops_it_otherwise_stops_everything(settings: dict[str, str]) -> None:
    with demo(settings) as run:
        run.read_until(r" returns=[1-9]")
        run.process.send_signal(signal.SIGTERM)

        status = run.end()

    assert status == 0, str(run)
    eventually(lambda: not run.survivors(), why="processes are left")


def test_it_ends_by_itself_when_it_was_given_a_time() -> None:
    looks = list[int]()

    class Idle:
        def check(self) -> None:
            pass

        def look(self) -> Figures:
            looks.append(1)
            return Figures()

    everything: Any = Idle()
    begun = time.monotonic()
    Demo(argparse.Namespace(plain=True, seconds=1.2), Stop())._show(everything, everything)

    assert time.monotonic() - begun >= 1.2
    assert len(looks) >= 2


def test_a_signal_while_it_starts_stops_what_is_there(settings: dict[str, str]) -> None:
    with demo(settings) as run:
        run.read_until("database and topics")
        eventually(run.note_offspring, why="nothing was started")
        run.process.send_signal(signal.SIGINT)

        status = run.end()

    assert status == 0, str(run)
    assert " returns=" not in "".join(run.lines)
    eventually(lambda: not run.survivors(), why="processes are left")


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_a_demo_that_is_killed_leaves_nothing_running(settings: dict[str, str]) -> None:
    with demo(settings) as run:
        run.read_until(r" returns=[1-9]")
        run.process.kill()

        run.end()

        assert len(run.offspring) >= 3
        eventually(lambda: not run.survivors(), timeout=30, why="processes are left")


def test_servers_that_it_started_are_stopped_and_others_are_not(
    private_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.demo.LocalStack", lambda: private_stack)
    private_stack.postgres.start()

    with Demo(argparse.Namespace(plain=True), Stop())._stack():
        during = private_stack.status()

    assert during == {"kafka": "runs", "postgres": "runs"}
    assert private_stack.status() == {"kafka": "stopped", "postgres": "runs"}


def test_what_does_not_start_is_said_in_one_line_that_names_the_log(settings: dict[str, str]) -> None:
    with demo({**settings, "RETURNS_TOPIC_SCANS": "no such topic name"}) as run:
        status = run.end()

    assert status == 1
    said = [line for line in run.lines if line.startswith("demo: ")]
    assert len(said) == 1, str(run)
    log = re.search(r"see (\S+\.log)", said[0])
    assert log
    assert (CHECKOUT / Path(log[1])).is_file()
    assert "Traceback" not in "".join(run.lines)
    eventually(lambda: not run.survivors(), why="processes are left")
