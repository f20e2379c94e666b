"""Carriers' feeds that say nothing for hours, and then everything at once."""

from __future__ import annotations

from random import Random
from typing import Final

from service.simulator.facts import DAY

_CYCLE: Final = 5 * DAY  # of each, one part is silent
_RUSH_SECONDS: Final = 60.0  # what had gathered comes within this
_MOST_REMEMBERED: Final = 1_000


class Silences:
    """When a feed is silent: a pure function of the seed, the carrier and the moment. `share` is that of the time."""

    def __init__(self, seed: int, share: float) -> None:
        self._seed, self._length = seed, share * _CYCLE
        self._begins: dict[tuple[str, int], float] = {}

    def sent(self, carrier: str, moment: float) -> float:
        """When a scan of `moment` leaves the carrier: then, or at the end of a silence, in the order of the scans."""
        number = int(moment // _CYCLE)
        begins = self._of(carrier, number)
        if not begins <= moment < begins + self._length:
            return moment
        return begins + self._length + (moment - begins) / self._length * _RUSH_SECONDS

    def _of(self, carrier: str, number: int) -> float:
        begins = self._begins.get((carrier, number))
        if begins is None:
            if len(self._begins) >= _MOST_REMEMBERED:
                self._begins.clear()
            free = Random(f"silence {self._seed} {carrier} {number}").random() * (_CYCLE - self._length)
            begins = self._begins[carrier, number] = number * _CYCLE + free
        return begins
