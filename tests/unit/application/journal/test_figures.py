"""What is counted of returns is moved by the difference between what was counted and what is true."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from service.application.journal.figures import MILESTONES, Counted, Figures, Reached, reached_days
from service.domain.journey import replay
from tests.unit.domain.histories import story

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
DAY = 86_400_000_000
NOTHING: Reached = (None,) * len(MILESTONES)


class Now(NamedTuple):
    """A return as it is."""

    return_no: int
    seq: int
    route: str
    status: str
    reached: Reached


def reached(**days: date) -> Reached:
    return tuple(days.get(milestone.value) for milestone in MILESTONES)


def test_a_return_that_was_not_counted_is_counted_by_status_and_by_day() -> None:
    figures = Figures()

    figures.move({}, [Now(1, 3, "omnirps", "DS", reached(RC=MONDAY, DS=TUESDAY))])

    assert figures.returns == {("omnirps", "DS"): 1}
    assert figures.days == {(MONDAY, "RC", "omnirps"): 1, (TUESDAY, "DS", "omnirps"): 1}


def test_what_was_counted_before_is_let_go() -> None:
    figures = Figures()
    before = Counted(2, "omnirps", "RC", reached(RC=MONDAY))

    figures.move({1: before}, [Now(1, 3, "omnirps", "DS", reached(RC=TUESDAY, DS=TUESDAY))])

    assert figures.returns == {("omnirps", "RC"): -1, ("omnirps", "DS"): 1}
    assert figures.days == {
        (MONDAY, "RC", "omnirps"): -1,
        (TUESDAY, "RC", "omnirps"): 1,
        (TUESDAY, "DS", "omnirps"): 1,
    }


def test_what_was_seen_before_moves_nothing_and_keeps_none_of_the_others_back() -> None:
    figures = Figures()
    known = {1: Counted(3, "omnirps", "DS", NOTHING), 2: Counted(4, "omnirps", "RP", NOTHING)}
    returns = [
        Now(1, 3, "omnirps", "RE", NOTHING),
        Now(2, 3, "omnirps", "RE", NOTHING),
        Now(3, 1, "first_mile_only", "RC", NOTHING),
    ]

    figures.move(known, returns)

    assert figures.returns == {("first_mile_only", "RC"): 1}


def test_a_return_of_before_the_figures_is_counted_whole() -> None:
    figures = Figures()

    figures.move({1: Counted(2, "omnirps", "RC", None)}, [Now(1, 3, "omnirps", "DS", NOTHING)])

    assert figures.returns == {("omnirps", "DS"): 1}


def test_two_returns_of_a_kind_are_two() -> None:
    figures = Figures()

    figures.move({}, [Now(1, 1, "omnirps", "RC", reached(RC=MONDAY)), Now(2, 1, "omnirps", "RC", reached(RC=MONDAY))])

    assert figures.returns == {("omnirps", "RC"): 2}
    assert figures.days == {(MONDAY, "RC", "omnirps"): 2}


def test_days_are_those_of_utc_and_only_of_what_counts() -> None:
    events = story(f"RC@{DAY - 1} DS@{DAY} RE@{3 * DAY}")  # the export waits for the processing

    days = dict(zip(MILESTONES, reached_days(replay(events).timeline), strict=True))

    assert {milestone.value: day for milestone, day in days.items() if day} == {
        "RC": date(1970, 1, 1),
        "DS": date(1970, 1, 2),
    }
