"""Labels are recycled and shared: which scans of a label are a return's, from the claims that returns have on it.

A return claims each label that a creation of it names, from the earliest of those. A claim's window begins a day before it
(for clocks and zones that are wrong) and ends where a later claim begins the number anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from service.domain.rules import Rules

Label = tuple[str, str]
"""A carrier, and a tracking number of its own."""

FOREVER: Final = 1 << 62  # microseconds; later than any time
BEGINNING: Final = -FOREVER

MAX_CLAIMS: Final = 1000
"""So many claims of one label are looked at, those of the returns that were known first: one event moves no more windows."""

MAX_GAPS: Final = 16
"""After so many stretches of a window that are another retailer's, the rest is."""

Retailers = tuple[str, ...]
"""Those for whose claims a scan counts, sorted; none: for all, as most scans do."""

Span = tuple[int, int]
"""From, and until (not included), in microseconds since 1970-01-01 UTC."""


class Claim(NamedTuple):
    """A return's claim on a label: since when, for which retailer, and when the return was closed, if it was."""

    at: int
    return_no: int
    retailer: str
    closed_at: int | None = None


class Window(NamedTuple):
    """What other returns' claims make of a return's window; its own claim says where it begins.

    In `gaps` a scan counts for another retailer's return. `is_shared`: it overlaps another one's. `is_first`: no claim is
    earlier, so a scan from before all windows waits for this return to be created with its true time.
    """

    end: int = FOREVER
    gaps: tuple[Span, ...] = ()
    is_shared: bool = False
    is_first: bool = True

    def takes(self, at: int) -> bool:
        """Whether a scan from then is the return's, if its own claim lets it be."""
        return at < self.end and not any(since <= at < until for since, until in self.gaps)


ALONE: Final = Window()
"""The window of a label that nobody else claims."""

Windows = Mapping[tuple[Label, str], Window]
"""What a return's history says of its labels: by label, and by what a scan is bound to (see `bound_of`)."""


def window_for(windows: Windows, label: Label, retailers: Retailers, retailer: str | None) -> Window | None:
    """The window for scans of a label that count for claims of these retailers, at a return of `retailer`; None: there is
    none, for they are of others.
    """
    if retailers and retailer not in retailers:
        return None
    return windows.get((label, bound_of(retailers)), ALONE)


@lru_cache(1024)
def bound_of(retailers: Retailers) -> str:
    """What a history calls scans that count for claims of these alone: it names no retailer to another. Of all: nothing.

    >>> bound_of(("acme", "bravo")) == bound_of(("acme",))
    False
    """
    return blake2b(",".join(retailers).encode(), digest_size=8).hexdigest() if retailers else ""


def windows(claims: Sequence[Claim], rules: Rules) -> list[Window]:
    """The window of each claim on one label. They are of as many returns, and sorted."""
    if len(claims) == 1:
        return [ALONE]
    lead = rules.label_lead
    times = [claim.at for claim in claims]
    ends = [_end(number, claims, times, rules) for number, claim in enumerate(claims)]
    gaps = list[tuple[Span, ...]]([()] * len(claims))
    if len({claim.retailer for claim in claims}) > 1:
        parts = list(first_in_turn(ends))
        gaps = [tuple(_gaps(claim, end, claims, parts, lead)) for claim, end in zip(claims, ends, strict=True)]
    found, latest = list[Window](), BEGINNING
    for number, claim in enumerate(claims):
        end = ends[number]
        follows = number + 1 < len(claims) and times[number + 1] - lead < end
        # One that ended before it began has nothing in common with another.
        found.append(Window(end, gaps[number], follows or claim.at - lead < min(latest, end), number == 0))
        latest = max(latest, end)
    return found


def _end(number: int, claims: Sequence[Claim], times: Sequence[int], rules: Rules) -> int:
    """Where another return's claim begins the label anew: well after this one, or once its return was closed."""
    claim = claims[number]
    anew = bisect_right(times, claim.at + rules.label_reuse)
    if claim.closed_at is not None:
        anew = min(anew, max(number + 1, bisect_right(times, claim.closed_at)))
    return times[anew] - rules.label_lead if anew < len(times) else FOREVER


def first_in_turn(ends: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """From when until when which claim is the earliest whose window it is; the first also for what is before all."""
    number, since = 0, BEGINNING
    while True:
        until = ends[number]
        yield since, until, number
        if until == FOREVER:
            return
        since = until
        # The claim that ended the window is itself one whose window this is.
        while ends[number] <= since:
            number += 1


def _gaps(
    claim: Claim, end: int, claims: Sequence[Claim], parts: Sequence[tuple[int, int, int]], lead: int
) -> Iterator[Span]:
    """The parts of a claim's window in which the earliest claim is another retailer's."""
    begin, since, count = claim.at - lead, None, 0
    for part_since, until, number in parts:
        if until <= begin or part_since >= end:
            continue
        if claims[number].retailer != claim.retailer:
            since = max(part_since, begin) if since is None else since
            if count == MAX_GAPS - 1:
                break
        elif since is not None:
            yield since, part_since
            since, count = None, count + 1
    if since is not None:
        yield since, end


def concerned(claims: Sequence[Claim], found: Sequence[Window], at: int, rules: Rules) -> list[Claim]:
    """Those in whose window a scan falls; if none, the next later claimant, who is to see that it is before the label."""
    if at < claims[0].at - rules.label_lead:
        return [claims[0]]
    later = bisect_right(claims, at + rules.label_lead, key=_time)
    return [claims[number] for number in range(later) if found[number].takes(at)]


def _time(claim: Claim) -> int:
    return claim.at
