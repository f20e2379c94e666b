"""What the loops that follow the journal have in common: readiness, and what becomes of a turn that failed."""

from __future__ import annotations

from typing import Literal

from service import logs
from service.application.clocks import Clocks
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime.backoff import Backoff
from service.runtime.monitoring.board import Board


class Follower:
    """One that says whether it is ready, and waits longer after each failure in a row."""

    def __init__(
        self, name: Literal["relay", "project"], metrics: Metrics, clocks: Clocks, board: Board | None
    ) -> None:
        self._log, self._metrics = logs.get(name), metrics
        self._gauge = metrics.reader_ready.labels(name)
        self._backoff = Backoff(clocks.monotonic, jitter=clocks.jitter)
        self.board = Board(clocks.monotonic) if board is None else board
        self.is_ready = False

    @property
    def is_ready(self) -> bool:
        """Whether it works or stands by; the metrics say it too."""
        return self._is_ready

    @is_ready.setter
    def is_ready(self, ready: bool) -> None:
        self._is_ready = ready
        self._gauge.set(ready)

    def run_once(self) -> float:
        """One turn. Answers how long to wait before the next one. Raises Retryable where a server is away."""
        raise NotImplementedError

    def _guarded(self) -> float:
        """A turn whose failure is told, and followed by another one some time later."""
        self.board.beat()
        try:
            pause = self.run_once()
        except Retryable as error:
            self.is_ready = False
            self._backoff.fail()
            pause = self._backoff.remaining()
            self._metrics.retries.labels(error.cause).inc()
            self.board.fails(error.cause)
            self._failed(error, pause)
            return pause
        self._backoff.succeed()
        self.board.works()
        self._worked()
        return pause

    def _failed(self, error: Retryable, pause: float) -> None:
        """Tell of it, and let go of what may be broken."""
        raise NotImplementedError

    def _worked(self) -> None:
        """A turn went well."""
        raise NotImplementedError
