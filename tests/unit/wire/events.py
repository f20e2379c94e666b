"""Valid input events to start from: a test changes the one thing that it is about."""

from __future__ import annotations

import json
from typing import Any, Final

from service.wire import models
from service.wire.record import Record

NOW_MS: Final = 1_795_435_200_000  # 2026-11-23T12:00:00Z
TIME: Final = "2026-11-23T09:12:13.123456Z"
STRUCTURED: Final = (("content-type", b"application/cloudevents+json"),)

DATA: Final[dict[str, dict[str, Any]]] = {
    models.RETURN_CREATED: {
        "return_id": "TK100342334NZ",
        "retailer": "acme",
        "route": "omnirps",
        "carrier": "omniparcel",
        "tracking_number": "OP123456789NZ",
        "order_number": "201905270449",
        "origin_country": "NZ",
        "destination_country": "GB",
        "items": [{"sku": "SHOE-42", "quantity": 1, "description": "Shoe", "reason": "too small"}],
    },
    models.RETURN_CLOSED: {"return_id": "TK100342334NZ", "by": "the portal", "reason": "lost", "note": "paid for"},
    models.RETURN_REOPENED: {"return_id": "TK100342334NZ", "by": "the portal", "reason": "found", "note": "in a van"},
    models.CARRIER_SCANNED: {
        "carrier": "omniparcel",
        "tracking_number": "OP123456789NZ",
        "code": "OP-72",
        "description": "Delivered",
        "location": {"name": "Auckland", "code": "AKL", "country": "NZ"},
        "signed_by": "J. Doe",
    },
    models.HUB_DEPOT_SCANNED: {"return_id": "TK100342334NZ", "hub": "akl-1", "location": {"country": "NZ"}},
    models.HUB_PROCESSED: {
        "return_id": "TK100342334NZ",
        "hub": "akl-1",
        "items": [{"sku": "SHOE-42", "quantity": 1, "condition": "as new"}],
        "omnirps_tracking_number": "BE00000146",
    },
    models.HUB_EXPORTED: {
        "return_id": "TK100342334NZ",
        "hub": "akl-1",
        "connote": "CN-2026-0001",
        "mawb": "086-12345675",
        "destination_country": "GB",
    },
    models.HUB_REJECTED: {"return_id": "TK100342334NZ", "hub": "akl-1", "reason": "not ours", "note": "a brick"},
    models.EVENT_VOIDED: {
        "return_id": "TK100342334NZ",
        "source": "/hubs/akl-1",
        "id": "42",
        "by": "an operator",
        "reason": "scanned the wrong parcel",
    },
    models.CONNOTE_DELIVERED: {
        "connote": "CN-2026-0001",
        "carrier": "generic",
        "location": {"name": "Warehouse 7", "country": "GB"},
        "signed_by": "J. Doe",
    },
}


def envelope(event_type: str, **changes: Any) -> dict[str, Any]:
    """A structured event of the type; a change to None removes the attribute."""
    event = {
        "specversion": "1.0",
        "id": "8a7c1f8e-1f6b-4c0c-9a55-0d5c3f2f9b11",
        "source": "/tests/publisher",
        "type": event_type,
        "time": TIME,
        "datacontenttype": "application/json",
        "data": dict(DATA[event_type]),
        **changes,
    }
    return {name: value for name, value in event.items() if value is not None}


def with_data(event_type: str, **changes: Any) -> dict[str, Any]:
    """A structured event of the type with other data; a change to None removes the member."""
    data = {**DATA[event_type], **changes}
    return envelope(event_type, data={name: value for name, value in data.items() if value is not None})


def record(
    value: bytes | dict[str, Any] | None,
    headers: tuple[tuple[str, bytes | None], ...] = STRUCTURED,
    topic: str = "a-topic",
) -> Record:
    raw = json.dumps(value).encode() if isinstance(value, dict) else value
    return Record(topic, 0, 0, NOW_MS, b"key", raw, headers)


def binary(event: dict[str, Any], *more: tuple[str, bytes | None]) -> Record:
    """The same event in binary mode."""
    attributes = {name: value for name, value in event.items() if name not in ("data", "datacontenttype")}
    headers: list[tuple[str, bytes | None]] = [
        (f"ce_{name}", str(value).encode()) for name, value in attributes.items()
    ]
    if "datacontenttype" in event:
        headers.append(("content-type", event["datacontenttype"].encode()))
    return record(json.dumps(event["data"]).encode(), (*headers, *more))
