"""A return as the public pages find it, from CloudEvents, without a database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from service.application.reading.redaction import Found
from service.application.reading.tracking import RecordedEvent
from service.domain.events import Event
from service.domain.journey import replay
from service.domain.milestones import Milestone
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.stored import stored_event
from service.wire.times import instant

_MILESTONES = {
    models.RETURN_CREATED: Milestone.RC,
    models.HUB_DEPOT_SCANNED: Milestone.DS,
    models.HUB_PROCESSED: Milestone.RP,
    models.HUB_EXPORTED: Milestone.RE,
    models.HUB_REJECTED: Milestone.RR,
    models.CONNOTE_DELIVERED: Milestone.RDBTC,
}
TABLES = CarrierTables.load()


def found(number: str, events: Iterable[dict[str, Any]], zone_source: str = "event") -> Found:
    """What a store finds of a return with these events; they are recorded in this order."""
    rows = [_row(seq, event, zone_source) for seq, event in enumerate(events, start=1)]
    return Found(number, replay(map(_event, rows)), rows)


def _event(row: RecordedEvent) -> Event:
    data = dict(row.data)
    effect = TABLES.understand(data["carrier"], data["code"]).effect if row.type == models.CARRIER_SCANNED else None
    return stored_event(row.source, row.id, row.type, row.occurred_at, row.milestone, data, effect=effect)


def _row(seq: int, event: dict[str, Any], zone_source: str) -> RecordedEvent:
    data = event["data"]
    milestone = _MILESTONES.get(event["type"])
    if event["type"] == models.CARRIER_SCANNED:
        milestone = TABLES.understand(data["carrier"], data["code"]).milestone
    return RecordedEvent(
        seq=seq,
        source=event["source"],
        id=event["id"],
        type=event["type"],
        code=data.get("code"),
        milestone=milestone,
        occurred_at=datetime.fromisoformat(event["time"]),
        recorded_at=datetime(2026, 11, 21, tzinfo=UTC),
        verdict="advanced",
        reason=None,
        zone_source=zone_source,
        topic="t",
        partition=0,
        offset=seq,
        data=data,
        utc_offset=instant(event["time"])[1],
    )
