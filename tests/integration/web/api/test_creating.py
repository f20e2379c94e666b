"""POST /v1/returns against a real broker and a real database."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx import Client, Response

from service.web.http.bodies import MOST_BYTES
from service.wire.record import Record
from tests.support.api import api, settings_for, token
from tests.support.filling import Filler
from tests.support.journals import creation, ingest
from tests.support.topics import Clients, Topics

BODY: dict[str, Any] = {
    "retailer": "acme",
    "route": "omnirps",
    "carrier": "omniparcel",
    "tracking_number": "OP1",
    "order_number": "A-1",
    "items": [{"sku": "S-1", "quantity": 2, "size": "XL"}],
    "gift": True,
}


@pytest.fixture
def topic(topics: Topics) -> str:
    return topics.create("returns", partitions=2)


@pytest.fixture
def client(database: str, topic: str, topics: Topics) -> Iterator[Client]:
    with api(settings_for(database, topics.bootstrap_servers, topic_returns=topic), "create", "read") as client:
        yield client


def post(client: Client, body: Any, key: str | None = None) -> Response:
    return client.post("/v1/returns", json=body, headers={} if key is None else {"idempotency-key": key})


def test_a_new_return_is_in_kafka_when_it_is_answered_and_is_then_as_the_answer_says(
    client: Client, database: str, topics: Topics, topic: str, clients: Clients
) -> None:
    answer = post(client, BODY)

    assert topics.end(topic) == 1
    assert answer.status_code == 201
    return_id = answer.json()["return_id"]
    assert re.fullmatch("OR[0-9A-HJKMNP-TV-Z]{12}", return_id)
    assert answer.headers["location"] == f"/v1/returns/{return_id}"
    assert answer.headers["cache-control"] == "no-store"
    (record,) = clients.read(topic, 1)
    assert record.key == return_id.encode()
    event = json.loads(record.value)
    assert event["type"] == "com.omnirps.return.created.v1"
    assert event["data"] == {**BODY, "return_id": return_id}
    assert client.get(answer.headers["location"]).status_code == 404

    filler = Filler(database)
    filler.write([_record(record)])
    filler.close()

    recorded = client.get(answer.headers["location"]).json()
    assert recorded["updated_at"] is not None
    assert recorded | {"updated_at": None} == answer.json()


def _record(record: Any) -> Record:
    headers = tuple((name, value) for name, value in record.headers)
    return Record(
        "omnireturns.returns", record.partition, record.offset, record.timestamp, record.key, record.value, headers
    )


def test_the_same_request_with_the_same_key_creates_one_return(client: Client, topics: Topics, topic: str) -> None:
    first = post(client, BODY, "k-1")
    again = post(client, dict(reversed(BODY.items())), "k-1")
    other_key = post(client, BODY, "k-2")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert other_key.json()["return_id"] != first.json()["return_id"]
    assert topics.end(topic) == 2


def test_a_key_holds_over_restarts_and_is_its_clients_own(
    client: Client, database: str, topic: str, topics: Topics
) -> None:
    first = post(client, BODY, "k-1")
    settings = settings_for(database, topics.bootstrap_servers, topic_returns=topic)

    with api(settings) as restarted:
        same = restarted.post(
            "/v1/returns",
            json=BODY,
            headers={"idempotency-key": "k-1", "authorization": client.headers["authorization"]},
        )
        other = restarted.post(
            "/v1/returns",
            json=BODY,
            headers={"idempotency-key": "k-1", "authorization": f"Bearer {token(settings, 'create')}"},
        )

    assert same.json() == first.json()
    assert other.status_code == 201
    assert other.json()["return_id"] != first.json()["return_id"]


def test_many_at_once_with_one_key_get_one_return(client: Client, topic: str, clients: Clients) -> None:
    together = threading.Barrier(8)

    def ask() -> Response:
        together.wait()
        return post(client, BODY, "k-1")

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(ask) for _ in range(8)]]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    # Who asks before Kafka's answer to the first is noted publishes the same event again, which changes nothing.
    assert len({record.value for record in clients.read(topic, 1)}) == 1


def test_another_request_with_the_same_key_is_refused(client: Client, topics: Topics, topic: str) -> None:
    post(client, BODY, "k-1")

    answer = post(client, {**BODY, "retailer": "bolt"}, "k-1")

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:returns-status:problem:idempotency-key-reused"
    assert topics.end(topic) == 1


def test_a_number_is_taken_once(client: Client, database: str, topics: Topics, topic: str) -> None:
    ingest(database, [creation("R-7")])
    mine = {**BODY, "return_id": "R-8"}

    known = post(client, {**BODY, "return_id": "R-7"})
    first, again = post(client, mine), post(client, mine)
    changed, by_key = post(client, {**mine, "retailer": "bolt"}), post(client, mine, "k-1")

    assert (first.status_code, first.json()["return_id"]) == (201, "R-8")
    assert (again.status_code, again.json()) == (201, first.json())
    for refused in (known, changed, by_key):
        assert refused.status_code == 409
        assert refused.json()["type"] == "urn:returns-status:problem:return-exists"
    assert topics.end(topic) == 1


WRONG: dict[str, tuple[Any, str]] = {
    "missing": ({k: v for k, v in BODY.items() if k != "retailer"}, "body.retailer"),
    "pattern": ({**BODY, "tracking_number": "a b"}, "body.tracking_number"),
    "route": ({**BODY, "route": "by sea"}, "body.route"),
    "type": ({**BODY, "carrier": 7}, "body.carrier"),
    "item": ({**BODY, "items": [{"sku": "S", "quantity": -1}]}, "body.items.0.quantity"),
    "nul": ({**BODY, "order_number": "A\0"}, "body"),
    "nul in what nobody knows": ({**BODY, "note": "\0"}, "body"),
    "number": ({**BODY, "return_id": "R"}, "body.return_id"),
    "no object": ([], "body"),
}


def test_what_is_wrong_with_a_new_return_is_named(client: Client, topics: Topics, topic: str) -> None:
    for name, (body, field) in WRONG.items():
        answer = post(client, body)

        assert answer.status_code == 422, name
        assert {error["field"] for error in answer.json()["errors"]} == {field}, name
    assert topics.end(topic) == 0


@pytest.mark.parametrize(
    ("content", "status"),
    (
        (b"{", 422),
        (b"\xff", 400),
        (b'{"retailer": "\\ud800"}', 422),
        (json.dumps({**BODY, "note": "\ud800"}).encode(), 422),
        (json.dumps(BODY).encode()[:-1] + b', "note": NaN}', 422),
        (json.dumps(BODY).encode()[:-1] + b', "note": 1e999}', 422),
        (json.dumps(BODY).encode()[:-1] + b', "note": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 100_000, 400),
        (json.dumps({**BODY, "note": "x" * 300_000}).encode(), 413),
        (b" " * (MOST_BYTES + 1), 413),
    ),
    ids=("cut", "bytes", "surrogate", "hidden-surrogate", "nan", "infinite", "long-number", "deep", "long", "too-long"),
)
def test_a_body_that_cannot_be_an_event_is_a_problem(client: Client, content: bytes, status: int) -> None:
    headers = {"content-type": "application/json"}

    whole = client.post("/v1/returns", content=content, headers=headers)
    chunked = client.post("/v1/returns", content=iter([content[:100], content[100:]]), headers=headers)

    for answer in (whole, chunked):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_creating_needs_its_scope(database: str, topic: str, topics: Topics) -> None:
    with api(settings_for(database, topics.bootstrap_servers, topic_returns=topic), "read", "hub", "ops") as client:
        answer = post(client, BODY)

    assert answer.status_code == 403
