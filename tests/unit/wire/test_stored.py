"""What the history keeps reads back as what was recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import Attributes, Event, Sense
from service.domain.journey import NEW, Entry, record
from service.domain.milestones import Milestone, Reason, Route
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.stored import (
    decode_changes,
    decode_state,
    encode_changes,
    encode_state,
    from_micros,
    stored_event,
    stored_inbound,
    to_micros,
)
from tests.unit.wire import events
from tests.unit.wire.events import with_data

TABLES = CarrierTables.load()
PARSER = Parser(TABLES)
T0 = 1_795_435_200_000_000


def asserting(milestone: Milestone, hour: int, number: int) -> Event:
    attributes = Attributes("acme", Route.OMNIRPS, "generic", f"TN-{number}") if milestone is Milestone.RC else None
    connote = f"CN-{number}" if milestone in (Milestone.RE, Milestone.RDBTC) else None
    location = {"name": f"place {number}"} if number % 2 else None
    at = T0 + hour * 3_600_000_000 + number
    return Event("/t", f"{milestone}-{hour}-{number}", at, Sense.ASSERTS, milestone, location, attributes, connote)


journeys = st.lists(
    st.builds(asserting, st.sampled_from(tuple(Milestone)), st.integers(0, 9), st.integers(0, 3)), max_size=12
)


def entries(history: list[Event]) -> list[Entry]:
    state, made = NEW, list[Entry]()
    for event in [asserting(Milestone.RC, 5, 2), *history]:
        entry = record(state, event)
        if entry is not None:
            state = entry.state
            made.append(entry)
    return made


@given(journeys)
def test_states_and_changes_read_back_as_they_were(history: list[Event]) -> None:
    for entry in entries(history):
        state = entry.state
        document = json.loads(encode_state(state))

        read = decode_state(document, state.seq, state.version, state.seen)

        assert read == state
        encoded = encode_changes(entry.changes)
        event = entry.event
        changes = decode_changes(None if encoded is None else json.loads(encoded), read, (event.source, event.id))
        assert tuple(changes) == entry.changes


@pytest.mark.parametrize("event_type", tuple(models.MODELS))
@pytest.mark.parametrize(
    "more",
    (
        {},
        {"location": {"name": "", "code": None, "country": "NZ", "further": 1}},
        {"location": {}},
        {"connote": "CN-9", "further": ["x"]},
    ),
)
def test_an_event_reads_back_as_it_was_understood(event_type: str, more: dict[str, Any]) -> None:
    inbound = PARSER.parse(events.record(with_data(event_type, **more)))
    event = inbound.event
    data = json.loads(inbound.data)

    read = stored_event(event.source, event.id, event_type, from_micros(event.at), event.milestone, data)

    assert read == event


@pytest.mark.parametrize("event_type", tuple(models.MODELS))
def test_a_parked_event_reads_back_as_it_came(event_type: str) -> None:
    inbound = PARSER.parse(events.record(events.envelope(event_type, subject="s")))
    event = inbound.event

    read = stored_inbound(
        inbound.kind,
        inbound.subject,
        event.source,
        event.id,
        event_type,
        from_micros(event.at),
        inbound.zone_source,
        inbound.code,
        event.milestone,
        inbound.data.decode(),
        None if inbound.extensions is None else inbound.extensions.decode(),
        tables=TABLES,
    )

    assert read == inbound


@pytest.mark.parametrize("because", (Reason.UNKNOWN_CODE, Reason.UNKNOWN_CARRIER, None))
def test_a_scan_without_a_milestone_reads_back_with_why(because: Reason | None) -> None:
    data = events.DATA[models.CARRIER_SCANNED]

    read = stored_event("/t", "1", models.CARRIER_SCANNED, from_micros(T0), None, data, unmapped_because=because)

    assert read.sense is (Sense.INFORMS if because is None else Sense.UNMAPPED)
    assert (read.milestone, read.unmapped_because) == (None, because)


def test_moments_are_microseconds_both_ways() -> None:
    moment = datetime(2026, 11, 23, 12, 0, 0, 123_457, UTC)

    assert from_micros(to_micros(moment)) == moment
    assert to_micros(from_micros(T0 + 1)) == T0 + 1
