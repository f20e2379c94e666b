"""What a scan is made of, for a feed that is made up here: facts are strict, descriptions are cut to size or left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest

from service.wire.carriers import CarrierTables
from service.wire.feeds.definition import Feed, parse_feed
from service.wire.feeds.reading import MOST_SECONDS, Reader, Scan, Source, Unreadable
from service.wire.inbound import Parser
from service.wire.models import CARRIER_SCANNED
from tests.unit.wire.events import NOW_MS

PARSER = Parser(CarrierTables.load())
HEAD = """\
name = "Some feed"
{whose}
signature = {{ scheme = "path" }}
{more}
[read]
parcels = "parcels"
events = "events"
number = "parcel.number"
code = "event.code"
time = "event.time"
key = ["event.piece", "event.part"]
place = "[event.city, event.state]"
place_code = "event.hub"
country = "event.country"
description = "event.says"
signed_by = "event.by"
carrier_code = "event.raw"
"""
EVENT = {"code": "COLLECTED", "time": "2026-11-20T10:00:00Z"}


def feed(whose: str = 'carrier = "generic"', more: str = "", text: str = HEAD, tail: str = "") -> Feed:
    return parse_feed("some", text.format(whose=whose, more=more) + tail, "x")


def reader(worked: Iterator[float] | None = None, now: int = NOW_MS * 1000) -> Reader:
    return Reader(PARSER, "scans", lambda: now, (worked or repeat(0.0)).__next__)


def read(document: Any, of: Feed | None = None) -> list[Scan]:
    return reader().read(Source("some-gb", of or feed()), json.dumps(document).encode())


def scan(of: Feed | None = None, **event: Any) -> Scan:
    (found,) = read({"parcels": [{"number": "GX-1", "events": [EVENT | event]}]}, of)
    return found


def data(of: Feed | None = None, **event: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(scan(of, **event).value)["data"]
    return found


def id_of(found: Scan) -> str:
    return str(json.loads(found.value)["id"])


def test_a_scan_is_a_cloudevent_under_the_name_that_the_feed_is_open_by() -> None:
    found = scan(piece=1)

    event = json.loads(found.value)
    assert len(event.pop("id")) == 32
    assert json.loads(event.pop("native")) == EVENT | {"piece": 1}
    assert event == {
        "specversion": "1.0",
        "source": "/feeds/some-gb",
        "type": CARRIER_SCANNED,
        "time": "2026-11-20T10:00:00+00:00",
        "datacontenttype": "application/json",
        "data": {"carrier": "generic", "tracking_number": "GX-1", "code": "COLLECTED"},
    }
    assert (found.path, found.key, found.meaning, found.fault) == ("parcels[0].events[0]", "generic/GX-1", "RT", None)


def test_a_scan_is_published_as_compact_json_in_ascii() -> None:
    value = scan(says="Ōtāhuhu", city="Łódź").value

    assert value == json.dumps(json.loads(value), separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("code", "meaning"), (("DELIVERED", "RDTPF"), ("RETURNING", "informational"), ("no such code", "unmapped"))
)
def test_what_its_code_means_is_told(code: str, meaning: str) -> None:
    found = scan(code=code)

    assert (found.meaning, found.key, found.path, found.fault) == (
        meaning,
        "generic/GX-1",
        "parcels[0].events[0]",
        None,
    )


@pytest.mark.parametrize(
    ("said", "code"), (("  COLLECTED\n", "COLLECTED"), (72, "72"), (0, "0"), (True, None), (7.5, None), ("  ", None))
)
def test_a_fact_is_a_text_without_the_space_around_it_or_a_whole_number(said: Any, code: str | None) -> None:
    assert data(code=said).get("code") == code


@pytest.mark.parametrize(
    ("event", "member", "shown"),
    (
        ({"says": " Picked up "}, "description", "Picked up"),
        ({"says": "x" * 300}, "description", "x" * 256),
        ({"says": ["a", None, 7, "", "b"]}, "description", "a, 7, b"),
        ({"says": ["x" * 200, "y" * 200]}, "description", "x" * 200 + ", " + "y" * 54),
        ({"says": {"a": 1}}, "description", None),
        ({"says": ""}, "description", None),
        ({"by": "Ann"}, "signed_by", "Ann"),
        ({"raw": 11}, "carrier_code", "11"),
        ({"city": "Leeds"}, "location", {"name": "Leeds"}),
        ({"city": "Leeds", "state": "Yorks"}, "location", {"name": "Leeds, Yorks"}),
        ({"hub": "h" * 70}, "location", {"code": "h" * 64}),
        ({"country": "nz"}, "location", {"country": "NZ"}),
        ({"country": "uk"}, "location", {"country": "GB"}),
        ({"country": "NZL"}, "location", None),
        ({"country": "N1"}, "location", None),
        ({"country": "ÖÄ"}, "location", None),
        ({"country": " nz ", "hub": "AKL", "city": ""}, "location", {"code": "AKL", "country": "NZ"}),
    ),
)
def test_a_description_is_cut_to_size_or_left_out_and_costs_no_fact(
    event: dict[str, Any], member: str, shown: Any
) -> None:
    assert scan(**event).fault is None
    assert data(**event).get(member) == shown


def test_the_identity_of_an_event_is_what_it_says_happened() -> None:
    same = scan(says="other words", city="York", by="Bob", country="GB", hub="LBA")
    others = (
        scan(code="DELIVERED"),
        scan(time="2026-11-20T10:00:01Z"),
        scan(piece=1),
        scan(part=1),
        scan(feed(whose='carrier = "nobody"')),
        *read({"parcels": [{"number": "GX-2", "events": [EVENT]}]}),
    )

    assert id_of(same) == id_of(scan())
    assert len({id_of(scan()), *map(id_of, others)}) == 1 + len(others)
    # A piece's number is 1 in JSON and "1" in a file, and one of a form of its own is told by that.
    assert id_of(scan(piece=1)) == id_of(scan(piece=" 1 ")) != id_of(scan(part="1"))
    assert id_of(scan(piece={"a": 1})) != id_of(scan(piece={"a": 2}))
    assert id_of(scan(piece={"a": 1, "b": 2})) == id_of(scan(piece={"b": 2, "a": 1}))


def test_two_local_times_are_two_events_and_come_as_such() -> None:
    of = feed(whose='carrier = "omniparcel"')
    first, second = (scan(of, time=f"2026-11-20T10:00:0{n}", code="OP-33") for n in (0, 1))

    event = json.loads(first.value)
    assert event["data"]["local_time"] == "2026-11-20T10:00:00"
    assert "time" not in event
    assert first.fault is None
    assert id_of(first) != id_of(second)


@pytest.mark.parametrize(("more", "is_kept"), ((0, True), (1, False)))
def test_an_event_that_came_with_very_much_is_not_kept_beside_the_scan(more: int, is_kept: bool) -> None:
    frame = len(json.dumps(EVENT | {"x": ""}, separators=(",", ":")))

    event = json.loads(scan(x="y" * (32 * 1024 - frame + more)).value)

    assert ("native" in event) is is_kept


def test_what_is_withheld_is_withheld_at_any_depth() -> None:
    of = feed(tail='[withheld]\nmembers = ["secret", "by"]\n')

    event = json.loads(scan(of, secret=1, by="Ann", deep=[{"secret": 2, "open": [{"secret": 3}, 4]}]).value)

    assert json.loads(event["native"]) == EVENT | {"deep": [{"open": [{}, 4]}]}


def test_a_path_leads_to_each_event_and_a_parcel_without_events_has_none() -> None:
    parcels: list[dict[str, Any]] = [
        {"number": "GX-1", "events": [EVENT, EVENT | {"code": "DELIVERED"}]},
        {"number": "GX-2"},
        {"number": "GX-3", "events": EVENT},
        {"number": "GX-4", "events": "none"},
    ]

    found = read({"parcels": parcels})

    assert [(each.path, each.key) for each in found] == [
        ("parcels[0].events[0]", "generic/GX-1"),
        ("parcels[0].events[1]", "generic/GX-1"),
        ("parcels[2].events[0]", "generic/GX-3"),
    ]


BARE = """\
name = "Some feed"
{whose}
signature = {{ scheme = "path" }}
{more}
[read]
number = "event.number"
code = "body.code || event.code"
time = "parcel.time"
"""


def test_the_body_itself_is_one_parcel_with_one_event_unless_the_feed_says_otherwise() -> None:
    found = read([EVENT | {"number": "GX-1"}, EVENT | {"number": "GX-2"}], feed(text=BARE))

    assert [(each.path, each.key, each.fault) for each in found] == [
        ("parcels[0]", "generic/GX-1", None),
        ("parcels[1]", "generic/GX-2", None),
    ]
    (one,) = read(EVENT | {"number": "GX-3"}, feed(text=BARE))
    assert one.key == "generic/GX-3"


def test_a_body_in_which_the_parcels_are_missing_says_what_was_looked_for() -> None:
    with pytest.raises(Unreadable, match=r"^body: nothing stands at `parcels`") as caught:
        read({"shipments": []})

    assert caught.value.fault.reason == "missing_field"
    assert read({"parcels": []}) == []


def test_a_body_about_something_else_is_none_of_our_business() -> None:
    of = feed(tail="only = \"type == 'scan'\"\n")
    document = {"parcels": [{"number": "GX-1", "events": [EVENT]}]}

    assert read(document | {"type": "ping"}, of) == []
    assert read({"type": "ping"}, of) == []
    assert len(read(document | {"type": "scan"}, of)) == 1


@pytest.mark.parametrize(("last", "is_late"), ((MOST_SECONDS, False), (MOST_SECONDS + 0.01, True)))
def test_a_request_is_worked_on_for_so_long_after_it_came(last: float, is_late: bool) -> None:
    document = json.dumps({"parcels": [{"number": "GX-1", "events": [EVENT]}]}).encode()
    slow = reader(chain((100.0,), repeat(100.0 + last)))

    if is_late:
        with pytest.raises(Unreadable) as caught:
            slow.read(Source("some", feed()), document)
        assert (caught.value.fault.path, caught.value.fault.reason) == ("body", "too_large")
    else:
        assert len(slow.read(Source("some", feed()), document)) == 1


@pytest.mark.parametrize(("beyond", "is_fault"), (("000000", False), ("000500", True)))
def test_an_event_is_judged_by_whole_milliseconds_as_kafka_will_have_them(beyond: str, is_fault: bool) -> None:
    body = {"parcels": [{"number": "GX-1", "events": [EVENT | {"time": f"2026-11-25T12:00:00.{beyond}Z"}]}]}
    (found,) = reader(now=NOW_MS * 1000 + 500).read(Source("some", feed()), json.dumps(body).encode())

    assert (found.fault is not None) is is_fault


@pytest.mark.parametrize(
    ("event", "fault"),
    (
        (
            {"code": None},
            ("parcels[0].events[0] code (event.code)", "missing_field", "missing; the sender left it out"),
        ),
        ({"time": "2026-11-20"}, ("parcels[0].events[0] time (event.time)", "bad_time", "an ISO 8601 date")),
        ({"time": "2026-11-20T10:00:00"}, ("parcels[0].events[0] time (event.time)", "no_zone", "the carrier's table")),
        ({"code": "x" * 129}, ("parcels[0].events[0] code (event.code)", "bad_value", "string should have at most")),
    ),
)
def test_a_fault_says_where_the_sender_can_look_and_what_mends_it(
    event: dict[str, Any], fault: tuple[str, str, str]
) -> None:
    found = scan(**event)

    assert (found.meaning, found.path) == (None, "parcels[0].events[0]")
    assert found.fault is not None
    assert (found.fault.path, found.fault.reason) == fault[:2]
    assert found.fault.detail.startswith(fault[2])
    assert ("; name a `zone`" in found.fault.detail) is (found.fault.reason == "no_zone")
    assert found.fault.reason != "bad_value" or found.fault.detail == "string should have at most 128 characters"


def test_a_row_of_a_file_is_read_by_the_columns_of_files() -> None:
    of = feed(tail='[csv]\nnumber = "event.No"\ncode = "event.Code"\ntime = "event.At"\n')
    row = {"No": "GX-1", "Code": "COLLECTED", "At": "2026-11-20T10:00:00Z"}

    found = reader().read_row(Source("some-gb", of), row, "line 2")

    assert (found.path, found.key, found.meaning) == ("line 2", "generic/GX-1", "RT")
    assert json.loads(json.loads(found.value)["native"]) == row
    with pytest.raises(ValueError, match="reads no files"):
        reader().read_row(Source("some-gb", feed()), row, "line 2")
