"""What subscribers are told of one event, change by change, and what is seen of it at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.changes import only_moved
from service.domain.events import Event, Sense, told_place
from service.domain.journey import Entry, replay
from tests.unit.domain.histories import ACME, DOMESTIC, OTHER, happened, in_order, play, story, void

CLOSED = Event("ops", "close", 3, Sense.CLOSES, because="lost")


def told(*events: Event) -> list[tuple[object, ...]]:
    """Of the last of these."""
    return [(c.version, c.kind, c.milestone, c.status, c.previous_status) for c in last(*events).changes]


def last(*events: Event) -> Entry:
    return play(in_order(events)).steps[-1].entry


def test_a_closed_return_that_goes_on_is_told_to_be_open_again_after_the_milestone_that_says_so() -> None:
    assert told(happened("RC", 1), CLOSED, happened("RT", 5)) == [
        (3, "reached", "RT", "RT", "RC"),
        (4, "reopened", "RT", "RT", "RT"),
    ]


def test_a_void_of_what_went_on_after_the_end_is_told_before_that_end() -> None:
    assert told(*story("RC@1 RT@5 DS@6"), CLOSED, void(("s", "DS@6")), void(("s", "RT@5"))) == [
        (5, "revoked", "RT", "RC", "RT"),
        (6, "closed", "RC", "RC", "RC"),
    ]


def test_an_end_that_is_told_has_the_place_and_time_of_the_status_and_the_closing_event_as_its_cause() -> None:
    akl = {"code": "AKL"}

    (change,) = last(happened("RC", 1), happened("DS", 2, location=akl), CLOSED).changes

    assert (change.kind, change.milestone) == ("closed", "DS")
    assert (change.occurred_at, change.location, change.cause) == (2, akl, ("ops", "close"))


def test_a_later_end_for_another_reason_is_told_and_the_same_one_again_is_not() -> None:
    again = replace(CLOSED, id="again", at=4, because="cancelled")

    assert told(happened("RC", 1), CLOSED, again) == [(3, "closed", "RC", "RC", "RC")]
    assert told(happened("RC", 1), again, replace(CLOSED, id="early", at=2)) == []


@pytest.mark.parametrize(
    ("past", "event"),
    (
        pytest.param("RC@1", happened("RT", 2), id="it counts now"),
        pytest.param("RC@1 RP@3", happened("RT", 2), id="it counts now, behind the status"),
        pytest.param("RC@1 RT@3", happened("RT", 2), id="it is earlier now"),
        pytest.param("RC@1 RP@3", happened("RE", 4), id="an export counts"),
        pytest.param("RC@1 RP@3 RE@4", happened("RDBTC", 5), id="a delivery counts"),
    ),
)
def test_of_nearly_every_event_it_is_seen_at_once_that_nothing_else_moved(past: str, event: Event) -> None:
    before, after = replay(story(past)).timeline, replay([*story(past), event]).timeline

    assert only_moved(event, before, after) is event.milestone


@pytest.mark.parametrize(
    ("past", "event"),
    (
        pytest.param("RC@1 RE@3", happened("RP", 2), id="an export that was held may count"),
        pytest.param("RC@1 RP@3 RE@4", happened("RR", 2), id="a rejection takes others away"),
        pytest.param("RC@1 RP@3 RE@4", happened("RE", 2), id="an earlier export may bring another connote"),
        pytest.param(
            "RC@2 DS@3", happened("RC", 1, attributes=OTHER), id="an earlier creation may bring another label"
        ),
        pytest.param("RC@2 RDTPF@3 DS@4", happened("RC", 1, attributes=DOMESTIC), id="or another route"),
        pytest.param("RC@1", happened("RE", 2), id="an export that is held does not count"),
        pytest.param("RC@1 DS@2", void(("s", "DS@2")), id="a void may revoke anything"),
    ),
)
def test_of_others_it_has_to_be_looked_at(past: str, event: Event) -> None:
    before, after = replay(story(past)).timeline, replay([*story(past), event]).timeline

    assert only_moved(event, before, after) is None


def test_of_an_order_number_that_an_earlier_creation_brings_subscribers_are_told() -> None:
    later = happened("RC", 2, attributes=ACME._replace(order_number=None))

    assert told(later, happened("RT", 3), happened("RC", 1)) == [(3, "retimed", "RC", "RT", "RT")]


def test_what_is_seen_of_a_return_whose_end_is_told_twice_is_the_later_reason() -> None:
    again = replace(CLOSED, id="again", at=4, because="cancelled")

    closed = play(in_order([happened("RC", 1), again, CLOSED])).state.timeline.closed

    assert closed is not None
    assert (closed.at, closed.source, closed.id, closed.reason) == (4, "ops", "again", "cancelled")
    assert closed.order == (4, "ops", "again")


@pytest.mark.parametrize(
    ("place", "told"),
    (
        (None, None),
        ({}, {}),
        ({"country": "NZ"}, {"country": "NZ"}),
        ({"name": "Jane Doe Cottage", "country": "NZ"}, {"country": "NZ"}),
        ({"name": "Jane Doe Cottage"}, None),
        ({"name": "Jane Doe Cottage", "code": " "}, {"code": " "}),
        ({"name": "Auckland", "code": "AKL"}, {"name": "Auckland", "code": "AKL"}),
    ),
)
def test_of_a_place_that_is_no_facility_nobody_is_told_the_name(
    place: dict[str, str] | None, told: dict[str, str] | None
) -> None:
    assert told_place(place) == told
