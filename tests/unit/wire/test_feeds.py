"""Feeds: every sample, every signature, and every mistake that a definition or a request can have."""

from __future__ import annotations

import json
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from service.errors import SettingsError
from service.wire.carriers import CarrierTables, parse_table
from service.wire.feeds.definition import Feed, load_feeds, parse_feed
from service.wire.feeds.enabled import parse_enabled
from service.wire.feeds.reading import MOST_EVENTS, Reader, Scan, Source, Unreadable, faults_of
from service.wire.feeds.signatures import TOLERANCE_SECONDS
from service.wire.inbound import Parser
from service.wire.record import Record
from service.wire.times import rfc3339
from tests.support.feeds import NAMES, SECRET, TOPIC, body, headers, opened, reader, request, sample, source

AGGREGATORS = {"17track", "aftership", "easypost", "karrio", "shipengine", "shippo"}


@pytest.fixture(scope="module")
def feeds() -> dict[str, Feed]:
    return load_feeds()


def read(name: str, content: Any = None, **others: Any) -> list[Scan]:
    sent = body(name) if content is None else json.dumps(content).encode()
    return reader(**others).read(source(name), sent)


def event(scan: Scan) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(scan.value)
    return found


def test_there_are_ten_carriers_and_three_aggregators_and_each_has_a_sample(feeds: dict[str, Feed]) -> None:
    assert {*feeds} == {*NAMES}
    assert {name for name, feed in feeds.items() if feed.aggregator} == AGGREGATORS
    assert len(feeds) - len(AGGREGATORS) >= 10
    tables = CarrierTables.load()
    for name, feed in feeds.items():
        assert feed.sources, name
        assert feed.carrier in tables.carriers or feed.aggregator in tables.aggregators, name
        # What an aggregator calls a carrier leads to one that has a table.
        assert {*feed.carriers.values()} <= {*tables.carriers}, name


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_read_as_its_documents_have_it(name: str) -> None:
    expected = sample(name)["scans"]

    scans = read(name)

    assert len(scans) == len(expected)
    parser = Parser(CarrierTables.load())
    for scan, wanted in zip(scans, expected, strict=True):
        data = event(scan)["data"]
        assert (scan.fault and scan.fault.reason) == wanted.get("fault")
        assert data["tracking_number"] == wanted["number"]
        if scan.fault is not None:
            continue
        assert (data["carrier"], data["code"], scan.meaning) == (wanted["carrier"], wanted["code"], wanted["meaning"])
        assert scan.key == f"{wanted['carrier']}/{wanted['number']}"
        location = data.get("location", {})
        assert (location.get("name"), location.get("country")) == (wanted.get("place"), wanted.get("country"))
        assert (data.get("signed_by"), data.get("carrier_code")) == (
            wanted.get("signed_by"),
            wanted.get("carrier_code") if name in AGGREGATORS else data.get("carrier_code"),
        )
        headers_ = (("content-type", b"application/cloudevents+json"),)
        inbound = parser.parse(Record(TOPIC, 0, 0, int(time.time() * 1000), scan.key.encode(), scan.value, headers_))
        assert rfc3339(inbound.event.at) == wanted["at"]


@pytest.mark.parametrize("name", NAMES)
def test_a_request_is_authentic_with_the_secret_and_with_nothing_else(name: str) -> None:
    enabled, content = opened(name), body(name)
    is_of = enabled.source.feed.signature.is_of

    assert is_of(enabled.secrets, request(name, content))
    assert is_of(("another-secret:x", SECRET), request(name, content)), "two are valid while one is rotated"
    assert not is_of(enabled.secrets, request(name, content, "user:wrong-secret"))
    assert not is_of(enabled.secrets, request(name, content, headers={}, path_secret=None))
    assert not is_of(enabled.secrets, request(name, content, headers={}, path_secret=""))
    garbage = dict.fromkeys(request(name, content).headers, "é\udcff=,;t=1,v1=zz")
    assert not is_of(enabled.secrets, request(name, content, headers=garbage, path_secret="\udcff"))


def test_a_signed_time_is_good_for_five_minutes() -> None:
    enabled, content = opened("shippo"), body("shippo")
    signature, now = enabled.source.feed.signature, time.time()

    def at(offset: float) -> bool:
        signed = headers(signature, content, now=now + offset)
        return signature.is_of(enabled.secrets, request("shippo", content, headers=signed, now=now))

    assert at(0)
    assert at(-TOLERANCE_SECONDS + 5)
    assert not at(-TOLERANCE_SECONDS - 5)
    assert not at(TOLERANCE_SECONDS + 5)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_request_gives_the_same_events(name: str) -> None:
    first, again = read(name), read(name)

    assert [scan.value for scan in first] == [scan.value for scan in again]
    ids = [event(scan)["id"] for scan in first]
    assert len({*ids}) == len(ids)


def test_a_scan_that_comes_again_with_the_town_filled_in_is_the_same_event() -> None:
    content = sample("aftership")["body"]
    before = read("aftership", content)
    content["msg"]["checkpoints"][1]["city"] = "York"

    after = read("aftership", content)

    assert event(before[1])["id"] == event(after[1])["id"]
    assert event(after[1])["data"]["location"] == {"name": "York"}


def test_two_pieces_of_one_consignment_are_two_events() -> None:
    content = sample("omniparcel")["body"]
    content[0]["Events"] = [{**content[0]["Events"][1], "Part": part} for part in (1, 2)]

    assert len({event(scan)["id"] for scan in read("omniparcel", content)}) == 2


def test_an_event_as_it_came_is_kept_beside_the_scan_without_what_is_withheld() -> None:
    (scan,) = read("ups")
    native = json.loads(event(scan)["native"])

    assert native["activityStatus"]["descriptionCode"] == "011"
    assert "receivedBy" not in native
    assert "postalCode" not in native["activityLocation"]


def test_an_unknown_code_is_unmapped_and_lost_nowhere() -> None:
    content = sample("royalmail")["body"]
    content["mailPieces"]["events"][0]["eventCode"] = "EVXXX"

    first, second = read("royalmail", content)

    assert (first.meaning, first.fault) == ("unmapped", None)
    assert second.meaning == "RDTPF"


def test_a_time_without_zone_of_a_carrier_without_one_is_a_fault_that_says_what_mends_it() -> None:
    content = sample("aftership")["body"]
    content["msg"]["checkpoints"][0]["slug"] = "some-courier"

    naive, aware = read("aftership", content)

    assert naive.fault is not None
    assert naive.fault.reason == "no_zone"
    assert naive.fault.path == "parcels[0].events[0] time (event.checkpoint_time)"
    assert "zone" in naive.fault.detail
    assert naive.key == "some-courier/9361289676091361892011"
    assert aware.fault is None
    # With a table that names a zone, and no code, it is understood.
    zone_only = parse_table("some-courier", 'name = "x"\nzone = "Asia/Tokyo"\n', "x")
    with_zone = CarrierTables(
        [*(t for t in map(CarrierTables.load().table, ("royalmail", "aftership")) if t), zone_only]
    )
    again, _ = read("aftership", content, tables=with_zone)
    assert again.fault is None
    assert again.value == naive.value


@pytest.mark.parametrize(
    ("change", "reason", "path"),
    (
        ({"trackingNumber": None}, "missing_field", "parcels[0] number (event.trackingNumber)"),
        ({"trackingNumber": "1Z 999"}, "bad_value", "parcels[0] number (event.trackingNumber)"),
        ({"trackingNumber": {"a": 1}}, "missing_field", "parcels[0] number (event.trackingNumber)"),
        ({"activityStatus": {"code": "FS"}}, "missing_field", "parcels[0] code"),
        ({"gmtActivityTime": None}, "missing_field", "parcels[0] time"),
        ({"gmtActivityDate": "20241399"}, "bad_time", "parcels[0] time"),
        ({"gmtActivityDate": "29990101"}, "time_out_of_range", "parcels[0] time"),
    ),
)
def test_an_event_with_a_fault_is_kept_as_it_came_and_the_fault_named_with_its_place(
    change: dict[str, Any], reason: str, path: str
) -> None:
    (scan,) = read("ups", sample("ups")["body"] | change)

    assert scan.fault is not None
    assert scan.fault.reason == reason
    assert scan.fault.path.startswith(path)
    native = json.loads(event(scan)["native"])
    assert all(native[member] == value for member, value in change.items())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "content", ({}, [], {"hello": "world"}, {"event": "ping"}, {"msg": 1, "data": [], "events": 3})
)
def test_a_body_about_something_else_gives_no_scan_or_is_refused_or_is_kept_with_its_faults(
    name: str, content: Any
) -> None:
    try:
        scans = read(name, content)
    except Unreadable as refused:
        assert refused.fault.detail  # noqa: PT017
        return
    assert len(faults_of(scans)) == len(scans)


@pytest.mark.slow
def test_so_many_events_are_read_and_no_more() -> None:
    content = sample("omniparcel")["body"]
    good = content[0]["Events"][1]
    content[0]["Events"] = [good | {"Part": part} for part in range(MOST_EVENTS)]
    assert len(read("omniparcel", content)) == MOST_EVENTS

    content[0]["Events"].append(good)
    with pytest.raises(Unreadable, match="more than 1000 events"):
        read("omniparcel", content)


def test_reading_that_takes_too_long_ends() -> None:
    clock = count()
    slow = Reader(Parser(CarrierTables.load()), TOPIC, lambda: time.time_ns() // 1000, lambda: float(next(clock)))
    content = sample("omniparcel")["body"]
    content[0]["Events"] *= 50

    with pytest.raises(Unreadable, match="longer than 3 s"):
        slow.read(source("omniparcel"), json.dumps(content).encode())


GOOD = """\
name = "Some feed"
carrier = "generic"
[signature]
scheme = "token"
header = "X-Key"
[read]
number = "event.n"
code = "event.c"
time = "event.t"
"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    (
        ("name = ", "x: Invalid value"),
        (GOOD.replace('name = "Some feed"\n', ""), "x: name: a text"),
        ("colour = 1\n" + GOOD, "x:1: unknown key 'colour'"),
        (GOOD.replace('carrier = "generic"\n', ""), "x: either `carrier` or `aggregator`"),
        ('aggregator = "aftership"\n' + GOOD, "x: either `carrier` or `aggregator`"),
        (GOOD.replace('"generic"', '"No Slug"'), "x: carrier, aggregator: the name"),
        (GOOD.replace("carrier =", "aggregator ="), "x: carriers.from: an expression"),
        (GOOD.replace('time = "event.t"\n', ""), "x: read.time: an expression"),
        (GOOD.replace('"event.c"', '"event.["'), "x: read.code: "),
        (GOOD.replace('"event.c"', '"' + "a" * 501 + '"'), "x: read.code: longer"),
        (GOOD.replace('"event.c"', "1"), "x: read.code: an expression is expected, as a text"),
        (GOOD + 'cod = "x"\n', "x: read: unknown key 'cod'"),
        (GOOD + 'key = "x"\n', "x: read.key: a list"),
        (GOOD + "[time]\nnaive = 'local'\n", "x: time.naive: one of"),
        (GOOD + "[time]\nformat = 'YYYY'\n", "x: time.format: "),
        (GOOD + "[time]\noffset = 'x'\n", "x: time.offset: "),
        (GOOD + "[withheld]\nmembers = 'x'\n", "x: withheld.members: "),
        (GOOD + "[carriers]\nfrom = 'x'\n", "x: carriers: only of an aggregator"),
        (GOOD.replace("token", "none"), "x: signature.scheme: one of"),
        (GOOD.replace('header = "X-Key"\n', ""), "x: signature.header: "),
        (GOOD.replace("token", "headers"), "x: signature.headers: "),
        (GOOD.replace('"token"', '"hmac"\nencoding = "b"'), "x: signature.encoding: "),
        (GOOD.replace('"token"', '"hmac"\nsigns = "x"'), "x: signature.signs: "),
        (GOOD.replace('"token"', '"digest"'), "x: signature.signs: "),
        (GOOD.replace('"token"', '"hmac"\nsigns = "{timestamp}{body}"'), "x: signature.pattern: "),
        (GOOD.replace('"token"', '"hmac"\npattern = "("'), "x: signature.pattern: "),
        (GOOD.replace('"token"', '"hmac"\nnormalize = "x"'), "x: signature.normalize: "),
        (GOOD.replace('"token"', '"token"\nsecret = "x"'), "x: signature: unknown key 'secret'"),
        (GOOD + "[csv]\ncode = 'event.c'\n", "x: csv.number: "),
    ),
)
def test_a_mistake_in_a_feed_is_named_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_feed("some", text, "x")

    assert str(caught.value).startswith(complaint)


def test_feeds_of_a_directory_add_and_replace(tmp_path: Path) -> None:
    (tmp_path / "omniparcel.toml").write_text(GOOD)
    (tmp_path / "mine.toml").write_text(GOOD)

    found = load_feeds(tmp_path)

    assert found["omniparcel"].name == found["mine"].name == "Some feed"
    assert "ups" in found
    with pytest.raises(SettingsError, match="nowhere"):
        load_feeds(tmp_path / "nowhere")


def test_the_file_of_open_feeds_opens_a_feed_twice_with_a_carrier_of_its_own(feeds: dict[str, Feed]) -> None:
    text = """
    [omniparcel]
    secret = "user:password"
    [omniparcel-gb]
    feed = "omniparcel"
    carrier = "omniparcel-gb"
    secrets = ["user:new-one", "user:old-one"]
    [aftership]
    secret = "long enough"
    carriers = { "Some-Courier" = "generic" }
    [royalmail]
    secret = "long enough"
    signature = { scheme = "path" }
    """

    found = parse_enabled(text, feeds, "x")

    assert [*found] == ["omniparcel", "omniparcel-gb", "aftership", "royalmail"]
    assert found["omniparcel"].source.feed.carrier == "omniparcel"
    assert found["omniparcel-gb"].source == Source("omniparcel-gb", found["omniparcel-gb"].source.feed)
    assert found["omniparcel-gb"].source.feed.carrier == "omniparcel-gb"
    assert found["aftership"].source.feed.carriers["some-courier"] == "generic"
    assert found["aftership"].source.feed.carriers["royal-mail"] == "royalmail"
    assert found["royalmail"].source.feed.signature.scheme == "path"
    assert "password" not in repr(found)


@pytest.mark.parametrize(
    ("text", "complaint"),
    (
        ("[x", "f: Expected"),
        ("omniparcel = 1", "f: omniparcel: a table"),
        ("['Omni Parcel']\nsecret='12345678'", "f: Omni Parcel: a table is expected, named in lower case"),
        ("[nobody]\nsecret='12345678'", "f: nobody.feed: there is no such feed; there are "),
        ("[omniparcel]", "f: omniparcel: either `secret` or `secrets`"),
        ("[omniparcel]\nsecret='a:b'\nsecrets=['a:b']", "f: omniparcel: either `secret` or `secrets`"),
        ("[omniparcel]\nsecret='short'", "f: omniparcel: a secret has at least 8"),
        ("[omniparcel]\nsecret='no colon in it'", "f: omniparcel: this feed sends user and password"),
        ("[omniparcel]\nsecrets=[]", "f: omniparcel: secret: a text"),
        ("[omniparcel]\nsecrets=['12345:78','12345:79','12345:70']", "f: omniparcel: secret: a text"),
        ("[omniparcel]\nsecret='12345:78'\ncolour=1", "f: omniparcel: unknown key 'colour'"),
        ("[omniparcel]\nsecret='12345:78'\ncarrier='A B'", "f: omniparcel.carrier: "),
        ("[aftership]\nsecret='12345678'\ncarrier='ab'", "f: aftership.carrier: "),
        ("[aftership]\nsecret='12345678'\ncarriers=1", "f: aftership.carriers: "),
        ("[aftership]\nsecret='12345678'\nnumbers='parcels'", "f: aftership.numbers: "),
        ("[aftership]\nsecret='12345678'\ncarriers={a='B C'}", "aftership.carriers.a: the name"),
        ("[aftership]\nsecret='12345678'\nsignature=1", "f: aftership.signature: "),
    ),
)
def test_a_mistake_in_the_file_of_open_feeds_is_named_and_no_secret_repeated(
    feeds: dict[str, Feed], text: str, complaint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_enabled(text, feeds, "f")

    assert str(caught.value).startswith(complaint)
    assert "12345" not in str(caught.value)
    assert "short" not in str(caught.value)
