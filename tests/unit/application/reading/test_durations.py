from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.application.reading.durations import DurationKeeper, leg_durations, typical_durations
from service.application.reading.numbers import Match
from service.application.reading.public import Revision
from service.application.reading.redaction import Found
from service.domain.journey import State
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
        self.is_away = False

    def completed(self, limit: int) -> Sequence[State]:
        self.asked += 1
        if self.is_away:
            raise Retryable("away")
        return self.states[:limit]

    def find(self, numbers: Sequence[str]) -> Found | None:
        raise NotImplementedError

    def alike(self, numbers: Sequence[str]) -> list[Match]:
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
