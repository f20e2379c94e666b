"""Voids of creations, and of names that a creation shares with something else: each by its words, and no label by a void one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from service.domain.events import Event
from service.domain.exceptional import reasons
from service.domain.journey import State
from service.domain.milestones import Milestone, Reason, Route
from tests.unit.domain.histories import ACME, OTHER, happened, in_order, play, void, worded

OURS = worded(happened("RC", 1, id="ours"))
THEIRS = worded(happened("RC", 2, id="theirs", attributes=OTHER))
VOID = worded(void(("s", "theirs")))


def states(events: Sequence[Event]) -> list[State]:
    """The state after these events, in each order."""
    return [play(in_order(order)).state for order in itertools.permutations(events)]


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


def test_where_creations_contradict_each_other_it_takes_both_away() -> None:
    scan = worded(happened("RT", 3, id="theirs"))

    for state in states([OURS, THEIRS, scan, VOID]):
        assert state.evidence.attributes == ACME
        assert state.evidence.attributes.route is Route.OMNIRPS
        assert list(state.timeline.counts) == [Milestone.RC]
