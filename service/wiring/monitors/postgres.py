"""What a process asks PostgreSQL, and what it tells of that and of the readers of the journal."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from service.adapters.postgres.probe import PostgresProbe
from service.application.health import STANDS_SECONDS, CursorLag, DatabaseFacts, ReaderLag
from service.config import Settings
from service.metrics import Metrics
from service.runtime.monitoring.health import Check, Checks, Watch

_CURSORS: Final = {"project": "search", "sweep": "sweep", "relay": "relay"}  # a reader's name, and that of its cursor


class PostgresWatch:
    """The watch over PostgreSQL, and what it tells of the readers of the journal."""

    def __init__(self, settings: Settings, metrics: Metrics, *readers: str, **asked: Any) -> None:
        self._metrics = metrics
        self.lags = {reader: CursorLag() for reader in readers}
        probe = PostgresProbe(settings.database_url.get_secret_value(), **asked)
        metrics.show(metrics.writable, metrics.admits)
        if asked.get("with_counts"):
            metrics.show(metrics.parked_events, metrics.open_letters)
        self.then: list[Callable[[DatabaseFacts, float], object]] = [self._note]
        self.watch = Watch("postgres", probe.look, then=self._tell, close=probe.close)

    def _tell(self, facts: DatabaseFacts, at: float) -> None:
        for each in self.then:
            each(facts, at)

    def _note(self, facts: DatabaseFacts, at: float) -> None:
        if facts.refused is not None:
            self._metrics.retries.labels(facts.refused).inc()
        for reader, lag in self.lags.items():
            if (cursor := facts.cursors.get(_CURSORS[reader])) is not None:
                lag.said(facts.end, cursor, at)

    def answers(self) -> Check:
        return self.watch.check("PostgreSQL")

    def takes_writes(self, *, needed: bool = True) -> Check:
        facts = self.watch.answer
        if facts is not None and facts.is_read_only:
            return Check("PostgreSQL is read-only", ok=not needed)
        return Check()

    def takes_connections(self, *, needed: bool = True) -> Check:
        facts = self.watch.answer
        if facts is not None and facts.refused is not None:
            # The sessions that there are may go on; one that ends, for whatever reason, would not come back.
            why = "takes no more connections" if facts.refused == "connections" else "lets no new connection in"
            return Check(f"PostgreSQL {why}", ok=not needed)
        return Check()

    def checks(self, *, needed: bool = True) -> Checks:
        return {
            "postgres": self.answers,
            "writes": partial(self.takes_writes, needed=needed),
            "connections": partial(self.takes_connections, needed=needed),
        }

    def reader(self, reader: str) -> Check:
        """Whether a reader of the journal moves while there is something to read."""
        at = time.monotonic()
        lag, known = self.lags[reader].lag(at), self.lags[reader].is_known(at)
        if lag.batches is None or lag.seconds is None or lag.standing is None:
            return Check("how far it is behind is not known yet", ok=False)
        if not lag.batches:
            return Check() if known else Check("how far it is behind is not known", ok=False)
        says = f"{lag.batches:,} batches behind, the oldest for {lag.seconds:.0f} s"
        if lag.standing >= STANDS_SECONDS:
            return Check(f"stands still for {lag.standing:.0f} s, {says}", ok=False)
        return Check(f"ok, {says}")

    def refresh(self) -> None:
        metrics, facts, at = self._metrics, self.watch.answer, time.monotonic()
        metrics.server_up.labels("postgres").set(self.watch.is_known)
        if facts is not None:
            metrics.writable.set(not facts.is_read_only)
            metrics.admits.set(self.watch.is_known and facts.refused is None)
            if facts.counted is not None:
                metrics.parked_events.set(facts.counted.parked)
                metrics.open_letters.set(facts.counted.letters)
        for reader, tracker in self.lags.items():
            _show(metrics, reader, tracker.lag(at), known=tracker.is_known(at))


def _show(metrics: Metrics, reader: str, lag: ReaderLag, *, known: bool) -> None:
    metrics.lag_known.labels(reader).set(known)
    for gauge, value in (
        (metrics.cursor_lag, lag.batches),
        (metrics.cursor_seconds, lag.seconds),
        (metrics.cursor_standing, lag.standing),
    ):
        gauge.labels(reader).set(float("nan") if value is None else value)
