"""A feed whose numbers are connotes: deliveries are said as such, what is no delivery is ignored, nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.errors import SettingsError
from service.wire.carriers import CarrierTables
from service.wire.feeds.definition import Feed, parse_feed
from service.wire.feeds.enabled import parse_enabled
from service.wire.feeds.files import FileKind, lines
from service.wire.feeds.reading import Fault, Onto, Reader, Scan, Source
from service.wire.inbound import Parser, SubjectKind
from service.wire.judging.publishers import Publishers, parse_publishers
from service.wire.models import CARRIER_SCANNED, CONNOTE_DELIVERED, TYPES_BY_TOPIC_SETTING
from tests.unit.wire.events import NOW_MS

TOPICS = {"scans": TYPES_BY_TOPIC_SETTING["topic_scans"], "deliveries": TYPES_BY_TOPIC_SETTING["topic_deliveries"]}
TEXT = """\
name = "A final-mile carrier"
carrier = "omniparcel"
numbers = "connotes"
signature = { scheme = "path" }
[read]
events = "Events"
number = "parcel.ConsignmentNo"
code = "event.OmniCode"
time = "event.EventDT"
place = "event.Location"
signed_by = "event.Signed"
[csv]
number = "event.ConsignmentNo"
code = "event.OmniCode"
time = "event.EventDT"
"""
FEED = parse_feed("final", TEXT, "x")
AT = "2026-11-20T10:00:00"  # on the clock of the table's zone: Auckland, 13 h ahead


def reader(publishers: Publishers | None = None) -> Reader:
    parser = Parser(CarrierTables.load(), TOPICS, publishers=publishers)
    return Reader(parser, "scans", lambda: NOW_MS * 1000, lambda: 0.0, deliveries="deliveries")


def scan(code: str, of: Feed = FEED, by: Reader | None = None, **event: Any) -> Scan:
    body = {"ConsignmentNo": "CN-4711", "Events": [{"OmniCode": code, "EventDT": AT, **event}]}
    (found,) = (by or reader()).read(Source("final", of), json.dumps(body).encode())
    return found


def test_a_delivered_scan_is_the_delivery_of_the_connote() -> None:
    found = scan("OP-72", Location="Dock 4", Signed="Ann")

    event = json.loads(found.value)
    assert (found.onto, found.key, found.meaning, found.fault) == (Onto.DELIVERIES, "CN-4711", "RDBTC", None)
    assert (event["type"], event["source"]) == (CONNOTE_DELIVERED, "/feeds/final")
    assert event["time"] == "2026-11-19T21:00:00Z"
    assert event["data"] == {
        "connote": "CN-4711",
        "carrier": "omniparcel",
        "code": "OP-72",
        "location": {"name": "Dock 4"},
        "signed_by": "Ann",
    }
    assert found.inbound is not None
    assert (found.inbound.kind, found.inbound.subject) == (SubjectKind.CONNOTE, "CN-4711")


def test_a_delivery_that_the_feed_may_not_say_is_a_letter_on_the_topic_of_deliveries() -> None:
    """Whoever says what a feed may publish forgot that topic."""
    scans_alone = parse_publishers('[feeds]\ntopics = ["scans"]\nsources = ["/feeds"]\n', "p")

    found = scan("OP-72", by=reader(scans_alone))

    assert found == Scan(
        "parcels[0].events[0]",
        "CN-4711",
        scan("OP-72").value,
        None,
        Fault(
            "parcels[0].events[0] source",
            "not_allowed",
            "nobody may write this topic: RETURNS_PUBLISHERS names no publisher of it",
        ),
        None,
        Onto.DELIVERIES,
    )
    assert scan("OP-33", by=reader(scans_alone)).fault is None


def test_the_same_scan_with_its_offset_keeps_it_and_its_id_does_not_depend_on_what_describes_it() -> None:
    with_offset = json.loads(scan("OP-72", EventDT=f"{AT}+13:00").value)

    assert with_offset["time"] == "2026-11-20T10:00:00+13:00"
    same, other = (json.loads(each.value)["id"] for each in (scan("OP-72", Location="York"), scan("OP-74")))
    assert json.loads(scan("OP-72").value)["id"] == same != other


@pytest.mark.parametrize(("code", "meaning"), (("OP-33", "RT"), ("OP-1", "informational"), ("OP-57", "informational")))
def test_what_is_no_delivery_is_told_and_goes_nowhere(code: str, meaning: str) -> None:
    found = scan(code)

    assert (found.onto, found.meaning, found.fault) == (Onto.NOWHERE, meaning, None)


def test_a_code_that_no_table_has_is_published_as_it_is_and_what_is_wrong_becomes_a_letter() -> None:
    unmapped, wrong = scan("OP-999"), scan("OP-72", EventDT="yesterday")

    assert (unmapped.onto, unmapped.meaning) == (Onto.SCANS, "unmapped")
    assert json.loads(unmapped.value)["type"] == CARRIER_SCANNED
    assert wrong.onto is Onto.SCANS
    assert wrong.fault is not None
    assert "Events" not in wrong.fault.detail


def test_a_row_of_a_file_is_read_as_a_request_is(tmp_path: Path) -> None:
    file = tmp_path / "deliveries.csv"
    file.write_text(f"ConsignmentNo,OmniCode,EventDT\nCN-4711,OP-72,{AT}\nCN-4711,OP-33,{AT}\n")

    found = [each for line in lines(file, FileKind.CSV, Source("final", FEED), reader()) for each in line.scans]

    assert [each.onto for each in found] == [Onto.DELIVERIES, Onto.NOWHERE]
    assert json.loads(found[0].value)["id"] == json.loads(scan("OP-72").value)["id"]


def test_a_feed_is_opened_a_second_time_for_connotes_and_other_numbers_are_refused() -> None:
    labels = parse_feed("omniparcel", TEXT.replace('numbers = "connotes"\n', ""), "x")
    opened = parse_enabled(
        '[final]\nfeed = "omniparcel"\nnumbers = "connotes"\nsecret = "a secret"\n', {"omniparcel": labels}, "f"
    )

    assert (labels.of_connotes, opened["final"].source.feed.of_connotes) == (False, True)
    assert scan("OP-72", labels).onto is Onto.SCANS
    for text in (TEXT.replace('"connotes"', '"parcels"'), TEXT.replace('"connotes"', "true")):
        with pytest.raises(SettingsError, match="numbers: one of labels, connotes is expected"):
            parse_feed("final", text, "x")
