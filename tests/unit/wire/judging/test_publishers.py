"""Who may say what on which topic, by the file that RETURNS_PUBLISHERS names."""

from __future__ import annotations

from typing import Any, Final

import pytest

from service.domain.events import Event
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.judging.moments import MICROS_A_DAY
from service.wire.judging.publishers import parse_publishers
from service.wire.record import Record
from tests.unit.wire.events import envelope, record, with_data

FILE: Final = """
[akl-1]
topics = ["hub-events"]
sources = ["/hubs/akl-1"]
hubs = ["akl-1"]
return_ids = ["TK1", "TK2"]

[syd-1]
topics = ["hub-events", "hub-events.syd*"]
sources = ["/hubs/syd-1/"]
types = ["com.omnirps.hub.depot-scanned.v1", "com.omnirps.event.voided.v1"]
hubs = ["syd-1", "mel-1"]

[desk]
topics = ["hub-events"]
sources = ["/desk"]
types = ["com.omnirps.event.voided.v1"]
voids = "any"

[couriers]
topics = ["scans.*"]
sources = ["/couriers"]
carriers = ["omniparcel"]

[shop]
topics = ["returns"]
sources = ["/shop"]
retailers = ["acme"]
carriers = ["omniparcel"]

[acme-scans]
topics = ["scans.shared", "scans.acme"]
sources = ["/feeds"]
retailers = ["acme", "abacus"]

[bravo-scans]
topics = ["scans.shared"]
sources = ["/feeds"]
retailers = ["bravo"]

[all-scans]
topics = ["scans.shared"]
sources = ["/feeds/all"]

[final-mile]
topics = ["deliveries"]
sources = ["/final"]
carriers = ["generic"]
"""
TABLES: Final = CarrierTables.load()


def parser() -> Parser:
    """One that knows the publishers of the file."""
    return Parser(TABLES, publishers=parse_publishers(FILE, "publishers.toml"))


def faults(event: dict[str, Any], topic: str, key: bytes | None = None) -> list[str]:
    """Where the event is outside of what its topic's publishers may say; the reason first."""
    came = record(event, topic=topic)
    try:
        parser().parse(Record(topic, 0, 0, came.timestamp, key, came.value, came.headers))
    except InvalidEvent as error:
        return [error.reason, *(path for path, _ in error.faults)]
    return []


def understood(event: dict[str, Any], topic: str, by: Parser | None = None) -> Event:
    """The event that comes of it."""
    came = record(event, topic=topic)
    return (by or parser()).parse(Record(topic, 0, 0, came.timestamp, None, came.value, came.headers)).event


def test_where_publishers_are_named_nobody_else_may_say_anything() -> None:
    event = record(envelope(models.HUB_REJECTED, source="/anybody"), topic="hub-events")

    assert Parser(CarrierTables.load()).parse(event).type == models.HUB_REJECTED
    with pytest.raises(InvalidEvent, match=r"^not_allowed: source: "):
        Parser(CarrierTables.load(), publishers=parse_publishers(FILE, "publishers.toml")).parse(event)


@pytest.mark.parametrize("source", ("/hubs/akl-1", "/hubs/akl-1/station-7"))
def test_a_hub_speaks_in_its_own_name(source: str) -> None:
    assert faults(with_data(models.HUB_REJECTED) | {"source": source}, "hub-events") == []


@pytest.mark.parametrize(
    "source", ("/hubs/akl-12", "/hubs/akl-1X", "/hubs/akl", "/hubs/AKL-1", "/hubs/akl-1.evil", "x/hubs/akl-1")
)
def test_a_source_is_its_own_by_whole_segments_of_its_path(source: str) -> None:
    assert faults(with_data(models.HUB_REJECTED) | {"source": source}, "hub-events") == ["not_allowed", "source"]


def test_a_hub_does_not_reject_what_is_another_hubs() -> None:
    rejected = with_data(models.HUB_REJECTED, hub="syd-1") | {"source": "/hubs/akl-1"}

    assert faults(rejected, "hub-events") == ["not_allowed", "data.hub"]


def test_everything_that_is_outside_is_told_with_what_would_be_within() -> None:
    event = with_data(models.HUB_REJECTED, hub="syd-1", return_id="R-1001") | {"source": "/hubs/akl-1"}

    with pytest.raises(InvalidEvent) as caught:
        parser().parse(record(event, topic="hub-events"))

    assert list(caught.value.faults) == [
        ("data.hub", "akl-1 may name akl-1"),
        ("data.return_id", "of akl-1 it begins with TK1, TK2"),
        ("key", "that of the data is expected: return_id"),
    ]
    assert caught.value.detail == "; ".join(f"{path}: {what}" for path, what in caught.value.faults)
    assert "R-1001" not in str(caught.value)


def test_an_event_is_within_if_one_publisher_of_its_topic_may_say_it() -> None:
    void = with_data(models.EVENT_VOIDED)

    assert faults(void | {"source": "/hubs/akl-1"}, "hub-events") == []
    assert faults(void | {"source": "/desk"}, "hub-events") == []
    assert faults(void | {"source": "/hubs/syd-1/x"}, "hub-events") == ["not_allowed", "data.source"]


@pytest.mark.parametrize("voided", ("/hubs/akl-1/x", "/hubs/akl-1"))
def test_a_hub_voids_events_of_its_own_sources_and_operators_those_of_all(voided: str) -> None:
    own = with_data(models.EVENT_VOIDED, source=voided)
    others = with_data(models.EVENT_VOIDED, source="/hubs/akl-17")

    assert faults(own | {"source": "/hubs/akl-1/y"}, "hub-events") == []
    assert faults(others | {"source": "/hubs/akl-1"}, "hub-events") == ["not_allowed", "data.source"]
    assert faults(others | {"source": "/desk/a"}, "hub-events") == []


def test_a_publisher_sends_its_types_and_no_others() -> None:
    exported = with_data(models.HUB_EXPORTED, hub="mel-1") | {"source": "/hubs/syd-1/x"}
    scanned = with_data(models.HUB_DEPOT_SCANNED, hub="mel-1") | {"source": "/hubs/syd-1/x"}

    assert faults(exported, "hub-events") == ["not_allowed", "type"]
    assert faults(scanned, "hub-events") == []
    assert faults(scanned, "hub-events.sydney") == []


def test_a_topic_that_no_publisher_names_takes_nothing() -> None:
    assert faults(envelope(models.CARRIER_SCANNED, source="/couriers"), "scans") == ["not_allowed", "source"]
    assert faults(envelope(models.CARRIER_SCANNED, source="/couriers"), "scans.nz") == []
    assert parse_publishers(FILE, "f").unnamed(["scans", "scans.nz", "returns", "other"]) == ["scans", "other"]


def test_carriers_and_retailers_are_held_to_wherever_an_event_names_one() -> None:
    scan = with_data(models.CARRIER_SCANNED, carrier="nzpost") | {"source": "/couriers"}
    created = with_data(models.RETURN_CREATED, retailer="bravo", carrier="nzpost") | {"source": "/shop"}

    assert faults(scan, "scans.nz") == ["not_allowed", "data.carrier"]
    assert faults(created, "returns") == ["not_allowed", "data.carrier", "data.retailer"]


@pytest.mark.parametrize("carrier", (None, "", 7, "generic"))
def test_a_carrier_that_only_describes_a_delivery_may_be_left_out(carrier: object) -> None:
    delivered = with_data(models.CONNOTE_DELIVERED, carrier=carrier) | {"source": "/final"}
    by_another = with_data(models.CONNOTE_DELIVERED, carrier="nzpost") | {"source": "/final"}

    assert faults(delivered, "deliveries") == []
    assert faults(by_another, "deliveries") == ["not_allowed", "data.carrier"]


@pytest.mark.parametrize(
    ("topic", "source", "retailers"),
    (
        ("scans.acme", "/feeds/1", ("abacus", "acme")),
        # Of several publishers that may say it the least bound counts.
        ("scans.shared", "/feeds/1", ("abacus", "acme", "bravo")),
        ("scans.shared", "/feeds/all/1", ()),
        ("scans.nz", "/couriers", ()),
    ),
)
def test_a_scan_counts_for_the_retailers_that_its_publisher_names(
    topic: str, source: str, retailers: tuple[str, ...]
) -> None:
    by = parser()
    one, other = (understood(envelope(models.CARRIER_SCANNED, source=source), topic, by) for _ in range(2))

    assert one.retailers == retailers
    assert one.retailers is other.retailers


def test_a_creation_and_an_event_of_a_hub_are_bound_by_what_they_name_alone() -> None:
    created = with_data(models.RETURN_CREATED, retailer="acme") | {"source": "/shop"}

    assert understood(created, "returns").retailers == ()


def test_the_same_words_of_a_bound_publisher_are_another_event() -> None:
    topics = "scans.acme", "scans.shared", "scans.acme"
    scans = [understood(envelope(models.CARRIER_SCANNED, source="/feeds/1"), topic) for topic in topics]

    assert [scan.key for scan in scans] == [scans[0].key] * 3
    assert scans[0].identity == scans[2].identity != scans[1].identity


def test_members_that_a_type_does_not_have_bind_nothing() -> None:
    scan = with_data(models.CARRIER_SCANNED, hub="anything", retailer="bravo") | {"source": "/couriers"}

    assert faults(scan, "scans.nz") == []
    assert faults(scan | {"source": "/feeds/1"}, "scans.acme") == [], "the retailers are those of the claims"


@pytest.mark.parametrize(
    ("event_type", "topic", "source", "key"),
    (
        (models.RETURN_CREATED, "returns", "/shop", b"TK100342334NZ"),
        (models.CARRIER_SCANNED, "scans.nz", "/couriers", b"omniparcel/OP123456789NZ"),
        (models.HUB_REJECTED, "hub-events", "/hubs/akl-1", b"TK100342334NZ"),
        (models.CONNOTE_DELIVERED, "deliveries", "/final", b"CN-2026-0001"),
    ),
)
def test_a_key_that_contradicts_the_data_is_told_and_no_key_contradicts_nothing(
    event_type: str, topic: str, source: str, key: bytes
) -> None:
    event = envelope(event_type, source=source)

    assert faults(event, topic, key) == faults(event, topic, b"") == faults(event, topic, None) == []
    assert faults(event, topic, key.lower()) == ["key_mismatch", "key"]
    assert faults(event, topic, b"\xff") == ["key_mismatch", "key"]


def test_without_a_file_everything_is_allowed_whatever_the_key() -> None:
    anything = record(envelope(models.HUB_REJECTED), topic="scans")  # its key is not that of its data

    assert Parser(TABLES).parse(anything).type == models.HUB_REJECTED


def test_a_creation_from_long_ago_takes_no_return_over() -> None:
    strict = Parser(TABLES, oldest_creation=400 * MICROS_A_DAY)

    with pytest.raises(InvalidEvent, match="time_out_of_range: time: of a creation, over 400 days before its receipt"):
        strict.parse(record(envelope(models.RETURN_CREATED, time="2000-01-01T00:00:00Z")))
    with pytest.raises(InvalidEvent):
        strict.parse(record(envelope(models.RETURN_CREATED, time="2025-10-19T11:59:59Z")))
    for event_type, time in (
        (models.RETURN_CREATED, "2025-10-19T12:00:00Z"),
        (models.HUB_REJECTED, "2020-01-01T00:00:00Z"),
    ):
        assert strict.parse(record(envelope(event_type, time=time))).type == event_type


def test_one_that_was_taken_in_may_be_read_again_however_long_ago_it_is_now() -> None:
    strict = Parser(TABLES, {"in": (models.RETURN_CREATED,)}, oldest_creation=400 * MICROS_A_DAY)
    old = record(envelope(models.RETURN_CREATED, time="2020-01-01T00:00:00Z"), topic="in")

    with pytest.raises(InvalidEvent):
        strict.parse(old)
    assert strict.of_kept().parse(old).type == models.RETURN_CREATED
    with pytest.raises(InvalidEvent, match="wrong_topic"):
        strict.of_kept().parse(record(envelope(models.HUB_REJECTED), topic="in"))
