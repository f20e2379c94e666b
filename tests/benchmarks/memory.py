"""Whether a worker's memory stays flat over millions of events."""

from __future__ import annotations

import time
from typing import NamedTuple

import psutil

from tests.benchmarks.bed import Bed, fill
from tests.benchmarks.filled import held, require

_EVERY_SECONDS = 1.0


class Reading(NamedTuple):
    """Resident memory so long after the start."""

    seconds: float
    bytes: int


def run(bed: Bed, returns: int) -> tuple[int, list[Reading]]:
    """Drain so many returns with one worker; events, and its resident memory by the second."""
    with bed.topics() as topics, bed.database() as database, bed.service(database, topics) as service:
        meant = fill(service, returns)
        worker = service.start("ingest", "--drain")
        process, readings, started = psutil.Process(worker.pid), list[Reading](), time.monotonic()
        while worker.poll() is None:
            readings.append(Reading(time.monotonic() - started, process.memory_info().rss))
            time.sleep(_EVERY_SECONDS)
        assert worker.returncode == 0, service.log_text()
        require(meant, held(database))
        return service.query("SELECT count(*) FROM history")[0][0], readings
