"""Dead letters over HTTP: the list, one by itself, and its replay, on a real database."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator

import psycopg
import pytest
from httpx import Client

from service.wire.record import Record
from tests.support.api import api, project, settings_for, walk
from tests.support.filling import Filler
from tests.support.journals import creation, ingest, scan

pytestmark = pytest.mark.postgres

_AT = 1_795_600_000_000
_HEADERS = (("content-type", b"application/cloudevents+json"), ("odd", None))


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database), "ops", "read") as client:
        yield client


def bury(database: str, *values: bytes, topic: str = "first-mile.scans", first: int = 1000) -> None:
    """Let ingestion meet these messages."""
    filler = Filler(database)
    filler.write([Record(topic, 0, first + i, _AT, b"\xff", value, _HEADERS) for i, value in enumerate(values)])
    filler.close()


def test_a_dead_letter_is_shown_byte_for_byte(client: Client, database: str) -> None:
    bury(database, "{ä".encode(), b"\xff\xfe", b"x" * 5000)

    long, odd, text = client.get("/v1/dead-letters").json()["items"]
    whole = client.get(f"/v1/dead-letters/{long['id']}").json()

    assert text["value"] == {"base64": "e8Ok", "text": "{ä", "size": 3}
    assert (text["reason"], text["topic"], text["partition"], text["offset"]) == (
        "not_json",
        "first-mile.scans",
        0,
        1000,
    )
    assert text["key"] == {"base64": "/w==", "text": None}
    assert text["headers"] == [
        {"name": "content-type", "base64": "YXBwbGljYXRpb24vY2xvdWRldmVudHMranNvbg=="},
        {"name": "odd", "base64": None},
    ]
    assert odd["value"] == {"base64": "//4=", "text": None, "size": 2}
    assert long["value"] == {"base64": None, "text": None, "size": 5000}
    assert b64decode(whole["value"]["base64"]) == b"x" * 5000
    assert whole.keys() == long.keys()


def test_a_list_leaves_what_is_long_to_the_letter_by_itself(client: Client, database: str) -> None:
    # A page of letters was as large as their publishers made keys and headers.
    filler = Filler(database)
    filler.write([Record("first-mile.scans", 0, 1, _AT, b"k" * 5000, b"{", (("long", b"h" * 20_000),))])
    filler.close()

    (listed,) = client.get("/v1/dead-letters").json()["items"]
    whole = client.get(f"/v1/dead-letters/{listed['id']}").json()

    assert (listed["key"], listed["headers"]) == (None, [])
    assert b64decode(whole["key"]["base64"]) == b"k" * 5000
    assert b64decode(whole["headers"][0]["base64"]) == b"h" * 20_000


def test_dead_letters_are_filtered_and_come_in_pages(client: Client, database: str) -> None:
    bury(database, b"{", b"{}", b"[")
    bury(database, b"{", topic="final-mile.deliveries")
    (since,) = {item["recorded_at"] for item in client.get("/v1/dead-letters").json()["items"][:1]}

    def offsets(**parameters: str) -> list[int]:
        return [item["offset"] for page in walk(client, "/v1/dead-letters", limit=1, **parameters) for item in page]

    assert offsets() == [1000, 1002, 1001, 1000]
    assert offsets(reason="not_cloudevent") == [1001]
    assert offsets(topic="first-mile.scans", reason="not_json") == [1002, 1000]
    assert offsets(since=since) == [1000]
    assert offsets(until=since) == [1002, 1001, 1000]
    assert offsets(open="true") == [1000, 1002, 1001, 1000]
    assert offsets(open="false") == []


def test_a_letter_that_is_an_event_by_now_is_recorded_and_resolved(client: Client, database: str) -> None:
    ingest(database, [creation()])
    bury(database, b"{")
    good = json.dumps(scan("COLLECTED", "10:00")).encode()
    with psycopg.connect(database) as connection:  # as if the rules had been wrong, and were mended since
        connection.execute("UPDATE dead_letters SET value = %s", (good,))
    (letter,) = client.get("/v1/dead-letters").json()["items"]

    first = client.post(f"/v1/dead-letters/{letter['id']}/replay")
    again = client.post(f"/v1/dead-letters/{letter['id']}/replay")

    assert first.status_code == 200
    assert first.json() == {
        "id": letter["id"],
        "fate": "recorded",
        "attempts": 2,
        "verdict": "advanced",
        "reason": None,
        "error": None,
    }
    assert again.json()["fate"] == "resolved_before"
    assert client.get("/v1/returns/R-1001").json()["status"] == "RT"
    assert client.get("/v1/dead-letters", params={"open": "true"}).json()["items"] == []
    assert client.get(f"/v1/dead-letters/{letter['id']}").json()["resolved_at"] is not None
    project(database)
    assert client.get("/v1/returns").json()["items"][0]["status"] == "RT"


def test_a_letter_that_is_no_event_today_either_says_why(client: Client, database: str) -> None:
    bury(database, b"{")
    (letter,) = client.get("/v1/dead-letters").json()["items"]

    answer = client.post(f"/v1/dead-letters/{letter['id']}/replay").json()

    assert (answer["fate"], answer["attempts"], answer["reason"]) == ("failed", 2, "not_json")
    assert answer["error"]
    assert client.get(f"/v1/dead-letters/{letter['id']}").json()["attempts"] == 2


@pytest.mark.parametrize(("method", "path"), (("GET", "/v1/dead-letters/7"), ("POST", "/v1/dead-letters/7/replay")))
def test_a_letter_that_is_not_there_is_a_problem(client: Client, method: str, path: str) -> None:
    answer = client.request(method, path)

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:returns-status:problem:unknown-letter"


def test_a_letter_is_sent_through_corrected_and_stays_as_it_came(client: Client, database: str) -> None:
    ingest(database, [creation()])
    wrong = scan("COLLECTED", "10:00")
    wrong["data"]["carrier"] = "Generic Courier"
    value = json.dumps(wrong).encode()
    bury(database, value)
    (letter,) = client.get("/v1/dead-letters").json()["items"]
    path = f"/v1/dead-letters/{letter['id']}/replay"

    refused = [
        client.post(path, json=body).status_code
        for body in (
            {"set": {}, "by": "J. Doe"},
            {"set": {"data.hub": "x"}},
            {"set": {"data[x]": 1}, "by": "J. Doe"},
            {"set": {"data.hub": "x"}, "by": "J.\0Doe"},
        )
    ]
    failed = client.post(path, json={"set": {"data.carrier": "Other Courier"}, "by": "J. Doe"}).json()
    done = client.post(path, json={"set": {"data.carrier": "generic"}, "by": "J. Doe"}).json()

    assert refused == [422] * 4
    assert (failed["fate"], failed["reason"]) == ("failed", "bad_value")
    assert failed["error"].startswith("as corrected: data.carrier: ")
    assert (done["fate"], done["verdict"]) == ("recorded", "advanced")
    whole = client.get(f"/v1/dead-letters/{letter['id']}").json()
    assert whole["resolved_at"] is not None
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT value FROM dead_letters").fetchall() == [(value,)]
        noted = connection.execute("SELECT subject, detail FROM audit WHERE action = 'replay'").fetchall()
        kept = connection.execute("SELECT data ->> 'carrier' FROM history WHERE id = %s", (wrong["id"],)).fetchall()
    assert noted == [(str(letter["id"]), {"changed": "data.carrier", "by": "J. Doe"})] * 2
    assert kept == [("generic",)]
