"""The CloudEvents SDK of JavaScript, as it comes, sends to POST /v1/events.

Here, and not in `make test`, because npm may take minutes to bring it the first time; what it writes is tried there by hand.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.support.api import api, settings_for, token
from tests.support.javascript_sdk import NoSdk, Sdk, find_sdk
from tests.support.journals import SCAN
from tests.support.topics import Clients, Topics

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(1000)]
DATA: dict[str, Any] = {
    "carrier": "generic",
    "tracking_number": "TR-1001",
    "code": "COLLECTED",
    "location": {"name": "Ōtāhuhu", "country": "NZ"},
}
# Into a header the SDK writes an attribute as it is; there the binding has it percent-encoded, and so it is read.
SOURCES = {"structured": "/depot/%C3%BC", "binary": "/depot/ü"}


@pytest.fixture(scope="module")
def sdk() -> Sdk:
    try:
        return find_sdk()
    except NoSdk as problem:
        pytest.skip(str(problem))


def events(mode: str) -> list[dict[str, Any]]:
    """One that says all there is to say, one that leaves the rest to the SDK, and one that is wrong."""
    full = {
        "id": f"{mode}-1",
        "source": SOURCES["structured"],
        "type": SCAN,
        "time": "2026-11-20T10:00:00+13:00",
        "data": DATA,
    }
    more = {"subject": "TR-1001", "datacontenttype": "application/json", "lane": "7"}
    least = {"source": "/depot/7", "type": SCAN, "data": DATA}
    return [{**full, **more}, least, {**least, "data": {**DATA, "code": 7}}]


def test_what_it_sends_in_either_mode_is_in_kafka_and_what_is_wrong_is_told(
    sdk: Sdk, database: str, topics: Topics, clients: Clients
) -> None:
    settings = settings_for(database, topics.bootstrap_servers, topic_scans=topics.create("scans", partitions=1))
    secret = token(settings, "scan", publisher="nzpost")
    sent = {mode: events(mode) for mode in ("structured", "binary")}

    with api(settings, "read") as client:
        said = sdk.send(f"{client.base_url}/v1/events", secret, sent)

    assert [each["mode"] for each in said] == ["structured"] * 3 + ["binary"] * 3
    items = [each["answer"]["items"][0] for each in said]
    assert [item["status"] for item in items] == ["accepted", "accepted", "invalid"] * 2, items
    assert [item["id"] for item in items] == [each["id"] for each in said]
    assert {fault["path"] for item in items for fault in item["faults"]} == {"data.code"}
    records = clients.read(settings.topic_scans, 4)
    assert topics.end(settings.topic_scans) == 4
    accepted = [each for each, item in zip(said, items, strict=True) if item["status"] == "accepted"]
    for record, each, full in zip(records, accepted, (True, False) * 2, strict=True):
        kept = json.loads(record.value)
        assert record.key == b"generic/TR-1001"
        assert (kept["id"], kept["type"], kept["data"]) == (each["id"], SCAN, DATA)
        assert datetime.fromisoformat(kept["time"]) == datetime.fromisoformat(each["time"])
        assert kept["source"] == "/nzpost" + (SOURCES[each["mode"]] if full else "/depot/7")
        assert (kept.get("subject"), kept.get("lane")) == (("TR-1001", "7") if full else (None, None))
