"""What the history keeps of a state and of an entry's changes is what was decided."""

from __future__ import annotations

from dataclasses import replace as event_with
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic_core import from_json

from service.domain.changes import Change
from service.domain.events import Event, Sense
from service.domain.journey import NEW, Entry, State, replay
from service.domain.milestones import Kind, Milestone, Reason, Route
from service.wire import models
from service.wire.carriers import CarrierTables, parse_table
from service.wire.inbound import Inbound, Parser
from service.wire.record import Record
from service.wire.rows.claimed import said_retailers
from service.wire.rows.reconciled import NOTHING, RECONCILED, event_data
from service.wire.stored import (
    KeptEvent,
    decode_changes,
    decode_moves,
    decode_state,
    encode_changes,
    encode_moves,
    encode_state,
    from_micros,
    stored_event,
    to_micros,
)
from tests.unit.domain.histories import (
    THOROUGH,
    Played,
    arrivals,
    event_sets,
    happened,
    in_order,
    play,
    recordings,
    story,
    void,
)
from tests.unit.wire.events import envelope, record, with_data

TABLES = CarrierTables.load()
MESSAGES = (
    *(pytest.param(envelope(event_type), id=event_type) for event_type in models.MODELS),
    pytest.param(with_data(models.CARRIER_SCANNED, code="OP-1"), id="a scan that informs"),
    pytest.param(with_data(models.CARRIER_SCANNED, code="OP-29"), id="a scan of a parcel on its way back"),
    pytest.param(
        with_data(models.CARRIER_SCANNED, local_time="2026-11-23T10:00:00") | {"time": None}, id="a scan in local time"
    ),
    pytest.param(with_data(models.CARRIER_SCANNED, code="no such code"), id="a scan with an unknown code"),
    pytest.param(with_data(models.CARRIER_SCANNED, carrier="nobody"), id="a scan of an unknown carrier"),
    pytest.param(with_data(models.RETURN_CREATED, order_number=None), id="a creation without order number"),
    pytest.param(with_data(models.CONNOTE_DELIVERED, location=None), id="a delivery somewhere"),
    pytest.param(with_data(models.HUB_PROCESSED, connote="CN-1"), id="with a connote where it means nothing"),
    pytest.param(envelope(models.HUB_PROCESSED, time="2026-11-24T09:12:13Z"), id="from tomorrow"),
    pytest.param(envelope(models.HUB_PROCESSED, sequence="7", traceparent="00-ab-cd-01"), id="with extensions"),
)


def stored_and_read(state: State) -> State:
    return decode_state(from_json(encode_state(state)), state.seq, state.version, state.seen)


def moves_stored_and_read(entry: Entry) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    raised, settled = decode_moves(from_json(encode_moves(entry) or b"null"))
    return tuple(raised), tuple(settled)


def changes_stored_and_read(entry: Entry) -> tuple[object, ...]:
    encoded = encode_changes(entry.changes)
    document = None if encoded is None else from_json(encoded)
    cause = (entry.event.source, entry.event.id)
    return tuple(decode_changes(document, stored_and_read(entry.state), cause))


@THOROUGH
@given(recordings())
def test_every_state_of_a_history_is_read_as_it_was_stored(played: Played) -> None:
    for step in played.steps:
        assert stored_and_read(step.entry.state) == step.entry.state


@THOROUGH
@given(recordings())
def test_what_every_row_moved_is_read_as_it_was_stored(played: Played) -> None:
    for step in played.steps:
        assert changes_stored_and_read(step.entry) == step.entry.changes
        assert moves_stored_and_read(step.entry) == (step.entry.raised, step.entry.settled)


@THOROUGH
@given(st.data(), event_sets())
def test_a_state_from_before_the_creation_is_read_as_it_was_stored(data: st.DataObject, events: list[Event]) -> None:
    for step in play(data.draw(arrivals(events)), parks=False).steps:
        assert stored_and_read(step.entry.state) == step.entry.state


def test_what_is_read_are_the_domain_s_own_words_and_not_strings_that_equal_them() -> None:
    entry = play(in_order([*story("RC@1 RP@4 RE@6"), void(("s", "RE@6"))])).steps[-1].entry

    state = stored_and_read(entry.state)
    (change,) = changes_stored_and_read(entry)

    assert {type(code) for code in state.evidence.earliest} == {Milestone}
    assert {type(key) for key in state.voided} == {bytes}
    assert state.timeline.route is Route.OMNIRPS
    assert isinstance(change, Change)
    assert (change.kind, change.milestone) == (Kind.REVOKED, Milestone.RE)
    assert [type(word) for word in (change.kind, change.milestone, change.status, change.previous_status)] == [
        Kind,
        Milestone,
        Milestone,
        Milestone,
    ]


@pytest.mark.parametrize("text", ("Ωmega", 'quo"te', "back\\slash", "line\nbreak", "\U0001f4e6", "\u2028"))
def test_any_text_is_read_as_it_was_stored(text: str) -> None:
    creation = happened("RC", 1, source=text, id=text, location={"name": text})

    entry = play(in_order([creation])).steps[-1].entry

    assert stored_and_read(entry.state) == entry.state
    assert changes_stored_and_read(entry) == entry.changes


def test_a_new_state_is_read_as_it_was_stored() -> None:
    assert stored_and_read(NEW) == NEW


def test_no_change_is_stored_as_nothing() -> None:
    assert encode_changes(()) is None
    assert decode_changes(None, NEW, ("s", "x")) == []


@pytest.mark.parametrize("moment", (0, 1, 946_684_800_000_000, 1_795_435_200_123_456, 253_402_300_799_999_999))
def test_a_time_keeps_its_microseconds(moment: int) -> None:
    assert to_micros(from_micros(moment)) == moment


@pytest.mark.parametrize("message", MESSAGES)
def test_an_event_is_read_from_its_history_row_as_it_was_understood(message: dict[str, Any]) -> None:
    event = (inbound := Parser(TABLES).parse(record(message))).event

    read = stored_event(
        event.source,
        event.id,
        inbound.type,
        from_micros(event.at),
        event.milestone and str(event.milestone),
        from_json(inbound.data),
        "unmapped" if event.unmapped_because else "advanced",
        event.unmapped_because and str(event.unmapped_because),
        event.effect and str(event.effect),
        event.is_ahead,
    )

    assert read == event
    assert (type(read.milestone), type(read.unmapped_because)) == (type(event.milestone), type(event.unmapped_because))


@pytest.mark.parametrize("message", MESSAGES)
def test_an_event_that_had_to_wait_is_read_as_it_came(message: dict[str, Any]) -> None:
    inbound = Parser(TABLES).parse(record(message))

    assert waited(inbound, TABLES) == inbound


def test_a_scan_that_had_to_wait_is_understood_by_the_table_of_today() -> None:
    message = with_data(models.CARRIER_SCANNED, carrier="newcomer", code="C")
    inbound = Parser(TABLES).parse(record(message))
    newcomer = parse_table("newcomer", 'name = "N"\nzone = "UTC"\n[collected]\nC = "collected"\n', "newcomer.toml")

    event = waited(inbound, CarrierTables([newcomer])).event

    assert inbound.event.sense is Sense.UNMAPPED
    assert (event.sense, event.milestone, event.unmapped_because) == (Sense.ASSERTS, Milestone.RT, None)


@pytest.mark.parametrize("retailers", ((), ("acme",), ("acme", "zenith")))
def test_for_whom_a_scan_counts_is_read_as_it_came(retailers: tuple[str, ...]) -> None:
    inbound = Parser(TABLES).parse(record(with_data(models.CARRIER_SCANNED)))
    bound = replace(inbound, event=event_with(inbound.event, retailers=retailers))

    assert waited(bound, TABLES) == bound
    assert len({event_with(inbound.event, retailers=each).identity for each in (retailers, ("bravo",))}) == 2
    assert bound.event.digests == (bound.event.key, bound.event.identity)


def waited(inbound: Inbound, tables: CarrierTables) -> Inbound:
    event = inbound.event
    kept = KeptEvent(
        source=event.source,
        id=event.id,
        type=inbound.type,
        occurred_at=from_micros(event.at),
        zone_source=inbound.zone_source,
        utc_offset=inbound.utc_offset,
        code=inbound.code,
        milestone=event.milestone and str(event.milestone),
        data=inbound.data.decode(),
        extensions=None if inbound.extensions is None else inbound.extensions.decode(),
        topic="t",
        topic_id=None,
        partition=0,
        offset=0,
        published_at=from_micros(0),
        is_ahead=event.is_ahead,
        retailers=said_retailers(event.retailers),
    )
    return kept.inbound(str(inbound.kind), inbound.subject, tables)


def test_where_an_event_stood_in_kafka_is_read_from_its_row() -> None:
    kept = KeptEvent(
        "/s", "i", models.HUB_PROCESSED, from_micros(5), "event", None, None, "RP", "{}", None, "topic",
        bytes(15) + b"\x2a", 3, 17, from_micros(1_795_608_000_250_999),
    )  # fmt: skip

    assert kept.record() == Record("topic", 3, 17, 1_795_608_000_250, None, None, topic_id=bytes(15) + b"\x2a")
    assert kept._replace(topic_id=None).record().topic_id is None


@pytest.mark.parametrize("verdict", ("held", "refused", "advanced", None))
def test_a_reason_is_why_a_scan_is_unmapped_only_where_that_was_the_verdict(verdict: str | None) -> None:
    label = {"carrier": "generic", "tracking_number": "TR-1"}
    event = stored_event("/s", "i", models.CARRIER_SCANNED, from_micros(5), None, label, verdict, "unknown_code")

    assert (event.sense, event.unmapped_because, event.milestone) == (Sense.INFORMS, None, None)


def test_a_row_of_a_type_that_this_version_does_not_know_asserts_nothing() -> None:
    event = stored_event("/s", "i", "com.omnirps.later.v1", from_micros(5), None, {})

    assert (event.sense, event.milestone, event.at) == (Sense.INFORMS, None, 5)


def test_what_subscribers_held_is_read_from_the_row_that_says_so() -> None:
    event = stored_event("/s", "i", RECONCILED, from_micros(5), None, event_data("R-1", None))

    assert (event.sense, event.published, event.at) == (Sense.RECONCILES, NOTHING, 5)


def test_a_state_does_not_grow_with_its_return_s_past() -> None:
    voids = [void(("s", f"none-{n}"), id=f"v-{n}") for n in range(3_000)]
    exports = [happened("RE", n, id=f"re-{n}", connote=f"CN-{n:04}") for n in range(300)]
    deliveries = [happened("RDBTC", n, id=f"d-{n}", connote=f"CN-{n:04}") for n in range(300)]
    scans = [happened("RT", n, id=f"rt-{n}") for n in range(300)]
    known = [happened("RC", 1), happened("RP", 2)]

    state = replay([*known, *voids, *exports, *deliveries, *scans])

    assert len(encode_state(state)) < 1_000
    assert state.timeline.status is Milestone.RDBTC
