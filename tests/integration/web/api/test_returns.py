from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from httpx import Client
from jsonschema import Draft202012Validator
from prometheus_client import generate_latest

from service.adapters.postgres.access.tokens import create_token
from service.adapters.postgres.database import connect
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.application.access.bounds import Bounds
from service.domain.journey import State
from service.metrics import Metrics
from service.web.app import create_app
from tests.support import journals
from tests.support.journals import creation, event, ingest, scan
from tests.support.loglines import logged
from tests.support.web import served

pytestmark = pytest.mark.postgres


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(database: str, metrics: Metrics) -> Iterator[Client]:
    with open_pool(database, 2) as pool:
        app = create_app(PostgresReading(pool), metrics)
        with served(app, _token(database, "read")) as client:
            yield client


def _token(database: str, *scopes: str) -> str:
    with connect(database, "test") as connection:
        return create_token(connection, scopes)


def _states(document: dict[str, Any]) -> dict[str, str]:
    return {step["code"]: step["state"] for step in document["timeline"]}


def test_a_return_is_answered_with_its_status_and_timeline(client: Client, database: str) -> None:
    ingest(database, [creation(order_number="A-1"), scan("DELIVERED", "11:00", location={"country": "GB"})])

    answer = client.get("/v1/returns/R-1001")

    assert answer.status_code == 200
    document = answer.json()
    (recorded,) = [row["recorded_at"] for row in client.get("/v1/returns/R-1001/history").json()["items"][-1:]]
    assert document["updated_at"] == recorded
    assert {key: value for key, value in document.items() if key not in ("timeline", "updated_at")} == {
        "return_id": "R-1001",
        "retailer": "acme",
        "order_number": "A-1",
        "route": "omnirps",
        "carrier": "generic",
        "tracking_number": "TR-1001",
        "labels": [{"carrier": "generic", "tracking_number": "TR-1001"}],
        "tracking_url": None,
        "connote": None,
        "status": "RDTPF",
        "status_name": "Transferred to Sorting Facility",
        "version": 2,
        "complete": False,
        "closed": None,
    }
    assert _states(document) == {
        "RC": "reached",
        "RT": "skipped",
        "RDTPF": "reached",
        "DS": "upcoming",
        "RP": "upcoming",
        "RE": "upcoming",
        "RDBTC": "upcoming",
    }
    assert document["timeline"][2] == {
        "code": "RDTPF",
        "name": "Transferred to Sorting Facility",
        "state": "reached",
        "occurred_at": "2026-11-20T11:00:00Z",
        "location": {"country": "GB"},
        "source": "/test",
    }


def test_a_rejection_is_an_eighth_step_and_ends_the_rest(client: Client, database: str) -> None:
    rejection = event(journals.RR, "rr", "12:00", return_id="R-1001", hub="leeds", reason="damaged")
    ingest(database, [creation(), event(journals.DS, "ds", "11:00", return_id="R-1001", hub="leeds"), rejection])

    document = client.get("/v1/returns/R-1001").json()

    assert document["status"] == "RR"
    assert document["complete"] is True
    assert _states(document) == {
        "RC": "reached",
        "RT": "skipped",
        "RDTPF": "skipped",
        "DS": "reached",
        "RP": "not_applicable",
        "RE": "not_applicable",
        "RDBTC": "not_applicable",
        "RR": "reached",
    }


def test_a_first_mile_only_return_has_no_hub(client: Client, database: str) -> None:
    ingest(database, [creation(route="first_mile_only"), scan("DELIVERED", "11:00")])

    document = client.get("/v1/returns/R-1001").json()

    assert document["complete"] is True
    assert [step["state"] for step in document["timeline"]] == ["reached", "skipped", "reached"] + [
        "not_applicable"
    ] * 4


def test_an_answer_is_not_sent_again_to_whom_has_it(client: Client, database: str) -> None:
    ingest(database, [creation()])
    first = client.get("/v1/returns/R-1001")

    same = client.get("/v1/returns/R-1001", headers={"if-none-match": f'"x", W/{first.headers["etag"]}'})
    ingest(database, [scan("COLLECTED", "10:00")])
    moved = client.get("/v1/returns/R-1001", headers={"if-none-match": first.headers["etag"]})

    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    assert moved.status_code == 200
    assert moved.headers["etag"] != first.headers["etag"]


def test_the_history_tells_each_event_and_whether_it_counts(client: Client, database: str) -> None:
    ingest(
        database,
        [
            creation(),
            scan("COLLECTED", "10:00"),
            scan("NOBODY-KNOWS", "10:30"),
            event(journals.RE, "re", "12:00", return_id="R-1001", hub="leeds", connote="CN-1"),
            event(journals.DELIVERED, "other", "20:00", connote="CN-2"),
            event(journals.DELIVERED, "mine", "21:00", connote="CN-1", location={"name": "Berlin"}),
        ],
    )
    ingest(database, [event(journals.RP, "rp", "11:00", return_id="R-1001", hub="leeds", colour="blue")])

    items = client.get("/v1/returns/R-1001/history").json()["items"]

    assert [(item["milestone"], item["verdict"], item["reason"], item["counts"]) for item in items] == [
        ("RC", "advanced", None, True),
        ("RT", "advanced", None, True),
        (None, "unmapped", "unknown_code", False),
        ("RE", "held", "awaiting_processed", True),
        ("RDBTC", "held", "awaiting_exported", True),
        ("RP", "advanced", None, True),
    ]
    assert items[4]["location"] == {"name": "Berlin"}
    assert items[5]["data"]["colour"] == "blue"
    assert {"topic": "first-mile.scans", "partition": 0, "code": "COLLECTED", "zone_source": "event"}.items() <= items[
        1
    ].items()
    assert items[1]["occurred_at"] == "2026-11-20T10:00:00Z"


def test_a_voided_event_stays_in_the_history_and_does_not_count(client: Client, database: str) -> None:
    depot_scan = event(journals.DS, "ds", "11:00", return_id="R-1001", hub="leeds")
    void = event(journals.VOID, "v", "12:00", return_id="R-1001", source="/test", id="ds", by="ann", reason="typo")
    again = event(journals.DS, "ds2", "11:30", return_id="R-1001", hub="leeds")
    ingest(database, [creation(), depot_scan, void, again])

    items = client.get("/v1/returns/R-1001/history").json()["items"]

    assert [(item["id"], item["counts"]) for item in items] == [
        ("R-1001-rc", True),
        ("ds", False),
        ("v", False),
        ("ds2", True),
    ]


def test_however_many_events_are_void_none_of_them_counts(client: Client, database: str) -> None:
    """Of more than a few the state keeps no list."""
    scans = [scan("COLLECTED", f"10:{n:02}") | {"id": f"s-{n}"} for n in range(20)]
    by = {"return_id": "R-1001", "source": "/test", "by": "ops", "reason": "a batch of another day"}
    voids = [event(journals.VOID, f"v-{n}", "20:00", **by, id=f"s-{n}") for n in range(18)]
    ingest(database, [creation(), *scans])
    ingest(database, voids)

    items = client.get("/v1/returns/R-1001/history", params={"limit": 500}).json()["items"]

    assert {item["id"] for item in items if item["counts"]} == {"R-1001-rc", "s-18", "s-19"}


def test_a_creation_that_is_void_counts_no_more(client: Client, database: str) -> None:
    other = creation(time="12:00", route="first_mile_only") | {"id": "rc-2"}
    by = {"return_id": "R-1001", "source": "/test", "by": "ops", "reason": "the wrong route"}
    ingest(database, [creation(), other, event(journals.VOID, "v", "20:00", id="rc-2", **by)])

    items = client.get("/v1/returns/R-1001/history").json()["items"]

    assert {item["id"]: item["counts"] for item in items} == {"R-1001-rc": True, "rc-2": False, "v": False}


def test_a_delivery_counts_where_its_connote_brought_the_return_home(client: Client, database: str) -> None:
    ingest(
        database,
        [
            creation(),
            event(journals.RP, "rp", "11:00", return_id="R-1001", hub="leeds"),
            event(journals.RE, "late", "12:00", return_id="R-1001", hub="leeds", connote="CN-2"),
            event(journals.DELIVERED, "of-late", "20:00", connote="CN-2"),
        ],
    )
    before = client.get("/v1/returns/R-1001/history").json()["items"]
    early = event(journals.RE, "early", "11:30", return_id="R-1001", hub="leeds", connote="CN-1")
    ingest(database, [early, event(journals.DELIVERED, "of-early", "21:00", connote="CN-1")])

    after = client.get("/v1/returns/R-1001/history").json()["items"]

    assert {item["id"]: item["counts"] for item in before}["of-late"] is True
    assert {item["id"]: item["counts"] for item in after} == {
        "R-1001-rc": True,
        "rp": True,
        "late": True,
        "of-late": True,
        "early": True,
        "of-early": False,
    }


def test_a_scan_that_another_return_claims_since_counts_there_alone(client: Client, database: str) -> None:
    """A number that is used again: what came before its new return was known went to the old one."""
    own, later = scan("COLLECTED", "10:00"), scan("IN_TRANSIT", "20:00")
    old = creation() | {"time": "2026-09-01T09:00:00Z"}
    ingest(database, [old, own | {"time": "2026-09-02T10:00:00Z"}, later])

    def counting(return_id: str) -> dict[str, bool]:
        items = client.get(f"/v1/returns/{return_id}/history").json()["items"]
        return {item["id"]: item["counts"] for item in items if item["code"]}

    assert counting("R-1001") == {own["id"]: True, later["id"]: True}
    ingest(database, [creation("R-1002", tracking_number=later["data"]["tracking_number"])])
    assert counting("R-1001") == {own["id"]: True, later["id"]: False}
    assert counting("R-1002") == {later["id"]: True}


def test_the_history_comes_in_pages_without_gap_or_repeat(client: Client, database: str) -> None:
    ingest(database, [creation(), *(scan("IN_TRANSIT", f"10:{minute:02}") for minute in range(10))])
    whole = client.get("/v1/returns/R-1001/history").json()

    pages: list[list[dict[str, Any]]] = []
    cursor = None
    while not pages or cursor:
        parameters = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/returns/R-1001/history", params=parameters).json()
        pages.append(page["items"])
        cursor = page["next_cursor"]

    assert whole["next_cursor"] is None
    assert [len(page) for page in pages] == [4, 4, 3]
    assert [item for page in pages for item in page] == whole["items"]


@pytest.mark.parametrize("cursor", ("x", "c2VxOi0x", "c2VxOjk5OTk5OTk5OTk5OQ", "ä", "c2VxOmE"))
def test_a_cursor_that_is_none_is_a_problem(client: Client, cursor: str) -> None:
    answer = client.get("/v1/returns/R-1001/history", params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.cursor"


@pytest.mark.parametrize(
    ("method", "path", "status", "word"),
    (
        ("GET", "/v1/returns/R-9999", 404, "unknown-return"),
        ("GET", "/v1/returns/R-9999/history", 404, "unknown-return"),
        ("GET", "/v1/returns/no%20number", 422, "invalid-request"),
        ("GET", "/v1/returns/R-1001/history?limit=0", 422, "invalid-request"),
        ("GET", "/v1/nothing", 404, "not-found"),
        ("DELETE", "/v1/returns/R-1001", 405, "method-not-allowed"),
    ),
)
def test_every_error_is_a_problem(client: Client, method: str, path: str, status: int, word: str) -> None:
    answer = client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["type"] == f"urn:returns-status:problem:{word}"
    assert answer.json()["status"] == status
    assert {"title", "detail"} <= answer.json().keys()


def test_a_method_that_an_address_does_not_know_gets_those_that_it_does(client: Client) -> None:
    allowed = {path: client.delete(path).headers["allow"] for path in ("/v1/returns", "/v1/returns/R-1", "/livez")}

    assert allowed == {"/v1/returns": "GET, POST", "/v1/returns/R-1": "GET", "/livez": "GET"}


def test_without_a_valid_token_nothing_is_told(client: Client, database: str) -> None:
    ingest(database, [creation()])
    revoked = _token(database, "read")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE tokens SET revoked_at = now() WHERE token_no = (SELECT max(token_no) FROM tokens)")
    del client.headers["authorization"]

    for given, challenge in {
        "": "Bearer",
        "Basic YTpi": "Bearer",
        "Bearer rts_wrong": 'Bearer error="invalid_token"',
        f"Bearer {'x' * 5000}": 'Bearer error="invalid_token"',
        f"Bearer {revoked}": 'Bearer error="invalid_token"',
    }.items():
        answer = client.get("/v1/returns/R-1001", headers={"authorization": given} if given else {})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == challenge
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_token_without_the_scope_is_refused(client: Client, database: str) -> None:
    ingest(database, [creation()])

    token = _token(database, "ops", "hub")
    answer = client.get("/v1/returns/R-1001", headers={"authorization": f"Bearer {token}"})

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="read"'


def test_the_answers_are_what_openapi_says(client: Client, database: str) -> None:
    rejected = event(journals.RR, "rr", "12:00", return_id="R-1001", hub="leeds", reason="damaged")
    ingest(database, [creation(), scan("COLLECTED", "10:00", location={"name": "X"}), scan("HUH", "10:01"), rejected])
    openapi = client.get("/openapi.json").json()

    def check(path: str, template: str, status: str, media_type: str = "application/json") -> None:
        schema = openapi["paths"][template]["get"]["responses"][status]["content"][media_type]["schema"]
        validator = Draft202012Validator({**schema, "components": openapi["components"]})
        validator.validate(client.get(path).json())

    check("/v1/returns/R-1001", "/v1/returns/{return_id}", "200")
    check("/v1/returns/R-1001/history", "/v1/returns/{return_id}/history", "200")
    check("/v1/returns/R-9", "/v1/returns/{return_id}", "404", "application/problem+json")
    check("/v1/returns/R-1001/history?limit=x", "/v1/returns/{return_id}/history", "422", "application/problem+json")
    check("/readyz", "/readyz", "200")


def test_metrics_count_requests_by_route_and_never_by_return(client: Client, database: str, metrics: Metrics) -> None:
    ingest(database, [creation()])
    client.get("/v1/returns/R-1001")
    client.get("/v1/returns/R-1001/wp-admin")

    text = generate_latest(metrics.registry).decode()

    assert 'returns_http_request_seconds_count{method="GET",route="/v1/returns/{return_id}",status="200"} 1.0' in text
    assert 'route="unmatched"' in text
    assert "R-1001" not in text


def test_metrics_are_not_shown_where_everybody_asks(client: Client) -> None:
    # They have a port of their own, which the world need not reach.
    assert client.get("/metrics").status_code == 404


def test_an_unmigrated_database_is_alive_but_not_ready(empty_database: str) -> None:
    with open_pool(empty_database, 1) as pool, served(create_app(PostgresReading(pool), Metrics())) as client:
        live, ready = client.get("/livez"), client.get("/readyz")

    assert live.status_code == 200
    assert ready.status_code == 503
    assert ready.json()["status"] == "unready"
    assert "has no tables of this service yet" in ready.json()["problems"][0]


def test_without_a_database_the_answer_is_to_come_back() -> None:
    with open_pool("postgresql://nobody@127.0.0.1:1/none", 1) as pool:
        pool.timeout = timedelta(seconds=0.2).total_seconds()
        with served(create_app(PostgresReading(pool), Metrics())) as client:
            answer = client.get("/v1/returns/R-1001", headers={"authorization": "Bearer rts_x"})
            ready = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["content-type"] == "application/problem+json"
    assert ready.status_code == 503
    assert "the database does not answer" in ready.json()["problems"][0]


class Broken(PostgresReading):
    """A store with a bug."""

    def latest(self, bounds: Bounds, return_id: str) -> tuple[State, datetime] | None:
        raise RuntimeError(f"hush: {return_id} {bounds}")


def test_a_bug_is_a_problem_that_tells_nothing(database: str) -> None:
    with (
        logged() as stream,
        open_pool(database, 1) as pool,
        served(create_app(Broken(pool), Metrics()), _token(database, "read")) as client,
    ):
        answer = client.get("/v1/returns/R-1001")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "hush" not in answer.text
    assert [line["event"] for line in lines] == ["request_crashed", "request"]
    assert lines[0]["exception"][0]["type"] == "RuntimeError"
    assert lines[1]["status"] == 500
    assert "hush" not in str(lines)
