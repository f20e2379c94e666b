"""A look at the servers' settings while a process starts: in the background, so that no start is slower or fails by it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from service import logs
from service.errors import Retryable, ServiceError

if TYPE_CHECKING:
    from service.application.safety import Checked
    from service.config import Settings
    from service.metrics import Metrics

_POSTGRES: Final = ("ingest", "relay", "project", "serve")  # the processes that look at it
_KAFKA: Final = ("ingest", "relay")
_FIRST_SECONDS: Final = 0.5  # the start itself comes first
_AGAIN_SECONDS: Final = 30.0  # a server that does not answer is asked again
_END_SECONDS: Final = 1.0

Check = Callable[[], "Checked"]


@contextmanager
def checked_at_start(process: str, settings: Settings, metrics: Metrics) -> Iterator[None]:
    """During the block: look once at the servers' settings, log what endangers what is promised, and count it."""
    checks: dict[str, Check] = {}
    if process in _POSTGRES:
        checks["postgres"] = lambda: _postgres(settings)
    if process in _KAFKA:
        checks["kafka"] = lambda: _kafka(settings)
    stop = threading.Event()
    thread = threading.Thread(target=_look, args=(checks, metrics, stop), name="settings-check", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_END_SECONDS)


def _postgres(settings: Settings) -> Checked:
    from service.adapters.postgres import check as postgres_check

    return postgres_check.check(settings.database_url.get_secret_value())


def _kafka(settings: Settings) -> Checked:
    from service.adapters.kafka import check as kafka_check

    return kafka_check.check(settings)


def _look(checks: Mapping[str, Check], metrics: Metrics, stop: threading.Event) -> None:
    left, wait = dict(checks), _FIRST_SECONDS
    while left and not stop.wait(wait):
        left = {server: check for server, check in left.items() if not look(server, check, metrics)}
        wait = _AGAIN_SECONDS


def look(server: str, check: Check, metrics: Metrics) -> bool:
    """Whether the server answered; what it has to say for itself is logged and counted."""
    log, found, unchecked = logs.get("settings"), f"{server}_setting", f"{server}_settings_unchecked"
    try:
        checked = check()
    except Retryable:
        return False  # that it is away is told elsewhere
    except Exception as error:  # noqa: BLE001 - nothing that is only looked at may end a process
        log.warning(unchecked, why=str(error) if isinstance(error, ServiceError) else type(error).__name__)
        return True
    metrics.unsafe_settings.labels(server).set(len(checked.wrong))
    for each in checked.findings:
        if not each.is_note:
            where = {"topic": each.subject} if server == "kafka" else {}
            log.warning(found, **where, setting=each.setting, value=each.value, needs=each.needs)
        elif each.subject == "cluster":
            log.info(found, setting=each.setting, value=each.value, needs=each.needs)
    for why in checked.unchecked:
        log.warning(unchecked, why=why)
    return True
