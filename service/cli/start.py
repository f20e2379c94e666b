"""How every command begins: settings, logs, metrics, and what stops it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from service.config import Settings
    from service.metrics import Metrics
    from service.runtime.lifecycle import Stop
    from service.runtime.monitoring.health import Monitor


@dataclass(frozen=True)
class Process:
    """What every long-running command works with; unpacked it is the first three. `monitor` tells of it."""

    settings: Settings
    metrics: Metrics
    stop: Stop
    monitor: Monitor

    def __iter__(self) -> Iterator[Any]:
        return iter((self.settings, self.metrics, self.stop))


_YOUNG: Final = 50_000  # objects that live, before Python looks for cycles among them


@contextmanager
def importing() -> Iterator[None]:
    """For the time of a block that imports: by itself Python looks for cycles all through it, for a tenth of the start.

    Not for longer: what strangers' connections leave behind would stay for as long.
    """
    usual = gc.get_threshold()
    gc.set_threshold(_YOUNG)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@contextmanager
def process(
    name: str,
    *,
    with_metrics_server: bool = True,
    with_database: bool = True,
    grace_seconds: float | None = None,
) -> Iterator[Process]:
    """Settings, logs, metrics, signals and the watchdog of one process; Fatal where its database is not fit for it."""
    with importing():
        from service.runtime.lifecycle import GRACE_SECONDS, Stop

    # First of all: a signal that comes during the rest of the start is not to be lost.
    with Stop(grace_seconds=GRACE_SECONDS if grace_seconds is None else grace_seconds).install() as stop:
        with importing():
            from service.metrics import Metrics
            from service.wiring.checking import checked_at_start
            from service.wiring.health import health_server

        settings, metrics = load_settings(name, with_database=with_database), Metrics()
        stop.watchdog.start(settings.stall_seconds)
        shown = health_server(settings, metrics, listens=with_metrics_server)
        with shown as monitor, checked_at_start(name, settings, metrics):
            yield Process(settings, metrics, stop, monitor)


def load_settings(name: str, *, libraries: bool = True, with_database: bool = False) -> Settings:
    """Settings, and logs as they say; without `libraries` for commands that say themselves what went wrong.

    With `with_database` Fatal where that one answers, and this version of the service cannot work on it.
    """
    from service import config, logs

    settings = config.load()
    logs.configure(settings.log_level, settings.log_format, process=name, libraries=libraries)
    for variable, meant in config.unknown_variables().items():
        logs.get("settings").warning("unknown_setting", variable=variable, perhaps=meant)
    if with_database:
        from service.adapters.postgres import migrations

        migrations.refuse_unfit(settings.database_url.get_secret_value())
    return settings
