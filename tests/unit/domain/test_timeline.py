"""The timeline as subscribers hold it, beside the true one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.events import Attributes, Event, Published, Sense
from service.domain.evidence import REUSED, Closing, Evidence, Sighting
from service.domain.journey import State, replay
from service.domain.milestones import Milestone, Route
from service.domain.timeline import Timeline, believed, decide
from tests.unit.domain.histories import ACME, DOMESTIC, happened, story

RC, RT, RE = Milestone.RC, Milestone.RT, Milestone.RE
CLOSED = Event("ops", "c", 9, Sense.CLOSES, because="lost")
HELD = Published(4, {RC: (1, "s", None), RT: (2, "s", None)}, ACME, None, closed=(9, "lost"))


def state(*more: Event, attributes: Attributes = ACME) -> State:
    return replay([happened("RC", 1, attributes=attributes), happened("RT", 2), *more])


def held(published: Published, true: State) -> Timeline:
    return believed(published, true.timeline, true.evidence)


def test_where_subscribers_hold_what_is_true_it_is_the_true_one() -> None:
    true = state(CLOSED)

    assert held(HELD, true) == true.timeline
    assert held(HELD, true).counts[RT] is true.timeline.counts[RT]
    assert held(HELD, true).closed is true.timeline.closed


def test_what_they_hold_otherwise_is_of_an_event_that_nobody_named_to_them() -> None:
    where = {"country": "NZ"}
    told = replace(HELD, counts={RC: (1, "s", None), RT: (3, "t", where)})

    counts = held(told, state()).counts

    assert counts == {RC: state().timeline.counts[RC], RT: Sighting(3, "t", "", where)}


def test_of_a_state_that_is_damaged_what_follows_can_be_said_all_the_same() -> None:
    """Who looks for damage asks it of whatever is stored."""
    damaged = decide(Evidence({}, ACME, "CN-A", REUSED))

    assert (damaged.status, damaged.counts, damaged.route, damaged.complete) == (None, {}, ACME.route, False)


@pytest.mark.parametrize("wrong", ((3, "s", None), (2, "t", None), (2, "s", {"country": "NZ"})))
def test_another_time_source_or_place_is_another_sighting(wrong: tuple[int, str, dict[str, str] | None]) -> None:
    told = replace(HELD, counts={RC: (1, "s", None), RT: wrong})

    assert held(told, state()).counts[RT] == Sighting(wrong[0], wrong[1], "", wrong[2])


def test_no_place_and_an_empty_one_are_the_same() -> None:
    told = replace(HELD, counts={RC: (1, "s", {}), RT: (2, "s", None)})

    assert held(told, state()).counts == state().timeline.counts


def test_a_creation_with_other_attributes_and_an_export_with_another_connote_are_to_be_told_again() -> None:
    true = replay(story("RC@1 RT@2 RP@3 RE@4"))
    counts = {milestone: (s.at, s.source, s.location) for milestone, s in true.timeline.counts.items()}

    def differ(attributes: Attributes, connote: str) -> set[Milestone]:
        found = held(Published(4, counts, attributes, connote), true).counts
        return {milestone for milestone in found if found[milestone] != true.timeline.counts[milestone]}

    assert differ(ACME, "CN-A") == set()
    assert differ(ACME, "CN-B") == {RE}
    assert differ(ACME._replace(order_number="another"), "CN-A") == {RC}


@pytest.mark.parametrize(
    ("closed", "seen"),
    (
        (None, None),
        ((9, "lost"), Closing(9, "ops", "c", "lost")),
        ((8, "lost"), Closing(8, "", "", "lost")),
        ((9, "cancelled"), Closing(9, "", "", "cancelled")),
    ),
)
def test_an_end_that_they_hold_otherwise_is_one_that_nobody_named(
    closed: tuple[int, str] | None, seen: Closing | None
) -> None:
    assert held(replace(HELD, closed=closed), state(CLOSED)).closed == seen


def test_an_end_that_is_none_is_one_that_they_hold() -> None:
    assert held(HELD, state()).closed == Closing(9, "", "", "lost")


def test_the_route_and_what_is_complete_by_it_are_as_they_were_told_and_else_as_it_is() -> None:
    arrived = happened("RDTPF", 3)
    counts = {RC: (1, "s", None), Milestone.RDTPF: (3, "s", None)}

    def told(attributes: Attributes | None, true: State) -> tuple[Route | None, bool, Milestone | None]:
        found = held(Published(4, counts, attributes, None), true)
        return found.route, found.complete, found.status

    assert told(DOMESTIC, state(arrived)) == (Route.FIRST_MILE_ONLY, True, Milestone.RDTPF)
    assert told(ACME, state(arrived, attributes=DOMESTIC)) == (Route.OMNIRPS, False, Milestone.RDTPF)
    assert told(None, state(arrived, attributes=DOMESTIC)) == (Route.FIRST_MILE_ONLY, True, Milestone.RDTPF)
    assert held(Published(4, {}, None, None), replay([])) == Timeline(None, {}, {}, None, complete=False)
