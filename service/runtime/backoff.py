"""Waiting longer after each failure in a row, with jitter, so that many workers do not come back at once."""

from __future__ import annotations

from collections.abc import Callable

from service.application.clocks import SYSTEM


class Backoff:
    """When to try again; times are the injected clock's, in seconds."""

    def __init__(
        self,
        clock: Callable[[], float],
        first: float = 0.1,
        longest: float = 5.0,
        jitter: Callable[[], float] = SYSTEM.jitter,
    ) -> None:
        self._clock = clock
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._failures = 0
        self._until = 0.0

    @property
    def failures(self) -> int:
        """How many failures in a row."""
        return self._failures

    def remaining(self) -> float:
        """Seconds until the next try; 0 if it may be now."""
        return max(0.0, self._until - self._clock()) if self._failures else 0.0

    def fail(self) -> None:
        """Count a failure: the next try is half to all of a doubling delay away."""
        delay = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        self._until = self._clock() + delay * (0.5 + 0.5 * self._jitter())

    def succeed(self) -> None:
        """Forget the failures."""
        self._failures = 0
