"""A dead letter tells everything that is wrong with its event at once, whichever of the judgements find it."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Final

import pytest

from service.application.access.bounds import Bounds
from service.application.commands.accepting import Accepting, InputMessage, Sender
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.judging.publishers import parse_publishers
from service.wire.reasons import Invalid
from service.wire.record import Record
from tests.unit.application.commands.test_accepting import Returns
from tests.unit.wire.events import NOW_MS, envelope, record

PUBLISHERS: Final = """
[couriers]
topics = ["scans", "returns", "hub-events"]
sources = ["/couriers"]
carriers = ["omniparcel", "generic"]
"""
TOPICS: Final = {
    "scans": (models.CARRIER_SCANNED,),
    "returns": (models.RETURN_CREATED,),
    "hub-events": (models.EVENT_VOIDED,),
}
PARSER: Final = Parser(CarrierTables.load(), TOPICS, lambda: NOW_MS * 1000, parse_publishers(PUBLISHERS, "p"))
SCAN: Final = {"carrier": "omniparcel", "tracking_number": "TK-1", "code": "OP-1", "location": {"country": "Nowhere"}}
# Each by itself: what it changes of a scan, in its envelope and in its data, and where it is told.
WRONG: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "specversion": ({"specversion": "0.3"}, {}),
    "id": ({"id": ""}, {}),
    "source": ({"source": "/hubs/akl-1"}, {}),
    "time": ({"time": "2099-01-01T00:00:00Z"}, {}),
    "datacontenttype": ({"datacontenttype": "text/xml"}, {}),
    "data.carrier": ({}, {"carrier": "gls"}),
    "data.tracking_number": ({}, {"tracking_number": None}),
    "data.code": ({}, {"code": " \t"}),
}


def faults(event: dict[str, Any], topic: str = "scans", key: bytes | None = None) -> list[str]:
    """Where it is wrong; the reason first."""
    came = record(event, topic=topic)
    with pytest.raises(InvalidEvent) as caught:
        PARSER.parse(Record(topic, 0, 0, came.timestamp, key, came.value, came.headers))
    error = caught.value
    for path, what in error.faults:
        assert f"{path}: {what}" in error.detail
    return [error.reason, *(path for path, _ in error.faults)]


def wrong(*names: str) -> dict[str, Any]:
    event, data = envelope(models.CARRIER_SCANNED, source="/couriers/a"), dict[str, Any](SCAN)
    for name in names:
        event.update(WRONG[name][0])
        data.update(WRONG[name][1])
    return event | {"data": {member: value for member, value in data.items() if value is not None}}


@pytest.mark.parametrize(
    "names", [each for size in range(1, len(WRONG) + 1) for each in combinations(WRONG, size)], ids=" ".join
)
def test_whatever_is_wrong_together_is_told_together(names: tuple[str, ...]) -> None:
    reason, *found = faults(wrong(*names))

    # Of another publisher's source it is not known what it may name.
    expected = set(names) - ({"data.carrier"} if "source" in names else set())
    assert set(found) == expected
    assert len(found) == len(expected)
    alone = {faults(wrong(name))[0] for name in names}
    assert reason in alone


def test_the_right_topic_is_told_beside_what_else_is_wrong() -> None:
    event = wrong("time", "data.tracking_number")

    assert faults(event, topic="returns") == [Invalid.WRONG_TOPIC, "type", "data.tracking_number", "time"]


def test_another_version_hides_nothing_of_what_else_is_wrong() -> None:
    event = wrong("specversion", "time")

    assert faults(event, topic="returns") == [Invalid.UNSUPPORTED_SPECVERSION, "specversion", "type", "time"]


def test_a_local_time_that_is_no_text_is_all_that_is_told_of_when_it_happened() -> None:
    event = wrong() | {"time": None}
    event["data"] |= {"local_time": 7}

    assert faults(event) == [Invalid.WRONG_TYPE, "data.local_time"]


def test_of_a_type_that_nobody_knows_the_types_are_told_and_the_version() -> None:
    event = wrong("specversion", "id") | {"type": "x"}

    assert faults(event) == [Invalid.UNSUPPORTED_SPECVERSION, "specversion", "type"]


def test_a_key_is_held_to_data_that_stands() -> None:
    assert faults(wrong("time"), key=b"other") == [Invalid.TIME_OUT_OF_RANGE, "time", "key"]
    assert faults(wrong("source"), key=b"other") == [Invalid.NOT_ALLOWED, "source", "key"]
    assert faults(wrong("data.tracking_number"), key=b"other") == [Invalid.MISSING_FIELD, "data.tracking_number"]


def test_a_void_of_nothing_tells_what_else_is_wrong() -> None:
    event = envelope(models.EVENT_VOIDED, source="/couriers/a", time="1999-01-01T00:00:00Z")
    event["data"] = {"source": "/hubs/akl-1", "id": "1", "by": "a", "reason": "b"}

    assert faults(event, topic="hub-events") == [
        Invalid.TIME_OUT_OF_RANGE,
        "time",
        "data.return_id",
        "data.source",
    ]


@pytest.mark.parametrize("data", (None, [], "text", {"carrier": ["gls"]}, {"carrier": {}, "local_time": {}}))
@pytest.mark.parametrize("event_type", TOPICS["scans"] + TOPICS["returns"] + TOPICS["hub-events"])
@pytest.mark.parametrize("topic", TOPICS)
def test_whatever_its_data_is_its_time_is_judged(data: object, event_type: str, topic: str) -> None:
    event = envelope(event_type, source="/couriers/a", time="1999-01-01T00:00:00Z") | {"data": data}

    paths = faults(event, topic)[1:]
    is_scan = event_type == models.CARRIER_SCANNED
    # Whether a scan's time is in its data is not known of data that cannot be read.
    assert ("time" in paths) is not is_scan
    assert any(path.startswith("data") for path in paths)


def test_a_token_that_may_not_is_told_so_beside_what_is_wrong_with_the_event() -> None:
    published: list[InputMessage] = []
    accepting = Accepting(PARSER, dict.fromkeys(models.MODELS, "scans"), published.extend, Returns())
    bound = Sender("couriers", {"hub"}, Bounds(carriers=frozenset({"nzpost"})))

    (judged,) = accepting.judge([wrong("time", "data.code")], bound)

    assert judged.error is not None
    assert [path for path, _ in judged.error.faults] == ["type", "time", "data.code", "data.carrier"]
    assert judged.error.reason == Invalid.NOT_ALLOWED
