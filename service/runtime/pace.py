"""How soon one turn may follow the other."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """The shortest time between the beginnings of two turns, by the injected clock.

    The first thing that comes after a rest is done at once. Under a steady trickle there are fewer and larger turns for
    it, each of which has its price; and with more to do than fits into the time there is no rest at all.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self._began_at = clock() - seconds

    def begin(self) -> None:
        """A turn begins that has something to do, though little."""
        self._began_at = self._clock()

    def skip(self) -> None:
        """That turn had much to do: the next one may follow at once."""
        self._began_at = self._clock() - self._seconds

    def remaining(self) -> float:
        """Seconds until the next one may; 0: it may now."""
        return max(0.0, self._began_at + self._seconds - self._clock())

    def rest(self, longest: float, wait: Callable[[float], object]) -> bool:
        """Wait until the next one may, though no longer than that; whether it may now."""
        remaining = self.remaining()
        if remaining:
            wait(min(remaining, longest))
        return remaining <= longest
