"""The projector: keeps the search tables up with the journal."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from service.application.clocks import SYSTEM, Clocks
from service.application.journal.project import SearchTables, advance, rebuild
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime.follower import Follower
from service.runtime.lifecycle import Stop
from service.runtime.monitoring import collector
from service.runtime.monitoring.board import Board
from service.runtime.pace import Pace

_LISTEN_SECONDS: Final = 0.2  # the flag that tells it to stop is looked at so often while it waits for a hint
_MANY: Final = 500  # rows of the history: after so many there is more to come


class Tables(SearchTables, Protocol):
    """The search tables with how far they are."""

    def progress(self) -> tuple[int, int]:
        """The batch up to which the tables are, and the newest one. Raises Retryable."""

    def wait(self, n: int, seconds: float) -> bool:
        """At rest: until a batch after number `n` is told of, or so many seconds have passed; whether one may be there.

        A hint and no more: not everything is told, and what is told may have been read already. Raises Retryable.
        """

    def close(self) -> None:
        """Let go of the connection."""


class ProjectorOptions(NamedTuple):
    """Times in seconds."""

    # It is told of new batches; it looks by itself as well, in case that gets lost.
    poll_seconds: float = 1.0
    # Of steps that bring little, from one to the next at least.
    pace_seconds: float = 0.1


class Projector(Follower):
    """Any number may run: whoever holds the cursor works, the others find nothing to do."""

    def __init__(
        self,
        tables: Tables,
        stop: Stop,
        metrics: Metrics,
        *,
        options: ProjectorOptions | None = None,
        clocks: Clocks = SYSTEM,
        board: Board | None = None,
    ) -> None:
        super().__init__("project", metrics, clocks, board)
        self._tables, self._stop = tables, stop
        self._options = ProjectorOptions() if options is None else options
        self._clock = clocks.monotonic
        self._pace = Pace(self._options.pace_seconds, self._clock)
        self._is_up_to, self._newest = 0, 0

    def run(self, *, drain: bool = False) -> None:
        """Project until told to stop; with `drain` until the tables hold what the journal held at the start."""
        self._log.info("project_starts", drain=drain)
        end: int | None = None
        try:
            while not self._stop:
                pause = self._guarded()
                if drain and self.is_ready:
                    end = self._newest if end is None else end
                    if self._is_up_to >= end:
                        break
                self._rest(pause)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._tables.close()

    def run_once(self) -> float:
        """One turn: one step if there is anything to do. Answers how long to wait before the next one.

        Raises Retryable when the server is away.
        """
        self._stop.wait(self._pace.remaining())
        self._is_up_to, self._newest = self._tables.progress()
        if self._is_up_to >= self._newest:
            return self._options.poll_seconds
        self._pace.begin()
        with collector.paused():
            step = advance(self._tables)
        if step is None:  # another projector is at it
            return self._options.poll_seconds
        self._is_up_to = step.n
        if step.rows >= _MANY:
            self._pace.skip()
        self._log.debug("projected", n=step.n, rows=step.rows)
        return 0.0

    def _rest(self, seconds: float) -> None:
        """So long, or until there may be something to do."""
        while seconds > 0 and not self._stop:
            self.board.beat()
            piece = min(seconds, _LISTEN_SECONDS)
            if not self.is_ready:
                self._stop.wait(piece)
            elif self._may_have_grown(piece):
                return
            seconds -= piece

    def _may_have_grown(self, seconds: float) -> bool:
        try:
            return self._tables.wait(max(self._is_up_to, self._newest), seconds)
        except Retryable:
            return True  # the next turn meets it too

    def rebuild(self) -> None:
        """Make the tables from nothing; readers see the old ones meanwhile. Raises Retryable: nothing happened."""
        self._log.info("rebuild_starts")
        began = self._clock()
        try:
            with collector.paused():
                step = rebuild(self._tables)
        finally:
            self.close()
        self._log.info("rebuilt", n=step.n, rows=step.rows, seconds=round(self._clock() - began, 1))

    def _failed(self, error: Retryable, pause: float) -> None:
        self._log.warning("project_retries", error=str(error), seconds=round(pause, 2))

    def _worked(self) -> None:
        self.is_ready = True
