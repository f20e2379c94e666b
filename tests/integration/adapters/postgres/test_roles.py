from __future__ import annotations

import json
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from service.adapters.postgres.migrations import migrate, shipped
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.application.access.bounds import UNBOUND
from service.application.reading.tracking import find_return
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wire.record import Record
from service.wiring import serving
from tests.support import waits
from tests.support.api import settings_for, token
from tests.support.commands import run, settings_of
from tests.support.filling import Filler
from tests.support.journals import creation, ingest, scan
from tests.support.roles import user
from tests.support.topics import Topics
from tests.support.web import served


def test_ingestion_and_the_api_work_with_roles_that_can_do_no_more(database: str) -> None:
    with user(database, "returns_ingest") as url:
        ingest(url, [scan("COLLECTED", "10:00"), creation()])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT extend_history()")

    with user(database, "returns_web") as url, open_pool(url, 1) as pool:
        reading = PostgresReading(pool)
        document = find_return(reading, UNBOUND, "R-1001")
        problems = reading.problems()

    assert document is not None
    assert document["status"] == "RT"
    assert problems == []


def test_what_waits_is_looked_at_and_told_with_the_roles_of_ingestion_and_relay(database: str) -> None:
    with user(database, "returns_ingest") as url:
        ingest(url, [scan("COLLECTED", "10:00")])
        waits.let_an_hour_pass(database)
        assert waits.look_now(url) == 1
        ingest(url, [creation()])
        assert waits.look_now(url) == 1
    with user(database, "returns_relay") as url:
        assert [state for _, state in waits.told_of_waits(waits.published(url))] == ["open", "resolved"]


def test_the_api_creates_and_replays_with_its_role(database: str, topics: Topics) -> None:
    ingest(database, [creation()])
    filler = Filler(database)
    filler.write([Record("first-mile.scans", 0, 1000, 1_795_600_000_000, None, b"{", ())])
    filler.close()
    event = json.dumps(scan("COLLECTED", "10:00")).encode()
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE dead_letters SET value = %s", (event,))
    bearer = {"authorization": f"Bearer {token(settings_for(database), 'read', 'create', 'ops')}"}
    body = {"retailer": "acme", "route": "omnirps", "carrier": "generic", "tracking_number": "T-1"}
    with user(database, "returns_web") as url:
        settings = settings_for(url, topics.bootstrap_servers, topic_returns=topics.create("returns"))
        with serving.web(settings, Metrics(), Stop()) as app, served(app) as client:
            created = client.post("/v1/returns", json=body, headers={**bearer, "idempotency-key": "k"})
            (letter,) = client.get("/v1/dead-letters", headers=bearer).json()["items"]
            replayed = client.post(f"/v1/dead-letters/{letter['id']}/replay", headers=bearer)
            lists = [client.get(f"/v1/{name}", headers=bearer) for name in ("returns", "exceptions", "dead-letters")]
            status = client.get("/v1/returns/R-1001", headers=bearer).json()["status"]

    assert created.status_code == 201
    assert replayed.json()["verdict"] == "advanced"
    assert [answer.status_code for answer in lists] == [200, 200, 200]
    assert status == "RT"


@pytest.mark.parametrize(
    ("role", "statement"),
    (
        ("returns_ingest", "UPDATE history SET verdict = 'advanced'"),
        ("returns_ingest", "DELETE FROM history"),
        ("returns_ingest", "TRUNCATE history"),
        ("returns_ingest", "DELETE FROM history_0"),
        ("returns_ingest", "DELETE FROM dead_letters"),
        ("returns_ingest", "SELECT * FROM tokens"),
        ("returns_relay", "INSERT INTO batches (n) VALUES (1)"),
        ("returns_relay", "SELECT * FROM tokens"),
        ("returns_web", "INSERT INTO tokens (hash, scopes) VALUES ('', '{}')"),
        ("returns_web", "UPDATE offsets SET next = 0"),
        ("returns_web", "SELECT extend_history()"),
        ("returns_web", "UPDATE history SET verdict = 'advanced'"),
        ("returns_web", "DELETE FROM history"),
        ("returns_web", "UPDATE creations SET return_id = 'R-1'"),
    ),
)
def test_a_role_cannot_do_what_is_not_its_business(database: str, role: str, statement: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_the_relay_and_the_projector_work_with_their_role(database: str, topics: Topics) -> None:
    ingest(database, [creation()])
    with user(database, "returns_relay") as url:
        settings = settings_of(url, topics)
        results = [
            run(*arguments, **settings) for arguments in (("topics",), ("relay", "--drain"), ("project", "--drain"))
        ]

    assert [(result.returncode, result.stderr) for result in results if result.returncode] == []
    assert topics.end(topics.name("status-changes")) > 0


def test_a_migrator_that_may_not_create_roles_migrates_all_the_same(empty_database: str) -> None:
    parts = urlsplit(empty_database)
    name = parts.path.lstrip("/") + "_plain"
    others = [migration for migration in shipped() if "roles" not in migration.name]
    # The roles are there already on a server that tests share: let the migrator look for others.
    roles = next(migration for migration in shipped() if "roles" in migration.name)
    roles = roles._replace(script=roles.script.replace(b"returns_", b"no_such_role_"))
    with psycopg.connect(empty_database, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'hush'").format(sql.Identifier(name)))
        owner.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(name)))
        try:
            url = urlunsplit(parts._replace(netloc=f"{name}:hush@{parts.hostname}:{parts.port}"))
            applied = migrate(url, [*others, roles])
        finally:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    assert applied == [migration.number for migration in [*others, roles]]
