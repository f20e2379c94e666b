"""A stand-in for service.wire.outbound."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from service.domain.journey import Change, State
from service.domain.milestones import NAMES
from service.wire.record import Record
from service.wire.stored import from_micros


class Message(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


_STRUCTURED = (("content-type", b"application/cloudevents+json"),)


def status_changed(return_id: str, state: State, change: Change, recorded_at: datetime) -> Message:
    attributes = state.evidence.attributes
    assert attributes is not None
    data = {
        "return_id": return_id,
        "version": change.version,
        "kind": change.kind,
        "milestone": change.milestone,
        "occurred_at": from_micros(change.occurred_at),
        "status": change.status,
        "status_name": NAMES[change.status] if change.status else None,
        "previous_status": change.previous_status,
        "complete": change.complete,
        "route": attributes.route,
        "retailer": attributes.retailer,
        "order_number": attributes.order_number,
        "carrier": attributes.carrier,
        "tracking_number": attributes.tracking_number,
        "connote": state.evidence.connote,
        "location": change.location,
        "cause": {"source": change.cause[0], "id": change.cause[1]},
        "recorded_at": recorded_at,
    }
    event = {
        "specversion": "1.0",
        "id": f"{return_id}/{change.version}",
        "source": "/returns-status",
        "type": "com.omnirps.return.status-changed.v1",
        "time": recorded_at,
        "datacontenttype": "application/json",
        "data": data,
    }
    return Message(return_id.encode(), to_json(event), _STRUCTURED)


def current_status(return_id: str, state: State, recorded_at: datetime) -> Message:
    attributes = state.evidence.attributes
    assert attributes is not None
    data: dict[str, Any] = {
        "return_id": return_id,
        "retailer": attributes.retailer,
        "order_number": attributes.order_number,
        "route": attributes.route,
        "carrier": attributes.carrier,
        "tracking_number": attributes.tracking_number,
        "connote": state.evidence.connote,
        "status": state.timeline.status,
        "status_name": NAMES[state.timeline.status] if state.timeline.status else None,
        "version": state.version,
        "complete": state.timeline.complete,
        "timeline": [{"code": m, "occurred_at": from_micros(s.at)} for m, s in state.timeline.counts.items()],
    }
    return Message(return_id.encode(), to_json({"id": f"{return_id}/{state.version}", "data": data}), _STRUCTURED)


def exception(row: Any, state: State) -> Message:
    data = {"return_id": row.return_id, "verdict": row.verdict, "reason": row.reason, "milestone": row.milestone}
    return Message(row.return_id.encode(), to_json({"id": f"{row.return_id}/{row.seq}", "data": data}), _STRUCTURED)


def dead_letter(record: Record, reason: str, error: str) -> Message:
    told = {
        "dlq.reason": reason,
        "dlq.error": error,
        "dlq.topic": record.topic,
        "dlq.partition": record.partition,
        "dlq.offset": record.offset,
        "dlq.timestamp": record.timestamp,
    }
    headers = (*record.headers, *((name, str(value).encode()) for name, value in told.items()))
    return Message(record.key, record.value, headers)
