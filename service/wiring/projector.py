"""The composition of a projector."""

from __future__ import annotations

from contextlib import nullcontext

from service.adapters.postgres.journal.search import PostgresSearch
from service.application.journal.slices import SliceLimits
from service.config import Settings
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.health import Monitor
from service.runtime.projector import Projector, ProjectorOptions
from service.wiring.monitors import processes


def project(settings: Settings, metrics: Metrics, stop: Stop) -> Projector:
    """A projector; its `run` works until asked to stop, its `rebuild` makes the search tables from nothing."""
    return Projector(
        PostgresSearch(settings.database_url.get_secret_value(), SliceLimits()),
        stop,
        metrics,
        options=ProjectorOptions(poll_seconds=settings.project_poll_ms / 1000),
        board=Board(watchdog=stop.watchdog),
    )


def run_project(
    settings: Settings, metrics: Metrics, stop: Stop, monitor: Monitor, *, drain: bool = False, rebuild: bool = False
) -> None:
    """Project until asked to stop, or until everything is drained, or make the tables anew; and tell of it."""
    projector = project(settings, metrics, stop)
    told = processes.project(monitor, settings, metrics, projector.board, in_turns=not rebuild)
    with told if settings.metrics_port else nullcontext():
        if rebuild:
            projector.rebuild()
        else:
            projector.run(drain=drain)
