"""What every process tells of itself, and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version

from service.config import Settings
from service.metrics import Metrics
from service.runtime.monitoring.health import Monitor
from service.runtime.monitoring.server import HealthServer


@contextmanager
def health_server(settings: Settings, metrics: Metrics, *, listens: bool) -> Iterator[Monitor]:
    """What tells of a process, at /livez, /readyz and /metrics if a port is set for them."""
    monitor = Monitor(metrics, stall_seconds=settings.stall_seconds)
    if not listens or settings.metrics_port == 0:
        yield monitor
        return
    metrics.describe_process(version("returns-status"))
    with closing(HealthServer(settings.metrics_host, settings.metrics_port, monitor.routes())):
        yield monitor
