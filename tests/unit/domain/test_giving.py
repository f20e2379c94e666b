"""Which events give a reason: all that it would be none without, whatever order they came in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from service.domain.events import Effect, Event, Sense
from service.domain.exceptional import CIRCUMSTANCES, giving, is_exceptional, reasons
from service.domain.journey import record, replay
from service.domain.labels import Window
from service.domain.milestones import Milestone, Reason, Verdict
from service.domain.rules import Rules
from service.domain.timeline import decide
from service.domain.whole import Whole, gather
from tests.unit.domain.histories import (
    ACME,
    DAY,
    DOMESTIC,
    OTHER,
    THOROUGH,
    event_sets,
    happened,
    orders,
    story,
    unheard,
    void,
    worded,
)


def told(events: list[Event]) -> dict[str, list[str]]:
    return {reason.value: [event.id for event in of] for reason, of in giving(events).items()}


def scan(id_: str, at: int, effect: Effect | None, milestone: str | None = None) -> Event:
    sense = Sense.INFORMS if milestone is None else Sense.ASSERTS
    event = Event("c", id_, at, sense, None if milestone is None else Milestone(milestone), effect=effect)
    return worded(replace(event, label=ACME.label))


@THOROUGH
@given(st.data(), event_sets())
def test_every_reason_is_given_by_some_and_nobody_else_gives_one(data: st.DataObject, events: list[Event]) -> None:
    found = giving(data.draw(orders(events)))
    evidence = gather(events)

    assert tuple(found) == reasons(evidence, decide(evidence))
    assert all(found.values())
    for reason, of in found.items():
        note(f"{reason}: {of}")
        assert of == sorted(of, key=lambda event: event.place)


@THOROUGH
@given(st.data(), event_sets())
def test_it_is_the_same_in_any_order_and_with_any_repeat(data: st.DataObject, events: list[Event]) -> None:
    one, other = data.draw(orders(events)), data.draw(orders(events))
    # What the service says of windows it says once, and the last of it holds.
    said = [event for event in events if event.window is None]
    again = data.draw(st.lists(st.sampled_from(said), max_size=5)) if said else []

    assert told([*one, *again]) == told(other)


@THOROUGH
@given(event_sets())
def test_what_an_event_would_be_refused_for_if_it_came_last_it_gives(events: list[Event]) -> None:
    found = giving(events)
    own = dict[Reason, set[bytes]]()
    for place, event in enumerate(events):
        others = [*events[:place], *events[place + 1 :]]
        whole = Whole([*others, event])
        entry = record(replay(others), event, whole)
        if entry is None or entry.reason is None:
            continue
        if event.label is not None and whole.against(event) is Verdict.INFORMATIONAL:
            continue  # it is not the return's
        if is_exceptional(entry.verdict, entry.reason):
            own.setdefault(entry.reason, set()).add(event.identity)

    if decide(gather(events)).route is not None:  # else all wait
        told_by = {reason: {event.identity for event in of} for reason, of in found.items()}
        assert {reason: of for reason, of in told_by.items() if reason not in CIRCUMSTANCES} == own


@pytest.mark.parametrize(
    ("events", "expected"),
    (
        (story("RC@1 RE@5 RE@6"), {"awaiting_processed": ["RE@5", "RE@6"]}),
        (story("RC@1 RP@2 RE@5/CN-A RE@6/CN-B"), {"other_connote": ["RE@5/CN-A", "RE@6/CN-B"]}),
        (story("RC@1 RP@2 RR@4 RE@5 RE@6"), {"already_rejected": ["RE@5", "RE@6"]}),
        (story("RC@1 RP@2 RE@3 RR@4 RR@5"), {"already_exported": ["RR@4", "RR@5"]}),
        (story("RC@1 RE@2 DS@3 DS@4", attributes=DOMESTIC), {"route_ends_at_first_mile": ["RE@2", "DS@3", "DS@4"]}),
        (
            [happened("RC", 1), happened("RC", 2, attributes=OTHER), happened("RC", 3)],
            {"creation_conflict": ["RC@1", "RC@2", "RC@3"]},
        ),
        (
            [
                happened("RC", 1),
                worded(happened("RT", 2, id="x")),
                worded(happened("DS", 3, id="x")),
                happened("DS", 4),
            ],
            {"id_reused": ["x", "x"]},
        ),
        (
            [
                happened("RC", 1),
                scan("d", 2, None, "RDTPF"),
                scan("m", 3, None, "RT"),
                scan("r", 4, Effect.RETURNING),
                scan("e", 1, None, "RT"),
            ],
            {"returning_after_delivered": ["m", "r"]},
        ),
        (
            [
                happened("RC", 1),
                scan("r", 2, Effect.RETURNING),
                scan("d", 3, None, "RDTPF"),
                scan("f", 4, None, "RDTPF"),
                scan("c", 5, Effect.COLLECTED, "RT"),
                scan("g", 6, None, "RDTPF"),
            ],
            {"returned_to_sender": ["d", "f"]},
        ),
        (
            [happened("RC", 5 * DAY), scan("i", 1, None), scan("c", 2, Effect.COLLECTED, "RT")],
            {"before_label": ["i", "c"]},
        ),
        (
            [happened("RC", 1), replace(happened("RT", 2), is_ahead=True), replace(happened("RT", 3), is_ahead=True)],
            {"clock_ahead": ["RT@2", "RT@3"]},
        ),
        ([happened("RC", 1), void(("s", "RC@1"), id="v"), void(("s", "RC@1"), id="w")], {"not_voidable": ["v", "w"]}),
        (
            [happened("RC", 1), void(("s", "x"), id="v"), void(("s", "x"), id="w"), unheard(("s", "x"))],
            {"void_without_event": ["v", "w"]},
        ),
        (
            [*story("RC@1 RT@2 DS@9 DS@10"), Event("p", "c", 5, Sense.CLOSES, because="lost")],
            {"events_after_closed": ["DS@9", "DS@10"]},
        ),
        ([*story("RC@1 RE@5 RE@6"), void(("s", "RE@5"))], {"awaiting_processed": ["RE@6"]}),
        (story("RC@1 RP@2 RE@50/CN-A RDBTC@60/CN-B"), {"awaiting_exported": ["RDBTC@60/CN-B"]}),
        (
            [happened("RC", 1, attributes=DOMESTIC), scan("r", 2, Effect.RETURNING), scan("d", 3, None, "RDTPF")],
            {"returned_to_sender": ["d"]},
        ),
        # Beside one that gives a reason: what does so by no more than its time, or not any more.
        (story("RC@1 RDTPF@3 RT@3 RT@5"), {"returning_after_delivered": ["RT@5"]}),
        (
            [*story("RC@1 RT@5 DS@9"), Event("p", "c", 5, Sense.CLOSES, because="lost")],
            {"events_after_closed": ["DS@9"]},
        ),
        (
            [
                *story("RC@1 RT@2"),
                *(void(("s", name), id=f"void {name}") for name in ("came", "young", "old")),
                *(unheard(("s", name)) for name in ("came", "old")),
                happened("DS", 3, id="came"),
            ],
            {"void_without_event": ["void old"]},
        ),
    ),
)
def test_by_reason(events: list[Event], expected: dict[str, list[str]]) -> None:
    assert told(events) == expected
    assert told(events[::-1]) == expected


def test_a_label_that_two_have_is_told_by_the_creation_that_claims_it() -> None:
    claimed = Event("/service", "w", 9, Sense.INFORMS, label=ACME.label, window=Window(is_shared=True))

    assert told([happened("RC", 1), happened("RC", 2), claimed]) == {"tracking_number_in_use": ["RC@1"]}


def test_an_event_that_is_not_understood_yet_gives_that_until_it_is() -> None:
    known = scan("x", 2, None, "RT")
    unknown = replace(known, sense=Sense.UNMAPPED, milestone=None, effect=None, unmapped_because=Reason.UNKNOWN_CODE)

    assert told([happened("RC", 1), unknown]) == {"unknown_code": ["x"]}
    for order in ((unknown, known), (unknown, known, unknown), (known, unknown), (unknown, known, known)):
        assert told([happened("RC", 1), happened("RE", 9), *order]) == {"awaiting_processed": ["RE@9"]}


def test_reasons_stand_in_their_order_and_not_in_that_of_their_words() -> None:
    ahead = replace(happened("RT", 2), is_ahead=True)

    assert [*told([*story("RC@1 DS@3", attributes=DOMESTIC), ahead])] == ["route_ends_at_first_mile", "clock_ahead"]


def test_they_are_given_by_the_rules_that_hold() -> None:
    events = [happened("RC", 5 * DAY), scan("i", 4 * DAY, None, "RT")]

    assert giving(events) == {}
    assert giving(events, Rules(label_lead_hours=1)) == {Reason.BEFORE_LABEL: events[1:]}


def test_of_nobody_nothing_is_given() -> None:
    assert giving([]) == {}
    assert giving([happened("RE", 1), void(("s", "x"))]) == {}
