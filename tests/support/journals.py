"""Puts events into a database the way ingestion does, without Kafka."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any, Final

from service.adapters.postgres.journal.histories import open_histories
from service.adapters.postgres.journal.journal import PostgresJournal
from service.application.journal.ingest import decode, write
from service.application.journal.sweep import sweep
from service.application.journal.verify import verify
from service.application.ports import Arrival
from service.domain.rules import DEFAULT, Rules
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.judging.publishers import Publishers
from service.wire.record import Record

RC = "com.omnirps.return.created.v1"
SCAN = "com.omnirps.carrier.scanned.v1"
DS, RP, RE, RR = (f"com.omnirps.hub.{name}.v1" for name in ("depot-scanned", "processed", "exported", "rejected"))
VOID = "com.omnirps.event.voided.v1"
CLOSED = "com.omnirps.return.closed.v1"
REOPENED = "com.omnirps.return.reopened.v1"
DELIVERED = "com.omnirps.connote.delivered.v1"
TOPICS = {
    RC: "omnireturns.returns",
    CLOSED: "omnireturns.returns",
    SCAN: "first-mile.scans",
    DELIVERED: "final-mile.deliveries",
}

RECEIVED_MS: Final = 1_795_600_000_000  # when Kafka had what these helpers record: 2026-11-25, never the day of the run

_offsets = itertools.count()


def event(type_: str, id_: str, time: str, **data: Any) -> dict[str, Any]:
    """A CloudEvent of 2026-11-20 at that time of day."""
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "/test",
        "type": type_,
        "time": f"2026-11-20T{time}:00Z",
        "data": data,
    }


def creation(return_id: str = "R-1001", time: str = "09:00", **data: Any) -> dict[str, Any]:
    """The creation of a return that carrier `generic` transports."""
    known = {"retailer": "acme", "route": "omnirps", "carrier": "generic", "tracking_number": f"T{return_id}"}
    return event(RC, f"{return_id}-rc", time, return_id=return_id, **{**known, **data})


def scan(code: str, time: str, return_id: str = "R-1001", **data: Any) -> dict[str, Any]:
    """A scan by carrier `generic`."""
    label = {"carrier": "generic", "tracking_number": f"T{return_id}"}
    return event(SCAN, f"{return_id}-{code}-{time}", time, code=code, **label, **data)


def ingest(database_url: str, events: Iterable[dict[str, Any]], rules: Rules = DEFAULT) -> None:
    """Record the events in one batch, and place what had to wait."""
    ingest_from(database_url, [(TOPICS.get(each["type"], "omnirps.hub-events"), each) for each in events], rules)


def ingest_from(
    database_url: str,
    messages: Iterable[tuple[str, dict[str, Any]]],
    rules: Rules = DEFAULT,
    publishers: Publishers | None = None,
) -> None:
    """The same of events that came by these topics, of which the publishers may say what they say."""
    with closing(PostgresJournal(database_url, CarrierTables.load(), rules=rules)) as journal:
        take_in(journal, messages, publishers)


def take_in(
    journal: PostgresJournal, messages: Iterable[tuple[str, dict[str, Any]]], publishers: Publishers | None = None
) -> None:
    """The same by a worker that goes on, and remembers what it does."""
    records = [
        Record(
            topic,
            0,
            next(_offsets),
            RECEIVED_MS,
            None,
            as_bytes(each),
            (("content-type", b"application/cloudevents+json"),),
        )
        for topic, each in messages
    ]
    items = decode(Parser(CarrierTables.load(), publishers=publishers), records)
    refused = [item for item in items if not isinstance(item, Arrival)]
    assert not refused, refused
    write(journal, items, {})
    while sweep(journal) is not None:
        pass


def as_bytes(document: dict[str, Any]) -> bytes:
    """As it is sent."""
    return json.dumps(document).encode()


def differences(database: str) -> list[str]:
    """What `verify` says of the database."""
    found: list[str] = []
    with open_histories(database) as histories:
        verify(histories, found)
    return found
