"""What is counted of returns is moved by the difference between what was counted and what is true."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from service.application.journal.figures import (
    MILESTONES,
    Counted,
    Figures,
    Reached,
    Share,
    Travelling,
    reached_days,
)
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
    connote: str | None = None
    retailer: str = "acme"
    carrier: str = "generic"


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


def test_under_a_connote_travels_what_was_exported_under_it_and_what_was_delivered() -> None:
    figures = Figures()
    share = Share("C-1", "acme", "generic")
    known = {2: Counted(4, "omnirps", "RE", NOTHING, *share), 3: Counted(4, "omnirps", "RE", NOTHING, *share)}

    figures.move(
        known,
        [
            Now(1, 4, "omnirps", "RE", NOTHING, *share),
            Now(2, 5, "omnirps", "RDBTC", NOTHING, *share),
            Now(3, 5, "omnirps", "RP", NOTHING, *share),  # its export was declared a mistake
            Now(4, 3, "omnirps", "DS", NOTHING, *share),  # an export that is held
            Now(5, 4, "omnirps", "RE", NOTHING, None),
        ],
    )

    assert figures.connotes == {share: Travelling(under_way=-1, delivered=1)}


def test_a_return_that_changes_its_connote_leaves_one_and_joins_the_other() -> None:
    figures = Figures()
    before, after = Share("C-1", "acme", "generic"), Share("C-2", "acme", "generic")

    figures.move({1: Counted(4, "omnirps", "RE", NOTHING, *before)}, [Now(1, 5, "omnirps", "RE", NOTHING, *after)])

    assert figures.connotes == {before: Travelling(-1, 0), after: Travelling(1, 0)}


def test_a_share_of_which_only_a_time_moved_is_named_too() -> None:
    figures = Figures()
    share = Share("C-1", "acme", "generic")

    figures.move({1: Counted(4, "omnirps", "RE", None, *share)}, [Now(1, 5, "omnirps", "RE", NOTHING, *share)])

    assert figures.connotes == {share: Travelling(0, 0)}
