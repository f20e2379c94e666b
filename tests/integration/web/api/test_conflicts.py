"""A return that two retailers say is theirs: nobody who is bound sees it, until operators say whose it is; then the one does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from httpx import Client

from service.application.access.bounds import Bounds
from tests.support.api import api, project, settings_for, token
from tests.support.journals import VOID, creation, event, ingest, scan

pytestmark = pytest.mark.postgres

BOUND = {
    "acme": Bounds(retailers=frozenset({"acme"})),
    "zenith": Bounds(retailers=frozenset({"zenith"})),
    "carrier": Bounds(carriers=frozenset({"generic"})),
    "hub": Bounds(hubs=frozenset({"leeds"})),
}
PATHS = ("/v1/returns/R-1001", "/v1/returns/R-1001/history", "/v1/returns", "/v1/exceptions")
OURS = creation()  # acme's
THEIRS = creation(retailer="zenith", order_number="Z-77", tracking_number="ZZ-9") | {
    "id": "zenith-1",
    "source": "/zenith",
    "time": "2026-11-20T08:00:00Z",
}


def void(of: dict[str, Any]) -> dict[str, Any]:
    reason = "not zenith's"
    return event(VOID, "v", "20:00", return_id="R-1001", source=of["source"], id=of["id"], by="ops", reason=reason)


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database), "read", "ops") as client:
        yield client


def seen(client: Client, database: str, who: str) -> dict[str, str]:
    """What each path says to one of them, where it says anything."""
    headers = {"authorization": f"Bearer {token(settings_for(database), 'read', 'ops', bounds=BOUND[who])}"}
    answers = {path: client.get(path, headers=headers) for path in PATHS}
    return {
        path: answer.text
        for path, answer in answers.items()
        if answer.status_code == 200 and answer.json().get("items") != []
    }


def test_nobody_who_is_bound_sees_a_return_that_two_retailers_claim(client: Client, database: str) -> None:
    ingest(database, [OURS, THEIRS, scan("COLLECTED", "10:00")])
    project(database)

    assert {who: seen(client, database, who) for who in BOUND} == {who: {} for who in BOUND}
    (conflict,) = client.get("/v1/exceptions").json()["items"]
    assert conflict["reason"] == "creation_conflict"
    assert "void the other" in conflict["resolution"]


def test_once_a_creation_is_void_the_other_retailer_sees_its_return_and_nothing_of_the_first(
    client: Client, database: str
) -> None:
    by_theirs = {"id": "zz", "data": {"carrier": "generic", "tracking_number": "ZZ-9", "code": "DELIVERED"}}
    ingest(database, [OURS, THEIRS, scan("COLLECTED", "10:00"), scan("DELIVERED", "11:00") | by_theirs])
    ingest(database, [void(THEIRS)])
    project(database)

    told = seen(client, database, "acme")

    assert told.keys() == set(PATHS) - {"/v1/exceptions"}
    for path, text in told.items():
        assert not [word for word in ("zenith", "Z-77", "ZZ-9") if word in text], path
    history = json.loads(told["/v1/returns/R-1001/history"])["items"]
    assert [(item["type"].split(".")[-2], item["id"]) for item in history] == [
        ("created", "R-1001-rc"),
        ("created", "***"),
        ("scanned", "R-1001-COLLECTED-10:00"),
        ("scanned", "***"),
        ("voided", "v"),
    ]
    assert json.loads(told["/v1/returns/R-1001"])["status"] == "RT"
    assert json.loads(told["/v1/returns/R-1001"])["labels"] == [{"carrier": "generic", "tracking_number": "TR-1001"}]
    assert seen(client, database, "zenith") == {}
    assert "zenith" in client.get("/v1/returns/R-1001/history").text  # operators see all of it


def test_where_all_creations_are_named_by_voids_none_of_them_is_void(client: Client, database: str) -> None:
    ingest(database, [OURS, THEIRS, void(THEIRS), void(OURS) | {"id": "w"}])
    project(database)

    assert {who: seen(client, database, who) for who in BOUND} == {who: {} for who in BOUND}


def test_a_conflict_over_the_route_hides_nothing(client: Client, database: str) -> None:
    ingest(database, [OURS, creation(route="first_mile_only") | {"id": "again"}])
    project(database)

    told = seen(client, database, "acme")

    assert told.keys() == set(PATHS)
    assert "creation_conflict" in told["/v1/exceptions"]
