"""How long returns mostly take from one status to the next: medians over returns that have come to their end."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from itertools import pairwise
from statistics import median_low
from typing import Final

from service.application.public import PublicReading
from service.domain.journey import State
from service.domain.milestones import Milestone, Route
from service.errors import ServiceError

Pace = Mapping[tuple[Route, Milestone], timedelta]

_FEWEST: Final = 20  # of so few the median says something of returns rather than of these returns
_SAMPLE: Final = 1000  # a route; the newest that are complete
_FRESH_SECONDS: Final = 900.0


def measure(states: Iterable[State]) -> Pace:
    """The median time from each milestone to the next one that counted, by route; only where enough returns tell it."""
    times: defaultdict[tuple[Route, Milestone], list[int]] = defaultdict(list)
    for state in states:
        timeline = state.timeline
        if timeline.route is None:
            continue
        for (here, left), (_, reached) in pairwise(timeline.counts.items()):
            # A clock that is off can put a later milestone before an earlier one: no duration.
            if reached.at >= left.at:
                times[timeline.route, here].append(reached.at - left.at)
    return {key: timedelta(microseconds=median_low(all_of)) for key, all_of in times.items() if len(all_of) >= _FEWEST}


class PaceKeeper:
    """The medians as of some minutes ago. One caller measures at a time, and the others take what there is."""

    def __init__(self, reading: PublicReading, monotonic: Callable[[], float]) -> None:
        self._reading = reading
        self._monotonic = monotonic
        self._measuring = threading.Lock()
        self._pace: Pace = {}
        self._measured_at: float | None = None

    def usually(self, route: Route, status: Milestone) -> timedelta | None:
        """How long it mostly takes from this status to the next; None where too few returns tell it."""
        if self._is_stale() and self._measuring.acquire(blocking=False):
            try:
                if self._is_stale():
                    self._measure()
            finally:
                self._measuring.release()
        return self._pace.get((route, status))

    def _is_stale(self) -> bool:
        return self._measured_at is None or self._monotonic() - self._measured_at >= _FRESH_SECONDS

    def _measure(self) -> None:
        # A page without this is a page all the same, and the next try is as late as after a success.
        self._measured_at = self._monotonic()
        try:
            self._pace = measure(self._reading.completed(_SAMPLE))
        except ServiceError:
            return
