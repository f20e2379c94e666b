"""Facts to bytes, in structured and binary mode, and the ways in which publishers get it wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum, unique
from random import Random
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from service.domain.events import Event
from service.simulator.facts import Fact
from service.simulator.options import Topics
from service.wire.models import CARRIER_SCANNED

Headers = tuple[tuple[str, bytes], ...]

_STRUCTURED: Final[Headers] = (("content-type", b"application/cloudevents+json"),)


@unique
class Nature(StrEnum):
    """What a message is, known to the world that made it."""

    EVENT = "event"  # the first to carry its event
    REPEAT = "repeat"  # carries an event that another message carried
    INVALID = "invalid"  # carries none


class Message(NamedTuple):
    """One message for Kafka, and the truth about it.

    `moment` is when it is sent, in seconds of virtual time. `subject` is the return_id, for a delivery the connote; `fact` what
    its publisher means to tell, `event` what a reader must understand, None where nature is INVALID. `flaws` are what went
    wrong with it, by the names of options and of oddities.
    """

    moment: float
    topic: str
    key: bytes
    value: bytes
    headers: Headers
    nature: Nature
    subject: str
    fact: Fact
    event: Event | None
    is_carriers: bool = False
    flaws: tuple[str, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether its attributes stand in headers."""
        return len(self.headers) > 1


def encode(fact: Fact, topics: Topics, moment: float, *, binary: bool, flaws: tuple[str, ...] = ()) -> Message:
    """The fact as its publisher sends it."""
    event = fact.event
    if binary:
        value = to_json(fact.data)
        headers: Headers = (
            ("ce_specversion", b"1.0"),
            ("ce_id", event.id.encode()),
            ("ce_source", event.source.encode()),
            ("ce_type", fact.type.encode()),
            *((("ce_time", fact.time.encode()),) if fact.time else ()),
            ("content-type", b"application/json"),
        )
    else:
        value, headers = to_json(envelope(fact)), _STRUCTURED
    topic, key = topics[fact.kind], fact.key.encode()
    is_carriers = fact.type is CARRIER_SCANNED
    return Message(moment, topic, key, value, headers, Nature.EVENT, fact.subject, fact, event, is_carriers, flaws)


def envelope(fact: Fact) -> dict[str, Any]:
    """The structured-mode document."""
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": fact.event.id,
        "source": fact.event.source,
        "type": fact.type,
    }
    if fact.time is not None:
        document["time"] = fact.time
    document["data"] = fact.data
    return document


def spoil(fact: Fact, topics: Topics, moment: float, rng: Random) -> Message:
    """What the publisher sends before it notices: no event."""
    document = envelope(fact)
    document["data"] = dict(fact.data)
    value = _WAYS[int(rng.random() * len(_WAYS))](document)
    topic, key = topics[fact.kind], fact.key.encode()
    return Message(moment, topic, key, value, _STRUCTURED, Nature.INVALID, fact.subject, fact, None, flaws=("invalid",))


def _truncated(document: dict[str, Any]) -> bytes:
    text = to_json(document)
    return text[: len(text) * 2 // 3]


def _without_id(document: dict[str, Any]) -> bytes:
    del document["id"]
    return to_json(document)


def _without_number(document: dict[str, Any]) -> bytes:
    data = document["data"]
    data.pop("return_id", None)
    data.pop("tracking_number", None)
    data.pop("connote", None)
    return to_json(document)


def _number_as_number(document: dict[str, Any]) -> bytes:
    data = document["data"]
    for name in ("return_id", "tracking_number", "connote"):
        if name in data:
            data[name] = 4_012_345
    return to_json(document)


def _no_value(_: dict[str, Any]) -> bytes:
    return b""


def _impossible_time(document: dict[str, Any]) -> bytes:
    document["data"].pop("local_time", None)
    document["time"] = "2018-28-28T17:22:43Z"
    return to_json(document)


def _time_without_offset(document: dict[str, Any]) -> bytes:
    document["data"].pop("local_time", None)
    document["time"] = "2026-03-09 17:22:43"
    return to_json(document)


def _unknown_type(document: dict[str, Any]) -> bytes:
    document["type"] = "com.omnirps.hub.weighed.v1"
    return to_json(document)


def _bare_data(document: dict[str, Any]) -> bytes:
    return to_json(document["data"])


def _not_json(document: dict[str, Any]) -> bytes:
    return f"<scan>{document['id']}</scan>".encode()


def _not_utf8(document: dict[str, Any]) -> bytes:
    document["data"]["description"] = "Übergeben"
    return json.dumps(document, ensure_ascii=False).encode("latin-1")


_WAYS: Final[tuple[Callable[[dict[str, Any]], bytes], ...]] = (
    _truncated,
    _without_id,
    _without_number,
    _number_as_number,
    _no_value,
    _impossible_time,
    _time_without_offset,
    _unknown_type,
    _bare_data,
    _not_json,
    _not_utf8,
)
