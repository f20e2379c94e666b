"""Voids of creations, and of names that a creation shares with something else: each by its words, and no label by a void one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import Event, Sense
from service.domain.exceptional import reasons
from service.domain.journey import State
from service.domain.labels import Window
from service.domain.milestones import Milestone, Reason, Route
from tests.unit.domain.histories import (
    ACME,
    OTHER,
    THOROUGH,
    arrivals,
    events,
    happened,
    in_order,
    play,
    unheard,
    void,
    worded,
)
from tests.unit.domain.test_properties import assert_true

OURS = worded(happened("RC", 1, id="ours"))
THEIRS = worded(happened("RC", 2, id="theirs", attributes=OTHER))
VOID = worded(void(("s", "theirs")))
_FEW = ("RC", "RC", "RC", "void", "void", "void", "RT", "unmapped")
_FEW_NAMES = st.sampled_from((("hub", "a"), ("hub", "b"), ("carrier", "a")))


def states(chosen: Sequence[Event]) -> list[State]:
    """The state after these events, in each order."""
    return [play(in_order(order)).state for order in itertools.permutations(chosen)]


def test_a_void_creation_claims_no_label_and_its_scans_say_nothing() -> None:
    scan = worded(replace(happened("RT", 3), label=OTHER.label, is_ahead=True))

    for state in states([OURS, THEIRS, scan]):
        assert state.evidence.labels == (OTHER.label,)
        assert state.timeline.status is Milestone.RT
        assert Reason.CLOCK_AHEAD in reasons(state.evidence, state.timeline)
    for state in states([OURS, THEIRS, scan, VOID]):
        assert state.evidence.labels == ()
        assert state.evidence.attributes == ACME
        assert state.timeline.status is Milestone.RC
        assert reasons(state.evidence, state.timeline) == ()


def test_where_all_of_them_are_void_none_is_and_their_labels_stay() -> None:
    for state in states([OURS, THEIRS, VOID, worded(void(("s", "ours")))]):
        assert state.evidence.labels == (OTHER.label,)


def test_a_void_of_a_name_that_a_creation_shares_with_a_scan_takes_the_scan_away_and_the_creation_stays() -> None:
    scan = worded(happened("RT", 3, id="ours"))

    for state in states([OURS, scan, worded(void(("s", "ours")))]):
        assert list(state.timeline.counts) == [Milestone.RC]
        assert reasons(state.evidence, state.timeline) == ()


def test_what_another_return_s_scan_is_called_makes_no_void_of_a_creation_a_good_one() -> None:
    theirs = worded(Event("labels", "w", 0, Sense.INFORMS, label=ACME.label, window=Window(gaps=((3, 4),))))
    scan = worded(replace(happened("RT", 3, id="ours"), label=ACME.label))

    for state in states([OURS, scan, worded(void(("s", "ours"))), theirs]):
        assert reasons(state.evidence, state.timeline) == (Reason.NOT_VOIDABLE,)


def test_what_another_return_s_scan_is_called_is_no_event_that_a_void_named() -> None:
    theirs = worded(Event("labels", "w", 0, Sense.INFORMS, label=ACME.label, window=Window(gaps=((3, 4),))))
    scan = worded(replace(happened("RT", 3, id="scan"), label=ACME.label))
    said = [worded(void(("s", "scan"))), worded(unheard(("s", "scan")))]

    for state in states([OURS, scan, *said]):
        assert reasons(state.evidence, state.timeline) == ()
    for state in states([OURS, scan, *said, theirs]):
        assert reasons(state.evidence, state.timeline) == (Reason.VOID_WITHOUT_EVENT,)


def test_a_void_that_has_the_name_of_the_creation_that_it_names_tells_of_two_facts_until_the_creation_is_out() -> None:
    own = worded(void(("s", "ours"), source="s", id="ours"))

    for state in states([OURS, own]):
        assert reasons(state.evidence, state.timeline) == (Reason.ID_REUSED, Reason.NOT_VOIDABLE)
    for state in states([OURS, own, THEIRS]):
        assert reasons(state.evidence, state.timeline) == ()


@THOROUGH
@given(st.data(), st.lists(events(_FEW, _FEW_NAMES), min_size=2, max_size=9, unique_by=lambda event: event.identity))
def test_where_few_names_are_given_to_much_each_event_leaves_what_the_rules_say(
    data: st.DataObject, chosen: list[Event]
) -> None:
    for step in play(data.draw(arrivals(chosen)), parks=True).steps:
        assert_true(step.entry.state, step.after)


def test_where_creations_contradict_each_other_it_takes_both_away() -> None:
    scan = worded(happened("RT", 3, id="theirs"))

    for state in states([OURS, THEIRS, scan, VOID]):
        assert state.evidence.attributes == ACME
        assert state.evidence.attributes.route is Route.OMNIRPS
        assert list(state.timeline.counts) == [Milestone.RC]
