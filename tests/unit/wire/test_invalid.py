"""Every way to be invalid: its reason, the field that it names, and that it never repeats what came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.cloudevents import MAX_BYTES
from service.wire.inbound import Parser
from service.wire.reasons import DESCRIPTIONS, Invalid
from tests.unit.wire.events import STRUCTURED, TIME, binary, envelope, record, with_data

PARSER = Parser(CarrierTables.load())
HUB = models.HUB_DEPOT_SCANNED
SCAN = models.CARRIER_SCANNED
CREATED = models.RETURN_CREATED
TEXT = json.dumps(envelope(HUB))
SECRET = "s3cr3t"


def rejected(message: Any) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        PARSER.parse(message)
    return caught.value


# With an attribute that CloudEvents does not define: its value is the envelope's.
ATTRIBUTE = TEXT.replace("{", '{"further": "",', 1).encode()


def inside(fragment: str) -> bytes:
    """An event with a further member of its data, written as it stands."""
    return TEXT.replace('"hub"', f'"further": {fragment}, "hub"').encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    (
        (None, Invalid.EMPTY),
        (b"", Invalid.EMPTY),
        (b" " * (MAX_BYTES + 1), Invalid.TOO_LARGE),
        (b" " * MAX_BYTES, Invalid.NOT_JSON),
        (b"\xff\xfe", Invalid.NOT_UTF8),
        (TEXT.replace("akl-1", "akl-\udcff").encode("utf-8", "surrogateescape"), Invalid.NOT_UTF8),
        (b'{"a": "\xc0\x80"}', Invalid.NOT_UTF8),
        (b'{"a": "\xed\xa0\x80"}', Invalid.NOT_UTF8),
        (b"not json", Invalid.NOT_JSON),
        (b"{", Invalid.NOT_JSON),
        (TEXT.encode() + b"x", Invalid.NOT_JSON),
        (TEXT.encode("utf-16"), Invalid.NOT_UTF8),
        (b"\xef\xbb\xbf" + TEXT.encode(), Invalid.NOT_JSON),
        (inside("NaN"), Invalid.NOT_JSON),
        (inside("Infinity"), Invalid.NOT_JSON),
        (inside("-Infinity"), Invalid.NOT_JSON),
        (inside("'single'"), Invalid.NOT_JSON),
        (inside("01"), Invalid.NOT_JSON),
        (inside('"a\0b"'), Invalid.NOT_JSON),
        (ATTRIBUTE.replace(b'""', b"1e400"), Invalid.NUMBER_OUT_OF_RANGE),
        (ATTRIBUTE.replace(b'""', b"9" * 5000), Invalid.NUMBER_OUT_OF_RANGE),
        (ATTRIBUTE.replace(b'""', b'"a\\u0000b"'), Invalid.NUL_CHARACTER),
        (ATTRIBUTE.replace(b'""', b'{"a\\u0000b": 1}'), Invalid.NUL_CHARACTER),
        (ATTRIBUTE.replace(b'""', b'"\\udc00"'), Invalid.LONE_SURROGATE),
        (TEXT.replace('"TK', '"\\u0000TK').encode(), Invalid.NUL_CHARACTER),
        (TEXT.replace('"akl-1"', '"akl\\ud83d"').encode(), Invalid.LONE_SURROGATE),
        (TEXT.replace('"akl-1"', "[-1e400]").encode(), Invalid.NUMBER_OUT_OF_RANGE),
        (TEXT.replace('"hub"', '"hub\\ud800"').encode(), Invalid.MISSING_FIELD),
        (inside("[" * 250 + "]" * 250), Invalid.TOO_DEEP),
        (inside("[" * 100_000 + "]" * 100_000), Invalid.TOO_DEEP),
        (b'{"a":' * 40_000, Invalid.TOO_DEEP),
        (b"[" + TEXT.encode() + b"]", Invalid.NOT_CLOUDEVENT),
        (b"{}", Invalid.NOT_CLOUDEVENT),
        (b"1", Invalid.NOT_CLOUDEVENT),
        (b"null", Invalid.NOT_CLOUDEVENT),
        (b'"text"', Invalid.NOT_CLOUDEVENT),
    ),
)
def test_a_value_that_is_no_cloudevent_is_invalid(value: bytes | None, reason: Invalid) -> None:
    assert rejected(record(value)).reason == reason
    # Without a header to say so, the value is judged in the same way.
    assert rejected(record(value, ())).reason == reason


@pytest.mark.parametrize(
    "fragment",
    ('"\\\\u0000"', '"Infinity and NaN"', '{"Infinity": 1.5}', '"\\ud83d\\ude00"', "9" * 4000, "[" * 150 + "]" * 150),
)
def test_what_only_looks_wrong_is_valid(fragment: str) -> None:
    inbound = PARSER.parse(record(inside(fragment)))

    assert json.loads(inbound.data)["further"] == json.loads(fragment)


@pytest.mark.parametrize("event_type", tuple(models.MODELS))
def test_each_required_attribute_is_missed_by_name(event_type: str) -> None:
    for attribute in ("id", "source", "type", "time", "data"):
        error = rejected(record(envelope(event_type, **{attribute: None})))

        assert error.reason == Invalid.MISSING_FIELD
        assert error.detail.startswith(f"{attribute}: missing")


@pytest.mark.parametrize("event_type", tuple(models.MODELS))
def test_each_required_member_of_data_is_missed_by_name(event_type: str) -> None:
    required = models.MODELS[event_type].__annotations__["data"]
    for member in _required_members(event_type):
        error = rejected(record(with_data(event_type, **{member: None})))

        assert error.reason == Invalid.MISSING_FIELD, required
        assert error.detail == f"data.{member}: missing"


def _required_members(event_type: str) -> tuple[str, ...]:
    return {
        models.RETURN_CREATED: ("return_id", "retailer", "route", "carrier", "tracking_number"),
        models.RETURN_CLOSED: ("return_id", "by", "reason"),
        models.RETURN_REOPENED: ("return_id", "by", "reason"),
        models.CARRIER_SCANNED: ("carrier", "tracking_number", "code"),
        models.HUB_DEPOT_SCANNED: ("return_id", "hub"),
        models.HUB_PROCESSED: ("return_id", "hub"),
        models.HUB_EXPORTED: ("return_id", "hub", "connote"),
        models.HUB_REJECTED: ("return_id", "hub", "reason"),
        models.EVENT_VOIDED: ("return_id", "source", "id", "by", "reason"),
        models.CONNOTE_DELIVERED: ("connote",),
    }[event_type]


@pytest.mark.parametrize("event_type", tuple(models.MODELS))
@pytest.mark.parametrize("wrong", (7, True, [SECRET], {"x": SECRET}))
def test_a_member_of_another_json_type_is_named(event_type: str, wrong: object) -> None:
    for member in _required_members(event_type):
        error = rejected(record(with_data(event_type, **{member: wrong})))

        is_one_of_few = member == "route" or (event_type, member) == (models.RETURN_CLOSED, "reason")
        assert error.reason in (Invalid.WRONG_TYPE, Invalid.BAD_VALUE if is_one_of_few else Invalid.WRONG_TYPE)
        assert error.detail.startswith(f"data.{member}: ")
        assert SECRET not in str(error)


@pytest.mark.parametrize(
    ("event", "reason", "path"),
    (
        (envelope(HUB, specversion="0.3"), Invalid.UNSUPPORTED_SPECVERSION, "specversion"),
        (envelope(HUB, specversion="1.1"), Invalid.UNSUPPORTED_SPECVERSION, "specversion"),
        (envelope(HUB, specversion=1.0), Invalid.UNSUPPORTED_SPECVERSION, "specversion"),
        (envelope(HUB, type="com.omnirps.hub.depot-scanned.v2"), Invalid.UNKNOWN_TYPE, "type"),
        (envelope(HUB, type="COM.OMNIRPS.HUB.DEPOT-SCANNED.V1"), Invalid.UNKNOWN_TYPE, "type"),
        (envelope(HUB, type=""), Invalid.UNKNOWN_TYPE, "type"),
        (envelope(HUB, type=["x"]), Invalid.UNKNOWN_TYPE, "type"),
        (envelope(HUB, id=""), Invalid.BAD_VALUE, "id"),
        (envelope(HUB, source=""), Invalid.BAD_VALUE, "source"),
        (envelope(HUB, id="x" * 513), Invalid.BAD_VALUE, "id"),
        (envelope(HUB, id=1), Invalid.WRONG_TYPE, "id"),
        (envelope(HUB, time=1795435200), Invalid.WRONG_TYPE, "time"),
        (envelope(HUB, data="text"), Invalid.WRONG_TYPE, "data"),
        (envelope(HUB, data=[]), Invalid.WRONG_TYPE, "data"),
        (envelope(HUB, data_base64="e30="), Invalid.UNSUPPORTED_CONTENT_TYPE, "data_base64"),
        (envelope(HUB, datacontenttype="text/plain"), Invalid.UNSUPPORTED_CONTENT_TYPE, "datacontenttype"),
        (envelope(HUB, datacontenttype="application/jsonx"), Invalid.UNSUPPORTED_CONTENT_TYPE, "datacontenttype"),
        (envelope(HUB, datacontenttype=7), Invalid.UNSUPPORTED_CONTENT_TYPE, "datacontenttype"),
        (with_data(HUB, return_id="ab"), Invalid.BAD_VALUE, "data.return_id"),
        (with_data(HUB, return_id="x" * 65), Invalid.BAD_VALUE, "data.return_id"),
        (with_data(HUB, return_id="-abc"), Invalid.BAD_VALUE, "data.return_id"),
        (with_data(HUB, return_id="a/bc"), Invalid.BAD_VALUE, "data.return_id"),
        (with_data(HUB, return_id="abc\n"), Invalid.BAD_VALUE, "data.return_id"),
        (with_data(HUB, return_id="äbc"), Invalid.BAD_VALUE, "data.return_id"),
        (with_data(HUB, hub="AKL"), Invalid.BAD_VALUE, "data.hub"),
        (with_data(HUB, hub=""), Invalid.BAD_VALUE, "data.hub"),
        (with_data(HUB, hub="x" * 41), Invalid.BAD_VALUE, "data.hub"),
        (with_data(CREATED, route="by_air"), Invalid.BAD_VALUE, "data.route"),
        (with_data(CREATED, tracking_number="x y"), Invalid.BAD_VALUE, "data.tracking_number"),
        (with_data(SCAN, code=""), Invalid.BAD_VALUE, "data.code"),
        (with_data(SCAN, code=72), Invalid.WRONG_TYPE, "data.code"),
        (with_data(models.HUB_REJECTED, reason=""), Invalid.BAD_VALUE, "data.reason"),
        (with_data(models.CONNOTE_DELIVERED, connote="c"), Invalid.BAD_VALUE, "data.connote"),
        (with_data(models.EVENT_VOIDED, id=""), Invalid.BAD_VALUE, "data.id"),
    ),
)
def test_a_wrong_field_gets_its_reason_and_is_named(event: dict[str, Any], reason: Invalid, path: str) -> None:
    error = rejected(record(event))

    assert (error.reason, error.detail.split(":")[0]) == (reason, path)


@pytest.mark.parametrize("content_type", ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON"))
def test_json_in_any_spelling_is_a_content_type(content_type: str) -> None:
    event = envelope(HUB, datacontenttype=content_type)

    assert PARSER.parse(record(event)) == PARSER.parse(binary(event))


def test_the_detail_tells_all_that_is_wrong() -> None:
    error = rejected(record(with_data(HUB, return_id=SECRET + "/", hub=SECRET.upper())))

    assert error.detail.startswith("data.return_id: ")
    assert "; data.hub: " in error.detail
    assert SECRET not in str(error).lower()


@pytest.mark.parametrize(
    ("content_type", "reason"),
    (
        (b"application/cloudevents+json", None),
        (b"application/cloudevents+json; charset=UTF-8", None),
        (b'Application/CloudEvents+JSON;charset="utf-8"', None),
        (b"application/json", None),
        (b"application/cloudevents", Invalid.UNSUPPORTED_CONTENT_TYPE),
        (b"application/cloudevents+avro", Invalid.UNSUPPORTED_CONTENT_TYPE),
        (b"application/cloudevents-batch+json", Invalid.UNSUPPORTED_CONTENT_TYPE),
        (b"application/cloudevents+json; charset=latin1", Invalid.UNSUPPORTED_CONTENT_TYPE),
        (b"application/\xff", Invalid.NOT_UTF8),
    ),
)
def test_structured_mode_is_told_by_the_content_type_or_by_the_value(
    content_type: bytes, reason: Invalid | None
) -> None:
    message = record(envelope(HUB), (("traceparent", b"\xff"), ("Content-Type", content_type)))

    if reason is None:
        assert PARSER.parse(message) == PARSER.parse(record(envelope(HUB)))
    else:
        assert rejected(message).reason == reason


def test_structured_mode_wins_over_the_headers_of_binary_mode() -> None:
    message = record(envelope(HUB), (*STRUCTURED, ("ce_specversion", b"1.0"), ("ce_id", b"another")))

    assert PARSER.parse(message) == PARSER.parse(record(envelope(HUB)))


@pytest.mark.parametrize(
    ("more", "reason"),
    (
        (("ce_specversion", b"0.3"), Invalid.UNSUPPORTED_SPECVERSION),
        (("ce_id", b""), Invalid.BAD_VALUE),
        (("ce_id", b"a\0b"), Invalid.NUL_CHARACTER),
        (("ce_id", b"\xff"), Invalid.NOT_UTF8),
        (("ce_further", b"\xff"), Invalid.NOT_UTF8),
        (("ce_further", b"x" * MAX_BYTES), Invalid.TOO_LARGE),
        (("ce_data_base64", b"e30="), None),
        (("ce_data", b"{}"), None),
        (("ce_time", b"2026-11-23"), Invalid.BAD_TIME),
        (("content-type", b"text/plain"), Invalid.UNSUPPORTED_CONTENT_TYPE),
        (("content-type", None), None),
        (("ce_further", None), None),
        (("further", b"\xff"), None),
    ),
)
def test_of_binary_mode_the_last_header_counts(more: tuple[str, bytes | None], reason: Invalid | None) -> None:
    message = binary(envelope(HUB), more)

    if reason is None:
        assert PARSER.parse(message) == PARSER.parse(record(envelope(HUB)))
    else:
        assert rejected(message).reason == reason


def test_headers_of_binary_mode_without_a_specversion_are_no_cloudevent() -> None:
    error = rejected(record(b"{}", (("ce_id", b"1"), ("ce_type", HUB.encode()))))

    assert error.reason == Invalid.NOT_CLOUDEVENT
    assert "ce_specversion" in error.detail


@pytest.mark.parametrize("value", (b"[]", b"1", b'"text"', b"null"))
def test_data_of_binary_mode_has_to_be_an_object(value: bytes) -> None:
    headers = binary(envelope(HUB)).headers

    assert rejected(record(value, headers)).reason == Invalid.WRONG_TYPE


def test_binary_mode_may_leave_the_content_type_out() -> None:
    event = envelope(HUB, datacontenttype=None)

    assert PARSER.parse(binary(event)).event.id == event["id"]


def test_header_values_are_taken_as_they_stand() -> None:
    message = binary(envelope(HUB, source="/a%20b", id="ü", time=TIME))

    assert (PARSER.parse(message).event.source, PARSER.parse(message).event.id) == ("/a%20b", "ü")


def test_every_reason_has_a_sentence() -> None:
    assert DESCRIPTIONS.keys() == set(Invalid)


@pytest.mark.parametrize(
    ("value", "source"),
    (
        (json.dumps({name: said for name, said in envelope(HUB).items() if name != "specversion"}), "/tests/publisher"),
        (json.dumps(envelope(HUB) | {"data_base64": "e30="}), "/tests/publisher"),
        (json.dumps(envelope(HUB) | {"subject": "a\0b"}), "/tests/publisher"),
        (json.dumps(envelope(HUB) | {"type": "x"}), "/tests/publisher"),
        ('{"source":"/a","source":"/b"}', "/b"),
        ('{"source":7}', None),
        ('{"source":""}', None),
        ('{"source":"a\\u0000b"}', None),
        ('{"source":"/"}', "/"),
        (json.dumps({"source": "x" * 512}), "x" * 512),
        (json.dumps({"source": "x" * 513}), None),
        ('["source"]', None),
        ('{"source":"/a"', None),
        ('{"source":"/a","deep":' + "[" * 149 + "]" * 149 + "}", "/a"),
        ('{"source":"/a","deep":' + "[" * 150 + "]" * 150 + "}", None),
        ("{", None),
    ),
)
def test_whom_an_invalid_message_is_of_is_read_wherever_it_can_be(value: str, source: str | None) -> None:
    assert rejected(record(value.encode())).source == source


def test_a_message_that_is_too_large_is_not_looked_through_for_whom_it_is_of() -> None:
    longest = b'{"source":"/a"}'.ljust(MAX_BYTES)

    assert rejected(record(longest)).source == "/a"
    assert rejected(record(longest + b" ")).source is None
    assert rejected(record(longest + b" ", (("ce_source", b"/h"),))).source == "/h"


def test_whom_an_event_is_of_is_told_by_the_event_and_not_by_a_header_beside_it() -> None:
    event = envelope(HUB, type="x")

    assert rejected(record(event, (*STRUCTURED, ("ce_source", b"/h")))).source == event["source"]


def test_a_local_time_that_nobody_can_place_names_the_carriers_of_which_it_could_be() -> None:
    tables = CarrierTables.load()
    data = {"carrier": "acme-post", "tracking_number": "GX-1001", "code": "X", "local_time": "2026-11-20T09:00:00"}
    said = {name: value for name, value in envelope(SCAN).items() if name != "time"} | {"data": data}

    unknown = rejected(record(said))
    assert unknown.reason is Invalid.NO_ZONE
    assert unknown.detail.startswith(
        "data.local_time: the carrier has no table; send time with its offset, or name one that has"
    )
    assert all(carrier in unknown.detail for carrier in tables.carriers)
    known = rejected(record(said | {"data": data | {"carrier": "generic"}}))
    assert known.detail == "data.local_time: the carrier's table names no zone; send time with its offset"
