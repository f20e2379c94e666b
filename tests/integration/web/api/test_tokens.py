"""Tokens over their life: how often they may ask, until when, when they were used, and that a new one repeats nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from httpx import Client

from service.adapters.postgres.access.tokens import NewToken, find_caller, list_tokens, make_token, note_use
from service.adapters.postgres.database import connect
from service.application.access.bounds import Bounds
from service.config import Settings
from tests.support.api import api, settings_for, token
from tests.support.feeds import NAMES, body
from tests.support.journals import creation, ingest
from tests.support.ops import desk, log_in
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def settings(database: str, topics: Topics) -> Settings:
    return settings_for(
        database, topics.bootstrap_servers, topic_returns=topics.create("returns"), topic_scans=topics.create("scans")
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with api(settings, "read") as client:
        yield client


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_a_token_that_asks_too_often_is_told_when_to_come_back(client: Client, database: str) -> None:
    ingest(database, [creation()])
    settings = settings_for(database)
    slow, other = token(settings, "read", rate=2), token(settings, "read", rate=2)

    answers = [client.get("/v1/returns/R-1001", headers=bearer(slow)) for _ in range(3)]
    unknown = client.get("/v1/returns/R-77", headers=bearer(other))

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert [each.headers["ratelimit-policy"] for each in answers] == ['"token";q=2;w=60'] * 3
    assert [each.headers["ratelimit"].partition(";t=")[0] for each in answers] == [
        '"token";r=1',
        '"token";r=0',
        '"token";r=0',
    ]
    assert 25 <= int(answers[2].headers["retry-after"]) <= 30
    assert answers[2].json()["type"] == "urn:returns-status:problem:too-many-requests"
    assert (unknown.status_code, unknown.headers["ratelimit"].partition(";t=")[0]) == (404, '"token";r=1')
    assert client.get("/v1/returns/R-1001").headers["ratelimit-policy"] == '"token";q=60000;w=60'


def test_a_session_of_the_desk_has_the_rate_of_its_token(database: str) -> None:
    settings = settings_for(database)
    with desk(settings, **{"accept-language": "en"}) as agent:
        assert log_in(agent, token(settings, "ops", rate=2)).status_code == 303

        answers = [agent.get("/ops/returns") for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert "retry-after" in answers[2].headers


def test_a_token_ends_when_it_expires_and_its_sessions_with_it(database: str) -> None:
    settings = settings_for(database)
    with connect(database, "test") as connection:
        secret = make_token(connection, NewToken(("read", "ops"), expires=timedelta(days=90)))
        with desk(settings) as agent:
            agent.headers.update(bearer(secret))
            log_in(agent, secret)
            before = [agent.get(path).status_code for path in ("/v1/returns", "/ops/returns")]

            connection.execute("UPDATE tokens SET expires_at = now()")
            eventually(lambda: agent.get("/v1/returns").status_code == 401)
            after = agent.get("/ops/returns").status_code

        assert (before, after) == ([200, 200], 303)
        assert find_caller(connection, secret) is None


def test_when_a_token_was_used_is_known_to_the_minute(client: Client, database: str) -> None:
    client.get("/v1/returns/R-1001")

    def used() -> datetime | None:
        with connect(database, "test") as connection:
            return list_tokens(connection)[0].last_used_at

    first = eventually(used)
    assert first is not None
    with connect(database, "test") as connection:
        note_use(connection, {1: first + timedelta(seconds=59)})
        assert used() == first
        note_use(connection, {1: first + timedelta(seconds=60), 99: first})
    assert used() == first + timedelta(seconds=60)
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)


def test_a_request_that_comes_again_with_a_new_token_of_its_publisher_creates_nothing(
    client: Client, settings: Settings, topics: Topics
) -> None:
    asked = creation()["data"] | {"return_id": None}
    key = {"idempotency-key": "k-1"}
    old, new, other = (token(settings, "create", publisher=name) for name in ("acme", "acme", "bravo"))

    first = client.post("/v1/returns", json=asked, headers=bearer(old) | key)
    again = client.post("/v1/returns", json=asked, headers=bearer(new) | key)
    others = client.post("/v1/returns", json=asked, headers=bearer(other) | key)

    assert again.json()["return_id"] == first.json()["return_id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert others.json()["return_id"] != first.json()["return_id"]
    assert topics.end(settings.topic_returns) == 2


def test_a_token_is_bound_in_what_it_creates(client: Client, settings: Settings, topics: Topics) -> None:
    acme = bearer(token(settings, "create", bounds=Bounds(frozenset({"acme"}))))

    refused = client.post("/v1/returns", json=creation(retailer="bravo")["data"], headers=acme)
    created = client.post("/v1/returns", json=creation()["data"], headers=acme)

    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"field": "body.retailer", "detail": "the token is bound to acme"}]
    assert created.status_code == 201
    assert topics.end(settings.topic_returns) == 1


def test_a_token_opens_the_feeds_of_its_carrier_in_its_publishers_name(
    client: Client, settings: Settings, topics: Topics, clients: Clients
) -> None:
    def post(feed: str, secret: str) -> tuple[int, str]:
        answer = client.post(
            f"/v1/feeds/{feed}", content=body(feed if feed in NAMES else "nzpost"), headers=bearer(secret)
        )
        return answer.status_code, answer.json().get("errors", [{}])[0].get("detail", "")

    bound = Bounds(carriers=frozenset({"omniparcel"}))
    scanner, reader = token(settings, "scan", publisher="omni", bounds=bound), token(settings, "read", bounds=bound)

    refused = [post("nzpost", scanner), post("aftership", scanner), post("omniparcel", reader), post("omniparcel", "x")]
    assert [status for status, _ in refused] == [403, 403, 404, 404]
    assert refused[0][1] == "it is of nzpost, and the token is bound to omniparcel"
    assert refused[1][1] == "the token is bound to omniparcel"
    assert topics.end(settings.topic_scans) == 0

    assert post("omniparcel", scanner)[0] == 200
    assert post("no-such", scanner)[0] == 404
    count = topics.end(settings.topic_scans)
    sources = {json.loads(record.value or b"{}")["source"] for record in clients.read(settings.topic_scans, count)}
    assert sources == {"/omni/feeds/omniparcel"}


def test_the_command_line_makes_bound_tokens_and_shows_what_they_are_bound_to(database: str) -> None:
    def run(*command: str) -> subprocess.CompletedProcess[str]:
        variables = {"RETURNS_DATABASE_URL": database}
        return subprocess.run(
            [sys.executable, "-m", "service", "token", *command],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    made = run(
        *("create", "--scopes", "scan", "--publisher", "nzpost", "--carrier", "nzpost", "--carrier", "nzpost-rural"),
        *("--retailer", "acme", "--hub", "akl1", "--expires", "90d", "--rate", "600"),
    )
    wrong = [run("create", "--scopes", "read", *each) for each in (("--hub", "AKL 1"), ("--expires", "soon"))]
    listed = run("list").stdout

    assert made.returncode == 0, made.stderr
    assert [each.returncode for each in wrong] == [2, 2]
    with connect(database, "test") as connection:
        caller = find_caller(connection, made.stdout.strip())
    assert caller is not None
    assert caller.bounds == Bounds(frozenset({"acme"}), frozenset({"nzpost", "nzpost-rural"}), frozenset({"akl1"}))
    assert (caller.publisher, caller.rate) == ("nzpost", 600)
    assert "retailer=acme carrier=nzpost,nzpost-rural hub=akl1 rate=600  nzpost" in listed
    assert "used never" in listed
    assert f"expires {datetime.now(UTC) + timedelta(days=90):%Y-%m-%d}" in listed
    assert made.stdout.strip() not in listed
    assert run("revoke", "1").returncode == 0
    with psycopg.connect(database) as log:
        rows = log.execute("SELECT action, subject, label LIKE 'command line: %' FROM audit ORDER BY audit_no")
        assert rows.fetchall() == [("token_created", "1", True), ("token_revoked", "1", True)]
