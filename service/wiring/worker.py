"""The composition of an ingest worker."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import nullcontext
from itertools import count
from typing import Final

from service import logs
from service.adapters.kafka.fetching.source import KafkaSource
from service.adapters.postgres.journal.journal import PostgresJournal
from service.config import Settings
from service.metrics import Metrics
from service.runtime.ingest.loop import IngestLoop
from service.runtime.ingest.worker import LoopOptions, Ports
from service.runtime.lifecycle import Stop
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.health import Monitor
from service.wiring.monitors import processes
from service.wiring.parts import carrier_tables, database, parser, publishers, rules

_FULL_COLLECTION: Final = 20  # of so many collections of a worker one is full


def ingest(
    settings: Settings, metrics: Metrics, stop: Stop, *, drain: bool = False, board: Board | None = None
) -> IngestLoop:
    """An ingest worker; its `run` works until asked to stop, or until everything is drained."""
    tables = carrier_tables(settings)
    options = LoopOptions(
        batch_size=settings.batch_size,
        batch_wait_ms=settings.batch_wait_ms,
        poll_timeout_ms=settings.poll_timeout_ms,
        fuse_run=settings.fuse_run,
        fuse_ratio=settings.fuse_ratio,
        stall_seconds=settings.stall_seconds,
        drain=drain,
    )
    return IngestLoop(
        Ports(
            lambda: KafkaSource(settings, settings.inputs),
            PostgresJournal(database(settings), tables, remembered=settings.remembered_returns, rules=rules(settings)),
            parser(settings, tables),
        ),
        stop,
        metrics,
        options=options,
        board=board,
        tidy=_collector(),
    )


def _collector() -> Callable[[], object]:
    """Collects what is young, which takes a moment; all of it once in some minutes, which takes a second.

    The states in memory are a million objects without a cycle: to look through them every few seconds took a tenth of
    a worker's time.
    """
    turns = count(1)
    return lambda: gc.collect(0 if next(turns) % _FULL_COLLECTION else 2)


def _say_who_may_speak(settings: Settings) -> None:
    log, known = logs.get("ingest"), publishers(settings)
    if known is None:
        hint = "whoever may write an input topic may say anything in anybody's name: name a file in RETURNS_PUBLISHERS"
        log.warning("publishers_unbound", hint=hint)
    elif closed := known.unnamed(settings.inputs):
        log.warning("topics_without_publishers", topics=closed, hint="whatever comes there becomes a dead letter")


def run_ingest(settings: Settings, metrics: Metrics, stop: Stop, monitor: Monitor, *, drain: bool = False) -> None:
    """Be an ingest worker for the rest of the process."""
    board = Board(watchdog=stop.watchdog)
    loop = ingest(settings, metrics, stop, drain=drain, board=board)
    _say_who_may_speak(settings)
    # A batch makes some hundred thousand objects without a cycle among them; collections in its middle cost a third
    # of the time. The loop collects between batches. What stands by now stays: to look it through takes a tenth of the start.
    gc.freeze()
    gc.disable()
    with processes.ingest(monitor, settings, metrics, board) if settings.metrics_port else nullcontext():
        loop.run()
    gc.freeze()  # Python would look through all that was remembered once more before it ends, for more than a second
