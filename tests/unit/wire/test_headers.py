"""Headers as most publishers write them are read in a way of their own, which must tell the same as the general one.

The general way is taken for names in another case: Kafka's headers have none that counts.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidEvent
from service.wire import cloudevents
from service.wire.record import Record

Headers = tuple[tuple[str, bytes | None], ...]
NAMES = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "ce_shift", "traceparent")
VALUES = st.sampled_from(
    (
        b"1.0",
        "Ōtāhuhu".encode(),
        b"",
        None,
        b"a\0b",
        b"\xff",
        b"application/json",
        b"application/json; charset=UTF-8",
        b"application/cloudevents+json",
        b"application/cloudevents+json;charset=utf-8",
        b"application/cloudevents+json; charset=latin-1",
        b"x" * 200_000,
    )
)
ATTRIBUTES = (("ce_specversion", b"1.0"), ("ce_id", b"1"))


def read(headers: Headers, value: bytes = b'{"specversion":"1.0"}') -> Any:
    """The event, or why it is none."""
    try:
        return cloudevents.decode(Record("t", 0, 0, 0, None, value, headers))
    except InvalidEvent as error:
        return error.reason


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=10).map(tuple))
def test_the_usual_headers_are_read_like_any_others(headers: Headers) -> None:
    shouted = tuple((name.upper(), value) for name, value in headers)

    ours, theirs = read(headers), read(shouted)

    if "application/json" in str(theirs) and isinstance(theirs, dict):
        theirs.pop("datacontenttype", None)  # nobody is told of the usual one
        ours.pop("datacontenttype", None)
    assert ours == theirs


@pytest.mark.parametrize(
    "content_type", ("application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8")
)
def test_binary_mode_takes_the_attributes_from_the_headers(content_type: str) -> None:
    event = read((*ATTRIBUTES, ("content-type", content_type.encode()), ("traceparent", None)), b'{"code":"1"}')

    assert event == {"specversion": "1.0", "id": "1", "data": {"code": "1"}}


def test_another_type_of_the_payload_is_told() -> None:
    event = read((*ATTRIBUTES, ("content-type", b"text/json")), b"{}")

    assert event["datacontenttype"] == "text/json"


@pytest.mark.parametrize("parameter", ("", "; charset=utf-8", ";charset=UTF-8", '; charset="utf-8"', "; profile=x"))
@pytest.mark.parametrize("more", ((), (("traceparent", b"00-1"),), (("ce_id", b"another"),)))
def test_structured_mode_takes_nothing_from_the_headers(parameter: str, more: Headers) -> None:
    content_type = ("content-type", f"application/cloudevents+json{parameter}".encode())

    assert read((content_type, *more)) == {"specversion": "1.0"}


@pytest.mark.parametrize("beside", ((), (("traceparent", b"00-1"),)), ids=("alone", "beside another's header"))
@pytest.mark.parametrize("hidden", ((), (("ce_source", b"urn:a"),)), ids=("plain", "hidden by another of the name"))
@pytest.mark.parametrize(
    ("value", "reason"), ((b"a\0b", "nul_character"), (b"\xff", "not_utf8"), (b"x" * 300_000, "too_large"))
)
def test_what_a_header_may_not_hold_is_refused_whatever_stands_beside_it(
    value: bytes, reason: str, hidden: Headers, beside: Headers
) -> None:
    assert read((*ATTRIBUTES, ("ce_source", value), *hidden, *beside)) == reason
