"""What the web process asks, it asks of live connections, that cannot write, by plans that stay good."""

from __future__ import annotations

import re

import psycopg
import pytest

from service.adapters.postgres.access.tokens import CALLER, create_token
from service.adapters.postgres.database import connect
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.bounds import CONTESTED
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.application.access.bounds import UNBOUND
from service.metrics import Metrics
from service.web.app import create_app
from tests.support.journals import creation, ingest
from tests.support.waiting import eventually
from tests.support.web import served

pytestmark = pytest.mark.postgres

# Asked so often that their plans are kept, whatever size the tables had when they were made.
KEPT = {
    "reading.sql": ("state", "history", "newest"),
    "bounds.sql": ("is_contested",),
    "public.sql": ("find", "revisions"),
    "tokens.sql": ("caller_of",),
}


def test_a_connection_that_the_server_closed_is_not_used_again(database: str) -> None:
    ingest(database, [creation()])
    with open_pool(database, 2) as pool:
        reading = PostgresReading(pool)
        assert reading.state(UNBOUND, "R-1001") is not None

        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE application_name = 'returns-web' AND datname = current_database()"
            )

        assert reading.state(UNBOUND, "R-1001") is not None


def test_a_session_reads_and_a_block_sees_one_moment(database: str) -> None:
    with open_pool(database, 1) as pool, pool.connection() as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM tokens")

        with connection.transaction(), psycopg.connect(database, autocommit=True) as other:
            before = connection.execute("SELECT count(*) FROM tokens").fetchone()
            create_token(other, ["read"])
            after = connection.execute("SELECT count(*) FROM tokens").fetchone()

    assert before == after


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, names in KEPT.items() for name in names])
def test_a_plan_that_is_kept_probes_indexes_though_it_was_made_for_empty_tables(
    database: str, file: str, name: str
) -> None:
    numbers: dict[str, int] = {}
    query = re.sub(
        r"%(\(\w+\))?s", lambda at: f"${numbers.setdefault(at[1] or str(at.start()), len(numbers) + 1)}",
        load_queries(file, {**CALLER, "contested": CONTESTED})[name],
    )  # fmt: skip
    with open_pool(database, 1) as pool, pool.connection() as connection:
        plan = connection.execute(f"EXPLAIN (GENERIC_PLAN) {query}".encode()).fetchall()

    text = "\n".join(line for (line,) in plan)
    assert not re.search(r"Seq Scan|Hash Join|Merge Join|Materialize", text), text
    assert "Index Scan" in text


def test_a_token_that_was_in_use_stops_soon_after_it_was_revoked(database: str) -> None:
    ingest(database, [creation()])
    with connect(database, "test") as connection:
        token = create_token(connection, ["read"])
    with open_pool(database, 2) as pool, served(create_app(PostgresReading(pool), Metrics()), token) as client:
        assert client.get("/v1/returns/R-1001").status_code == 200

        with psycopg.connect(database) as connection:
            connection.execute("UPDATE tokens SET revoked_at = now()")

        eventually(lambda: client.get("/v1/returns/R-1001").status_code == 401, timeout=5)
