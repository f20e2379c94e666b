"""Every event type understood, in both modes, and every rule of time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from service.domain.events import NO_WORDS, Attributes, Effect, Event, Sense
from service.domain.milestones import Milestone, Reason, Route
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables, parse_table
from service.wire.cloudevents import STRUCTURED_HEADERS
from service.wire.inbound import Parser, SubjectKind
from service.wire.reasons import Invalid
from service.wire.record import Record
from service.wire.times import micros, rfc3339
from tests.unit.wire.events import DATA, NOW_MS, TIME, binary, envelope, record, with_data

AT = micros(TIME)
SOURCE, ID = "/tests/publisher", "8a7c1f8e-1f6b-4c0c-9a55-0d5c3f2f9b11"
BERLIN = parse_table("berliner", 'name = "B"\nzone = "Europe/Berlin"\n[collected]\nC = "collected"\n', "berliner.toml")
TYPES = tuple(models.MODELS)


@pytest.fixture(scope="module")
def parser() -> Parser:
    shipped = CarrierTables.load()
    tables = [table for carrier in shipped.carriers if (table := shipped.table(carrier)) is not None]
    return Parser(CarrierTables([*tables, BERLIN]))


def rejection(parser: Parser, event: dict[str, Any]) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        parser.parse(record(event))
    return caught.value


def fact(event: Event) -> Event:
    """The event without the words in which it was said."""
    return replace(event, words=NO_WORDS)


def test_a_creation_asserts_rc_with_the_returns_attributes(parser: Parser) -> None:
    inbound = parser.parse(record(envelope(models.RETURN_CREATED)))

    assert (inbound.kind, inbound.subject) == (SubjectKind.RETURN, "TK100342334NZ")
    assert fact(inbound.event) == Event(
        SOURCE,
        ID,
        AT,
        Sense.ASSERTS,
        Milestone.RC,
        attributes=Attributes("acme", Route.OMNIRPS, "omniparcel", "OP123456789NZ", "201905270449"),
    )
    assert (inbound.type, inbound.code, inbound.zone_source) == (models.RETURN_CREATED, None, "event")


def test_a_scan_asserts_what_the_carriers_table_says(parser: Parser) -> None:
    inbound = parser.parse(record(envelope(models.CARRIER_SCANNED)))

    assert (inbound.kind, inbound.subject, inbound.code) == (SubjectKind.LABEL, "omniparcel/OP123456789NZ", "OP-72")
    location = {"name": "Auckland", "code": "AKL", "country": "NZ"}
    label = ("omniparcel", "OP123456789NZ")
    assert fact(inbound.event) == Event(SOURCE, ID, AT, Sense.ASSERTS, Milestone.RDTPF, location, label=label)


@pytest.mark.parametrize(
    ("carrier", "code", "sense", "because"),
    (
        ("omniparcel", "OP-1", Sense.INFORMS, None),
        ("omniparcel", "OP-999", Sense.UNMAPPED, Reason.UNKNOWN_CODE),
        ("nobody", "OP-72", Sense.UNMAPPED, Reason.UNKNOWN_CARRIER),
    ),
)
def test_a_scan_without_a_milestone_says_why(
    parser: Parser, carrier: str, code: str, sense: Sense, because: Reason | None
) -> None:
    event = parser.parse(record(with_data(models.CARRIER_SCANNED, carrier=carrier, code=code))).event

    assert (event.sense, event.milestone, event.unmapped_because) == (sense, None, because)


@pytest.mark.parametrize(
    ("code", "effect"), (("COLLECTED", Effect.COLLECTED), ("RETURNING", Effect.RETURNING), ("IN_TRANSIT", None))
)
def test_a_scan_says_what_it_did_to_the_parcels_direction(parser: Parser, code: str, effect: Effect | None) -> None:
    assert parser.parse(record(with_data(models.CARRIER_SCANNED, carrier="generic", code=code))).event.effect is effect


@pytest.mark.parametrize(
    ("event_type", "milestone", "connote"),
    (
        (models.HUB_DEPOT_SCANNED, Milestone.DS, None),
        (models.HUB_PROCESSED, Milestone.RP, None),
        (models.HUB_EXPORTED, Milestone.RE, "CN-2026-0001"),
        (models.HUB_REJECTED, Milestone.RR, None),
    ),
)
def test_a_hub_event_asserts_its_milestone_of_the_return(
    parser: Parser, event_type: str, milestone: Milestone, connote: str | None
) -> None:
    inbound = parser.parse(record(envelope(event_type)))

    assert (inbound.kind, inbound.subject) == (SubjectKind.RETURN, "TK100342334NZ")
    assert (inbound.event.sense, inbound.event.milestone) == (Sense.ASSERTS, milestone)
    assert inbound.event.connote == connote


def test_a_delivery_of_a_connote_asserts_rdbtc_of_its_returns(parser: Parser) -> None:
    inbound = parser.parse(record(envelope(models.CONNOTE_DELIVERED)))

    assert (inbound.kind, inbound.subject) == (SubjectKind.CONNOTE, "CN-2026-0001")
    assert (inbound.event.milestone, inbound.event.connote) == (Milestone.RDBTC, "CN-2026-0001")


def test_a_void_names_the_mistaken_event_and_asserts_nothing(parser: Parser) -> None:
    inbound = parser.parse(record(envelope(models.EVENT_VOIDED)))

    assert (inbound.kind, inbound.subject) == (SubjectKind.RETURN, "TK100342334NZ")
    assert fact(inbound.event) == Event(SOURCE, ID, AT, Sense.VOIDS, voids=("/hubs/akl-1", "42"))


@pytest.mark.parametrize("event_type", TYPES)
def test_both_modes_say_the_same(parser: Parser, event_type: str) -> None:
    event = envelope(event_type, source="/a%20b/ü", partitionkey="p")

    assert parser.parse(binary(event)) == parser.parse(record(event))


@pytest.mark.parametrize("event_type", TYPES)
def test_unknown_members_are_kept_and_otherwise_ignored(parser: Parser, event_type: str) -> None:
    plain = parser.parse(record(envelope(event_type)))

    inbound = parser.parse(record(with_data(event_type, brand_new={"a": [1, 2.5, None, "ü"]})))

    assert fact(inbound.event) == fact(plain.event)
    assert json.loads(inbound.data) == {**DATA[event_type], "brand_new": {"a": [1, 2.5, None, "ü"]}}


def test_a_location_where_the_type_has_none_is_an_unknown_member(parser: Parser) -> None:
    inbound = parser.parse(record(with_data(models.HUB_PROCESSED, location=["anything"])))

    assert inbound.event.location is None


def test_only_known_members_of_a_location_reach_the_timeline(parser: Parser) -> None:
    location = {"name": "Auckland", "code": None, "country": "NZ", "latitude": -36.8}

    inbound = parser.parse(record(with_data(models.CARRIER_SCANNED, location=location)))

    assert inbound.event.location == {"name": "Auckland", "country": "NZ"}
    assert json.loads(inbound.data)["location"] == location


def test_optional_members_may_be_absent_or_null(parser: Parser) -> None:
    absent = with_data(models.RETURN_CREATED, order_number=None, items=None, origin_country=None)
    null = envelope(models.RETURN_CREATED)
    null["data"] |= {"order_number": None, "items": None, "origin_country": None}

    assert fact(parser.parse(record(absent)).event) == fact(parser.parse(record(null)).event)


def test_data_is_kept_as_compact_json_with_its_members_in_order_and_is_what_the_event_says(parser: Parser) -> None:
    inbound = parser.parse(record(envelope(models.HUB_DEPOT_SCANNED)))

    assert inbound.data == b'{"hub":"akl-1","location":{"country":"NZ"},"return_id":"TK100342334NZ"}'
    assert inbound.event.words == (models.HUB_DEPOT_SCANNED, inbound.data, True)


def test_extension_attributes_are_kept_apart_and_nulls_dropped(parser: Parser) -> None:
    event = envelope(models.HUB_DEPOT_SCANNED, subject="TK100342334NZ", partitionkey="k", sampledrate=3)
    event["traceparent"] = None

    inbound = parser.parse(record(event))

    assert json.loads(inbound.extensions or b"") == {"subject": "TK100342334NZ", "partitionkey": "k", "sampledrate": 3}


def test_without_extension_attributes_there_are_none(parser: Parser) -> None:
    assert parser.parse(record(envelope(models.HUB_DEPOT_SCANNED))).extensions is None


def test_only_null_extension_attributes_are_none_too(parser: Parser) -> None:
    event = envelope(models.HUB_DEPOT_SCANNED)
    event["traceparent"] = None

    assert parser.parse(record(event)).extensions is None


def test_an_integer_may_be_written_with_a_fraction_of_zero(parser: Parser) -> None:
    items = [{"sku": "A", "quantity": 2.0}]

    inbound = parser.parse(record(with_data(models.HUB_PROCESSED, items=items)))

    assert (inbound.event.milestone, inbound.not_understood) == (Milestone.RP, ())


def test_of_a_member_that_occurs_twice_the_last_one_counts(parser: Parser) -> None:
    text = json.dumps(envelope(models.HUB_DEPOT_SCANNED))
    doubled = text.replace('"id": ', '"id": "the-first", "id": ')

    assert parser.parse(record(doubled.encode())).event.id == ID


@pytest.mark.parametrize(
    ("text", "utc"),
    (
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("2026-11-23t10:00:00z", "2026-11-23T10:00:00Z"),
        ("2026-11-23T10:00:00.5+13:00", "2026-11-22T21:00:00.500000Z"),
        ("2026-11-23T10:00:00-00:00", "2026-11-23T10:00:00Z"),
        ("2026-11-23T10:00:00.123456999Z", "2026-11-23T10:00:00.123456Z"),
        ("2028-02-29T00:00:00+23:59", None),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z"),
    ),
)
def test_times_with_an_offset_are_understood(parser: Parser, text: str, utc: str | None) -> None:
    if utc is None:
        assert rejection(parser, envelope(models.HUB_PROCESSED, time=text)).reason == Invalid.TIME_OUT_OF_RANGE
        return

    inbound = parser.parse(record(envelope(models.HUB_PROCESSED, time=text)))

    assert rfc3339(inbound.event.at) == utc


@pytest.mark.parametrize(
    "text",
    (
        "2026-11-23",
        "2026-11-23T10:00:00",
        "2026-11-23 10:00:00Z",
        "2026-W48-1T10:00:00Z",
        "2026-327T10:00:00Z",
        "20261123T100000Z",
        "2026-11-23T10:00Z",
        "2026-11-23T10:00:60Z",
        "2026-12-31T23:59:60Z",
        "2026-11-23T24:00:00Z",
        "2026-02-29T10:00:00Z",
        "2018-28-28T17:22:43Z",
        "2026-11-23T10:00:00,5Z",
        "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00+0100",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00Z\n",
        "２026-11-23T10:00:00Z",
        "0000-11-23T10:00:00Z",
        "",
        "now",
    ),
)
def test_anything_else_is_no_time(parser: Parser, text: str) -> None:
    error = rejection(parser, envelope(models.HUB_PROCESSED, time=text))

    assert error.reason == Invalid.BAD_TIME
    assert error.detail.startswith("time: ")


def test_a_time_of_an_endless_fraction_is_refused_by_its_length(parser: Parser) -> None:
    error = rejection(parser, envelope(models.HUB_PROCESSED, time=f"2026-11-23T10:00:00.{'1' * 60}Z"))

    assert error.reason == Invalid.BAD_VALUE


@pytest.mark.parametrize(
    ("text", "is_valid"),
    (
        ("2026-11-25T12:00:00Z", True),
        ("2026-11-25T12:00:00.000001Z", False),
        ("2000-01-01T00:00:00Z", True),
        ("1999-12-31T23:59:59.999999Z", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("9999-12-31T23:59:59-23:59", False),
    ),
)
def test_time_is_bounded_by_the_arrival_in_kafka_and_the_year_2000(parser: Parser, text: str, is_valid: bool) -> None:
    event = envelope(models.HUB_PROCESSED, time=text)

    if is_valid:
        assert parser.parse(record(event)).event.at == micros(text)
    else:
        assert rejection(parser, event).reason == Invalid.TIME_OUT_OF_RANGE


def local(text: str, carrier: str = "berliner", **changes: Any) -> dict[str, Any]:
    event = with_data(models.CARRIER_SCANNED, carrier=carrier, local_time=text)
    del event["time"]
    return {**event, **changes}


@pytest.mark.parametrize(
    ("text", "utc"),
    (
        ("2026-07-01T12:00:00", "2026-07-01T10:00:00Z"),
        ("2026-11-01T12:00:00.25", "2026-11-01T11:00:00.250000Z"),
        # The clocks go back at 03:00 to 02:00: of the two 02:30 the first.
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
        # They went forward at 02:00 to 03:00: 02:30 is read with the offset before the change.
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
    ),
)
def test_a_local_time_is_one_in_the_zone_of_the_carriers_table(parser: Parser, text: str, utc: str) -> None:
    inbound = parser.parse(record(local(text)))

    assert rfc3339(inbound.event.at) == utc
    assert inbound.zone_source == "carrier_table"


@pytest.mark.parametrize(
    ("offset", "minutes"), (("Z", 0), ("-00:00", 0), ("+13:45", 825), ("-03:30", -210), ("-12:00", -720))
)
def test_the_offset_of_a_time_is_kept_beside_its_instant(parser: Parser, offset: str, minutes: int) -> None:
    inbound = parser.parse(record(envelope(models.HUB_PROCESSED, time=f"2026-07-01T12:00:00{offset}")))

    assert inbound.utc_offset == minutes
    assert inbound.event.at == micros("2026-07-01T12:00:00Z") - minutes * 60_000_000


def test_a_local_time_came_with_no_offset(parser: Parser) -> None:
    assert parser.parse(record(local("2026-07-01T12:00:00"))).utc_offset is None


def test_a_null_time_leaves_room_for_a_local_one(parser: Parser) -> None:
    assert parser.parse(record(local("2026-07-01T12:00:00", time=None))).zone_source == "carrier_table"


@pytest.mark.parametrize("text", ("2018-28-28T17:22:43", "2026-07-01T12:00:00Z", "2026-07-01", "2026-07-01 12:00:00"))
def test_a_wrong_local_time_is_invalid(parser: Parser, text: str) -> None:
    error = rejection(parser, local(text))

    assert error.reason == Invalid.BAD_TIME
    assert error.detail.startswith("data.local_time: ")


@pytest.mark.parametrize("carrier", ("generic", "nobody"))
def test_a_local_time_needs_a_zone(parser: Parser, carrier: str) -> None:
    assert rejection(parser, local("2026-07-01T12:00:00", carrier)).reason == Invalid.NO_ZONE


def test_two_times_are_one_too_many(parser: Parser) -> None:
    assert rejection(parser, local("2026-07-01T12:00:00", time=TIME)).reason == Invalid.BAD_TIME


def test_no_time_at_all_is_a_missing_field(parser: Parser) -> None:
    error = rejection(parser, envelope(models.CARRIER_SCANNED, time=None))

    assert error.reason == Invalid.MISSING_FIELD
    assert error.detail.startswith("time: ")


def test_only_scans_may_have_a_local_time_instead(parser: Parser) -> None:
    event = with_data(models.HUB_PROCESSED, local_time="2026-07-01T12:00:00")
    del event["time"]

    assert rejection(parser, event).reason == Invalid.MISSING_FIELD


@pytest.mark.parametrize("text", ("2027-07-01T12:00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00"))
def test_a_local_time_far_away_is_out_of_range(parser: Parser, text: str) -> None:
    assert rejection(parser, local(text)).reason == Invalid.TIME_OUT_OF_RANGE


def test_a_type_on_a_topic_that_is_not_its_own_is_refused() -> None:
    parser = Parser(CarrierTables.load(), {"scans": {models.CARRIER_SCANNED}})
    event = envelope(models.HUB_PROCESSED)

    with pytest.raises(InvalidEvent) as caught:
        parser.parse(record(event, topic="scans"))

    assert caught.value.reason == Invalid.WRONG_TOPIC
    assert parser.parse(record(event, topic="hub-events")).type == models.HUB_PROCESSED
    assert parser.parse(record(envelope(models.CARRIER_SCANNED), topic="scans")).type == models.CARRIER_SCANNED


def test_kafkas_timestamp_in_the_tests_is_what_they_say() -> None:
    assert rfc3339(NOW_MS * 1000) == "2026-11-23T12:00:00Z"


class TestTheFuture:
    """A `time` over 48 h after its receipt; what a publisher says of the receipt is believed within bounds."""

    HOUR_MS = 3_600_000
    EVENT = "2026-11-26T12:00:00Z"  # 72 h behind NOW

    def verdict(self, timestamp: int, now_hours: float, *, broker_time: bool = False) -> str:
        """What becomes of the event, with Kafka's timestamp and so many hours on the clock since NOW."""
        parser = Parser(CarrierTables.load(), now=lambda: int((NOW_MS + now_hours * self.HOUR_MS) * 1000))
        event = envelope(models.HUB_PROCESSED, time=self.EVENT)
        came = Record(
            "in", 0, 0, timestamp, b"k", json.dumps(event).encode(), STRUCTURED_HEADERS, broker_time=broker_time
        )
        try:
            parser.parse(came)
        except InvalidEvent as error:
            return error.reason
        return "event"

    @pytest.mark.parametrize(
        "timestamp", (-1, 0, 1, NOW_MS // 1000, NOW_MS - 30 * 24 * HOUR_MS, -(2**63), NOW_MS, 2**63 - 1)
    )
    def test_is_judged_by_the_clock_whatever_a_publisher_says(self, timestamp: int) -> None:
        assert self.verdict(timestamp, 25) == "event"
        assert self.verdict(timestamp, 73) == "event"
        assert self.verdict(timestamp, 23) == Invalid.TIME_OUT_OF_RANGE

    def test_is_judged_by_kafkas_timestamp_where_the_clock_is_slow(self) -> None:
        assert self.verdict(NOW_MS + 25 * self.HOUR_MS, -20) == "event"
        assert self.verdict(NOW_MS + 23 * self.HOUR_MS, -20) == Invalid.TIME_OUT_OF_RANGE

    def test_is_not_opened_to_those_who_date_their_messages_there(self) -> None:
        assert self.verdict(NOW_MS + 72 * self.HOUR_MS, 0) == Invalid.TIME_OUT_OF_RANGE

    def test_is_judged_by_a_publishers_date_up_to_two_days_ahead_of_the_clock(self) -> None:
        assert self.verdict(NOW_MS + 25 * self.HOUR_MS, -23) == "event"
        assert self.verdict(NOW_MS + 25 * self.HOUR_MS + 1, -23) == Invalid.TIME_OUT_OF_RANGE

    def test_is_judged_by_the_brokers_own_time_however_slow_the_clock(self) -> None:
        assert self.verdict(NOW_MS + 72 * self.HOUR_MS, -2000, broker_time=True) == "event"
        assert self.verdict(NOW_MS + 72 * self.HOUR_MS, -2000) == Invalid.TIME_OUT_OF_RANGE
