"""Clocks: wall time, and the CPU time of a server's processes, dead ones included."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil


@dataclass(slots=True)
class Sample:
    """One run: wall seconds, and CPU seconds by who spent them."""

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and its children, those that have ended included."""
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        try:
            spent = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


@contextmanager
def sampled(servers: Mapping[str, psutil.Process]) -> Iterator[Sample]:
    """Measure the block; `servers` are charged for what they did meanwhile."""
    sample = Sample()
    before = {name: cpu_seconds(process) for name, process in servers.items()}
    started = time.perf_counter()
    yield sample
    sample.seconds = time.perf_counter() - started
    for name, process in servers.items():
        sample.cpu[name] = cpu_seconds(process) - before[name]


def spread(values: Iterable[float]) -> tuple[float, float, float]:
    """Median, minimum and maximum."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[0], ordered[-1]


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kafka-python": version("kafka-python"),
        "psycopg": version("psycopg"),
        "load at start": f"{os.getloadavg()[0]:.1f}",
    }
