"""The lists of the API on a real database: what they hold, how they are filtered, and how their pages go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from httpx import Client

from service.wire.record import Record
from tests.support.api import api, project, settings_for, walk
from tests.support.filling import NOW, Filler, world
from tests.support.journals import DS, RE, RP, RR, VOID, creation, event, ingest, scan

pytestmark = pytest.mark.postgres


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database, stuck_hours_rc=48), "read", "ops") as client:
        yield client


def hub(type_: str, time: str, return_id: str, **data: Any) -> dict[str, Any]:
    return event(type_, f"{return_id}-{type_}-{time}", time, return_id=return_id, hub="leeds", **data)


def ids(client: Client, path: str = "/v1/returns", **parameters: Any) -> list[str]:
    return [item["return_id"] for page in walk(client, path, **parameters) for item in page]


def age(database: str, return_id: str, hours: float) -> None:
    """Let a return have been in its status for so long."""
    moved = datetime.now(UTC) - timedelta(hours=hours)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE search_returns SET status_recorded_at = %s WHERE return_id = %s", (moved, return_id))


def test_a_return_in_a_list_says_what_the_return_says_but_its_timeline_and_labels(
    client: Client, database: str
) -> None:
    ingest(database, [creation(order_number="A-1"), scan("COLLECTED", "10:00"), hub(RP, "12:00", "R-1001")])
    project(database)

    (listed,) = client.get("/v1/returns").json()["items"]
    whole = client.get("/v1/returns/R-1001").json()

    del whole["timeline"], whole["labels"]
    assert whole.items() <= listed.items()
    assert listed["hub"] == "leeds"
    assert listed["status_at"] == "2026-11-20T12:00:00Z"
    assert listed["created_at"] == "2026-11-20T09:00:00Z"
    assert listed["stuck"] is False


def test_a_closed_return_says_so_alone_and_in_lists_and_is_stuck_no_more_until_something_later_counts(
    client: Client, database: str
) -> None:
    lost = event("com.omnirps.return.closed.v1", "end", "11:00", return_id="R-1001", by="me", reason="lost")
    ingest(database, [creation(), scan("COLLECTED", "10:00")])
    project(database)
    age(database, "R-1001", 5000)
    before = client.get("/v1/returns", params={"stuck": "true"}).json()["items"]

    ingest(database, [lost])
    project(database)
    (listed,) = client.get("/v1/returns").json()["items"]
    alone = client.get("/v1/returns/R-1001").json()
    stuck = client.get("/v1/returns", params={"stuck": "true"}).json()["items"]
    ingest(database, [scan("DELIVERED", "12:00")])
    project(database)
    again = client.get("/v1/returns/R-1001").json()

    assert [item["return_id"] for item in before] == ["R-1001"]
    assert alone["closed"] == listed["closed"] == {"reason": "lost", "at": "2026-11-20T11:00:00Z"}
    assert (listed["status"], listed["complete"], listed["stuck"], stuck) == ("RT", False, False, [])
    assert alone["labels"] == [{"carrier": "generic", "tracking_number": "TR-1001"}]
    assert (again["status"], again["closed"]) == ("RDTPF", None)


def test_filters_narrow_the_list_together(client: Client, database: str) -> None:
    ingest(
        database,
        [
            creation("R-1", order_number="Ö 1/2"),
            creation("R-2", retailer="bolt", order_number="Ö 1/2"),
            creation("R-3", route="first_mile_only", carrier="omniparcel", tracking_number="OP3"),
            creation("R-4"),
            hub(RP, "10:00", "R-4"),
            hub(RE, "11:00", "R-4", connote="CN-4"),
        ],
    )
    project(database)

    assert ids(client) == ["R-4", "R-3", "R-2", "R-1"]
    assert ids(client, order_number="Ö 1/2") == ["R-2", "R-1"]
    assert ids(client, order_number="Ö 1/2", retailer="acme") == ["R-1"]
    assert ids(client, status="RC") == ["R-3", "R-2", "R-1"]
    assert ids(client, status="RE", connote="CN-4", hub="leeds", retailer="acme", carrier="generic") == ["R-4"]
    assert ids(client, route="first_mile_only") == ["R-3"]
    assert ids(client, carrier="omniparcel") == ["R-3"]
    assert ids(client, tracking_number="OP3") == ["R-3"]
    assert ids(client, status="RR") == []


def test_returns_are_found_by_several_numbers_at_once_and_by_each_label_that_they_claim(
    client: Client, database: str
) -> None:
    again = creation("R-2", time="10:00", tracking_number="TR-2B", carrier="nzpost") | {"id": "again"}
    shared = creation("R-4", time="11:00", tracking_number="TR-1")  # in one box
    theirs = creation("R-5", time="08:00", retailer="zenith", tracking_number="TR-9") | {"id": "theirs"}
    void = event(VOID, "v", "20:00", return_id="R-5", source="/test", id="theirs", by="ops", reason="not theirs")
    ingest(database, [*(creation(f"R-{n}") for n in (1, 2, 3)), again, shared])
    ingest(database, [theirs, creation("R-5"), void])
    project(database)

    assert ids(client, tracking_number="TR-2B") == ids(client, tracking_number="TR-2") == ["R-2"]
    assert ids(client, tracking_number="TR-1") == ["R-4", "R-1"]
    assert ids(client, tracking_number="TR-9") == []  # nobody who stands by it named it
    assert ids(client, tracking_number=["TR-2B", "TR-3"]) == ids(client, tracking_number="TR-3,TR-2B") == ["R-3", "R-2"]
    assert ids(client, return_id=["R-3", "R-1,R-77"], retailer="acme") == ["R-3", "R-1"]
    assert ids(client, return_id="R-1", tracking_number="TR-3") == []
    many = [f"R-{n}" for n in range(500)]
    assert ids(client, return_id=",".join(many)) == ["R-5", "R-4", "R-3", "R-2", "R-1"]
    for wrong in ({"return_id": ",".join([*many, "R-500"])}, {"return_id": ""}, {"tracking_number": "TR-1,,TR-2"}):
        assert client.get("/v1/returns", params=wrong).status_code == 422, wrong


def test_of_what_is_updated_since_the_rest_is_left_out(client: Client, database: str) -> None:
    for number in (100, 101, 102):
        ingest(database, [creation(f"R-{number}")])
    ingest(database, [hub(RR, "10:00", "R-102", reason="damaged")])
    project(database)
    listed = {item["return_id"]: item["updated_at"] for item in client.get("/v1/returns").json()["items"]}

    assert ids(client, updated_since=listed["R-101"]) == ["R-102", "R-101"]
    assert ids(client, updated_since=listed["R-102"], status="RR") == ["R-102"]
    assert ids(client, updated_since=listed["R-102"], status="RC") == []
    assert ids(client, updated_since="2126-01-01T00:00:00Z") == []
    assert client.get("/v1/returns", params={"updated_since": "yesterday"}).status_code == 422


@pytest.mark.parametrize(
    ("path", "name", "value"),
    (
        ("/v1/returns", "status", "RC"),
        ("/v1/returns", "limit", "7"),
        ("/v1/exceptions", "return_id", "R-1"),
        ("/v1/dead-letters", "topic", "t"),
        ("/v1/connotes", "retailer", "acme"),
    ),
)
def test_a_parameter_that_is_given_twice_is_an_error_where_one_value_is_meant(
    client: Client, path: str, name: str, value: str
) -> None:
    answer = client.get(path, params=[(name, value), (name, value)])

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": f"query.{name}", "detail": "given more than once; one value is expected"}
    ]


def test_pages_hold_each_return_once_while_others_come_and_go(client: Client, database: str) -> None:
    ingest(database, [creation(f"R-{number}") for number in range(100, 107)])
    project(database)
    first = client.get("/v1/returns", params={"limit": 3}).json()

    ingest(database, [creation("R-200"), hub(RR, "10:00", "R-103", reason="damaged")])
    project(database)
    second = client.get("/v1/returns", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    third = client.get("/v1/returns", params={"limit": 3, "cursor": second["next_cursor"]}).json()

    assert [[item["return_id"] for item in page["items"]] for page in (first, second, third)] == [
        ["R-106", "R-105", "R-104"],
        ["R-103", "R-102", "R-101"],
        ["R-100"],
    ]
    assert third["next_cursor"] is None
    assert ids(client, status="RC", limit=1) == ["R-200", "R-106", "R-105", "R-104", "R-102", "R-101", "R-100"]


def test_a_return_is_stuck_after_the_time_of_its_status_and_the_longest_stuck_comes_first(
    client: Client, database: str
) -> None:
    events = [creation(f"R-{number}") for number in range(100, 106)]
    events += [hub(DS, "10:00", "R-102"), hub(DS, "10:00", "R-103"), hub(RR, "11:00", "R-104", reason="damaged")]
    ingest(database, events)
    project(database)
    for return_id, hours in {"R-100": 47, "R-101": 49, "R-102": 71, "R-103": 73, "R-104": 9000, "R-105": 50}.items():
        age(database, return_id, hours)

    stuck = walk(client, "/v1/returns", stuck="true", limit=1)

    assert [[item["return_id"] for item in page] for page in stuck] == [["R-103"], ["R-105"], ["R-101"]]
    assert all(item["stuck"] for page in stuck for item in page)
    assert ids(client, stuck="true", status="DS") == ["R-103"]
    assert ids(client, stuck="true", status="RR") == []
    assert ids(client, stuck="false") == ["R-104", "R-102", "R-100"]
    assert {item["return_id"] for item in client.get("/v1/returns").json()["items"] if item["stuck"]} == {
        "R-101",
        "R-103",
        "R-105",
    }


@pytest.fixture
def exceptional(database: str) -> None:
    ingest(
        database,
        [
            creation(),
            scan("NOBODY-KNOWS", "10:00"),
            hub(RE, "11:00", "R-1001", connote="CN-1"),
            scan("COLLECTED", "10:00", "R-unknown"),
            hub(DS, "10:00", "R-nowhere"),
        ],
    )
    ingest(database, [creation("R-2"), hub(RR, "10:00", "R-2", reason="damaged"), hub(RP, "11:00", "R-2")])
    project(database)


def test_exceptions_and_parked_events_are_one_list(client: Client, exceptional: None) -> None:
    items = client.get("/v1/exceptions").json()["items"]

    assert [(item["verdict"], item["reason"], item["return_id"]) for item in items] == [
        ("refused", "already_rejected", "R-2"),
        ("held", "awaiting_processed", "R-1001"),
        ("unmapped", "unknown_code", "R-1001"),
        ("parked", None, "R-nowhere"),
        ("parked", None, None),
    ]
    assert items[1]["connote"] == "CN-1"
    assert items[2]["code"] == "NOBODY-KNOWS"
    assert (items[2]["topic"], items[2]["partition"]) == ("first-mile.scans", 0)
    assert (items[4]["carrier"], items[4]["tracking_number"]) == ("generic", "TR-unknown")
    assert all(item["expected"] and item["resolution"] for item in items)


def test_pages_of_exceptions_hold_each_once(client: Client, exceptional: None) -> None:
    whole = walk(client, "/v1/exceptions")[0]

    pages = walk(client, "/v1/exceptions", limit=1)

    assert [item for page in pages for item in page] == whole
    assert [len(page) for page in pages] == [1] * 5
    assert [len(page) for page in walk(client, "/v1/exceptions", limit=2)] == [2, 2, 1]


def test_exceptions_are_filtered(client: Client, database: str, exceptional: None) -> None:
    def found(**parameters: Any) -> list[tuple[str, str | None]]:
        items = [item for page in walk(client, "/v1/exceptions", **parameters) for item in page]
        return [(item["verdict"], item["return_id"]) for item in items]

    assert found(verdict="parked") == [("parked", "R-nowhere"), ("parked", None)]
    assert found(verdict="held") == [("held", "R-1001")]
    assert found(reason="unknown_code") == [("unmapped", "R-1001")]
    assert found(code="COLLECTED") == [("parked", None)]
    assert found(code="NOBODY-KNOWS", carrier="generic") == [("unmapped", "R-1001")]
    assert found(carrier="generic", verdict="parked") == [("parked", None)]
    assert found(return_id="R-1001") == [("held", "R-1001"), ("unmapped", "R-1001")]
    assert found(return_id="R-nowhere") == [("parked", "R-nowhere")]
    assert found(open="false") == []
    assert len(found(open="true")) == 5

    ingest(database, [hub(RP, "10:30", "R-1001"), creation("R-nowhere")])
    project(database)

    assert found(open="false") == [("held", "R-1001")]
    assert found(verdict="parked") == [("parked", None)]


def test_a_scan_of_a_carrier_without_a_table_says_so_before_its_return_is_known(client: Client, database: str) -> None:
    foreign = scan("COLLECTED", "10:00", "R-5")
    foreign["data"]["carrier"] = "acme-post"
    ingest(database, [foreign, scan("NOBODY-KNOWS", "10:00", "R-6"), scan("COLLECTED", "10:00", "R-7")])

    items = client.get("/v1/exceptions", params={"verdict": "parked"}).json()["items"]

    said = {item["tracking_number"]: (item["carrier"], item["reason"]) for item in items}
    assert said == {
        "TR-5": ("acme-post", "unknown_carrier"),
        "TR-6": ("generic", "unknown_code"),
        "TR-7": ("generic", None),
    }
    (found,) = client.get("/v1/exceptions", params={"reason": "unknown_carrier"}).json()["items"]
    assert "none for this carrier" in found["expected"]
    assert "Add a table for the carrier" in found["resolution"]
    assert "as soon as the creation arrives" in found["resolution"]
    assert client.get("/v1/exceptions", params={"reason": "held"}).status_code == 422


def test_a_void_that_waits_for_an_hour_names_nothing_and_says_so(client: Client, database: str) -> None:
    void = event(VOID, "v", "11:00", return_id="r-1001", source="/test", id="c", by="me", reason="wrong parcel")
    ingest(database, [creation(), void])  # the return's number in another letter case
    (waiting,) = client.get("/v1/exceptions").json()["items"]

    with psycopg.connect(database) as connection:
        connection.execute("UPDATE parked SET recorded_at = recorded_at - interval '1 hour'")
    (found,) = client.get("/v1/exceptions", params={"reason": "void_without_event"}).json()["items"]

    assert (waiting["verdict"], waiting["reason"]) == ("parked", None)
    assert (found["verdict"], found["return_id"], found["id"]) == ("parked", "r-1001", "v")
    assert "letter for letter" in found["expected"]
    assert "void it by its exact source and id" in found["resolution"]


WRONG = {
    "/v1/returns?status=XX": "query.status",
    "/v1/returns?statuss=RC": "query.statuss",
    "/v1/returns?limit=501": "query.limit",
    "/v1/returns?retailer=ACME%00": "query.retailer",
    "/v1/returns?order_number=%00": "query.order_number",
    "/v1/returns?cursor=WyJlIiwxLDEsMV0": "query.cursor",
    "/v1/returns?cursor=WyJyIiw5MjIzMzcyMDM2ODU0Nzc1ODA4XQ": "query.cursor",
    "/v1/returns?stuck=true&cursor=WyJyIiwxXQ": "query.cursor",
    "/v1/exceptions?verdict=lost": "query.verdict",
    "/v1/exceptions?cursor=WyJwIiwxLCJcdTAwMDAiLCIiLCIiLCIiXQ": "query.cursor",
    "/v1/dead-letters?since=yesterday": "query.since",
    "/v1/dead-letters?cursor=W10": "query.cursor",
    "/v1/dead-letters/0": "path.id",
    "/v1/dead-letters/9223372036854775808": "path.id",
}


def test_what_is_wrong_with_a_request_is_named(client: Client) -> None:
    for path, field in WRONG.items():
        answer = client.get(path)

        assert answer.status_code == 422, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert field in {error["field"] for error in answer.json()["errors"]}, path


def test_a_list_is_not_sent_again_to_whom_has_it_and_kept_by_no_cache(client: Client, database: str) -> None:
    ingest(database, [creation()])
    project(database)
    first = client.get("/v1/returns")

    same = client.get("/v1/returns", headers={"if-none-match": first.headers["etag"]})

    assert (same.status_code, same.content) == (304, b"")
    assert first.headers["cache-control"] == same.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ("/v1/exceptions", "/v1/dead-letters", "/v1/dead-letters/1"))
def test_only_operations_see_what_went_wrong(database: str, path: str) -> None:
    with api(settings_for(database), "read", "create", "hub") as client:
        answer = client.get(path)

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="ops"'


@pytest.mark.parametrize(
    ("path", "filters"),
    (
        ("/v1/returns", {"route": "first_mile_only", "carrier": "generic"}),
        ("/v1/returns", {"route": "omnirps", "carrier": "generic", "stuck": "true"}),
        ("/v1/exceptions", {"carrier": "generic"}),  # of which there are few among the parked ones
    ),
)
def test_pages_that_stop_looking_early_lead_to_every_row_once(
    database: str, monkeypatch: pytest.MonkeyPatch, path: str, filters: dict[str, str]
) -> None:
    filler = Filler(database)
    filler.fill(world(250, seed=11, wrong_code=0.1, skipped=0.3))
    filler.write([Record("first-mile.scans", 0, 10**6 + n, int(NOW * 1000), None, scan_of(n)) for n in range(100)])
    filler.close()
    with psycopg.connect(database) as connection:
        # As if recorded at different times, with parked events and exceptions side by side.
        connection.execute(
            "UPDATE history SET recorded_at = timestamptz '2026-01-01' + (return_no * 7919 % 1000) * interval '1 minute'"
        )
        connection.execute(
            "UPDATE parked SET recorded_at = timestamptz '2026-01-01' + random() * interval '1000 minutes'"
        )
    project(database)
    settings = settings_for(database)
    with api(settings, "read", "ops") as client:
        expected = [item for items in walk(client, path, limit=500, **filters) for item in items]
        assert len(expected) > 10
        monkeypatch.setattr("service.adapters.postgres.reading.listing.MOST_LOOKED_AT", 15)

        pages = walk(client, path, limit=10, **filters)

    assert [item for items in pages for item in items] == expected
    assert any(len(items) < 10 for items in pages[:-1])


def scan_of(number: int) -> bytes:
    """A scan of a parcel that nobody has created."""
    carrier = "omniparcel" if number % 9 else "generic"
    return json.dumps(
        {
            "specversion": "1.0",
            "type": "com.omnirps.carrier.scanned.v1",
            "source": "/carriers/x",
            "id": f"lonely-{number}",
            "time": "2026-01-01T00:00:00Z",
            "data": {"carrier": carrier, "tracking_number": f"LONELY-{number}", "code": "COLLECTED"},
        }
    ).encode()
