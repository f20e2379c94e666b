"""A parcel that goes to and fro, by the whole set of its scans in any order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.events import Effect, Event, Sense
from service.domain.exceptional import reasons
from service.domain.journey import replay
from service.domain.milestones import Milestone
from service.domain.whole import gather
from tests.unit.domain.histories import DAY, happened, in_order, play


def returning(at: int) -> Event:
    return Event("s", f"back@{at}", at, Sense.INFORMS, effect=Effect.RETURNING)


def collected(at: int) -> Event:
    return replace(happened("RT", at, id=f"collected@{at}"), effect=Effect.COLLECTED)


def arrived(*events: Event) -> int | None:
    """When it was delivered at the first mile's end, whatever came first."""
    found = set[int | None]()
    known = [happened("RC", 1), *events]
    for order in (known, known[::-1], sorted(known, key=lambda event: event.id)):
        sighting = replay(order).timeline.counts.get(Milestone.RDTPF)
        found.add(None if sighting is None else sighting.at)
    (at,) = found
    return at


def test_each_way_back_ends_at_the_sender_s_until_the_parcel_is_collected_again() -> None:
    first = (returning(2), happened("RDTPF", 3))
    second = (collected(4), returning(6), happened("RDTPF", 7))

    assert arrived(*first) is None
    assert arrived(*first, *second) is None
    assert arrived(*first, *second, collected(8)) is None
    assert arrived(*first, *second, happened("RDTPF", 5)) == 5
    given = gather([happened("RC", 1), *first, *second, collected(8), happened("RDTPF", 9)])
    assert given.earliest[Milestone.RDTPF].at == 9


def test_that_it_was_at_the_sender_s_is_seen_whichever_way_it_was() -> None:
    def told(*events: Event) -> tuple[str, ...]:
        state = replay([happened("RC", 1), *events])
        return reasons(state.evidence, state.timeline)

    on = (happened("RDTPF", 3), returning(5), collected(6))
    assert told(*on) == ("returning_after_delivered",)
    assert told(*on, returning(7), happened("RDTPF", 8)) == ("returned_to_sender", "returning_after_delivered")


@pytest.mark.parametrize(
    ("delivery", "verdict", "reason"),
    (
        (happened("RDBTC", 2 * DAY), "refused", "before_export"),
        (happened("RDBTC", 10 * DAY, connote="CN-C"), "held", "awaiting_exported"),
        (happened("RDBTC", 200 * DAY), "informational", None),
        (happened("RDBTC", 10 * DAY), "advanced", None),
    ),
)
def test_of_a_return_that_was_exported_twice_a_delivery_is_held_against_the_exports_of_its_connote(
    delivery: Event, verdict: str, reason: str | None
) -> None:
    exports = [happened("RE", 5 * DAY), happened("RE", 6 * DAY, connote="CN-B")]

    entry = play(in_order([happened("RC", 1), happened("RP", 2), *exports, delivery])).steps[-1].entry

    assert (entry.verdict, entry.reason) == (verdict, reason)
