"""A void that names nothing: said after an hour, and for as long as nothing has the name that it gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import Event
from service.domain.exceptional import is_exceptional, reasons
from service.domain.journey import State
from service.domain.whole import Whole
from tests.support import oracle
from tests.unit.domain.histories import (
    QUICK,
    THOROUGH,
    Arrival,
    Played,
    arrivals,
    event_sets,
    happened,
    in_order,
    play,
    void,
)


def given_by(state: State) -> set[str]:
    return {reason.value for reason in reasons(state.evidence, state.timeline)}


def told(played: Played) -> set[str]:
    """What is open for whoever applies what each row says."""
    held = set[str]()
    for step in played.steps:
        entry = step.entry
        own = [entry.reason] if entry.reason is not None and is_exceptional(entry.verdict, entry.reason) else []
        held = (held | {reason.value for reason in (*entry.raised, *own)}) - {reason.value for reason in entry.settled}
    return held


MISTAKE = void(("s", "rt@2"))  # in another letter case
CREATED, SCANNED = happened("RC", 1), happened("RT", 2, id="RT@2")


def test_a_void_in_another_letter_case_is_seen_an_hour_after_it_and_what_was_meant_counts() -> None:
    coming = in_order([CREATED, SCANNED, MISTAKE])

    assert given_by(play(coming).state) == set()
    after = play(coming, hours={2})
    assert given_by(after.state) == told(after) == {"void_without_event"}
    assert after.steps[-1].entry.verdict == "informational"
    assert "RT" in after.state.timeline.counts


def test_it_is_over_once_an_event_of_that_name_comes_which_is_void() -> None:
    late = happened("RT", 2, id="rt@2")

    played = play(in_order([CREATED, MISTAKE, late]), hours={1})

    assert given_by(played.state) == told(played) == set()
    assert [step.entry.settled for step in played.steps][-1] == ("void_without_event",)
    assert "RT" not in played.state.timeline.counts


def test_a_void_that_waited_for_its_return_is_seen_once_that_is_there() -> None:
    played = play(in_order([MISTAKE, CREATED]), hours={0, 1})

    assert given_by(played.state) == told(played) == {"void_without_event"}


def test_a_void_of_what_is_not_there_is_told_by_that_name() -> None:
    assert Whole([CREATED, MISTAKE]).unheard() == {MISTAKE.voids}
    assert Whole([CREATED, MISTAKE, happened("RT", 2, id="rt@2")]).unheard() == set()


def test_voids_that_name_each_other_name_something() -> None:
    one, other = void(("ops", "b"), id="a"), void(("ops", "a"), id="b")

    played = play(in_order([CREATED, one, other]), hours={2})

    assert "void_without_event" not in given_by(played.state)


def test_a_second_void_of_the_same_name_is_told_of_once() -> None:
    again = void(("s", "rt@2"), id="again")

    played = play(in_order([CREATED, MISTAKE, again]), hours={1, 2})

    assert given_by(played.state) == told(played) == {"void_without_event"}
    assert len(played.steps) == 4


@QUICK
@given(event_sets())
def test_a_void_names_nothing_where_all_events_of_the_name_are_another_return_s(events: list[Event]) -> None:
    whole = Whole(events)

    assert whole.unheard() == {e.voids for e in events if e.voids is not None and not oracle.called(e.voids, events)}


@THOROUGH
@given(st.data(), event_sets())
def test_whatever_hours_pass_what_is_open_is_what_the_set_gives(data: st.DataObject, events: list[Event]) -> None:
    coming: list[Arrival] = data.draw(arrivals(events))
    hours = data.draw(st.sets(st.integers(0, max(0, len(coming) - 1)))) | {len(coming) - 1}

    played = play(coming, hours=hours)

    for step in played.steps:
        assert given_by(step.entry.state) == oracle.exceptions(step.after)
    if played.state.timeline.route is not None:
        assert told(played) == oracle.exceptions(played.steps[-1].after)
        after = played.steps[-1].after
        unheard = [e.voids for e in events if e.voids is not None and not oracle.called(e.voids, after)]
        assert ("void_without_event" in told(played)) == bool(unheard)
