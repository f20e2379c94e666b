"""The figures that operations look at, kept up with the search tables: exact, whatever late events change.

A figure is moved by the difference between what it holds of a return and what is true of the return now. What it
holds stands beside the return, so that nothing is counted twice, and nothing is left behind when a time or a verdict
changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple, Protocol

from service.domain.milestones import RANKS, Milestone
from service.domain.timeline import Timeline

_MICROS_A_DAY: Final = 86_400_000_000
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
MILESTONES: Final = tuple(RANKS)  # in the order of `Reached`

# The days, in UTC, on which the milestones that count happened, by `MILESTONES`; None for one that does not count.
Reached = Sequence[date | None]


class Counted(NamedTuple):
    """What the figures hold of a return: as of its history row `seq`; without `reached` nothing by route and day."""

    seq: int
    route: str
    status: str
    reached: Reached | None
    connote: str | None = None
    retailer: str = ""
    carrier: str = ""


class Share(NamedTuple):
    """The returns of one retailer and first-mile carrier that travel under a connote."""

    connote: str
    retailer: str
    carrier: str


class Travelling(NamedTuple):
    """How many returns of a share are under way, and how many were delivered; or by how many those change."""

    under_way: int = 0
    delivered: int = 0


# A return travels under its connote while its export counts, by its status.
_TRAVELLING: Final = {Milestone.RE.value: Travelling(under_way=1), Milestone.RDBTC.value: Travelling(delivered=1)}


class Countable(Protocol):
    """A return as it is after the history row `seq`."""

    @property
    def return_no(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def route(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def reached(self) -> Reached: ...
    @property
    def connote(self) -> str | None: ...
    @property
    def retailer(self) -> str: ...
    @property
    def carrier(self) -> str: ...


class Figures:
    """What one step does to the figures."""

    def __init__(self) -> None:
        self.returns: Counter[tuple[str, str]] = Counter()  # by route and status
        self.days: Counter[tuple[date, str, str]] = Counter()  # by day, milestone and route
        self.connotes: dict[Share, Travelling] = {}  # of 0 and 0, too: a time may have moved

    def move(self, known: Mapping[int, Counted], returns: Iterable[Countable]) -> None:
        """Let go of what was held of these returns, and hold what is true now."""
        for now in returns:
            before = known.get(now.return_no)
            if before is not None:
                if before.seq >= now.seq:  # seen before
                    continue
                if before.reached is not None:
                    self._add(before.route, before.status, before.reached, -1)
                self._travel(before, -1)
            self._add(now.route, now.status, now.reached, 1)
            self._travel(now, 1)

    def _add(self, route: str, status: str, reached: Reached, number: int) -> None:
        self.returns[route, status] += number
        for milestone, day in zip(MILESTONES, reached, strict=True):
            if day is not None:
                self.days[day, milestone.value, route] += number

    def _travel(self, held: Counted | Countable, number: int) -> None:
        moved = _TRAVELLING.get(held.status)
        if held.connote is None or moved is None:
            return
        share = Share(held.connote, held.retailer, held.carrier)
        known = self.connotes.get(share, Travelling())
        self.connotes[share] = Travelling(
            known.under_way + number * moved.under_way, known.delivered + number * moved.delivered
        )


def reached_days(timeline: Timeline) -> tuple[date | None, ...]:
    """The days on which what counts happened."""
    counts = timeline.counts
    return tuple(_day(counts[milestone].at) if milestone in counts else None for milestone in MILESTONES)


def _day(micros: int) -> date:
    return date.fromordinal(_FIRST_DAY + micros // _MICROS_A_DAY)
