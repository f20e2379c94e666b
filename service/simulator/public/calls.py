"""Requests: what is posted where, for whom, and what the answer says of each message in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from service.simulator.messages import Message
from service.simulator.public.native import OpenFeed, native
from service.simulator.public.publishers import Publisher, publisher_of
from service.wire.http_events import BATCH_MEDIA_TYPE, MOST_EVENTS

EVENTS: Final = "/v1/events"
CHECK: Final = "/v1/events/check"
MOST_OF_A_BATCH: Final = MOST_EVENTS
MOST_OF_A_POST: Final = 200  # parcels


class Call(NamedTuple):
    """One request. `way` names it in the report; `publisher` is whose token it needs, None where it is signed."""

    way: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    messages: tuple[Message, ...]
    publisher: Publisher | None


def batch(publisher: Publisher, messages: Sequence[Message]) -> Call:
    """Several events of one publisher, each of them in structured mode."""
    body = b"[" + b",".join(message.value for message in messages) + b"]"
    return Call(EVENTS, EVENTS, {"content-type": BATCH_MEDIA_TYPE}, body, tuple(messages), publisher)


def single(message: Message) -> Call:
    """One event, in the mode that it has; what is no event is sent like one."""
    headers = {}
    for name, value in message.headers:
        text = value.decode()
        headers[name.replace("ce_", "ce-", 1)] = quote(text, safe=":/+") if name.startswith("ce_") else text
    return Call(EVENTS, EVENTS, headers, message.value, (message,), publisher_of(message.fact))


def posted(carrier: str, feed: OpenFeed, messages: Sequence[Message]) -> Call:
    """Scans in their carrier's own words."""
    # Whatever mode they were to have, they have the carrier's.
    sent = tuple(each._replace(flaws=tuple(flaw for flaw in each.flaws if flaw != "binary")) for each in messages)
    publisher = publisher_of(messages[0].fact) if feed.signature is None else None
    headers = {"content-type": "application/json", **feed.headers}
    body = native(carrier, [message.fact for message in messages])
    return Call(f"/v1/feeds/{feed.name}", feed.path, headers, body, sent, publisher)


def refusals(call: Call, status: int, body: bytes) -> list[str | None]:
    """Of each message why it was refused, None where it was taken."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    items = document.get("items") if isinstance(document, dict) else None
    is_taken = status < HTTPStatus.BAD_REQUEST
    tells_of_each = is_taken or status == HTTPStatus.UNPROCESSABLE_ENTITY
    if tells_of_each and isinstance(items, list) and len(items) == len(call.messages):
        return [_refusal(item) or (None if is_taken else "invalid") for item in items]
    return [f"HTTP {status}"] * len(call.messages)


def _refusal(item: Any) -> str | None:
    """By an item of an answer to events, or to a feed."""
    state = item.get("status", item.get("state"))
    if state == "accepted":
        return None
    fault = next(iter(item.get("faults") or ()), None) or item.get("fault") or {}
    reason, path = item.get("reason") or fault.get("reason") or state, fault.get("path")
    return f"{reason} at {path}" if path else str(reason)
