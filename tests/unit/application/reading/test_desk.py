"""What is meant by what is typed, what a void is called, and what it would change."""

from __future__ import annotations

import pytest

from service.application.commands.voiding import without
from service.application.reading.desk import understand
from service.domain.events import Attributes, Event, Sense
from service.domain.journey import replay
from service.domain.milestones import Milestone, Route


@pytest.mark.parametrize(
    ("typed", "numbers", "orders", "retailer"),
    (
        ("R-1001", ("R-1001",), ("R-1001",), "r-1001"),
        (" r-1001 ", ("r-1001", "R-1001"), ("r-1001", "R-1001"), "r-1001"),
        ("A 4711", ("A4711",), ("A 4711",), None),
        ("fjord-outdoor", ("fjord-outdoor", "FJORD-OUTDOOR"), ("fjord-outdoor", "FJORD-OUTDOOR"), "fjord-outdoor"),
        ("#17/4", (), ("#17/4",), None),
        ("ab", (), ("ab", "AB"), "ab"),
    ),
)
def test_what_is_typed_may_mean_several_things(
    typed: str, numbers: tuple[str, ...], orders: tuple[str, ...], retailer: str | None
) -> None:
    assert understand(typed) == (numbers, orders, retailer)


@pytest.mark.parametrize("typed", ("", "  ", "x" * 129, "a\0b", "a\u202eb", "a\nb"))
def test_what_no_number_can_be_means_nothing(typed: str) -> None:
    assert understand(typed) == ((), (), None)


def test_a_number_may_be_as_long_as_any_is() -> None:
    assert understand("x" * 128).orders == ("x" * 128, "X" * 128)


def test_the_outlook_is_the_timeline_without_the_event() -> None:
    def at(second: int, milestone: Milestone, connote: str | None = None) -> Event:
        return Event("/s", f"{milestone}-{second}", second, Sense.ASSERTS, milestone, connote=connote)

    label = Attributes("acme", Route.OMNIRPS, "generic", "T-1")
    created = Event("/s", "rc", 1, Sense.ASSERTS, Milestone.RC, attributes=label)
    events = [created, at(2, Milestone.RP), at(3, Milestone.RP), at(4, Milestone.RE, "C-1")]
    state = replay(events)

    another = without(events, "/s", "RP-2")
    gone = without([*events[:2], events[3]], "/s", "RP-2")

    assert state.timeline.status is another.status is Milestone.RE
    assert another.counts[Milestone.RP].id == "RP-3"
    assert gone.status is Milestone.RC
    assert Milestone.RE in gone.denied
