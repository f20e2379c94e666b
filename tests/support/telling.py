"""What running processes tell of themselves on their own ports."""

from __future__ import annotations

import json
import math
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import httpx

from tests.support.commands import Running, running

PROCESSES: Final = ("ingest", "relay", "project", "serve")
_SAMPLE: Final = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL: Final = re.compile(r'([a-z_]+)="([^"]*)"')


class Sample(NamedTuple):
    """A line of /metrics."""

    name: str
    labels: Mapping[str, str]
    value: float


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Teller:
    """One process, asked as a prober and a scraper do; each question must be answered at once."""

    def __init__(self, name: str, port: int, process: Running) -> None:
        self.name, self.port, self.process = name, port, process

    def get(self, path: str) -> httpx.Response:
        """An answer; an AssertionError, which `eventually` waits out, where there is none."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=2)
        except httpx.TransportError as error:
            raise AssertionError(f"{self.name} {path}: {type(error).__name__}") from None

    def ready(self) -> bool:
        """Whether it says that it is."""
        return self.get("/readyz").status_code == 200

    def says(self) -> dict[str, str]:
        """What its checks say."""
        checks: dict[str, str] = json.loads(self.get("/readyz").text)["checks"]
        return checks

    def is_live(self) -> bool:
        """Whether it says that it lives."""
        return self.get("/livez").status_code == 200

    def scrape(self) -> list[Sample]:
        """All of its metrics."""
        matches = (_SAMPLE.fullmatch(line) for line in self.get("/metrics").text.splitlines())
        return [
            Sample(match["name"], dict(_LABEL.findall(match["labels"] or "")), float(match["value"]))
            for match in matches
            if match
        ]

    def samples(self, name: str, **labels: str) -> list[float]:
        """The values of a metric with these labels, whatever the others are."""
        return [each.value for each in self.scrape() if each.name == name and labels.items() <= each.labels.items()]

    def most(self, name: str, **labels: str) -> float:
        """The greatest of them; -1 where there is none."""
        return max((value for value in self.samples(name, **labels) if not math.isnan(value)), default=-1.0)


@contextmanager
def telling(logs: Path, settings: dict[str, str], *names: str, **more: Any) -> Iterator[dict[str, Teller]]:
    """These processes, each with a port of its own to tell on."""
    with Crew(logs, {**settings, **more}) as crew:
        for name in names or PROCESSES:
            crew.start(name)
        yield crew.tellers


class Crew:
    """Processes of the service that are killed, stopped and started again; all are gone at the end of the block."""

    def __init__(self, logs: Path, settings: Mapping[str, str]) -> None:
        self.tellers: dict[str, Teller] = {}
        self._logs, self._settings = logs, dict(settings)
        self._stack = ExitStack()
        self._wanted: dict[str, str] = {}  # the command by its label
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, label: str, command: str = "", **more: str) -> Teller:
        """A process that is told of under this label, on the port that this label had before."""
        command = command or label
        known = self.tellers.get(label)
        port = free_port() if known is None else known.port
        self._count += 1
        log = self._logs / (f"{label}.log" if known is None else f"{label}-{self._count}.log")
        settings = {**self._settings, **more, "RETURNS_METRICS_PORT": str(port)}
        process = self._stack.enter_context(running(log, command, **settings))
        if known is None:
            self.tellers[label] = Teller(label, port, process)
        else:
            known.process = process
        self._wanted[label] = command
        return self.tellers[label]

    def kill(self, label: str) -> None:
        """SIGKILL; nobody starts it again by itself."""
        self._wanted.pop(label)
        self.tellers[label].process.process.kill()
        self.tellers[label].process.end()

    def stop(self, label: str) -> None:
        """SIGTERM, and wait for its end."""
        self._wanted.pop(label)
        self.tellers[label].process.process.terminate()
        self.tellers[label].process.end()

    def forget(self, label: str) -> None:
        """Stop it if it runs, and ask it no more."""
        if label in self._wanted:
            self.stop(label)
        del self.tellers[label]

    def supervise(self) -> dict[str, int]:
        """Start again what has ended by itself, as a supervisor does; its exit status by its label."""
        ended = {}
        for label, command in list(self._wanted.items()):
            if (status := self.tellers[label].process.process.poll()) is not None:
                ended[label] = status
                self.start(label, command)
        return ended
