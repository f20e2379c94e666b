"""Everything that is wrong with an event is told at once: where it stands, and what was expected there."""

from __future__ import annotations

from typing import Any

import pytest

from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser, attributes_of
from service.wire.judging.countries import COUNTRY_PATTERN
from service.wire.judging.descriptions import location_of
from service.wire.judging.faults import Faults, invalid
from service.wire.reasons import Invalid
from tests.unit.wire.events import DATA, TIME, envelope, record, with_data

PARSER = Parser(CarrierTables.load())


def refused(event: dict[str, Any]) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        PARSER.parse(record(event))
    return caught.value


def test_the_first_fault_is_the_reason_and_all_of_them_are_told() -> None:
    event = with_data(models.RETURN_CREATED, return_id=None, retailer="ACME", route="by_air", items=["x"])
    error = refused(event | {"time": "yesterday", "id": 7})

    assert error.reason == Invalid.WRONG_TYPE
    assert list(error.faults) == [
        ("id", "input should be a valid string"),
        ("time", "RFC 3339 with an offset is expected"),
        ("data.return_id", "missing"),
        ("data.retailer", f"string should match pattern '{models.SLUG_PATTERN}'"),
        ("data.route", "input should be 'omnirps' or 'first_mile_only'"),
    ]
    assert error.detail == "; ".join(f"{path}: {expected}" for path, expected in error.faults)


@pytest.mark.parametrize(
    ("event", "reason", "fault"),
    (
        (envelope(models.HUB_REJECTED, type=None), Invalid.MISSING_FIELD, ("type", "missing")),
        (
            envelope(models.HUB_REJECTED, type="x"),
            Invalid.UNKNOWN_TYPE,
            ("type", f"not one that this service takes in: {', '.join(models.MODELS)}"),
        ),
        (
            envelope(models.HUB_REJECTED, specversion="2.0"),
            Invalid.UNSUPPORTED_SPECVERSION,
            ("specversion", 'the string "1.0" is expected'),
        ),
        (
            envelope(models.HUB_REJECTED, time="2026-11-25T12:00:00.000001Z"),
            Invalid.TIME_OUT_OF_RANGE,
            ("time", "over 48 h after its receipt"),
        ),
        (
            envelope(models.HUB_REJECTED, time="2026-02-30T12:00:00Z"),
            Invalid.BAD_TIME,
            ("time", "no such date or time"),
        ),
        (
            with_data(models.CARRIER_SCANNED, local_time="yesterday") | {"time": None},
            Invalid.BAD_TIME,
            ("data.local_time", "an ISO 8601 date and time without an offset is expected"),
        ),
    ),
)
def test_one_fault_is_told_with_its_place(event: dict[str, Any], reason: Invalid, fault: tuple[str, str]) -> None:
    error = refused(event)

    assert (error.reason, list(error.faults)) == (reason, [fault])
    assert error.detail == f"{fault[0]}: {fault[1]}"


def complaint(*path: int | str, type_: str = "missing", text: str = "", pattern: str | None = None) -> Any:
    """What pydantic says."""
    context = {} if pattern is None else {"ctx": {"pattern": pattern}}
    return {"type": type_, "loc": path, "msg": text, **context}


@pytest.mark.parametrize(
    ("said", "reason", "fault"),
    (
        (complaint("data", "items", 0, "sku"), Invalid.MISSING_FIELD, ("data.items[0].sku", "missing")),
        (complaint("a", type_="int_type", text="An Integer"), Invalid.WRONG_TYPE, ("a", "an Integer")),
        (complaint("a", type_="list_type", text="X"), Invalid.WRONG_TYPE, ("a", "x")),
        (complaint("a", type_="too_long", text="X"), Invalid.BAD_VALUE, ("a", "x")),
        (
            complaint("datacontenttype", type_="string_type", text="X"),
            Invalid.UNSUPPORTED_CONTENT_TYPE,
            ("datacontenttype", "x"),
        ),
        (
            complaint("data", "country", type_="string_pattern_mismatch", text="X", pattern=COUNTRY_PATTERN),
            Invalid.BAD_VALUE,
            ("data.country", "an ISO 3166-1 alpha-2 country code is expected"),
        ),
        (complaint("a", type_="string_pattern_mismatch", text="X", pattern="^a$"), Invalid.BAD_VALUE, ("a", "x")),
    ),
)
def test_a_complaint_of_the_models_is_a_fault_in_our_words(said: Any, reason: Invalid, fault: tuple[str, str]) -> None:
    error = invalid([said])

    assert (error.reason, list(error.faults)) == (reason, [fault])


@pytest.mark.parametrize(
    ("number", "told", "more"), ((49, 49, ""), (50, 50, ""), (51, 50, "; and 1 more"), (90, 50, "; and 40 more"))
)
def test_of_very_many_faults_fifty_are_told_and_all_are_counted(number: int, told: int, more: str) -> None:
    error = invalid([complaint("data", "items", n) for n in range(number)])

    assert [path for path, _ in error.faults] == [f"data.items[{n}]" for n in range(told)]
    assert error.detail == "; ".join(f"data.items[{n}]: missing" for n in range(told)) + more


@pytest.mark.parametrize(("first", "told"), ((2000, 3), (2001, 2)))
def test_so_much_text_is_told_and_the_fault_with_which_it_is_full_is_the_last(first: int, told: int) -> None:
    said = [complaint("a", type_="x", text="t" * (length - len("a: "))) for length in (first, 1996, 9)]

    error = invalid(said)

    assert len(error.faults) == 3
    assert error.detail.count("a: ") == told
    assert error.detail.endswith("; and 1 more") is (told == 2)


@pytest.mark.parametrize("event_type", tuple(models.MODELS))
def test_a_type_belongs_on_the_topic_that_its_publisher_writes(event_type: str) -> None:
    parser = Parser(CarrierTables.load(), {"own": (event_type,), "none": ()})

    assert parser.parse(record(envelope(event_type), topic="own")).type == event_type
    with pytest.raises(InvalidEvent) as caught:
        parser.parse(record(envelope(event_type), topic="none"))
    assert (caught.value.reason, caught.value.faults[0][0]) == (Invalid.WRONG_TOPIC, "type")


def test_a_topic_of_a_prefix_takes_what_the_prefix_does_and_who_errs_is_told_where_to_send_it() -> None:
    taken = (models.CARRIER_SCANNED,)
    parser = Parser(CarrierTables.load(), {"scans": taken, "scans.*": taken, "hubs.*": (models.HUB_PROCESSED,)})
    event = envelope(models.CARRIER_SCANNED)

    assert parser.parse(record(event, topic="scans.nz")).type == models.CARRIER_SCANNED
    for _ in range(2):  # what is known of the topic by then says the same
        with pytest.raises(InvalidEvent) as caught:
            parser.parse(record(event, topic="hubs.akl"))
        what = f"{models.CARRIER_SCANNED} does not belong on this topic but on scans or scans.*"
        assert (caught.value.reason, caught.value.faults) == (Invalid.WRONG_TOPIC, (("type", what),))


def halved(number: int, *, smallest: int = 0) -> int:
    """A judgement: of each number it finds the half."""
    if number < smallest or number % 2:
        raise InvalidEvent(Invalid.BAD_VALUE, f"number: {'odd' if number % 2 else 'too small'}")
    return number // 2


def test_a_judgement_that_has_nothing_against_an_event_says_what_it_finds() -> None:
    found = Faults()

    assert found.judge(halved, 8, smallest=8) == 4
    assert found.require(4) == 4
    assert found.error() is None
    with pytest.raises(ValueError, match="finds something"):
        found.require(None)


def test_what_one_judgement_has_against_an_event_is_told_as_it_is_and_of_each_place_the_first() -> None:
    found = Faults()

    assert found.judge(halved, 8, smallest=10) is None
    first = found.error()
    assert found.judge(halved, 7) is None
    assert first is not None
    for judged in (None, 4):
        with pytest.raises(InvalidEvent) as caught:
            found.require(judged)
        assert (caught.value.reason, caught.value.faults) == (first.reason, (("number", "too small"),))


def test_where_it_happened_is_the_known_members_that_say_something() -> None:
    said = {"name": "", "code": "AKL", "country": None, "room": "7"}

    assert location_of(models.HUB_DEPOT_SCANNED, {"location": said}) == {"code": "AKL"}
    assert location_of(models.CONNOTE_DELIVERED, {"location": {"name": "A", "country": "NZ"}}) == {
        "name": "A",
        "country": "NZ",
    }
    empty: tuple[dict[str, Any], ...] = ({}, {"location": None}, {"location": {}}, {"location": {"name": ""}})
    for nothing in empty:
        assert location_of(models.CARRIER_SCANNED, nothing) is None
    assert location_of(models.HUB_PROCESSED, {"location": said}) is None


def test_a_creation_without_an_order_number_has_none() -> None:
    data = {name: value for name, value in DATA[models.RETURN_CREATED].items() if name != "order_number"}

    assert attributes_of(data).order_number is None
    assert attributes_of(DATA[models.RETURN_CREATED]) == (
        "acme",
        "omnirps",
        "omniparcel",
        "OP123456789NZ",
        "201905270449",
    )


def test_a_local_time_beside_a_time_is_refused_where_a_scan_has_both_and_ignored_elsewhere() -> None:
    both = with_data(models.CARRIER_SCANNED, local_time="2026-11-23T10:00:00")

    assert refused(both).faults == (("data.local_time", "takes the place of time; both were sent"),)
    other = with_data(models.HUB_PROCESSED, local_time="2026-11-23T10:00:00")
    assert PARSER.parse(record(other)).zone_source == "event"
    assert PARSER.parse(record(with_data(models.CARRIER_SCANNED, local_time=None) | {"time": TIME})).utc_offset == 0


@pytest.mark.parametrize(
    ("event", "faults"),
    (
        (
            with_data(models.CARRIER_SCANNED, carrier="generic", local_time="2026-11-23T10:00:00"),
            ("data.local_time", "the carrier's table names no zone; send time with its offset"),
        ),
        (
            with_data(models.CARRIER_SCANNED, local_time="2026-02-30T10:00:00"),
            ("data.local_time", "no such date or time"),
        ),
        (
            with_data(models.CARRIER_SCANNED),
            ("time", "missing, and so is data.local_time: one is required"),
        ),
        (
            with_data(models.CARRIER_SCANNED, local_time="1999-11-23T10:00:00"),
            ("time", "before the year 2000"),
        ),
    ),
)
def test_what_is_wrong_with_a_local_time_is_told(event: dict[str, Any], faults: tuple[str, str]) -> None:
    del event["time"]

    assert refused(event).faults == (faults,)
