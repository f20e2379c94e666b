"""What may happen to a request, tried on every feed that ships: a code that is new, a zone that is missing, a byte that is wrong."""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from service.domain.events import Sense
from service.errors import InvalidEvent
from service.wire.carriers import CarrierTables
from service.wire.feeds.reading import Scan, Unreadable
from service.wire.feeds.signatures import Scheme
from service.wire.inbound import Inbound, Parser
from service.wire.record import Record
from service.wire.times import rfc3339
from tests.support.feeds import NAMES, TOPIC, body, opened, reader, request, sample, shipped, source

NEW: Final = "NO-SUCH-CODE"
SIGNED: Final = [name for name in NAMES if shipped()[name].signature.scheme in (Scheme.HMAC, Scheme.DIGEST)]
GARBAGE: Final = (
    b"", b"\xff\xfe", b"nonsense", b"1", b"null", b'"x"', b"{", b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
)  # fmt: skip
UTC_ALWAYS: Final = {"ups"}  # its members have no room for an offset, and are UTC by their names
_FILES: Final = (Path(__file__).parents[4] / "service" / "wire" / "carriers").glob("*.toml")
ZONES: Final = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")).get("zone") for file in _FILES}
tables: Final = cache(CarrierTables.load)
_OFFSET: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:Z|[+-]\d\d:?\d\d)")


def changed(content: Any, change: Callable[[str], str]) -> Any:
    """The same with each text changed."""
    if isinstance(content, dict):
        return {name: changed(value, change) for name, value in content.items()}
    if isinstance(content, list):
        return [changed(each, change) for each in content]
    return change(content) if isinstance(content, str) else content


def read(name: str, content: Any) -> list[Scan]:
    return reader().read(source(name), json.dumps(content).encode())


def judged(scan: Scan) -> Inbound:
    """What ingestion makes of it. Raises InvalidEvent."""
    headers = (("content-type", b"application/cloudevents+json"),)
    record = Record(TOPIC, 0, 0, int(time.time() * 1000), scan.key.encode(), scan.value, headers)
    return Parser(tables()).parse(record)


def codes(name: str) -> set[str]:
    """The codes of a sample in the words of the payload: without who reads them, and in their parts."""
    own = {scan["code"].rpartition(":")[2] for scan in sample(name)["scans"] if "fault" not in scan}
    return own | {part for code in own for part in code.split("/")}


@pytest.mark.parametrize("name", NAMES)
def test_a_code_that_no_table_has_is_kept_with_its_parcel_and_its_time_and_means_nothing(name: str) -> None:
    told = sample(name)
    known = codes(name)

    def as_new(text: str) -> str:
        # One that begins with a code that is known names a place behind it.
        return NEW if text in known or any(text.startswith(f"{code} ") for code in known) else text

    scans = read(name, changed(told["body"], as_new))

    assert len(scans) == len(told["scans"])
    for scan, before in zip(scans, told["scans"], strict=True):
        if "fault" in before:
            assert scan.fault is not None
            continue
        inbound = judged(scan)
        assert (scan.fault, scan.meaning) == (None, "unmapped")
        assert NEW in json.loads(scan.value)["data"]["code"]
        assert inbound.event.sense is Sense.UNMAPPED
        assert (scan.key, rfc3339(inbound.event.at)) == (f"{before['carrier']}/{before['number']}", before["at"])


@pytest.mark.parametrize("name", NAMES)
def test_a_time_without_its_zone_is_the_carriers_local_time_or_a_fault_that_is_kept(name: str) -> None:
    told = sample(name)

    scans = read(name, changed(told["body"], lambda text: _OFFSET.sub(r"\1", text)))

    assert len(scans) == len(told["scans"])
    expected = read(name, told["body"])
    for scan, before, as_it_came in zip(scans, told["scans"], expected, strict=True):
        if "fault" in before:
            assert scan.fault is not None
            continue
        zone = ZONES[before["carrier"]]
        if name in UTC_ALWAYS:
            assert scan.value == as_it_came.value
        elif zone is None:
            assert scan.fault is not None
            assert (scan.fault.reason, "zone" in scan.fault.detail) == ("no_zone", True)
            assert json.loads(scan.value)["native"]
            with pytest.raises(InvalidEvent, match="zone"):
                judged(scan)
        else:
            local = datetime.fromisoformat(json.loads(scan.value)["data"]["local_time"])
            at = local.replace(tzinfo=ZoneInfo(zone))
            assert (scan.fault, judged(scan).event.at) == (None, int(at.timestamp() * 1e6))


@pytest.mark.parametrize("name", SIGNED)
def test_a_body_that_was_changed_is_not_what_was_signed(name: str) -> None:
    enabled, content = opened(name), body(name)

    for other in (content + b" ", content[:-1], content.replace(b"1", b"2", 1), b""):
        assert not enabled.source.feed.signature.is_of(enabled.secrets, request(name, content, body=other))


@pytest.mark.parametrize("name", NAMES)
def test_garbage_is_refused_whole(name: str) -> None:
    for content in GARBAGE:
        with pytest.raises(Unreadable) as refused:
            reader().read(source(name), content)

        assert refused.value.fault.path == "body"
