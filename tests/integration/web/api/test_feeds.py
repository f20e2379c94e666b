"""POST /v1/feeds/{feed} against a real broker and a real database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Client, Response

from service.web.http.bodies import MOST_BYTES
from service.wire.feeds.signatures import Scheme
from service.wire.record import Record
from tests.support.api import api, project, settings_for
from tests.support.feeds import NAMES, SECRET, body, headers, sample, source
from tests.support.filling import Filler
from tests.support.journals import DELIVERED, RE, RP, creation, event, ingest
from tests.support.loglines import logged
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually


@pytest.fixture
def opened(tmp_path: Path) -> str:
    """Every feed that ships, with one secret, and one of them a second time for connotes."""
    file = tmp_path / "feeds.toml"
    entries = [f'[{name}]\nsecret = "{SECRET}"\n' for name in NAMES]
    entries.append(f'[final-mile]\nfeed = "omniparcel"\nnumbers = "connotes"\nsecret = "{SECRET}"\n')
    file.write_text("".join(entries), encoding="utf-8")
    return str(file)


@pytest.fixture
def topic(topics: Topics) -> str:
    return topics.create("scans", partitions=2)


@pytest.fixture
def deliveries(topics: Topics) -> str:
    return topics.create("deliveries")


@pytest.fixture
def client(database: str, topic: str, deliveries: str, topics: Topics, opened: str) -> Iterator[Client]:
    names = {"topic_scans": topic, "topic_deliveries": deliveries}
    settings = settings_for(database, topics.bootstrap_servers, feeds_file=opened, **names)
    with api(settings, "read", "ops") as client:
        yield client


def post(client: Client, name: str, content: bytes | None = None, secret: str = SECRET, **changed: Any) -> Response:
    sent = body(name) if content is None else content
    signature = source(name).feed.signature
    address = f"/v1/feeds/{name}" + (f"/{secret}" if signature.scheme is Scheme.PATH else "")
    signed = {header: value.encode() for header, value in headers(signature, sent, secret).items()}
    return client.post(address, **({"content": sent, "headers": signed} | changed))


def test_every_sample_is_in_kafka_when_it_is_answered(
    client: Client, topics: Topics, topic: str, clients: Clients
) -> None:
    total = 0
    for name in NAMES:
        answer = post(client, name)

        assert answer.status_code == 200, (name, answer.text)
        wanted = [scan.get("fault") or scan["meaning"] for scan in sample(name)["scans"]]
        items = answer.json()["items"]
        assert [item["meaning"] or item["fault"]["reason"] for item in items] == wanted, name
        total += len(wanted)
        assert topics.end(topic) == total, name
    records = clients.read(topic, total)
    assert {tuple(record.headers) for record in records} == {(("content-type", b"application/cloudevents+json"),)}
    events = [json.loads(record.value) for record in records]
    assert {event["source"] for event in events} == {f"/feeds/{name}" for name in NAMES}
    assert len({(event["source"], event["id"]) for event in events}) == total


def test_what_a_feed_brings_moves_its_return_and_what_cannot_be_read_is_a_dead_letter(
    client: Client, database: str, topic: str, clients: Clients
) -> None:
    ingest(database, [creation("R-1", carrier="omniparcel", tracking_number="1245")])
    answers = [post(client, "omniparcel"), post(client, "omniparcel")]

    assert [answer.status_code for answer in answers] == [200, 200]
    impossible, delivered = answers[0].json()["items"]
    assert impossible["state"] == "invalid"
    assert impossible["fault"]["path"] == "parcels[0].events[0] time (event.EventDT)"
    assert delivered == {"path": "parcels[0].events[1]", "state": "accepted", "meaning": "RDTPF", "fault": None}
    filler = Filler(database)
    filler.fill(
        Record(
            "first-mile.scans",
            each.partition,
            each.offset,
            each.timestamp,
            each.key,
            each.value,
            (("content-type", b"application/cloudevents+json"),),
        )
        for each in clients.read(topic, 4)
    )
    filler.close()
    project(database)

    history = client.get("/v1/returns/R-1/history").json()["items"]
    # The repeated request repeated nothing but the letter.
    assert [item["code"] for item in history] == [None, "OP-72"]
    letters = client.get("/v1/dead-letters").json()["items"]
    assert {letter["reason"] for letter in letters} == {"bad_time"}
    letter = client.get(f"/v1/dead-letters/{letters[0]['id']}").json()
    assert "2018-28-28T17:22:43" in json.dumps(letter)


def test_a_feed_of_connotes_delivers_all_that_travels_under_one_and_ignores_its_other_scans(
    client: Client, database: str, topics: Topics, topic: str, deliveries: str, clients: Clients
) -> None:
    hub = {"return_id": "R-1", "hub": "akl1"}
    exported = [event(RP, "rp", "10:00", **hub), event(RE, "re", "11:00", connote="CN-1", **hub)]
    ingest(database, [creation("R-1"), *exported])
    scans = [{"OmniCode": code, "EventDT": f"2026-11-22T1{at}:00:00"} for at, code in enumerate(("OP-33", "OP-72"))]
    content = json.dumps([{"ConsignmentNo": "CN-1", "Events": scans}]).encode()
    signed: Any = {
        name: value.encode() for name, value in headers(source("omniparcel").feed.signature, content).items()
    }

    answer = client.post("/v1/feeds/final-mile", content=content, headers=signed)

    assert [(item["state"], item["meaning"]) for item in answer.json()["items"]] == [
        ("ignored", "RT"),
        ("accepted", "RDBTC"),
    ]
    assert (topics.end(topic), topics.end(deliveries)) == (0, 1)
    (record,) = clients.read(deliveries, 1)
    told = json.loads(record.value)
    assert (record.key, told["type"], told["source"]) == (b"CN-1", DELIVERED, "/feeds/final-mile")
    ingest(database, [told])
    project(database)
    connote = client.get("/v1/connotes/CN-1").json()
    # The carrier's clock is Auckland's, 13 hours ahead.
    assert (connote["state"], connote["delivered_at"]) == ("delivered", "2026-11-21T22:00:00Z")


def test_a_request_that_is_not_signed_publishes_nothing_and_is_told_what_it_lacks(
    client: Client, topics: Topics, topic: str
) -> None:
    for name in NAMES:
        for refused in (
            post(client, name, secret="user:wrong-secret"),
            post(client, name, headers={}) if source(name).feed.signature.scheme is not Scheme.PATH else None,
            client.post(f"/v1/feeds/{name}", content=body(name)),
            client.post(f"/v1/feeds/{name}/guess", content=body(name)),
        ):
            if refused is not None:
                assert refused.status_code == 401, (name, refused.text)
                assert refused.headers["content-type"] == "application/problem+json"
                assert "expected: " in refused.json()["detail"]
                assert SECRET not in refused.text
    assert topics.end(topic) == 0


def test_a_feed_that_is_not_open_is_not_there(client: Client, database: str, topics: Topics) -> None:
    assert post(client, "omniparcel").status_code == 200
    assert client.post("/v1/feeds/nobody", content=b"{}").status_code == 404
    with api(settings_for(database, topics.bootstrap_servers), "read") as closed:
        assert post(closed, "omniparcel").status_code == 404


def test_garbage_of_an_authentic_sender_is_refused_with_its_place(client: Client, topics: Topics, topic: str) -> None:
    for content in (b"", b"nonsense", b"\xff", b"[]]", b'"x"', b"[" * 50_000):
        answer = post(client, "fedex", content)

        assert answer.status_code == 422, content
        assert answer.json()["errors"][0]["field"] == "body"
    assert topics.end(topic) == 0


def test_a_body_that_is_too_long_is_not_read(client: Client) -> None:
    assert post(client, "fedex", b" " * (MOST_BYTES + 1)).status_code == 413


def test_a_secret_in_an_address_or_a_header_reaches_no_log(client: Client) -> None:
    with logged() as lines:
        assert post(client, "nzpost").status_code == 200
        assert post(client, "omniparcel").status_code == 200
        assert client.get("/v1/feeds/nzpost/some-secret").status_code == 405
        assert client.post("/v1/feeds/nzpost/some-secret", content=b"{}").status_code == 401
        # A line is written once its answer is out.
        eventually(lambda: lines.getvalue().count('"event": "request"') == 4)

    text = lines.getvalue()
    assert text.count("/v1/feeds/{feed}/{secret}") == 3
    assert "some-secret" not in text
    assert "pass-w" not in text
    assert "CL092594237NZ" not in text


def test_a_request_about_something_else_is_received_and_publishes_nothing(
    client: Client, topics: Topics, topic: str
) -> None:
    answer = post(client, "aftership", json.dumps({"event": "edd_revise", "msg": {}}).encode())

    assert (answer.status_code, answer.json()) == (200, {"items": []})
    assert topics.end(topic) == 0
