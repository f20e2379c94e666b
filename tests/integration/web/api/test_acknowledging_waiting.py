"""Acknowledging what waits and is no return's by way of the API: parked events and connotes without members, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from httpx import Client, Response

from service.application.access.bounds import Bounds
from tests.integration.web.api.test_acknowledging import acknowledge, bound_client, listed
from tests.support.api import api, settings_for
from tests.support.journals import DELIVERED, DS, RE, RP, VOID, creation, event, ingest, scan
from tests.support.ops import audit

pytestmark = pytest.mark.postgres
LABEL, RETURN, CONNOTE = "label/generic/TR-1/parked", "return/R-2/parked", "connote/CN-1/without_members"
NOTE = "Mrs Smith’s, the portal sends it tomorrow"


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database), "read", "ops") as client:
        yield client


def depot(id_: str = "ds", **data: Any) -> dict[str, Any]:
    return event(DS, id_, "10:00", **{"return_id": "R-2", "hub": "akl1", **data})


def delivered(id_: str = "d-1", connote: str = "CN-1") -> dict[str, Any]:
    return event(DELIVERED, id_, "12:00", connote=connote)


def see(client: Client, named: str) -> Response:
    return acknowledge(client, named, NOTE)


def connotes(client: Client, **parameters: Any) -> list[tuple[str, str | None]]:
    """Those that were delivered without members, with the note of who has seen them."""
    answer = client.get("/v1/connotes", params={"state": "without_members", **parameters}).json()
    return [(item["connote"], item["acknowledged"] and item["acknowledged"]["note"]) for item in answer["items"]]


def execute(database: str, statement: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(statement.encode())


def test_what_is_parked_is_hidden_by_its_label_or_return_and_says_who_when_and_what(
    client: Client, database: str
) -> None:
    ingest(database, [scan("COLLECTED", "10:00", "R-1"), scan("IN_TRANSIT", "11:00", "R-1"), depot()])
    items = client.get("/v1/exceptions").json()["items"]
    assert {item["exception_id"] for item in items} == {LABEL, RETURN}

    done = see(client, LABEL)

    assert done.status_code == 200, done.text
    seen = done.json()["acknowledged"]
    assert done.json() == {"exception_id": LABEL, "state": "acknowledged", "acknowledged": seen}
    assert seen["note"] == NOTE
    assert listed(client, state="open") == [("ds", "open")]
    hidden = client.get("/v1/exceptions", params={"state": "acknowledged"}).json()["items"]
    assert [(each["verdict"], each["acknowledged"]) for each in hidden] == [("parked", seen)] * 2
    assert len(listed(client)) == 3
    assert listed(client, state="resolved") == listed(client, state="acknowledged", open=True) == []
    assert see(client, LABEL).json()["acknowledged"] == seen  # again: nothing is different
    assert see(client, RETURN).status_code == 200
    assert listed(client, state="open") == []
    assert [each[:2] + each[3:] for each in audit(database)] == [
        ("acknowledge", subject, ["reason"]) for subject in ("generic/TR-1", "generic/TR-1", "R-2")
    ]


@pytest.mark.parametrize(
    ("named", "first", "another"),
    (
        (LABEL, scan("COLLECTED", "10:00", "R-1"), scan("DELIVERED", "12:00", "R-1")),
        (RETURN, depot(), depot("ds-2")),
    ),
)
def test_it_is_shown_again_whole_once_another_event_waits_with_it(
    client: Client, database: str, named: str, first: dict[str, Any], another: dict[str, Any]
) -> None:
    ingest(database, [first])
    see(client, named)
    ingest(database, [first])  # sent again: nothing new
    assert listed(client, state="open") == []

    ingest(database, [scan("COLLECTED", "10:00", "R-9")])  # another label's
    assert len(listed(client, state="open")) == 1
    ingest(database, [another])

    assert len(listed(client, state="open")) == 3
    assert listed(client, state="acknowledged") == []


def test_what_commits_late_beside_what_was_seen_is_not_hidden_with_it(client: Client, database: str) -> None:
    ingest(database, [scan("COLLECTED", "10:00", "R-1")])
    see(client, LABEL)
    ingest(database, [scan("DELIVERED", "12:00", "R-1")])

    # Its transaction began before that of the first.
    execute(database, "UPDATE parked SET recorded_at = recorded_at - interval '1 hour' WHERE id ~ 'DELIVERED'")

    assert [each for each, _ in listed(client, state="open")] == ["R-1-DELIVERED-12:00"]


def test_a_connote_without_members_is_listed_with_what_waits_until_it_has_some(client: Client, database: str) -> None:
    ingest(database, [delivered("d-1"), delivered("d-2"), delivered("d-3", "CN-2"), scan("COLLECTED", "10:00", "R-1")])

    items = client.get("/v1/exceptions", params={"limit": 2}).json()
    rest = client.get("/v1/exceptions", params={"limit": 2, "cursor": items["next_cursor"]}).json()

    every = [*items["items"], *rest["items"]]
    assert [each["exception_id"] for each in every] == [LABEL, "connote/CN-2/without_members", CONNOTE]
    assert rest["next_cursor"] is None
    last = every[-1]
    assert last["expected"].startswith("A delivery brings home")
    assert (
        last
        | {
            "verdict": "parked",
            "milestone": "RDBTC",
            "type": DELIVERED,
            "id": "d-2",
            "connote": "CN-1",
            "occurred_at": "2026-11-20T12:00:00Z",
            "state": "open",
        }
        == last
    )
    assert {last[name] for name in ("return_id", "retailer", "reason", "carrier", "tracking_number", "code")} == {None}
    assert None not in {last[name] for name in ("source", "topic", "partition", "offset", "recorded_at")}

    see(client, CONNOTE)
    acknowledged = client.get("/v1/exceptions", params={"state": "acknowledged"}).json()["items"]
    assert [(each["exception_id"], each["acknowledged"]["note"]) for each in acknowledged] == [(CONNOTE, NOTE)]
    assert CONNOTE not in {each["exception_id"] for each in client.get("/v1/exceptions?state=open").json()["items"]}

    ingest(database, [creation("R-5"), event(RP, "rp", "11:00", return_id="R-5", hub="akl1")])
    ingest(database, [event(RE, "re", "11:30", return_id="R-5", hub="akl1", connote="CN-2")])
    waiting = client.get("/v1/exceptions", params={"verdict": "parked"}).json()["items"]
    assert {each["exception_id"] for each in waiting} == {LABEL, CONNOTE}


def test_what_found_its_return_leaves_for_it_acknowledged_or_not(client: Client, database: str) -> None:
    ingest(database, [scan("COLLECTED", "10:00", "R-1")])
    see(client, LABEL)

    ingest(database, [creation("R-1", tracking_number="TR-1")])

    assert listed(client) == []
    assert see(client, LABEL).status_code == 404


def test_a_connote_without_members_is_hidden_until_it_is_delivered_once_more(client: Client, database: str) -> None:
    ingest(database, [delivered(), delivered("d-2", "CN-2")])
    assert connotes(client) == [("CN-2", None), ("CN-1", None)] or connotes(client) == [("CN-1", None), ("CN-2", None)]

    done = see(client, CONNOTE)

    assert done.status_code == 200, done.text
    assert connotes(client, acknowledged=False) == [("CN-2", None)]
    assert connotes(client, acknowledged=True) == [("CN-1", NOTE)]
    one = client.get("/v1/connotes/CN-1").json()
    assert (one["exception_id"], one["acknowledged"]) == (CONNOTE, done.json()["acknowledged"])
    void = {"connote": "CN-2", "source": "/test", "id": "d-2", "by": "me", "reason": "no"}
    ingest(database, [event(VOID, "v", "13:00", **void)])
    assert connotes(client, acknowledged=True) == [("CN-1", NOTE)]

    ingest(database, [delivered("d-3")])

    assert connotes(client, acknowledged=False) == [("CN-1", None)]
    assert connotes(client, acknowledged=True) == []


def test_a_connote_that_has_members_is_not_to_be_acknowledged(client: Client, database: str) -> None:
    of = {"return_id": "R-1001", "hub": "akl1"}
    ingest(database, [delivered()])
    see(client, CONNOTE)

    ingest(database, [creation(), event(RP, "rp", "10:00", **of), event(RE, "re", "11:00", connote="CN-1", **of)])

    assert connotes(client) == []
    assert see(client, CONNOTE).status_code == 404


@pytest.mark.parametrize(
    "named", (LABEL, RETURN, CONNOTE, "label/TR-1/parked", "connote/CN-1/parked", "label/generic/TR-1/x")
)
def test_what_does_not_wait_is_not_known(client: Client, database: str, named: str) -> None:
    answer = see(client, named)

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:returns-status:problem:unknown-exception")
    assert "acknowledge" not in [row[0] for row in audit(database)]


def test_who_is_bound_acknowledges_the_scans_of_the_own_carrier_and_nothing_else(client: Client, database: str) -> None:
    ingest(database, [scan("COLLECTED", "10:00", "R-1"), depot(), delivered()])

    for bounds in (Bounds(retailers=frozenset({"acme"})), Bounds(carriers=frozenset({"nzpost"}))):
        with bound_client(client, database, bounds) as other:
            assert [see(other, named).status_code for named in (LABEL, RETURN, CONNOTE)] == [404] * 3
    with bound_client(client, database, Bounds(carriers=frozenset({"generic"}))) as carrier:
        assert [see(carrier, named).status_code for named in (RETURN, CONNOTE)] == [404] * 2
        assert see(carrier, LABEL).status_code == 200
        assert listed(carrier, state="open") == []
        assert len(listed(carrier, state="acknowledged")) == 1


def test_an_acknowledgement_of_another_journal_hides_nothing(client: Client, database: str) -> None:
    ingest(database, [scan("COLLECTED", "10:00", "R-1")])
    see(client, LABEL)

    execute(database, "UPDATE waiting_acknowledgements SET batch_id = '1'")

    assert len(listed(client, state="open")) == 1


def test_who_may_only_read_connotes_is_not_told_by_whom_and_what(client: Client, database: str) -> None:
    ingest(database, [delivered()])
    see(client, CONNOTE)

    with api(settings_for(database), "read") as reader:
        (item,) = reader.get("/v1/connotes").json()["items"]
        one = reader.get("/v1/connotes/CN-1").json()

    assert [(each["acknowledged"]["by"], each["acknowledged"]["note"]) for each in (item, one)] == [(None, None)] * 2
