"""How long returns take from one status to the next, over returns that have come to their end.

The way from one milestone that counts to the next one is a leg.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from math import ceil
from statistics import median_low
from typing import Final, NamedTuple

from service.application.access.bounds import Everything
from service.application.reading.public import PublicReading
from service.domain.journey import State
from service.domain.milestones import RANKS, Milestone, Route
from service.errors import ServiceError

TypicalDurations = Mapping[tuple[Route, Milestone], timedelta]

_FEWEST: Final = 20  # of so few the median says something of returns rather than of these returns
_SAMPLE: Final = 1000  # a route; the newest that are complete
_FRESH_SECONDS: Final = 900.0


class LegDurations(NamedTuple):
    """How long one leg takes: half, nine in ten and 99 in a hundred of the returns need no longer."""

    route: Route
    here: Milestone
    there: Milestone
    samples: int
    p50: timedelta
    p90: timedelta
    p99: timedelta


def typical_durations(states: Iterable[State]) -> TypicalDurations:
    """The median time from each milestone to the next one that counted, by route; only where enough returns tell it."""
    times: defaultdict[tuple[Route, Milestone], list[int]] = defaultdict(list)
    for route, here, _, micros in _legs(states):
        times[route, here].append(micros)
    return {key: timedelta(microseconds=median_low(all_of)) for key, all_of in times.items() if len(all_of) >= _FEWEST}


def leg_durations(states: Iterable[State]) -> list[LegDurations]:
    """Each leg that enough returns have travelled, in the order of the way."""
    times: defaultdict[tuple[Route, Milestone, Milestone], list[int]] = defaultdict(list)
    for route, here, there, micros in _legs(states):
        times[route, here, there].append(micros)
    legs = [
        LegDurations(*leg, len(all_of), *(_percentile(sorted(all_of), share) for share in (0.5, 0.9, 0.99)))
        for leg, all_of in times.items()
        if len(all_of) >= _FEWEST
    ]
    return sorted(legs, key=lambda leg: (leg.route is not Route.OMNIRPS, RANKS[leg.here], RANKS[leg.there]))


def _legs(states: Iterable[State]) -> Iterator[tuple[Route, Milestone, Milestone, int]]:
    """Every leg of every return: its route, from where to where, and how many microseconds it took."""
    for state in states:
        timeline = state.timeline
        if timeline.route is None:
            continue
        for (here, left), (there, reached) in pairwise(timeline.counts.items()):
            # A clock that is off can put a later milestone before an earlier one: no duration.
            if reached.at >= left.at:
                yield timeline.route, here, there, reached.at - left.at


def _percentile(ordered: Sequence[int], share: float) -> timedelta:
    return timedelta(microseconds=ordered[ceil(share * len(ordered)) - 1])


class DurationKeeper:
    """Medians and percentiles as of some minutes ago. One caller measures at a time, and the others take what there is."""

    def __init__(self, reading: PublicReading, monotonic: Callable[[], float]) -> None:
        self._reading = reading
        self._monotonic = monotonic
        self._measuring = threading.Lock()
        self._typical: TypicalDurations = {}
        self._legs: list[LegDurations] = []
        self._measured_at: float | None = None

    def typical(self, route: Route, status: Milestone) -> timedelta | None:
        """How long it mostly takes from this status to the next; None where too few returns tell it."""
        self._refresh()
        return self._typical.get((route, status))

    def legs(self, _: Everything) -> list[LegDurations]:
        """How long each leg of the way takes."""
        self._refresh()
        return self._legs

    def _refresh(self) -> None:
        if self._is_stale() and self._measuring.acquire(blocking=False):
            try:
                if self._is_stale():
                    self._measure()
            finally:
                self._measuring.release()

    def _is_stale(self) -> bool:
        return self._measured_at is None or self._monotonic() - self._measured_at >= _FRESH_SECONDS

    def _measure(self) -> None:
        # A page without this is a page all the same, and the next try is as late as after a success.
        self._measured_at = self._monotonic()
        try:
            states = self._reading.completed(_SAMPLE)
        except ServiceError:
            return
        self._typical, self._legs = typical_durations(states), leg_durations(states)
