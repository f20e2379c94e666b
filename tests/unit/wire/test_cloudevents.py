"""The envelope: what is refused says what is wrong and where, and never what stood there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.errors import InvalidEvent
from service.wire.cloudevents import MAX_BYTES, decode, encode, encode_event
from service.wire.reasons import Invalid
from service.wire.record import Record, Unread

Headers = tuple[tuple[str, bytes | None], ...]
STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)
BINARY: Headers = (("ce_specversion", b"1.0"), ("ce_id", b"1"))


def read(value: bytes | None, headers: Headers = STRUCTURED, unread: Unread | None = None) -> dict[str, Any]:
    return decode(Record("t", 0, 0, 0, None, value, headers, unread=unread))


def refused(value: bytes | None, headers: Headers = STRUCTURED, unread: Unread | None = None) -> tuple[str, str]:
    """The reason and the sentence."""
    with pytest.raises(InvalidEvent) as caught:
        read(value, headers, unread)
    return caught.value.reason, caught.value.detail


def with_member(text: str) -> bytes:
    return b'{"specversion":"1.0","further":' + text.encode() + b"}"


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    (
        (b'{"a":1,\n x}', Invalid.NOT_JSON, "not JSON at line 2 column 2"),
        (b"{", Invalid.NOT_JSON, "not JSON at line 1 column 1"),
        (b'{"a":01}', Invalid.NOT_JSON, "not JSON at line 1 column 7"),
        (
            with_member("[" * 201 + "]" * 201),
            Invalid.TOO_DEEP,
            "nested deeper than 200 levels at line 1 column 232",
        ),
        (
            with_member("9" * 4301),
            Invalid.NUMBER_OUT_OF_RANGE,
            "an integer of more than 4,300 digits at line 1 column 4333",
        ),
        (with_member('"\\ud800"'), Invalid.LONE_SURROGATE, "half of a surrogate pair at line 1 column 39"),
        (with_member('"\\ud800\\u0041"'), Invalid.LONE_SURROGATE, "half of a surrogate pair at line 1 column 44"),
        (b'{"a": "\xff"}', Invalid.NOT_UTF8, "not UTF-8 at byte 7"),
        (b"\xff", Invalid.NOT_UTF8, "not UTF-8 at byte 0"),
    ),
)
def test_what_is_no_json_says_what_is_wrong_and_where_and_nothing_else(
    value: bytes, reason: Invalid, detail: str
) -> None:
    assert refused(value) == (reason, detail)


@pytest.mark.parametrize(
    "text",
    (
        "[" * 149 + "]" * 149,
        "[" * 180 + "]" * 180,
        '{"a":' * 180 + "1" + "}" * 180,
        "[" + "[]," * 400 + "[]]",
        "[" + '{"a":[]},' * 400 + "{}]",
        "9" * 4300,
        '"' + "[{" * 200 + '"',
        "1e308",
    ),
)
def test_what_is_wide_or_deep_within_reason_is_read(text: str) -> None:
    assert read(with_member(text)) == {"specversion": "1.0", "further": json.loads(text)}


@pytest.mark.parametrize(
    "many", ("[]", ",".join(["[]"] * 200)), ids=("a few", "so many that the strict parser reads it")
)
def test_a_number_that_no_double_holds_is_found_beside_a_text_that_only_looks_like_it(many: str) -> None:
    """A text "Infinity" anywhere in the event hid such a number: it was taken in, and kept as null."""
    assert read(with_member(f'[{many},"Infinity"]'))
    assert refused(with_member(f'[{many},"Infinity",1e400]'))[0] == Invalid.NUMBER_OUT_OF_RANGE


@pytest.mark.parametrize("text", ('"\\\\u0000"', '"\\\\\\\\u0000"', '"u0000 \\\\"', '{"\\\\u0000":[]}'))
def test_a_backslash_before_digits_is_no_nul(text: str) -> None:
    assert read(with_member(text))["further"] == json.loads(text)


@pytest.mark.parametrize(
    "text", ('"\\u0000"', '[1,{"a":[true,null,"b\\u0000"]}]', '{"a":{"b\\u0000":1}}', '"\\\\\\u0000"')
)
def test_a_nul_is_found_wherever_it_stands_and_the_part_of_the_event_named(text: str) -> None:
    assert refused(with_member(text)) == (Invalid.NUL_CHARACTER, "the event: a text holds the character U+0000")
    assert refused(text.encode(), BINARY) == (Invalid.NUL_CHARACTER, "data: a text holds the character U+0000")


@pytest.mark.parametrize("beside", ("", "[]," * 200), ids=("alone", "beside so much that the strict parser reads it"))
def test_a_number_out_of_range_names_the_part_of_the_event(beside: str) -> None:
    numbers = f"[{beside}-1e400]"

    assert refused(with_member(numbers))[1].startswith("the event: ")
    assert refused(numbers.encode(), BINARY)[1].startswith("data: ")


@pytest.mark.parametrize("value", (None, b""))
def test_a_record_that_was_not_read_says_why_instead_of_that_it_is_empty(value: bytes | None) -> None:
    unread = Unread(Invalid.BATCH_TOO_LARGE, "the batch is too large", 7)

    assert refused(value, (), unread) == (Invalid.BATCH_TOO_LARGE, "the batch is too large")
    assert refused(value, ())[0] == Invalid.EMPTY


@pytest.mark.parametrize(
    ("header", "named"),
    (
        ("ce_id", "header ce_id"),
        ("CE_Source", "header ce_source"),
        ("Content-Type", "header content-type"),
        ("ce_s3cret", "a ce_ header"),
    ),
)
@pytest.mark.parametrize("value", (b"\xff", b"a\0"))
def test_a_wrong_header_is_named_if_its_name_is_no_text_of_the_publishers(
    header: str, named: str, value: bytes
) -> None:
    assert refused(b"{}", (*BINARY, (header, value)))[1].partition(":")[0] == named


def test_a_nul_in_the_name_of_an_attribute_is_refused_and_in_that_of_another_header_it_is_not_ours() -> None:
    assert refused(b"{}", (*BINARY, ("ce_a\0b", b"x")))[0] == Invalid.NUL_CHARACTER
    assert read(b"{}", (*BINARY, ("a\0b", b"x"))) == {"specversion": "1.0", "id": "1", "data": {}}


@pytest.mark.parametrize("name", ("ce_source", "ce_further", "CE_SOURCE"))
def test_attributes_in_headers_are_as_large_as_a_value_may_be_and_no_larger(name: str) -> None:
    room = MAX_BYTES - sum(len(header) + len(value or b"") for header, value in BINARY) - len(name)

    assert read(b"{}", (*BINARY, (name, b"x" * room)))["specversion"] == "1.0"
    assert refused(b"{}", (*BINARY, (name, b"x" * (room + 1))))[0] == Invalid.TOO_LARGE
    # Headers of others are not counted, and one without a value is as if it were not there.
    assert read(b"{}", (*BINARY, ("traceparent", b"x" * MAX_BYTES), (name, None)))["id"] == "1"


def test_a_value_is_as_large_as_it_may_be_and_no_larger() -> None:
    room = MAX_BYTES - len(with_member('""'))

    assert len(read(with_member('"' + "x" * room + '"'))["further"]) == room
    assert refused(with_member('"' + "x" * (room + 1) + '"'))[0] == Invalid.TOO_LARGE


@pytest.mark.parametrize(
    ("content_type", "is_ours"),
    (
        ("application/cloudevents+json ; Charset = UTF8", True),
        ("APPLICATION/CLOUDEVENTS+JSON;charset=us-ascii", True),
        ("application/cloudevents+json;profile=latin-1", True),
        ("application/cloudevents+json;", True),
        ('application/cloudevents+json; charset="iso-8859-1"', False),
        ("application/cloudevents+json; charset=latin=1", False),
        ("application/cloudevents+json; charset=utf-8; profile=x", True),
        ("application/cloudevents+json; profile=x; charset=latin-1", False),
        ("application/cloudevents+json; charset=", False),
        ("application/cloudevents+jsonx", False),
        ("application/cloudevents+xml; charset=utf-8", False),
    ),
)
def test_the_structured_form_is_json_in_utf_8(content_type: str, is_ours: bool) -> None:
    headers: Headers = (("content-type", content_type.encode()), ("ce_id", b"another"))

    if is_ours:
        assert read(b'{"specversion":"1.0"}', headers) == {"specversion": "1.0"}
    else:
        reason, detail = refused(b'{"specversion":"1.0"}', headers)
        assert reason == Invalid.UNSUPPORTED_CONTENT_TYPE
        assert detail.startswith("header content-type: ")


def test_a_payload_of_binary_mode_has_the_content_type_that_is_told() -> None:
    told = (*BINARY, ("content-type", b"Application/JSON"), ("CE_Subject", b"s"), ("ce_Further", b"f"))

    assert read(b"[1]", told) == {
        "specversion": "1.0", "id": "1", "subject": "s", "further": "f", "datacontenttype": "Application/JSON", "data": [1],
    }  # fmt: skip


def test_without_a_specversion_in_the_headers_the_value_says_it_all_if_there_are_no_others() -> None:
    event = {"specversion": "1.0"}

    assert read(b'{"specversion":"1.0"}', (("content-type", b"text/plain"), ("traceparent", b"\xff"))) == event
    assert refused(b'{"specversion":"1.0"}', (("content-type", b"text/plain"), ("ce_id", b"1")))[0] == "not_cloudevent"


def test_of_two_content_types_the_last_one_counts() -> None:
    other = ("content-type", b"application/cloudevents+xml")

    assert read(b'{"specversion":"1.0"}', (other, *STRUCTURED)) == {"specversion": "1.0"}
    assert refused(b'{"specversion":"1.0"}', (*STRUCTURED, other))[0] == Invalid.UNSUPPORTED_CONTENT_TYPE


def test_binary_data_is_refused_by_its_name_and_a_null_in_its_place_is_not() -> None:
    assert refused(b'{"specversion":"1.0","data_base64":"e30="}')[1].startswith("data_base64: ")
    assert read(b'{"specversion":"1.0","data_base64":null}') == {"specversion": "1.0", "data_base64": None}


def test_half_a_character_that_somebody_gave_is_sent_as_its_escape_and_then_refused_in_words() -> None:
    sent = encode({"id": "\ud83d", "source": "/s", "type": "t"}, {})

    assert sent.isascii()
    assert refused(sent)[0] == Invalid.LONE_SURROGATE
    assert encode_event({"a": "\u00e9"}) == '{"a":"\u00e9"}'.encode()
