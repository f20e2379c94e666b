"""A session's settings are the service's, whatever the database, a role, the shell or a pooler says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from service.adapters.postgres.access.tokens import create_token
from service.adapters.postgres.database import connect
from service.adapters.postgres.migrations import migrate, refuse_unfit
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.adapters.postgres.session import SESSION
from service.errors import Fatal, ReadOnly, SettingsError
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wiring import serving
from tests.support.api import project, settings_for
from tests.support.journals import creation, ingest, scan
from tests.support.ops import desk, log_in
from tests.support.web import served

pytestmark = pytest.mark.postgres

HOSTILE: Mapping[str, str] = {
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kolkata",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "2s",
    "lock_timeout": "2s",
    "idle_session_timeout": "2s",
    "transaction_timeout": "2s",
    "plan_cache_mode": "force_generic_plan",
    "enable_indexscan": "off",
    "enable_nestloop": "off",
}


def set_at(database: str, settings: Mapping[str, str]) -> None:
    """Let every session with the database begin with these settings."""
    name = sql.Identifier(urlsplit(database).path.lstrip("/"))
    with psycopg.connect(database, autocommit=True) as connection:
        for setting, value in settings.items():
            set_one = sql.SQL("ALTER DATABASE {} SET {} = {}")
            connection.execute(set_one.format(name, sql.Identifier(setting), sql.Literal(value)))


@pytest.mark.parametrize(
    "hostile", ({"DateStyle": "SQL, DMY"}, {"DateStyle": "German"}, HOSTILE), ids=("sql", "german", "others")
)
def test_settings_of_the_database_change_no_answer(database: str, hostile: Mapping[str, str]) -> None:
    # SQL and German dates gave a 500 on histories, lists and pages.
    set_at(database, hostile)
    ingest(database, [creation(order_number="Ä-1"), scan("DELIVERED", "11:00", location={"country": "GB"})])
    project(database)
    with connect(database, "test") as connection:
        token = create_token(connection, ["read", "ops"], "łabel")

    with serving.web(settings_for(database), Metrics(), Stop()) as app, served(app, token) as client:
        client.timeout = 30
        paths = ("/v1/returns/R-1001", "/v1/returns/R-1001/history", "/v1/returns", "/v1/exceptions", "/track/R-1001")
        answers = [client.get(path) for path in (*paths, "/readyz")]

    assert [answer.status_code for answer in answers] == [200] * 6, [answer.text for answer in answers]
    assert answers[0].json()["order_number"] == "Ä-1"
    assert [item["occurred_at"] for item in answers[1].json()["items"]] == [
        "2026-11-20T09:00:00Z",
        "2026-11-20T11:00:00Z",
    ]


def test_every_kind_of_session_has_them(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_at(database, {**HOSTILE, "DateStyle": "German"})
    monkeypatch.setenv("PGTZ", "Asia/Kolkata")  # libpq sends this one, and others, by itself
    monkeypatch.setenv("PGDATESTYLE", "German")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")

    with connect(database, "test") as connection, open_pool(database, 1) as pool, pool.connection() as pooled:
        plain, of_web = ({name: shown(each, name) for name in SESSION} for each in (connection, pooled))

    with psycopg.connect(database, autocommit=True) as bare:
        for name, value in SESSION.items():
            bare.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        wanted = {name: shown(bare, name) for name in SESSION}
    assert plain == wanted
    theirs = {"statement_timeout": "5s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"}
    assert of_web == wanted | theirs | {"default_transaction_isolation": "repeatable read"}


def shown(connection: psycopg.Connection[Any], name: str) -> str:
    """A setting as it is now."""
    row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
    assert row is not None
    return str(row[0])


def test_a_schema_that_the_address_names_is_kept(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA mine")
    url = f"{database}?options={quote('-c search_path=mine')}"

    with connect(url, "test") as connection, open_pool(url, 1) as pool, pool.connection() as pooled:
        assert [shown(each, "search_path") for each in (connection, pooled)] == ["mine", "mine"]


def test_a_search_path_that_leads_elsewhere_is_said_and_makes_no_second_set_of_tables(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA mine")
    url = f"{database}?options={quote('-c search_path=mine')}"

    for refused in (refuse_unfit, migrate):
        with pytest.raises(Fatal, match=r"in the schema public, and search_path leads to mine"):
            refused(url)
    set_at(database, {"search_path": "nowhere"})
    with pytest.raises(Fatal, match=r"search_path \(nowhere\) names no schema"):
        connect(database, "test")


@pytest.fixture
def latin(empty_database: str) -> Iterator[str]:
    """A database that is not in UTF-8."""
    parts = urlsplit(empty_database)
    name = f"{parts.path.lstrip('/')}0"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} ENCODING 'LATIN1' TEMPLATE template0").format(sql.Identifier(name))
        )
        yield urlunsplit(parts._replace(path=f"/{name}"))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_database_in_another_encoding_is_refused_by_name(latin: str) -> None:
    said = r"is encoded in LATIN1.*CREATE DATABASE test_\d+_\d+ ENCODING 'UTF8'"
    for refused in (migrate, refuse_unfit, lambda url: connect(url, "test")):
        with pytest.raises(Fatal, match=said):
            refused(latin)

    with open_pool(latin, 1) as pool:
        (problem,) = PostgresReading(pool).problems()
    assert re.search(said, problem)


def test_a_server_that_takes_no_writes_is_noticed_and_nothing_is_half_done(database: str) -> None:
    # The web's writes were answered with 500, or went past a default_transaction_read_only = on.
    with connect(database, "test") as connection:
        token = create_token(connection, ["read", "create", "ops", "hub"])
    ingest(database, [creation()])
    new = {
        "retailer": "acme",
        "route": "omnirps",
        "carrier": "omniparcel",
        "tracking_number": "OP1",
        "return_id": "R-2",
    }
    with desk(settings_for(database), "ops", "hub") as client:
        cookies = client.cookies
    with psycopg.connect(database, autocommit=True) as bare:
        kept = bare.execute("SELECT (SELECT count(*) FROM audit), (SELECT count(*) FROM creations)").fetchone()
    set_at(database, {"default_transaction_read_only": "on"})

    with pytest.raises(ReadOnly, match="PostgreSQL 25006"):
        connect(database, "test")
    with connect(database, "test", writes=False) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with serving.web(settings_for(database), Metrics(), Stop()) as app, served(app, token) as client:
        client.timeout = 30
        answers = [
            client.post("/v1/returns", json=new),
            client.post("/v1/returns", json={**new, "return_id": None}, headers={"idempotency-key": "k"}),
            client.post("/v1/dead-letters/1/replay"),
        ]
        login = log_in(client, token)
        client.cookies.update(cookies)
        pages = [client.get("/ops/login"), client.get("/ops/returns/R-1001")]

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert all("takes no writes" in answer.json()["detail"] for answer in answers)
    # Nobody logs in, and nobody looks at a return, where it cannot be noted.
    assert [answer.status_code for answer in (login, *pages)] == [503, 303, 503]
    assert all(int(answer.headers["retry-after"]) > 0 for answer in (*answers, login, pages[1]))
    with psycopg.connect(database) as bare:
        now = bare.execute("SELECT (SELECT count(*) FROM audit), (SELECT count(*) FROM creations)").fetchone()
    assert now == kept


@pytest.mark.parametrize("wrong", ("sslmode=hush", "sslnegotiation=hush", "nonsense=1"))
def test_an_option_that_libpq_does_not_take_is_a_matter_of_the_settings(wrong: str) -> None:
    with pytest.raises(SettingsError, match="RETURNS_DATABASE_URL") as caught:
        connect(f"postgresql://user:secret@127.0.0.1:1/returns?{wrong}", "test")

    assert "hush" not in str(caught.value)
    assert "secret" not in str(caught.value)
