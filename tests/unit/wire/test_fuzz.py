"""Whatever comes: an event or InvalidEvent, and what is valid comes through unchanged."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.cloudevents import STRUCTURED_HEADERS, encode
from service.wire.inbound import Inbound, Parser
from service.wire.reasons import Invalid
from service.wire.record import Record
from service.wire.times import EPOCH
from tests.unit.wire.events import DATA, NOW_MS, STRUCTURED, binary, envelope, record

PARSER = Parser(CarrierTables.load())

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
any_json = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
# No NUL and no surrogates: those are invalid.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
fine_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
headers = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_", "x"])
        | st.text(),
        st.none()
        | st.binary(max_size=30)
        | st.sampled_from([b"1.0", b"application/json", b"application/cloudevents+json", b"2026-11-23T10:00:00Z"])
        | st.sampled_from([t.encode() for t in models.MODELS]),
    ),
    max_size=8,
).map(tuple)


def judged(message: Record) -> Inbound | None:
    """The parser's answer, None for an invalid event; any other exception is the failure looked for."""
    rejection: InvalidEvent | None = None
    try:
        inbound = PARSER.parse(message)
    except InvalidEvent as error:
        rejection = error
    if rejection is not None:
        assert rejection.reason in set(Invalid)
        assert rejection.detail
        return None
    # What the history keeps is JSON that a strict reader, and PostgreSQL, takes.
    for kept in (inbound.data, inbound.extensions):
        if kept is not None:
            json.loads(kept, parse_constant=refuse)
            assert b"\\u0000" not in kept.replace(b"\\\\", b"")
    return inbound


def refuse(constant: str) -> None:
    raise AssertionError(constant)


@given(st.binary() | st.none(), headers)
def test_any_bytes_are_an_event_or_invalid(
    value: bytes | None, some_headers: tuple[tuple[str, bytes | None], ...]
) -> None:
    judged(record(value, some_headers))


@given(any_json, headers | st.just(STRUCTURED))
def test_any_json_is_an_event_or_invalid(value: Any, some_headers: tuple[tuple[str, bytes | None], ...]) -> None:
    judged(record(json.dumps(value).encode(), some_headers))


@given(st.sampled_from(tuple(models.MODELS)), st.data())
def test_an_event_with_anything_anywhere_is_an_event_or_invalid(event_type: str, data: st.DataObject) -> None:
    event = envelope(event_type)
    where = data.draw(st.sampled_from([event, event["data"]]))
    member = data.draw(st.sampled_from(sorted(where)) | st.text())
    where[member] = data.draw(any_json)

    judged(record(json.dumps(event).encode()))


@given(st.sampled_from(tuple(models.MODELS)), st.data())
def test_a_valid_event_with_flipped_bytes_is_an_event_or_invalid(event_type: str, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(envelope(event_type)).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    judged(record(bytes(raw)))


numbers = st.from_regex(models.NUMBER_PATTERN.replace("$", r"\Z"))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    event_type=st.sampled_from(tuple(models.MODELS)),
    source=texts.filter(bool),
    event_id=texts.filter(bool),
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2026, 11, 25), timezones=st.just(UTC)),  # noqa: DTZ001
    number=numbers,
    more=st.dictionaries(texts.filter(lambda name: name not in DATA), fine_json, max_size=3),
)
def test_any_valid_event_comes_through(
    *, event_type: str, source: str, event_id: str, moment: datetime, number: str, more: dict[str, Any]
) -> None:
    known = DATA[event_type]
    data = {**{k: v for k, v in more.items() if k not in {"location", "local_time", "items", *known}}, **known}
    for member in ("return_id", "tracking_number", "connote"):
        if member in known:
            data[member] = number
    attributes = {"id": event_id, "source": source, "type": event_type, "time": moment.isoformat()}

    structured = judged(Record("t", 0, 0, NOW_MS, None, encode(attributes, data), STRUCTURED_HEADERS))

    assert structured is not None
    assert (structured.event.source, structured.event.id) == (source, event_id)
    assert structured.event.at == (moment - EPOCH) // timedelta(microseconds=1)
    assert json.loads(structured.data) == data
    assert number in structured.subject
    assert judged(binary({**attributes, "specversion": "1.0", "data": data})) == structured


@given(st.integers(1, 2000), st.sampled_from(["[", '{"a":', '[{"a":']))
def test_nesting_never_escapes_as_another_error(depth: int, opening: str) -> None:
    closing = opening[::-1].translate(str.maketrans('[{"a:', "]}   ")).replace(" ", "")
    body = opening * depth + "1" + closing * depth
    raw = json.dumps(envelope(models.HUB_PROCESSED)).replace('"hub"', f'"deep": {body}, "hub"')

    with contextlib.suppress(RecursionError):  # of this test's own reader, never of the service
        judged(record(raw.encode()))
