"""From any past that subscribers were told to any that is true: the changes lead there, and versions go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from service.domain.events import Event, Published, Sense, told_place
from service.domain.journey import State, continued, record, replay
from service.domain.milestones import Milestone
from service.domain.whole import Whole
from service.wire.documents import return_document
from service.wire.outbound import status_changed
from service.wire.rows.reconciled import NOTHING, folded, published_of
from tests.unit.domain.histories import THOROUGH, arrivals, event_sets, in_order, orders, play, story
from tests.unit.domain.test_properties import Subscriber, seen


def told(state: State) -> Published:
    """What subscribers hold once they were told of the state."""
    return NOTHING if state.timeline.status is None else published_of(return_document("TK1", state))


def reconciled(published: Published) -> Event:
    return Event("/returns-status/reconcile", "TK1/now", 100, Sense.RECONCILES, published=published)


def assert_holds(subscriber: Subscriber, state: State) -> None:
    """All that a document tells: which event stands behind a milestone it does not."""
    holds = {code: (at, source, location) for code, (at, source, _, location) in subscriber.timeline.items()}
    document = return_document("TK1", state, place=told_place)
    assert holds == {
        step["code"]: (step["occurred_at"], step["source"], step["location"])
        for step in document["timeline"]
        if step["state"] == "reached"
    }
    assert (subscriber.version, subscriber.status, subscriber.complete) == (
        state.version,
        state.timeline.status,
        state.timeline.complete,
    )


@THOROUGH
@given(st.data(), event_sets(), event_sets())
def test_from_what_was_published_the_changes_lead_to_what_is_true_and_on(
    data: st.DataObject, gone: list[Event], true: list[Event]
) -> None:
    past = play(data.draw(arrivals(gone)), parks=True)
    split = data.draw(st.integers(0, len(true)))
    now = play(in_order(true[:split]), parks=True).state
    subscriber = Subscriber()
    for step in past.steps:
        subscriber.receive(step.entry)
    if now.timeline.status is None:
        return  # nothing is known of the return here

    entry = record(now, reconciled(told(past.state)))

    assert entry is not None
    note(f"{len(entry.changes)} changes")
    assert entry.state.timeline == now.timeline
    assert entry.state.version == past.state.version + len(entry.changes)
    subscriber.receive(entry)
    assert_holds(subscriber, entry.state)
    state = entry.state
    for n, event in enumerate(true[split:], start=split):
        later = record(state, event, Whole(true[: n + 1]))
        if later is not None:
            subscriber.receive(later)
            state = later.state
    assert_holds(subscriber, state)


@THOROUGH
@given(st.data(), event_sets())
def test_where_subscribers_hold_what_is_true_nothing_moves(data: st.DataObject, events: list[Event]) -> None:
    published = told(play(data.draw(arrivals(events)), parks=True).state)
    now = replay(data.draw(orders(events)))
    if now.timeline.status is None:
        return

    entry = record(now, reconciled(published))

    assert entry is not None
    assert entry.changes == ()
    assert entry.state.version == published.version
    assert seen(entry.state.timeline) == seen(now.timeline)


@THOROUGH
@given(st.data(), event_sets(), event_sets())
def test_a_return_that_comes_again_goes_on_from_what_subscribers_hold(
    data: st.DataObject, gone: list[Event], true: list[Event]
) -> None:
    past = play(data.draw(arrivals(gone)), parks=True)
    creations = [event for event in true if event.attributes is not None]
    if past.state.timeline.status is None or not creations:
        return
    subscriber = Subscriber()
    for step in past.steps:
        subscriber.receive(step.entry)

    state = continued(told(past.state))
    others = [event for event in true if event is not creations[0]]
    whole = Whole()
    for event in [creations[0], *data.draw(orders(others))]:
        whole.add(event)
        entry = record(state, event, whole)
        if entry is not None:
            subscriber.receive(entry)
            state = entry.state

    assert_holds(subscriber, state)


@THOROUGH
@given(st.data(), event_sets())
def test_the_changes_folded_are_the_document(data: st.DataObject, events: list[Event]) -> None:
    state = play(data.draw(arrivals(events)), parks=True)
    changes = [
        from_json(status_changed("TK1", step.entry.state, change, datetime(2026, 11, 25, tzinfo=UTC)).value or b"")[
            "data"
        ]
        for step in state.steps
        for change in step.entry.changes
    ]
    if not changes:
        return

    document = folded(changes)

    assert document is not None
    held, true = published_of(document), told(state.state)
    # A change tells no connote of an export that does not count.
    assert (held.version, held.counts, held.attributes) == (true.version, true.counts, true.attributes)


def test_what_releases_before_told_of_a_place_is_not_told_again_for_the_name_s_sake() -> None:
    cottage, depot = {"name": "Doe Cottage", "country": "NZ"}, {"name": "Auckland", "code": "AKL", "country": "NZ"}
    (rc,) = story("RC@0")
    scans = {Milestone.RT: cottage, Milestone.DS: depot}
    events = [
        Event("/t", code.value, at, Sense.ASSERTS, code, location)
        for at, (code, location) in enumerate(scans.items(), 1)
    ]
    state = replay([rc, *events])
    before = return_document("TK1", state)  # with every name

    for document in (before, return_document("TK1", state, place=told_place)):
        entry = record(state, reconciled(published_of(document)))
        assert entry is not None
        assert entry.changes == ()

    elsewhere = published_of(
        return_document("TK1", replay([rc, replace(events[0], location={"country": "AU"}), events[1]]))
    )
    moved = record(state, reconciled(elsewhere))
    assert moved is not None
    assert [(change.kind.value, change.milestone.value) for change in moved.changes] == [("retimed", "RT")]
