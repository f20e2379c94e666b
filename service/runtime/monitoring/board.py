"""What a loop says of itself where others can see it while the loop is stuck in a call: set by the loop, read by threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from service.application.clocks import SYSTEM
from service.application.ports import Partition
from service.errors import Cause
from service.runtime.monitoring.watchdog import Watchdog


class Trouble(NamedTuple):
    """What a loop cannot get past, since when (of the board's clock)."""

    cause: Cause
    since: float


class Board:
    """Single assignments only, so that no lock is needed. When a turn began it tells the watchdog, and asks it."""

    def __init__(self, clock: Callable[[], float] = SYSTEM.monotonic, watchdog: Watchdog | None = None) -> None:
        """`watchdog` is the process's; by default one that watches nobody."""
        self._clock = clock
        self._watchdog = Watchdog(clock=clock) if watchdog is None else watchdog
        self._made_at = clock()
        self.trouble: Trouble | None = None
        self.blown: frozenset[Partition] = frozenset()  # partitions with letters of blown fuses

    def beat(self) -> None:
        """A turn begins."""
        self._watchdog.beat()

    def seconds_since_turn(self) -> float:
        """How long ago the last turn began; before the first one, since when it is awaited."""
        seconds = self._watchdog.seconds_since_turn
        return self._clock() - self._made_at if seconds is None else seconds

    def fails(self, cause: Cause) -> None:
        """Something has to be done again."""
        trouble = self.trouble
        self.trouble = Trouble(cause, self._clock() if trouble is None else trouble.since)

    def works(self) -> None:
        """A turn went well."""
        if self.trouble is not None:
            self.trouble = None

    def trouble_seconds(self) -> float:
        """For how long nothing has gone well."""
        trouble = self.trouble
        return 0.0 if trouble is None else self._clock() - trouble.since
