"""What the loops that follow the journal have in common."""

from __future__ import annotations

from typing import Literal

from service.application.clocks import Clocks
from service.metrics import Metrics
from service.runtime.backoff import Backoff
from service.runtime.monitoring.board import Board


class Follower:
    """One that says whether it is ready, and waits longer after each failure in a row."""

    def __init__(
        self, name: Literal["relay", "project"], metrics: Metrics, clocks: Clocks, board: Board | None
    ) -> None:
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
