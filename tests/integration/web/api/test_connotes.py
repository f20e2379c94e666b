"""Connotes of the API on a real database: what is under way, what was delivered, and who is told of which members."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import Client

from service.adapters.postgres.reading import connotes as reading
from service.application.access.bounds import Bounds
from service.web.api.connotes import Connote, ConnotesPage
from tests.support.api import api, project, settings_for, token, walk
from tests.support.journals import DELIVERED, RE, RP, RR, VOID, creation, event, ingest

pytestmark = pytest.mark.postgres

OF_ACME = Bounds(retailers=frozenset({"acme"}))


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database), "read") as client:
        yield client


def bound(client: Client, database: str, bounds: Bounds) -> Client:
    """Somebody with a token that is bound."""
    secret = token(settings_for(database), "read", bounds=bounds)
    return Client(base_url=client.base_url, headers={"authorization": f"Bearer {secret}"}, timeout=30)


def exported(return_id: str, connote: str, time: str, **data: Any) -> list[dict[str, Any]]:
    """A return that was created, processed and exported."""
    hub = {"return_id": return_id, "hub": "leeds"}
    return [
        creation(return_id, **data),
        event(RP, f"{return_id}-rp", "10:00", **hub),
        event(RE, f"{return_id}-{connote}", time, connote=connote, **hub),
    ]


def delivery(connote: str, time: str, **data: Any) -> dict[str, Any]:
    return event(DELIVERED, f"{connote}-{time}", time, connote=connote, **data)


def fill(database: str) -> None:
    """Two that are under way, one of them in part; two that were delivered; one that nobody exported anything under."""
    ingest(
        database,
        [
            *exported("R-1", "CN-LATE", "12:00"),
            *exported("R-2", "CN-EARLY", "11:30", retailer="bravo"),
            *exported("R-3", "CN-EARLY", "11:00"),
            *exported("R-4", "CN-FIRST", "11:00"),
            *exported("R-5", "CN-SECOND", "11:00", carrier="nzpost", tracking_number="NZ-5"),
            delivery("CN-FIRST", "15:00", location={"name": "Dock 4", "code": "D4", "country": "gb"}),
            delivery("CN-SECOND", "16:00"),
            delivery("CN-NOBODY", "17:00"),
            delivery("CN-NOBODY", "17:30"),
        ],
    )
    project(database)


def names(client: Client, **parameters: Any) -> list[str]:
    return [item["connote"] for page in walk(client, "/v1/connotes", **parameters) for item in page]


def test_those_under_way_come_first_the_longest_on_top_then_what_was_delivered(client: Client, database: str) -> None:
    fill(database)

    answer = client.get("/v1/connotes")
    items = answer.json()["items"]

    ConnotesPage.model_validate_json(answer.text)
    states = [(item["connote"], item["state"]) for item in items]
    assert states == [
        ("CN-EARLY", "under_way"),
        ("CN-LATE", "under_way"),
        ("CN-SECOND", "delivered"),
        ("CN-FIRST", "delivered"),
        ("CN-NOBODY", "without_members"),
    ]
    days = (datetime.now(UTC) - datetime(2026, 11, 20, 11, tzinfo=UTC)).days
    assert items[0] == {
        "connote": "CN-EARLY",
        "state": "under_way",
        "members": 2,
        "under_way": 2,
        "delivered": 0,
        "exported_at": "2026-11-20T11:00:00Z",
        "delivered_at": None,
        "days_under_way": days,
        "exception_id": None,
        "acknowledged": None,
    }
    assert (
        items[3].items()
        >= {
            "members": 1,
            "delivered": 1,
            "exported_at": "2026-11-20T11:00:00Z",
            "delivered_at": "2026-11-20T15:00:00Z",
            "days_under_way": 0,
        }.items()
    )
    assert items[4].items() >= {"members": 0, "exported_at": None, "days_under_way": None}.items()


def test_pages_lead_through_all_of_them_once(client: Client, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(database)
    everything = names(client)

    assert [names(client, limit=limit) for limit in (1, 2, 3)] == [everything] * 3

    # However little is looked at for a page.
    monkeypatch.setattr(reading, "MOST_LOOKED_AT", 2)
    two = Bounds(retailers=frozenset({"acme", "bravo"}), carriers=frozenset({"generic", "nzpost"}))
    with bound(client, database, two) as somebody:
        assert names(somebody, limit=1) == everything[:4]
    assert names(client, limit=1) == everything


def test_a_list_is_narrowed_to_a_state_or_to_the_returns_of_a_retailer(client: Client, database: str) -> None:
    fill(database)

    assert names(client, state="under_way") == ["CN-EARLY", "CN-LATE"]
    assert names(client, state="delivered") == ["CN-SECOND", "CN-FIRST"]
    assert names(client, state="without_members") == ["CN-NOBODY"]
    (item,) = client.get("/v1/connotes", params={"retailer": "bravo"}).json()["items"]
    assert (item["connote"], item["members"]) == ("CN-EARLY", 1)
    assert item["exported_at"] == "2026-11-20T11:30:00Z"
    assert names(client, retailer="bravo", state="without_members") == []
    assert client.get("/v1/connotes", params={"state": "lost"}).status_code == 422
    assert client.get("/v1/connotes", params={"cursor": "WyJyIiwxXQ"}).status_code == 422


def test_a_delivery_that_a_void_of_all_members_names_is_off_the_list(client: Client, database: str) -> None:
    fill(database)

    def voided(time: str) -> dict[str, Any]:
        named = {"source": "/test", "id": f"CN-NOBODY-{time}", "by": "ops", "reason": "another consignment's"}
        return event(VOID, f"void-{time}", "18:00", connote="CN-NOBODY", **named)

    ingest(database, [voided("17:30")])
    (left,) = client.get("/v1/connotes", params={"state": "without_members"}).json()["items"]
    assert (left["connote"], left["delivered_at"]) == ("CN-NOBODY", "2026-11-20T17:00:00Z")

    ingest(database, [voided("17:00")])
    assert names(client, state="without_members") == []


def test_a_connote_has_its_members_page_by_page_and_its_deliveries(client: Client, database: str) -> None:
    ingest(
        database,
        [
            *exported("R-1", "CN-1", "12:00"),
            *exported("R-2", "CN-1", "11:00"),
            *exported("R-3", "CN-1", "13:00"),
            event(RR, "rr", "10:30", return_id="R-3", hub="leeds", reason="damaged"),
            delivery("CN-1", "15:00", location={"name": "Dock 4", "code": "D4", "country": "gb"}, signed_by="Ann"),
        ],
    )
    project(database)

    answer = client.get("/v1/connotes/CN-1", params={"limit": 2})
    Connote.model_validate_json(answer.text)
    first = answer.json()
    second = client.get("/v1/connotes/CN-1", params={"limit": 2, "cursor": first["next_cursor"]}).json()

    head = {name: value for name, value in first.items() if name not in ("items", "next_cursor")}
    assert head.items() <= second.items()
    assert (head["members"], head["state"]) == (2, "delivered")
    assert (head["exported_at"], head["delivered_at"]) == ("2026-11-20T11:00:00Z", "2026-11-20T15:00:00Z")
    (told,) = head["deliveries"]
    assert told["location"] == {"name": "Dock 4", "code": "D4", "country": "GB"}
    assert "Ann" not in str(first)
    members = first["items"] + second["items"]
    assert [(each["return_id"], each["status"], each["travels"]) for each in members] == [
        ("R-1", "RDBTC", True),
        ("R-2", "RDBTC", True),
        ("R-3", "RR", False),
    ]
    assert members[0]["exported_at"] == "2026-11-20T12:00:00Z"
    assert second["next_cursor"] is None
    assert client.get("/v1/connotes/CN-1", params={"cursor": "WyJyIiwxXQ"}).status_code == 422
    assert client.get("/v1/connotes/CN-404").status_code == 404


def test_an_export_that_does_not_count_puts_nothing_under_way(client: Client, database: str) -> None:
    ingest(database, [*exported("R-1", "CN-1", "12:00"), *exported("R-2", "CN-2", "12:00")])
    project(database)
    void = {"return_id": "R-1", "source": "/test", "id": "R-1-CN-1", "by": "Ann", "reason": "a mistake"}

    ingest(database, [event(VOID, "void", "13:00", **void), delivery("CN-3", "14:00")])
    project(database)

    assert names(client, state="under_way") == ["CN-2"]
    assert client.get("/v1/connotes/CN-1").json()["state"] == "not_exported"
    alone = client.get("/v1/connotes/CN-3").json()
    assert (alone["state"], alone["items"], alone["delivered_at"]) == ("without_members", [], "2026-11-20T14:00:00Z")


def test_who_is_bound_is_told_of_its_own_members_alone(client: Client, database: str) -> None:
    fill(database)
    # Created for two retailers: whoever names an earlier time would see what is another's.
    ingest(database, [*exported("R-9", "CN-SECRET", "11:00", retailer="bravo")])
    ingest(database, [{**creation("R-9", "08:00", tracking_number="T-X"), "id": "taken"}])
    project(database)

    with bound(client, database, OF_ACME) as acme:
        assert names(acme) == ["CN-EARLY", "CN-LATE", "CN-SECOND", "CN-FIRST"]
        assert names(acme, retailer="bravo") == []
        shared = acme.get("/v1/connotes/CN-EARLY").json()
        assert (shared["members"], [each["return_id"] for each in shared["items"]]) == (1, ["R-3"])
        assert [acme.get(f"/v1/connotes/{name}").status_code for name in ("CN-SECRET", "CN-NOBODY")] == [404, 404]
    with bound(client, database, Bounds(carriers=frozenset({"nzpost"}))) as carrier:
        assert names(carrier) == ["CN-SECOND"]
        assert carrier.get("/v1/connotes/CN-EARLY").status_code == 404
    with bound(client, database, Bounds(hubs=frozenset({"leeds"}))) as hub:
        assert names(hub) == ["CN-EARLY", "CN-LATE", "CN-SECOND", "CN-FIRST"]
        assert hub.get("/v1/connotes/CN-EARLY").json()["members"] == 2
