"""CloudEvents over HTTP: whichever mode an event comes in, it is the same event."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InvalidEvent
from service.wire.http_events import BATCH_MEDIA_TYPE, MOST_EVENTS, Mended, read_events

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "a b%/\u00e9",
    "source": "/depot 7",
    "type": "com.omnirps.carrier.scanned.v1",
    "time": "2026-11-24T09:12:00+13:00",
    "traceparent": "00-1",
    "data": {"carrier": "generic", "code": "COLLECTED"},
}


def test_all_three_modes_give_the_same_event() -> None:
    body = json.dumps(EVENT).encode()
    attributes = {name: value for name, value in EVENT.items() if name != "data"}
    binary = [(f"Ce-{name.title()}", quote(value, safe="")) for name, value in attributes.items()]

    assert read_events("application/cloudevents+json; charset=UTF-8", (), body) == [EVENT]
    assert read_events(BATCH_MEDIA_TYPE, (), b"[" + body + b"," + body + b"]") == [EVENT, EVENT]
    (in_headers,) = read_events("application/json", binary, json.dumps(EVENT["data"]).encode())
    assert in_headers == EVENT


def test_an_event_without_a_media_type_is_taken_by_what_it_is() -> None:
    assert read_events(None, (), json.dumps(EVENT).encode()) == [EVENT]
    assert read_events("application/json", (), json.dumps(EVENT).encode()) == [EVENT]


def test_what_is_wrong_with_one_event_of_a_batch_costs_no_other() -> None:
    body = json.dumps([EVENT, {"a": 1}, 5, {**EVENT, "id": "\0"}]).encode()

    first, *others = read_events(BATCH_MEDIA_TYPE, (), body)

    assert first == EVENT
    assert [each.reason for each in others if isinstance(each, InvalidEvent)] == [
        "not_cloudevent",
        "not_cloudevent",
        "nul_character",
    ]


def test_what_nobody_can_read_of_a_description_costs_the_description_alone() -> None:
    event = {**EVENT, "data": {**EVENT["data"], "description": "a van \ud83d", "further": "\0"}}

    (found,) = read_events(BATCH_MEDIA_TYPE, (), json.dumps([event]).encode())

    assert isinstance(found, Mended)
    assert found == {**EVENT, "data": {**EVENT["data"], "description": "a van \ufffd", "further": "\ufffd"}}
    assert found.ignored == ("description",)


def test_a_header_that_is_no_text_is_said_and_breaks_nothing() -> None:
    (found,) = read_events("application/json", [("ce-specversion", "1.0"), ("ce-id", "%ff")], b"{}")

    assert isinstance(found, InvalidEvent)
    assert found.reason == "not_utf8"
    assert list(found.faults) == [("a ce- header", "not UTF-8, percent-encoded")]


@pytest.mark.parametrize("body", (b"", b"{}", b"[", b"\xff", b"[{]", b"[" * 100_000), ids=range(6))
def test_a_batch_that_is_none_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(InvalidEvent, match="a JSON array of events"):
        read_events(BATCH_MEDIA_TYPE, (), body)


def test_a_batch_is_bounded() -> None:
    assert len(read_events(BATCH_MEDIA_TYPE, (), b"[" + b",".join([b"1"] * MOST_EVENTS) + b"]")) == MOST_EVENTS
    with pytest.raises(InvalidEvent, match="at most"):
        read_events(BATCH_MEDIA_TYPE, (), b"[" + b",".join([b"1"] * (MOST_EVENTS + 1)) + b"]")


@settings(deadline=None)
@given(
    st.sampled_from(
        (None, "application/json", "application/cloudevents+json", BATCH_MEDIA_TYPE, "application/cloudevents")
    ),
    st.lists(
        st.tuples(st.sampled_from(("ce-id", "ce-specversion", "CE-x", "accept")), st.text(max_size=20)), max_size=4
    ),
    st.binary(max_size=200),
)
def test_whatever_comes_is_an_event_or_says_why_not(
    content_type: str | None, headers: list[tuple[str, str]], body: bytes
) -> None:
    try:
        found = read_events(content_type, headers, body)
    except InvalidEvent:
        return
    assert all(isinstance(each, dict | InvalidEvent) for each in found)


def test_the_media_type_of_a_request_is_read_without_its_parameters_in_any_letter_case() -> None:
    body = json.dumps(EVENT).encode()

    assert read_events(" Application/CloudEvents-Batch+JSON ; charset=utf-8", (), b"[" + body + b"]") == [EVENT]
    assert read_events("Application/CloudEvents+JSON", (), body) == [EVENT]
    (found,) = read_events("application/cloudevents+avro", (), body)
    assert isinstance(found, InvalidEvent)
    assert found.reason == "unsupported_content_type"


def test_an_empty_batch_has_no_events() -> None:
    assert read_events(BATCH_MEDIA_TYPE, (), b"[]") == []


def test_of_the_headers_those_of_the_event_count_and_the_type_of_the_payload_is_the_requests() -> None:
    headers = [
        ("CE-Specversion", "1.0"),
        ("cE-iD", "%E2%82%AC"),
        ("X-ce-source", "/no"),
        ("content-type", "text/plain"),
    ]

    assert read_events("text/json", headers, b"[]") == [
        {"specversion": "1.0", "id": "\u20ac", "datacontenttype": "text/json", "data": []}
    ]
    assert read_events(None, headers, b"[]") == [{"specversion": "1.0", "id": "\u20ac", "data": []}]
    assert read_events("", headers, b"[]") == [
        {"specversion": "1.0", "id": "\u20ac", "datacontenttype": "", "data": []}
    ]


def test_a_body_with_a_header_of_an_event_is_a_payload_and_no_event() -> None:
    (found,) = read_events("application/json", [("ce-id", "1")], json.dumps(EVENT).encode())

    assert isinstance(found, InvalidEvent)
    assert found.reason == "not_cloudevent"
