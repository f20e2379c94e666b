"""What running processes tell of themselves on their own ports."""

from __future__ import annotations

import json
import math
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.commands import Running, running

PROCESSES: Final = ("ingest", "relay", "project", "serve")
_SAMPLE: Final = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL: Final = re.compile(r'([a-z_]+)="([^"]*)"')


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

    def samples(self, name: str, **labels: str) -> list[float]:
        """The values of a metric with these labels, whatever the others are."""
        found = []
        for line in self.get("/metrics").text.splitlines():
            match = _SAMPLE.fullmatch(line)
            if match and match["name"] == name:
                has = dict(_LABEL.findall(match["labels"] or ""))
                if labels.items() <= has.items():
                    found.append(float(match["value"]))
        return found

    def most(self, name: str, **labels: str) -> float:
        """The greatest of them; -1 where there is none."""
        return max((value for value in self.samples(name, **labels) if not math.isnan(value)), default=-1.0)


@contextmanager
def telling(logs: Path, settings: dict[str, str], *names: str, **more: Any) -> Iterator[dict[str, Teller]]:
    """These processes, each with a port of its own to tell on."""
    with ExitStack() as stack:
        tellers = {}
        for name in names or PROCESSES:
            port = free_port()
            log = logs / f"{name}.log"
            process = stack.enter_context(running(log, name, **settings, **more, RETURNS_METRICS_PORT=str(port)))
            tellers[name] = Teller(name, port, process)
        yield tellers
