"""A parcel that goes to and fro, by the whole set of its scans in any order."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import Effect, Event, Sense
from service.domain.evidence import MAX_LABELS, UNKNOWN_CARRIER, UNKNOWN_CODE, VOIDS_UNLISTED, PastNeeded
from service.domain.exceptional import reasons
from service.domain.journey import NEW, record, replay
from service.domain.milestones import Milestone, Reason
from service.domain.whole import MAX_VOIDS, Whole, gather
from tests.unit.domain.histories import (
    ACME,
    DAY,
    THOROUGH,
    event_sets,
    happened,
    in_order,
    not_understood,
    orders,
    play,
    story,
    void,
)


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


_TURNS = st.tuples(st.sampled_from(("back", "collected", "RT", "RDTPF")), st.integers(2, 9))


def turn(kind: str, at: int) -> Event:
    if kind == "back":
        return returning(at)
    return collected(at) if kind == "collected" else happened(kind, at, id=f"{kind}@{at}")


@THOROUGH
@given(st.lists(_TURNS, max_size=8, unique=True))
def test_which_way_a_parcel_goes_is_known_step_by_step_as_from_all_its_scans(turns: list[tuple[str, int]]) -> None:
    events = [happened("RC", 1), *(turn(*each) for each in turns)]
    state, before = NEW, list[Event]()
    for event in events:
        before.append(event)
        try:
            entry = record(state, event)
        except PastNeeded:
            entry = record(state, event, Whole(before))
        assert entry is not None
        state = entry.state
        assert state.evidence == gather(before)


@THOROUGH
@given(st.data(), event_sets())
def test_what_is_known_after_each_event_is_as_if_nobody_had_asked_before(
    data: st.DataObject, events: list[Event]
) -> None:
    whole, so_far = Whole(), list[Event]()
    for event in data.draw(orders(events)):
        whole.add(event)
        so_far.append(event)
        assert whole.evidence() == gather(so_far)


@pytest.mark.parametrize("mistake", ("RE@3", "RDBTC@8"))
def test_a_delivery_that_is_void_or_has_no_export_any_more_brings_nothing_home_though_it_did(mistake: str) -> None:
    whole = Whole(story("RC@1 RP@2 RE@3 RDBTC@8"))
    assert whole.evidence().earliest[Milestone.RDBTC].at == 8

    whole.add(void(("s", mistake)))

    assert Milestone.RDBTC not in whole.evidence().earliest


@given(st.lists(_TURNS, max_size=8, unique_by=lambda each: each[1]))
def test_scans_of_one_way_and_another_in_their_order_need_the_past_for_a_way_back_after_a_delivery_alone(
    turns: list[tuple[str, int]],
) -> None:
    state, asked = NEW, list[str]()
    kinds = [kind for kind, _ in sorted(turns, key=itemgetter(1))]
    events = [happened("RC", 1), *(turn(kind, at) for kind, at in sorted(turns, key=itemgetter(1)))]
    for number, event in enumerate(events):
        try:
            entry = record(state, event)
        except PastNeeded:
            asked.append(kinds[number - 1])
            entry = record(state, event, Whole(events[: number + 1]))
        assert entry is not None
        state = entry.state

    first = kinds.index("back") if "back" in kinds else len(kinds)
    assert asked == (["back"] if "RDTPF" in kinds[:first] and first < len(kinds) else [])


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


def test_of_scans_that_no_table_knows_every_why_is_kept_beside_what_else_is_known() -> None:
    code, carrier = (
        replace(not_understood(happened("RT", at)), unmapped_because=because)
        for at, because in ((2, Reason.UNKNOWN_CODE), (3, Reason.UNKNOWN_CARRIER))
    )
    many = [void(("s", f"none {n}")) for n in range(MAX_VOIDS + 1)]

    assert gather([happened("RC", 1), code, carrier]).flags == UNKNOWN_CODE | UNKNOWN_CARRIER
    assert gather([happened("RC", 1), *many, code]).flags == UNKNOWN_CODE | VOIDS_UNLISTED


def test_so_many_labels_of_a_return_are_told_of_the_earliest_ones() -> None:
    named = [happened("RC", n, id=f"rc-{n}", attributes=ACME._replace(tracking_number=f"T-{n}")) for n in range(12)]

    assert gather(named).labels == tuple(("omniparcel", f"T-{n}") for n in range(1, MAX_LABELS))


def test_what_is_voided_without_a_void_among_the_events_is_out_of_them() -> None:
    delivered = happened("RDTPF", 3)

    evidence = gather([happened("RC", 1), delivered, happened("RT", 2)], {delivered.key})

    assert [*evidence.earliest] == [Milestone.RC, Milestone.RT]
