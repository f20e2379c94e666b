"""The promises, for any set of events: the timeline is a function of the set, and the changes tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import event as note
from hypothesis import strategies as st
from pydantic_core import from_json

from service.domain import changes
from service.domain.changes import Change
from service.domain.events import Event, Sense, has_digest, told_place
from service.domain.exceptional import is_exceptional, reasons
from service.domain.journey import Entry, State, re_evaluate, record, replay
from service.domain.milestones import BESIDE, RANKED
from service.domain.timeline import Timeline, decide
from service.domain.whole import Whole, gather
from service.wire.outbound import status_changed
from service.wire.times import rfc3339
from tests.support import oracle
from tests.unit.domain.histories import (
    ACME,
    DOMESTIC,
    QUICK,
    THOROUGH,
    Played,
    Step,
    arrivals,
    event_sets,
    events,
    happened,
    in_order,
    key_of,
    not_understood,
    orders,
    play,
    recordings,
    void,
    worded,
)

RECORDED_AT = datetime(2026, 11, 23, tzinfo=UTC)
Seen = dict[str, tuple[int, str, str, Mapping[str, str] | None]]


def seen(timeline: Timeline) -> Seen:
    return {m.value: (s.at, s.source, s.id, s.location) for m, s in timeline.counts.items()}


def seen_by_oracle(truth: oracle.Truth) -> Seen:
    return {code: (e.at, e.source, e.id, e.location) for code, e in truth.counts.items()}


def assert_true(state: State, events: Sequence[Event]) -> None:
    truth = oracle.truth(events)

    assert seen(state.timeline) == seen_by_oracle(truth)
    assert state.timeline.status == truth.status
    assert state.timeline.complete == truth.complete
    closed = state.timeline.closed
    assert (closed and (closed.at, closed.reason)) == truth.closed
    assert state.evidence.labels == truth.labels or truth.status is None
    if truth.status is not None:
        assert state.evidence.connote == truth.connote
    assert {reason.value for reason in reasons(state.evidence, state.timeline)} == oracle.exceptions(events)


@THOROUGH
@given(recordings())
def test_after_every_event_the_timeline_is_what_the_rules_say_of_all_events_so_far(played: Played) -> None:
    note(f"status {played.state.timeline.status}")
    for step in played.steps:
        assert_true(step.entry.state, step.after)


@THOROUGH
@given(st.data(), event_sets(), st.booleans(), st.booleans())
def test_any_order_repetition_and_batching_ends_in_the_same_timeline(
    data: st.DataObject, events: list[Event], one_parks: bool, other_parks: bool
) -> None:
    one = play(data.draw(arrivals(events)), parks=one_parks).state
    other = play(data.draw(arrivals(events)), parks=other_parks).state

    assert one.timeline == other.timeline
    if oracle.truth(events).status is not None:  # else some may still be parked
        assert one.evidence == other.evidence
    assert_true(one, events)
    assert_true(other, events)


@THOROUGH
@given(st.data(), event_sets())
def test_what_counts_after_the_last_event_is_the_function_of_the_whole_set(
    data: st.DataObject, events: list[Event]
) -> None:
    state = play(data.draw(arrivals(events)), parks=False).state

    assert state.timeline == decide(gather(data.draw(orders(events))))
    assert state.timeline == replay(data.draw(orders(events))).timeline


@THOROUGH
@given(st.data(), event_sets())
def test_the_changes_tell_a_subscriber_the_timeline(data: st.DataObject, events: list[Event]) -> None:
    played = play(data.draw(arrivals(events)), parks=data.draw(st.booleans()))
    subscriber = Subscriber()

    for step in played.steps:
        subscriber.receive(step.entry)

        timeline = step.entry.state.timeline
        assert subscriber.timeline == {
            code: (rfc3339(at), source, id_, told_place(location))
            for code, (at, source, id_, location) in seen(timeline).items()
        }
        assert (subscriber.status, subscriber.complete) == (timeline.status, timeline.complete)
        if "RE" in subscriber.timeline:
            assert subscriber.connote == step.entry.state.evidence.connote
        assert subscriber.version == step.entry.state.version
        truth = oracle.truth(step.after)
        closed = truth.closed
        assert subscriber.closed == (closed and {"reason": closed[1], "at": rfc3339(closed[0])})
        if truth.status is not None:
            assert subscriber.labels == [oracle.label_of(truth.counts["RC"]), *truth.labels]


class Subscriber:
    """Holds what the messages said, and nothing else."""

    def __init__(self) -> None:
        self.timeline: dict[str, tuple[str, str, str, Mapping[str, str] | None]] = {}
        self.status: str | None = None
        self.complete = False
        self.version = 0
        self.connote: str | None = None
        self.closed: dict[str, str] | None = None
        self.labels: list[tuple[str, str]] = []

    def receive(self, entry: Entry) -> None:
        for change in entry.changes:
            message = status_changed("TK1", entry.state, change, RECORDED_AT)
            self.apply(from_json(message.value or b"")["data"])

    def apply(self, data: dict[str, Any]) -> None:
        code = data["milestone"]
        assert data["version"] == self.version + 1
        assert data["previous_status"] == self.status
        self.connote = data["connote"]
        self.labels = [(label["carrier"], label["tracking_number"]) for label in data["labels"]]
        if data["kind"] in {"closed", "reopened"}:
            self.closed = data["closed"]
            assert (self.closed is None) == (data["kind"] == "reopened")
        if data["kind"] in {"closed", "reopened", "detailed"}:
            assert code == self.status
            assert data["status"] == self.status
            self.version, self.complete = data["version"], data["complete"]
            return
        assert (code in self.timeline) == (data["kind"] in {"retimed", "revoked"})
        self.version = data["version"]
        if data["kind"] == "revoked":
            del self.timeline[code]
        else:
            cause = data["cause"]
            self.timeline[code] = (data["occurred_at"], cause["source"], cause["id"], data["location"])
        moved = data["status"] != self.status
        if data["kind"] in {"reached", "backfilled"}:
            assert moved == (data["kind"] == "reached")
            assert (code == data["status"]) or not moved
        elif data["kind"] == "retimed":
            assert not moved
        self.status, self.complete = data["status"], data["complete"]
        assert self.status == oracle.told_status(self.timeline)
        route_end = {"RDTPF"} if data["route"] == "first_mile_only" else {"RDBTC"}
        assert self.complete == bool(self.timeline.keys() & (route_end | {"RR"}))


@THOROUGH
@given(recordings())
def test_what_is_told_of_exceptions_adds_up_to_those_that_the_set_gives(played: Played) -> None:
    held = set[str]()
    for step in played.steps:
        entry = step.entry
        own = entry.reason if is_exceptional(entry.verdict, entry.reason) else None
        told = {*entry.raised, *([own] if own is not None else [])}
        held = (held | {reason.value for reason in told}) - {reason.value for reason in entry.settled}
        note(f"raised {entry.raised} settled {entry.settled}")

        if step.is_known:
            assert held == oracle.exceptions(step.after)


@THOROUGH
@given(recordings())
def test_one_event_yields_the_changes_between_two_truths_in_their_order(played: Played) -> None:
    for step in played.steps:
        before, after = oracle.truth(step.before), oracle.truth(step.after)

        changes = step.entry.changes

        assert [(c.kind, c.milestone) for c in changes] == oracle.move(before, after)
        for change in changes:
            assert_fields(change, step, before, after)


def assert_fields(change: Change, step: Step, before: oracle.Truth, after: oracle.Truth) -> None:
    if change.kind in BESIDE:
        shown = after.counts[change.milestone]
        assert change.cause == key_of(step.entry.event)
    elif change.kind == "revoked":
        shown = before.counts[change.milestone]
        assert change.cause == key_of(step.entry.event)
    else:
        shown = after.counts[change.milestone]
        assert change.cause == key_of(shown)
    assert (change.occurred_at, change.location) == (shown.at, shown.location)


# Few times and two connotes and routes: nearly each event meets another one that it may retime, deny or let count.
CROWDED = st.lists(
    st.builds(
        lambda code, at, name, domestic, connote: happened(
            code, at, id=name, attributes=DOMESTIC if domestic else ACME, connote=connote
        ),
        st.sampled_from([*RANKED, "RR"]),
        st.integers(1, 3),
        st.sampled_from("abcdefghij"),
        st.integers(0, 4).map(lambda n: n == 0),
        st.sampled_from(["CN-A", "CN-B"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(THOROUGH, max_examples=5 * settings().max_examples)
@given(CROWDED)
@example([happened(c, 4) for c in ("RP", "RE", "RDBTC")] + [happened("RE", 3, connote="CN-B")])
def test_the_fast_way_to_the_changes_says_what_the_general_way_says(events: list[Event]) -> None:
    state = replay([happened("RC", 2), happened("RP", 2)])
    whole = Whole([happened("RC", 2), happened("RP", 2)])
    for event in events:
        if has_digest(state.seen, event.key):
            continue
        whole.add(event)
        entry = record(state, event, whole)
        assert entry is not None
        after = entry.state.timeline
        assert after.route is not None
        note("fast" if changes.only_moved(event, state.timeline, after) is not None else "general")
        told = changes.Told(state.timeline, state.version, state.evidence.connote, state.evidence.attributes)
        general = changes.all_changes(told, event, after, after.route)

        assert entry.changes == general or (not general and entry.changes[0].kind == "detailed")
        state = entry.state


@QUICK
@given(recordings())
def test_versions_count_changes_and_seq_counts_rows(played: Played) -> None:
    versions = [change.version for step in played.steps for change in step.entry.changes]

    assert versions == list(range(1, len(versions) + 1))
    assert played.state.version == len(versions)
    assert [step.entry.state.seq for step in played.steps] == list(range(1, len(played.steps) + 1))


@THOROUGH
@given(recordings())
def test_every_verdict_agrees_with_the_table(played: Played) -> None:
    for step in played.steps:
        expected = oracle.verdict(step.entry.event, step.before, step.after)
        note(f"verdict {expected[0]} {expected[1] or ''}")

        assert (step.entry.verdict, step.entry.reason) == expected


@QUICK
@given(recordings())
def test_a_duplicate_is_nothing(played: Played) -> None:
    for number, step in enumerate(played.steps, start=1):
        for later in played.steps[number - 1 :]:
            assert record(later.entry.state, step.entry.event) is None


@QUICK
@given(st.data(), event_sets())
def test_each_distinct_event_gets_one_row_and_one_more_when_it_is_re_evaluated(
    data: st.DataObject, events: list[Event]
) -> None:
    coming = data.draw(arrivals(events))
    remapped = {arrival.event.identity for arrival in coming if arrival.remap}

    played = play(coming, parks=False)

    rows = sorted(step.entry.event.identity for step in played.steps)
    assert rows == sorted([*(event.identity for event in events), *remapped])
    assert played.duplicates == len(coming) - len(rows)


@THOROUGH
@given(st.data(), event_sets())
def test_a_void_may_come_before_or_after_its_target(data: st.DataObject, events: list[Event]) -> None:
    voids = [event for event in events if event.sense is Sense.VOIDS]
    others = data.draw(orders([event for event in events if event.sense is not Sense.VOIDS]))

    first, last = replay([*voids, *others]), replay([*others, *voids])

    assert first.timeline == last.timeline
    assert first.evidence == last.evidence


@THOROUGH
@given(st.data(), event_sets())
def test_a_voided_event_leaves_the_timeline_as_if_it_had_never_been(data: st.DataObject, events: list[Event]) -> None:
    valid = [event for event in events if not oracle.is_voided(event, events)]

    state = replay(data.draw(orders(events)))

    assert state.timeline == replay(valid).timeline


@THOROUGH
@given(st.data(), event_sets())
def test_voids_cannot_be_voided_nor_can_creations_that_agree(data: st.DataObject, events: list[Event]) -> None:
    assume(not oracle.contradict(event for event in events if event.milestone == "RC"))
    others = {key_of(event) for event in events if event.milestone != "RC" and event.sense is not Sense.VOIDS}
    stay = [event for event in events if event.milestone == "RC" or event.sense is Sense.VOIDS]
    firm = [event for event in stay if key_of(event) not in others]
    vain = [void(key_of(event)) for event in firm]

    played = play(in_order(data.draw(orders([*events, *vain]))), parks=False)

    assert played.state.timeline == replay(events).timeline
    for step in played.steps:
        if step.entry.event in vain:
            comes_after = step.entry.event.voids in {key_of(event) for event in (*step.before, step.entry.event)}
            assert (step.entry.verdict, step.entry.reason) == (
                ("refused", "not_voidable") if comes_after else ("informational", None)
            )
            assert step.entry.changes == ()


@THOROUGH
@given(st.data(), st.lists(events(("RC",)), min_size=2, max_size=5, unique_by=key_of))
def test_of_creations_that_contradict_each_other_any_can_be_voided_but_the_last(
    data: st.DataObject, creations: list[Event]
) -> None:
    mistaken = data.draw(st.lists(st.sampled_from(creations), unique_by=key_of))
    voids = [void(key_of(event)) for event in mistaken]
    left = [event for event in creations if event not in mistaken]

    state = play(in_order(data.draw(st.permutations([*creations, *voids])))).state

    stand = left if left and oracle.contradict(creations) else creations
    assert state.evidence.attributes == min(stand, key=oracle.order).attributes
    is_open = "creation_conflict" in {reason.value for reason in reasons(state.evidence, state.timeline)}
    assert is_open == oracle.contradict(stand)
    assert_true(state, [*creations, *voids])


@THOROUGH
@given(st.data(), events(), st.booleans())
def test_an_event_sent_again_with_its_place_filled_in_is_shown_with_it_and_is_no_exception(
    data: st.DataObject, event: Event, has_more: bool
) -> None:
    place = {"name": "Auckland", "code": "AKL", "country": "NZ"}
    fuller = worded(replace(event, location=place if has_more else {"country": "AU"}), "again")
    plain = worded(replace(event, location=None))
    known = worded(happened("RC", 0, source="portal", id="rc", attributes=ACME))

    played = play(in_order(data.draw(st.permutations([known, plain, fuller]))))

    assert "id_reused" not in {reason.value for reason in reasons(played.state.evidence, played.state.timeline)}
    sighting = played.state.evidence.earliest.get(event.milestone) if event.milestone else None
    if sighting is not None and event.milestone != "RC":
        assert sighting.location == fuller.location
    assert_true(played.state, [known, plain, fuller])


@QUICK
@given(st.data(), event_sets())
def test_an_unmapped_event_is_re_evaluated_once(data: st.DataObject, events: list[Event]) -> None:
    scans = [event for event in events if event.milestone in {"RT", "RDTPF"}]
    if not scans:
        return
    scan = data.draw(st.sampled_from(scans))
    recorded = [not_understood(event) if event == scan else event for event in events]
    state = replay(recorded)

    assert re_evaluate(state, not_understood(scan)) is None
    entry = re_evaluate(state, scan, Whole([*recorded, scan]))
    assert entry is not None
    assert_true(entry.state, events)
    assert re_evaluate(entry.state, scan) is None
    assert record(entry.state, scan) is None


@QUICK
@given(st.lists(st.binary(min_size=8, max_size=8), max_size=6), st.binary(min_size=8, max_size=8), st.integers(0, 48))
def test_a_key_is_seen_only_where_one_begins(keys: list[bytes], other: bytes, start: int) -> None:
    together = b"".join(keys)
    astride = together[start : start + 8]
    state = replace(replay([]), seen=together)

    assert all(has_digest(state.seen, key) for key in keys)
    assert has_digest(state.seen, other) == (other in keys)
    assert len(astride) < 8 or has_digest(state.seen, astride) == (astride in keys)
