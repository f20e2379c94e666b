from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.application.access.bounds import EVERYTHING
from service.application.reading.durations import DurationKeeper, leg_durations, typical_durations
from service.application.reading.numbers import Match
from service.application.reading.public import Revision
from service.application.reading.redaction import Found
from service.domain.journey import NEW, State
from service.domain.milestones import Milestone, Route
from service.errors import Retryable
from tests.support import journals
from tests.support.found import found
from tests.support.journals import creation, event, scan


def processed_after(days: float) -> State:
    processing: dict[str, Any] = event(journals.RP, "rp", "11:00", return_id="R-1001", hub="lhr")
    processing["time"] = (datetime(2026, 11, 20, 11, tzinfo=UTC) + timedelta(days=days)).isoformat()
    return found("R-1001", [creation(), scan("DELIVERED", "11:00"), processing]).state


class Store:
    def __init__(self, states: Sequence[State]) -> None:
        self.states = states
        self.asked = 0
        self.limits: set[int] = set()
        self.is_away = False
        self.meanwhile: Callable[[], object] = lambda: None

    def completed(self, limit: int) -> Sequence[State]:
        self.asked += 1
        self.limits.add(limit)
        self.meanwhile()
        if self.is_away:
            raise Retryable("away")
        return self.states[:limit]

    def find(self, numbers: Sequence[str]) -> Found | None:
        raise NotImplementedError

    def alike(self, numbers: Sequence[str]) -> list[Match]:
        raise NotImplementedError

    def sharing(self, number: str) -> Sequence[str]:
        raise NotImplementedError

    def states_of(self, numbers: Sequence[str]) -> dict[str, State]:
        raise NotImplementedError

    def revisions(self, asked: Sequence[Sequence[str]]) -> list[Revision | None]:
        raise NotImplementedError


def test_the_middle_of_what_was_seen_is_what_is_usual() -> None:
    durations = typical_durations([processed_after(days) for days in range(41)])

    assert durations[Route.OMNIRPS, Milestone.RDTPF] == timedelta(days=20)


def test_too_few_returns_say_nothing() -> None:
    assert typical_durations([processed_after(1) for _ in range(19)]) == {}


def test_a_clock_that_runs_backwards_is_no_duration() -> None:
    assert (Route.OMNIRPS, Milestone.RDTPF) not in typical_durations([processed_after(-1) for _ in range(30)])


def test_the_store_is_asked_once_in_a_while_and_may_be_away() -> None:
    now = 1000.0
    store = Store([processed_after(2)] * 30)
    keeper = DurationKeeper(store, lambda: now)

    first = keeper.typical(Route.OMNIRPS, Milestone.RDTPF)
    again = keeper.typical(Route.OMNIRPS, Milestone.RDTPF)
    asked = store.asked
    store.is_away = True
    now += 10_000
    later = keeper.typical(Route.OMNIRPS, Milestone.RDTPF)

    assert first == again == later == timedelta(days=2)
    assert asked == 1
    assert store.asked == 2


def test_a_step_says_how_long_half_and_nearly_all_returns_take() -> None:
    (step,) = (
        each for each in leg_durations([processed_after(days) for days in range(1, 101)]) if each.there is Milestone.RP
    )

    assert (step.route, step.here, step.samples) == (Route.OMNIRPS, Milestone.RDTPF, 100)
    assert (step.p50, step.p90, step.p99) == (timedelta(days=50), timedelta(days=90), timedelta(days=99))


def test_steps_come_in_the_order_of_the_way_and_with_too_few_returns_not_at_all() -> None:
    steps = leg_durations([processed_after(1) for _ in range(20)])

    assert [(step.here, step.there) for step in steps] == [
        (Milestone.RC, Milestone.RDTPF),
        (Milestone.RDTPF, Milestone.RP),
    ]
    assert leg_durations([processed_after(1) for _ in range(19)]) == []


def test_as_many_returns_as_say_something_are_enough_and_the_lower_of_two_middles_is_one_of_them() -> None:
    durations = typical_durations([processed_after(days) for days in range(1, 21)])

    assert durations[Route.OMNIRPS, Milestone.RDTPF] == timedelta(days=10)


def test_what_happened_at_one_moment_took_no_time_and_is_counted() -> None:
    assert typical_durations([processed_after(0)] * 20)[Route.OMNIRPS, Milestone.RDTPF] == timedelta(0)


def test_a_return_of_which_nothing_counts_is_no_part_of_it() -> None:
    assert typical_durations([NEW, *[processed_after(1)] * 20]) == typical_durations([processed_after(1)] * 20)


def test_legs_of_the_whole_way_come_before_those_of_the_first_mile_alone() -> None:
    domestic = found("R-1", [creation(route="first_mile_only"), scan("COLLECTED", "10:00"), scan("DELIVERED", "11:00")])

    legs = leg_durations([domestic.state] * 20 + [processed_after(1)] * 20)

    assert [(leg.route, leg.here, leg.there) for leg in legs] == [
        (Route.OMNIRPS, Milestone.RC, Milestone.RDTPF),
        (Route.OMNIRPS, Milestone.RDTPF, Milestone.RP),
        (Route.FIRST_MILE_ONLY, Milestone.RC, Milestone.RT),
        (Route.FIRST_MILE_ONLY, Milestone.RT, Milestone.RDTPF),
    ]


def test_what_was_measured_is_good_for_a_quarter_of_an_hour() -> None:
    now = 1000.0
    store = Store([processed_after(2)] * 30)
    keeper = DurationKeeper(store, lambda: now)

    for seconds, asked in ((0.0, 1), (899.9, 1), (900.0, 2), (1799.9, 2), (1800.0, 3)):
        now = 1000.0 + seconds
        assert [leg.samples for leg in keeper.legs(EVERYTHING)] == [30, 30]
        assert keeper.typical(Route.OMNIRPS, Milestone.RP) is None
        assert store.asked == asked
    assert store.limits == {1000}


def test_a_store_that_is_away_is_not_asked_by_everybody_and_is_asked_again_later() -> None:
    now = 1000.0
    store = Store([processed_after(2)] * 30)
    store.is_away = True
    keeper = DurationKeeper(store, lambda: now)

    assert keeper.typical(Route.OMNIRPS, Milestone.RDTPF) is None
    assert keeper.legs(EVERYTHING) == keeper.legs(EVERYTHING) == []
    assert store.asked == 1
    store.is_away = False
    now += 900
    assert len(keeper.legs(EVERYTHING)) == 2


def test_while_one_caller_measures_the_others_take_what_there_is() -> None:
    now = 1000.0
    store = Store([processed_after(2)] * 30)
    keeper = DurationKeeper(store, lambda: now)
    seen = list[int]()
    store.meanwhile = lambda: seen.append(len(keeper.legs(EVERYTHING)))

    first = keeper.legs(EVERYTHING)
    now += 900
    keeper.legs(EVERYTHING)

    assert len(first) == 2
    assert seen == [0, 2]
    assert store.asked == 2


def test_who_comes_just_when_another_one_begins_to_measure_does_not_wait() -> None:
    store = Store([processed_after(2)] * 30)
    seen = list[int]()
    other = threading.Thread(target=lambda: seen.append(len(keeper.legs(EVERYTHING))), daemon=True)

    def clock() -> float:
        if other.ident is None:  # the first one reads it while it begins to measure
            other.start()
            other.join(10)
            assert not other.is_alive()
        return 1000.0

    keeper = DurationKeeper(store, clock)

    assert len(keeper.legs(EVERYTHING)) == 2
    assert (seen, store.asked) == ([0], 1)
