"""Messages of the CloudEvents project's own library are understood, and ours by it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent

from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.cloudevents import STRUCTURED_HEADERS, encode
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.unit.wire.events import NOW_MS, envelope, record

PARSER = Parser(CarrierTables.load())


def library_event(event_type: str) -> tuple[dict[str, Any], CloudEvent]:
    event = envelope(event_type, source="/a%20b/ü", subject="s", partitionkey="k")
    attributes = {name: value for name, value in event.items() if name != "data"}
    return event, CloudEvent({**attributes, "time": datetime.fromisoformat(attributes["time"])}, event["data"])


@pytest.mark.parametrize("event_type", tuple(models.MODELS))
@pytest.mark.parametrize("publish", (kafka.to_structured_event, kafka.to_binary_event))
def test_what_the_library_publishes_is_understood(event_type: str, publish: Any) -> None:
    event, of_library = library_event(event_type)

    message = publish(of_library)

    headers = tuple(message.headers.items())
    key = message.key if message.key is None else str(message.key).encode()
    assert PARSER.parse(Record("t", 0, 0, NOW_MS, key, message.value, headers)) == PARSER.parse(record(event))


def test_what_the_service_publishes_is_understood_by_the_library() -> None:
    event = envelope(models.HUB_PROCESSED)
    attributes = {name: value for name, value in event.items() if name not in ("data", "specversion")}
    value = encode(attributes, event["data"])

    read = kafka.from_kafka_event(kafka.KafkaMessage(dict(STRUCTURED_HEADERS), None, value))

    assert read.get_data() == event["data"]
    assert (read.get_id(), read.get_source(), read.get_type()) == (event["id"], event["source"], event["type"])
