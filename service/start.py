"""How every command begins: settings, logs, metrics, and what stops it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from service.config import Settings
    from service.metrics import Metrics
    from service.runtime.lifecycle import Stop


class Process(NamedTuple):
    """What every long-running command works with."""

    settings: Settings
    metrics: Metrics
    stop: Stop


@contextmanager
def process(name: str, *, with_metrics_server: bool = True, grace_seconds: float | None = None) -> Iterator[Process]:
    """Settings, logs, metrics, signals and the watchdog of one process."""
    from service.runtime.lifecycle import GRACE_SECONDS, Stop

    # First of all: a signal that comes during the rest of the start is not to be lost.
    with Stop(grace_seconds=GRACE_SECONDS if grace_seconds is None else grace_seconds).install() as stop:
        from service import bootstrap
        from service.metrics import Metrics

        settings, metrics = load_settings(name), Metrics()
        stop.watchdog.start(settings.stall_seconds)
        with bootstrap.metrics_server(settings, metrics if with_metrics_server else None):
            yield Process(settings, metrics, stop)


def load_settings(name: str, *, libraries: bool = True) -> Settings:
    """Settings, and logs as they say; without `libraries` for commands that say themselves what went wrong."""
    from service import config, logs

    settings = config.load()
    logs.configure(settings.log_level, settings.log_format, process=name, libraries=libraries)
    return settings
