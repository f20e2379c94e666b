"""POST /v1/events: what is accepted is in Kafka, in the publisher's name; what is not says everything that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent
from httpx import Client

from service.adapters.kafka.publishing.producing import Publishing
from service.config import Settings
from service.errors import Retryable
from tests.support.api import api, settings_for, token
from tests.support.journals import creation, ingest, scan
from tests.support.topics import Clients, Topics

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
def settings(database: str, topics: Topics) -> Settings:
    names = {
        f"topic_{name}": topics.create(name.replace("_", "-"), partitions=1)
        for name in ("returns", "scans", "hub_events", "deliveries")
    }
    return settings_for(database, topics.bootstrap_servers, **names)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with api(settings, "read") as client:
        yield client


def bearer(settings: Settings, *scopes: str, publisher: str = "nzpost") -> dict[str, str]:
    return {"authorization": f"Bearer {token(settings, *scopes, publisher=publisher)}"}


def sent(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**event, "source": "/depot/7", **more}


def test_an_event_that_is_accepted_is_in_kafka_under_its_key_in_the_publishers_name(
    client: Client, settings: Settings, topics: Topics, clients: Clients
) -> None:
    event = sent(scan("COLLECTED", "10:00"))

    answer = client.post("/v1/events", content=json.dumps(event), headers=STRUCTURED | bearer(settings, "scan"))

    assert answer.status_code == 200
    (item,) = answer.json()["items"]
    assert (item["status"], item["source"], item["faults"]) == ("accepted", "/depot/7", [])
    assert topics.end(settings.topic_scans) == 1
    (record,) = clients.read(settings.topic_scans, 1)
    assert record.key == b"generic/TR-1001"
    assert json.loads(record.value) == {**event, "source": "/nzpost/depot/7"}


def test_the_same_event_with_a_new_token_of_the_publisher_is_the_same_event(
    client: Client, settings: Settings, clients: Clients
) -> None:
    event = json.dumps(sent(scan("COLLECTED", "10:00")))

    for _ in range(2):
        client.post("/v1/events", content=event, headers=STRUCTURED | bearer(settings, "scan"))

    first, second = clients.read(settings.topic_scans, 2)
    assert first.value == second.value


@pytest.mark.parametrize("convert", (http.to_structured_event, http.to_binary_event), ids=("structured", "binary"))
def test_the_reference_library_sends_as_it_comes(
    client: Client, settings: Settings, clients: Clients, convert: Any
) -> None:
    event = scan("COLLECTED", "10:00")
    attributes = {name: value for name, value in event.items() if name not in {"data", "specversion"}}
    moment = datetime.fromisoformat(attributes["time"])
    message = convert(
        CloudEvent({**attributes, "specversion": "1.0", "source": "/depot/7", "time": moment}, event["data"])
    )

    answer = client.post("/v1/events", content=message.body, headers=message.headers | bearer(settings, "scan"))

    assert answer.status_code == 200, answer.text
    (record,) = clients.read(settings.topic_scans, 1)
    assert json.loads(record.value)["data"] == event["data"]


def test_what_the_javascript_sdk_writes_is_taken_as_it_comes(
    client: Client, settings: Settings, clients: Clients
) -> None:
    # HTTP.structured and HTTP.binary of cloudevents 10.0.0, which write times in UTC and name a charset.
    event = sent(scan("COLLECTED", "10:00"), id="js-1", time="2026-11-20T10:00:00.000Z")
    attributes = {f"ce-{name}": value for name, value in event.items() if name != "data"}
    structured = {"content-type": "application/cloudevents+json; charset=utf-8"}
    binary = {"content-type": "application/json; charset=utf-8", **attributes, "ce-id": "js-2"}
    who = bearer(settings, "scan")

    answers = [
        client.post("/v1/events", content=json.dumps(event), headers=structured | who),
        client.post("/v1/events", content=json.dumps(event["data"]), headers=binary | who),
    ]

    assert [each.status_code for each in answers] == [200, 200], [each.text for each in answers]
    records = [json.loads(each.value) for each in clients.read(settings.topic_scans, 2)]
    assert [(each["id"], each["data"]) for each in records] == [("js-1", event["data"]), ("js-2", event["data"])]


def test_of_a_batch_each_event_is_answered(client: Client, settings: Settings, topics: Topics) -> None:
    good, bad = sent(scan("COLLECTED", "10:00")), sent(scan("COLLECTED", "11:00"))
    bad["data"] = {"carrier": "Generic!", "tracking_number": "x"}
    batch = [good, bad, {"no": "event"}, sent(creation())]

    answer = client.post("/v1/events", content=json.dumps(batch), headers=BATCH | bearer(settings, "scan"))

    assert answer.status_code == 207
    items = answer.json()["items"]
    assert [each["status"] for each in items] == ["accepted", "invalid", "invalid", "invalid"]
    assert {fault["path"] for fault in items[1]["faults"]} == {"data.carrier", "data.tracking_number", "data.code"}
    assert (items[3]["reason"], items[3]["faults"][0]["path"]) == ("not_allowed", "type")
    assert topics.end(settings.topic_scans) == 1
    assert topics.end(settings.topic_returns) == 0


@pytest.mark.parametrize("path", ("/v1/events", "/v1/events/check"))
def test_of_an_empty_batch_there_is_nothing_to_say(client: Client, settings: Settings, path: str) -> None:
    answer = client.post(path, content="[]", headers=BATCH | bearer(settings, "scan"))

    assert (answer.status_code, answer.json()) == (200, {"items": []})


def test_a_publisher_that_looks_at_the_status_alone_sees_that_nothing_was_taken(
    client: Client, settings: Settings
) -> None:
    event = sent(scan("COLLECTED", "10:00"))
    del event["data"]["code"]

    answer = client.post("/v1/events", content=json.dumps(event), headers=STRUCTURED | bearer(settings, "scan"))

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "events[0].data.code", "detail": "missing"}]
    assert answer.json()["items"][0]["status"] == "invalid"


def test_a_void_names_the_event_by_the_source_that_its_publisher_gave_it(
    client: Client, settings: Settings, clients: Clients
) -> None:
    void = sent(scan("COLLECTED", "10:00"), type="com.omnirps.event.voided.v1")
    void["data"] = {"return_id": "R-1001", "source": "/depot/7", "id": "x", "by": "Ann", "reason": "a mistake"}

    answer = client.post(
        "/v1/events", content=json.dumps(void), headers=STRUCTURED | bearer(settings, "hub", publisher="akl1")
    )

    assert answer.status_code == 200, answer.text
    (record,) = clients.read(settings.topic_hub_events, 1)
    assert json.loads(record.value)["data"]["source"] == "/akl1/depot/7"


def test_who_may_send_nothing_is_told_what_is_missing(client: Client, settings: Settings) -> None:
    event = json.dumps(sent(scan("COLLECTED", "10:00")))

    assert client.post("/v1/events", content=event, headers=STRUCTURED).status_code == 403
    without = client.post("/v1/events", content=event, headers=STRUCTURED | {"authorization": ""})
    assert without.status_code == 401


def test_without_kafka_it_is_not_known_and_to_be_sent_again(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Retryable("no broker answers", cause="kafka")

    monkeypatch.setattr(Publishing, "publish_all_now", away)

    event = json.dumps(sent(scan("COLLECTED", "10:00")))
    answer = client.post("/v1/events", content=event, headers=STRUCTURED | bearer(settings, "scan"))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_check_says_what_the_event_would_be_and_sends_nothing(
    client: Client, settings: Settings, database: str, topics: Topics
) -> None:
    ingest(database, [creation()])
    event = sent(scan("COLLECTED", "10:00"))
    unknown, later = sent(scan("WHAT", "10:00")), sent(scan("COLLECTED", "10:00", return_id="R-9"))

    answer = client.post(
        "/v1/events/check",
        content=json.dumps([event, unknown, later]),
        headers=BATCH | bearer(settings, "scan", "read"),
    )

    assert answer.status_code == 200
    known, strange, early = answer.json()["items"]
    assert known["published_source"] == "/nzpost/depot/7"
    assert known["means"] == "RT"
    assert known["concerns"] == [{"return_id": "R-1001", "verdict": "advanced", "reason": None, "status": "RT"}]
    assert (strange["means"], strange["concerns"][0]["verdict"]) == ("unmapped", "unmapped")
    assert early["concerns"] == []
    assert topics.end(settings.topic_scans) == 0
    # A number that is used again is its new return's.
    again = scan("DELIVERED", "12:00", return_id="R-1001") | {"time": "2026-08-02T12:00:00Z"}
    ingest(
        database,
        [creation("R-0999", tracking_number=again["data"]["tracking_number"]) | {"time": "2026-08-01T09:00:00Z"}],
    )
    told = client.post(
        "/v1/events/check", content=json.dumps([event, sent(again)]), headers=BATCH | bearer(settings, "scan", "read")
    ).json()["items"]
    assert [[each["return_id"] for each in item["concerns"]] for item in told] == [["R-1001"], ["R-0999"]]
    hidden = client.post("/v1/events/check", content=json.dumps([event]), headers=BATCH | bearer(settings, "scan"))
    assert hidden.json()["items"][0]["concerns"] is None
