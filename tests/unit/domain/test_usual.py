"""The short way for usual events says what the long way says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from service.domain import journey
from service.domain.events import Effect, Event, Published, Sense
from service.domain.evidence import is_doubtful
from service.domain.journey import continued, record, replay
from service.domain.labels import Window
from service.domain.milestones import Kind, Milestone, Reason
from service.domain.rules import DEFAULT
from service.domain.timeline import usual
from tests.unit.domain.histories import (
    ACME,
    DAY,
    DOMESTIC,
    OTHER,
    THOROUGH,
    Arrival,
    arrivals,
    event_sets,
    happened,
    in_order,
    play,
)


def _scan(at: int) -> Event:
    return replace(happened("RT", at), label=ACME.label)


_WAY = ("RT", "RDTPF", "DS", "RP", "RE", "RDBTC")
_BESIDE = {
    "informs": Event("a", "", 0, Sense.INFORMS),
    "returning": Event("a", "", 0, Sense.INFORMS, effect=Effect.RETURNING),
    "unmapped": Event("a", "", 0, Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CODE),
    "window": Event("labels", "", 0, Sense.INFORMS, window=Window()),
    "reassessed": Event("labels", "", 0, Sense.INFORMS, over=(Reason.UNKNOWN_CODE,)),
}
_LABELS = st.sampled_from((None, ACME.label, ACME.label, ACME.label, OTHER.label))
_RETAILERS = st.sampled_from(((), (), (ACME.retailer,), (OTHER.retailer,)))
_SECOND_LABEL = ACME._replace(tracking_number="OP2")


@st.composite
def _one(draw: st.DrawFn, name: str, code: str) -> Event:
    at = draw(st.sampled_from((-3, 1, 2, 5))) * DAY + draw(st.sampled_from((0, 0, 1)))
    if code in _BESIDE:
        return replace(_BESIDE[code], id=name, at=at, label=draw(_LABELS))
    event = happened(
        code,
        at,
        source=draw(st.sampled_from("ab")),
        id=name,
        connote=draw(st.sampled_from(("CN-A", "CN-A", "CN-B"))),
        attributes=draw(st.sampled_from((ACME, _SECOND_LABEL))),
    )
    if code in {"RT", "RDTPF"}:
        effect = Effect.COLLECTED if code == "RT" and draw(st.booleans()) else None
        label = draw(_LABELS)
        event = replace(event, label=label, effect=effect, retailers=draw(_RETAILERS) if label else ())
    return replace(event, is_ahead=draw(st.integers(0, 20)) == 20)


@st.composite
def _plain_stories(draw: st.DrawFn) -> list[Arrival]:
    """A creation, and events of which each has a name of its own: many of them are usual."""
    created = happened("RC", 0, id="rc", attributes=draw(st.sampled_from((ACME, ACME, ACME, DOMESTIC))))
    codes = [code for code in _WAY if draw(st.integers(0, 4))]
    if draw(st.booleans()):
        codes = list(draw(st.permutations(codes)))
    for code in draw(st.lists(st.sampled_from(("RC", "RT", *_WAY, "RR", *_BESIDE)), max_size=4)):
        codes.insert(draw(st.integers(0, len(codes))), code)
    others = [draw(_one(f"{place}", code)) for place, code in enumerate(codes)]
    return in_order([created, *others])


def _both_ways(coming: Sequence[Arrival]) -> str:
    """Played by either they are the same; how many were by the short one."""
    asked, answered = 0, 0

    def counted(*what: object) -> object:
        nonlocal asked, answered
        found = usual(*what)  # type: ignore[arg-type]
        asked, answered = asked + 1, answered + (found is not None)
        before, _, event, rules = what
        assert found is None or event.label is None or not is_doubtful(before, event, rules)  # type: ignore[attr-defined, arg-type]
        return found

    with patch.object(journey, "usual", counted):
        short = play(coming, parks=False)
    with patch.object(journey, "usual", lambda *_: None):
        long = play(coming, parks=False)

    assert [step.entry for step in short.steps] == [step.entry for step in long.steps]
    assert short.state == long.state
    return f"{answered} of {asked} by the short way"


@settings(THOROUGH, max_examples=5 * settings().max_examples)
@given(_plain_stories())
@example(in_order([happened("RC", 0), happened("RT", 5, source="b"), happened("RT", 5, source="a")]))
def test_of_plain_stories_the_short_way_says_what_the_long_way_says(coming: list[Arrival]) -> None:
    note(_both_ways(coming))


@settings(THOROUGH)
@given(st.data(), event_sets())
def test_of_any_events_the_short_way_says_what_the_long_way_says(data: st.DataObject, events: list[Event]) -> None:
    note(_both_ways(data.draw(arrivals(events))))


def test_the_usual_story_takes_the_short_way() -> None:
    """Else it would spare nothing, and no other test would see it."""
    story = [
        happened("RC", 0, attributes=ACME),
        *(replace(happened(code, at), label=ACME.label) for code, at in (("RT", 5), ("RT", 9), ("RDTPF", 20))),
        Event("carrier", "told", 21, Sense.INFORMS, label=ACME.label),
        *(happened(code, at) for code, at in (("DS", 30), ("RP", 40), ("RE", 50))),
    ]
    with patch.object(journey, "_entry", None), patch.object(journey, "_record_whole", None):
        played = play(in_order(story))

    verdicts = " ".join(step.entry.verdict for step in played.steps)
    assert verdicts == "advanced advanced repeated advanced informational advanced advanced advanced"
    assert played.state.timeline.status is Milestone.RE


_ON_ITS_WAY = (happened("RC", 3 * DAY), happened("RT", 4 * DAY))
_DOMESTIC = (happened("RC", 3 * DAY, attributes=DOMESTIC), happened("DS", 4 * DAY))


@pytest.mark.parametrize(
    ("past", "event"),
    (
        pytest.param(_ON_ITS_WAY, happened("RC", 3 * DAY + 1), id="a creation that says the same"),
        pytest.param(_ON_ITS_WAY, happened("RDTPF", 4 * DAY), id="delivered when it was last seen under way"),
        pytest.param(
            (*_ON_ITS_WAY, happened("RDTPF", 4 * DAY)), happened("DS", 5 * DAY), id="and anything else after that"
        ),
        pytest.param((*_ON_ITS_WAY, happened("RP", 5 * DAY), happened("RE", 6 * DAY)), happened("RDBTC", 7 * DAY),
                     id="a delivery of its connote"),
        pytest.param(_ON_ITS_WAY, _scan(3 * DAY - 1), id="a scan from shortly before its creation"),
        pytest.param(_ON_ITS_WAY, _scan(2 * DAY), id="a scan from as long before as may be"),
    ),
)  # fmt: skip
def test_what_takes_the_short_way(past: Sequence[Event], event: Event) -> None:
    state = replay(past)

    assert usual(state.evidence, state.timeline, event, DEFAULT) is not None
    _both_ways(in_order([*past, event]))


@pytest.mark.parametrize(
    ("past", "event"),
    (
        pytest.param(_ON_ITS_WAY, happened("RC", 3 * DAY, id="A"), id="a creation from the same time as the first"),
        pytest.param(_DOMESTIC, happened("DS", 5 * DAY), id="what the route denies, again"),
        pytest.param(_ON_ITS_WAY, replace(_scan(5 * DAY), label=("generic", "OP1")), id="a scan of another carrier's"),
        pytest.param(_ON_ITS_WAY, replace(_scan(5 * DAY), label=("omniparcel", "OP2")), id="a scan of another number"),
        pytest.param(_ON_ITS_WAY, _scan(2 * DAY - 1), id="a scan from before its label"),
    ),
)
def test_what_does_not(past: Sequence[Event], event: Event) -> None:
    state = replay(past)

    assert usual(state.evidence, state.timeline, event, DEFAULT) is None
    _both_ways(in_order([*past, event]))


def test_what_moves_nothing_leaves_what_is_known_as_it_is() -> None:
    state = replay(_ON_ITS_WAY)

    found = usual(state.evidence, state.timeline, replace(happened("DS", 5 * DAY)), DEFAULT)
    assert found is not None
    again = usual(*found, happened("DS", 6 * DAY), DEFAULT)
    assert again is not None
    assert again[0] is found[0]
    assert again[1] is found[1]


def test_a_return_that_subscribers_know_from_another_past_takes_the_long_way() -> None:
    held = Published(3, {Milestone.RT: (7, "a", None)}, ACME, None)

    entry = record(continued(held), happened("RC", 0, attributes=ACME))

    assert entry is not None
    assert [change.kind for change in entry.changes] == [Kind.REVOKED, Kind.REACHED]
