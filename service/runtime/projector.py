"""The projector: keeps the search tables up with the journal."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol

from service import logs
from service.application.journal.project import SearchTables, advance, rebuild
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime.backoff import Backoff
from service.runtime.lifecycle import Stop
from service.runtime.monitoring import collector
from service.runtime.monitoring.board import Board


class Tables(SearchTables, Protocol):
    """The search tables with how far they are."""

    def progress(self) -> tuple[int, int]:
        """The batch up to which the tables are, and the newest one. Raises Retryable."""

    def close(self) -> None:
        """Let go of the connection."""


class ProjectorOptions(NamedTuple):
    """Times in seconds."""

    poll_seconds: float = 0.1


class Projector:
    """Any number may run: whoever holds the cursor works, the others find nothing to do."""

    def __init__(
        self,
        tables: Tables,
        stop: Stop,
        metrics: Metrics,
        *,
        options: ProjectorOptions | None = None,
        backoff: Backoff | None = None,
        board: Board | None = None,
    ) -> None:
        self._tables, self._stop, self._metrics = tables, stop, metrics
        self._options = ProjectorOptions() if options is None else options
        self._backoff = Backoff(time.monotonic) if backoff is None else backoff
        self.board = Board() if board is None else board
        self._log = logs.get("project")
        self._is_up_to, self._newest = 0, 0
        self.is_ready = False

    @property
    def is_ready(self) -> bool:
        """Whether it works or stands by; the metrics say it too."""
        return self._is_ready

    @is_ready.setter
    def is_ready(self, ready: bool) -> None:
        self._is_ready = ready
        self._metrics.reader_ready.labels("project").set(ready)

    def run(self, *, drain: bool = False) -> None:
        """Project until told to stop; with `drain` until the tables hold what the journal held at the start."""
        self._log.info("project_starts", drain=drain)
        end: int | None = None
        try:
            while not self._stop:
                self._stop.watchdog.beat()
                pause = self._guarded()
                if drain and self.is_ready:
                    end = self._newest if end is None else end
                    if self._is_up_to >= end:
                        break
                self._stop.wait(pause)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._tables.close()

    def run_once(self) -> float:
        """One turn: one step if there is anything to do. Answers how long to wait before the next one.

        Raises Retryable when the server is away.
        """
        self._is_up_to, self._newest = self._tables.progress()
        if self._is_up_to >= self._newest:
            return self._options.poll_seconds
        with collector.paused():
            step = advance(self._tables)
        if step is None:  # another projector is at it
            return self._options.poll_seconds
        self._is_up_to = step.n
        self._log.debug("projected", n=step.n, rows=step.rows)
        return 0.0

    def rebuild(self) -> None:
        """Make the tables from nothing; readers see the old ones meanwhile. Raises Retryable: nothing happened."""
        self._log.info("rebuild_starts")
        began = time.monotonic()
        try:
            with collector.paused():
                step = rebuild(self._tables)
        finally:
            self.close()
        self._log.info("rebuilt", n=step.n, rows=step.rows, seconds=round(time.monotonic() - began, 1))

    def _guarded(self) -> float:
        self.board.beat()
        try:
            pause = self.run_once()
        except Retryable as error:
            self.is_ready = False
            self._backoff.fail()
            pause = self._backoff.remaining()
            self._metrics.retries.labels(error.cause).inc()
            self.board.fails(error.cause)
            self._log.warning("project_retries", error=str(error), seconds=round(pause, 2))
            return pause
        self.is_ready = True
        self._backoff.succeed()
        self.board.works()
        return pause
