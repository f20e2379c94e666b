"""Clients that nobody here wrote publish to the service and read what it publishes: the CloudEvents SDK, and kcat."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent
from jsonschema import Draft202012Validator

from tests.support.journals import DELIVERED, DS, RC, RE, RP, SCAN, creation, event
from tests.support.kcat import Kcat, find_kcat
from tests.support.service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]  # the first time, kcat is fetched

SCHEMAS: Final = Path(__file__).resolve().parents[2] / "schemas"
STRUCTURED: Final = "application/cloudevents+json"
STRANGE: Final = "/carriers/ü%20b"  # survives all clients, headers included
TOPIC: Final = {RC: "returns", SCAN: "scans", DELIVERED: "deliveries"}


@pytest.fixture(scope="session")
def kcat() -> Kcat:
    return find_kcat()


class Publisher(NamedTuple):
    """A way to publish: an event and its key to a topic."""

    name: str
    publish: Callable[[Service, Kcat, str, str, dict[str, Any]], None]


def with_sdk(convert: Callable[..., kafka.KafkaMessage]) -> Callable[..., None]:
    def publish(service: Service, kcat: Kcat, topic: str, key: str, event: dict[str, Any]) -> None:
        attributes = {name: value for name, value in event.items() if name != "data"}
        attributes["time"] = datetime.fromisoformat(attributes["time"])
        message = convert(CloudEvent(attributes, event["data"]), key_mapper=lambda _: key)
        service.publish([(topic, key.encode(), message.value, message.headers.items())])

    return publish


def kcat_structured(service: Service, kcat: Kcat, topic: str, key: str, event: dict[str, Any]) -> None:
    where = ("-P", "-b", service.topics.bootstrap_servers, "-t", topic, "-k", key)
    kcat.run(*where, "-H", f"content-type={STRUCTURED}", fed=json.dumps(event).encode())


def kcat_binary(service: Service, kcat: Kcat, topic: str, key: str, event: dict[str, Any]) -> None:
    where = ("-P", "-b", service.topics.bootstrap_servers, "-t", topic, "-k", key)
    attributes = [f"ce_{name}={value}" for name, value in event.items() if name not in ("data", "datacontenttype")]
    headers = [part for each in ("content-type=application/json", *attributes) for part in ("-H", each)]
    kcat.run(*where, *headers, fed=json.dumps(event["data"]).encode())


PUBLISHERS: Final = (
    Publisher("SDK-STRUCTURED", with_sdk(kafka.to_structured_event)),
    Publisher("SDK-BINARY", with_sdk(kafka.to_binary_event)),
    Publisher("KCAT-STRUCTURED", kcat_structured),
    Publisher("KCAT-BINARY", kcat_binary),
)


def journey(name: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of a return's whole journey with their keys, and a scan with a code that no table knows."""
    label = {"carrier": "generic", "tracking_number": f"T-{name}"}
    hub = {"return_id": name, "hub": "akl-1"}
    events = [
        event(RC, "1", "09:00", return_id=name, retailer="acme", route="omnirps", order_number="ä=1", **label),
        event(SCAN, "2", "10:00", code="COLLECTED", location={"name": "Ōtāhuhu", "country": "NZ"}, **label),
        event(SCAN, "3", "11:00", code="007", **label),
        event(DS, "4", "12:00", **hub),
        event(RP, "5", "13:00", **hub),
        event(RE, "6", "14:00", connote=f"CN-{name}", **hub),
        event(DELIVERED, "7", "15:00", connote=f"CN-{name}"),
    ]
    keys = [name, *["generic/" + label["tracking_number"]] * 2, name, name, name, f"CN-{name}"]
    return [(key, {**each, "source": STRANGE, "extra": name}) for key, each in zip(keys, events, strict=True)]


def publish_everything(service: Service, kcat: Kcat) -> None:
    for publisher in PUBLISHERS:
        for key, each in journey(publisher.name):
            topic = service.topics.name(TOPIC.get(each["type"], "hub_events"))
            publisher.publish(service, kcat, topic, key, each)
        broken = event(RC, "8", "09:00", return_id=publisher.name)  # all else is missing
        publisher.publish(service, kcat, service.topics.name("returns"), publisher.name, broken)


def test_events_of_the_sdk_and_of_kcat_are_ingested_in_both_modes(service: Service, kcat: Kcat) -> None:
    publish_everything(service, kcat)

    service.done("ingest", "--drain")

    names = sorted(publisher.name for publisher in PUBLISHERS)
    rows = service.query(
        "SELECT return_id, source, id, data, verdict FROM history JOIN returns USING (return_no) ORDER BY 1, 3"
    )
    assert [row[:4] for row in rows] == [
        (name, STRANGE, each["id"], each["data"]) for name in names for _, each in journey(name)
    ]
    # Topics are read in any order, so whether an event came late is not known; that it counts is.
    assert {(row[2], row[4]) for row in rows} <= {("3", "unmapped")} | {
        (number, verdict) for number in "124567" for verdict in ("advanced", "backfilled")
    }
    letters = service.query("SELECT reason, count(*) FROM dead_letters GROUP BY reason")
    assert letters == [("missing_field", len(PUBLISHERS))]


@pytest.mark.parametrize("codec", ("gzip", "snappy", "lz4", "zstd"))
def test_publishers_may_compress_as_they_like(service: Service, kcat: Kcat, codec: str) -> None:
    # kafka-python alone knows gzip; a partition with anything else in it stood still.
    documents = [creation(f"R-{number}") for number in range(100, 200)]
    lines = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    topic = service.topics.name("returns")
    kcat.run("-P", "-b", service.topics.bootstrap_servers, "-t", topic, "-z", codec, "-X", "linger.ms=50", fed=lines)

    service.done("ingest", "--drain")

    assert service.query("SELECT count(*) FROM returns") == [(100,)]
    assert service.query("SELECT count(*) FROM dead_letters") == [(0,)]


def test_what_is_published_is_read_alike_by_the_sdk_and_by_kcat(service: Service, kcat: Kcat) -> None:
    publish_everything(service, kcat)
    service.done("ingest", "--drain")
    service.done("relay", "--drain")

    of_kcat, of_sdk = {}, {}
    for name, per_return in (("status_changes", 6), ("current_status", None), ("exceptions", 1), ("dead_letters", 1)):
        topic = service.topics.name(name)
        of_kcat[name] = sorted(kcat.read(service.topics.bootstrap_servers, topic), key=place)
        if per_return is not None:
            assert len(of_kcat[name]) == per_return * len(PUBLISHERS)
        records = service.clients.read(topic, len(of_kcat[name]))
        of_sdk[name] = sorted(records, key=lambda record: (record.partition, record.offset))

    for name in ("status_changes", "current_status", "exceptions"):
        for said, record in zip(of_kcat[name], of_sdk[name], strict=True):
            assert_same_valid_event(said, record)
    for said, record in zip(of_kcat["dead_letters"], of_sdk["dead_letters"], strict=True):
        read = kafka.from_kafka_event(kafka.KafkaMessage(dict(record.headers), record.key, record.value))
        assert (read.get_id(), read.get_data()) == ("8", {"return_id": record.key.decode()})
        assert said["payload"].encode() == record.value
        assert headers_of(said)["dlq.reason"] == "missing_field"
    documents = {said["key"]: json.loads(said["payload"])["data"] for said in of_kcat["current_status"]}
    assert {document["status"] for document in documents.values()} == {"RDBTC"}
    assert documents.keys() == {publisher.name for publisher in PUBLISHERS}


def place(said: dict[str, Any]) -> tuple[int, int]:
    return said["partition"], said["offset"]


def headers_of(said: dict[str, Any]) -> dict[str, str]:
    return dict(zip(said["headers"][::2], said["headers"][1::2], strict=True))


def assert_same_valid_event(said: dict[str, Any], record: Any) -> None:
    """Both clients read this event of ours, and it is what its schema promises."""
    document = json.loads(said["payload"])
    read = kafka.from_kafka_event(kafka.KafkaMessage(dict(record.headers), record.key, record.value))
    schema = json.loads((SCHEMAS / f"{read.get_type()}.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    assert headers_of(said)["content-type"].startswith(STRUCTURED)
    assert said["key"] == record.key.decode() == read.get_subject() == document["data"]["return_id"]
    assert (document["id"], document["source"]) == (read.get_id(), read.get_source())
    assert document["data"] == read.get_data()
    assert datetime.fromisoformat(document["time"]) == read.get_time()
