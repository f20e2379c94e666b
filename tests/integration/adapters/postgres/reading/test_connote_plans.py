"""Lists of connotes go by the indexes that they name, however many shares there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from service.adapters.postgres.reading import connotes
from service.adapters.postgres.reading.bounds import bound
from service.application.access.bounds import UNBOUND, Bounds
from tests.support.any_batch import ANY_BATCH

pytestmark = pytest.mark.postgres

FILL = """
INSERT INTO search_connotes
SELECT 'CN-' || i / 5, 'retailer-' || i % 5, 'carrier-' || i % 3, (i / 5) % 2, 1,
    timestamptz '2026-01-01T00:00Z' + i * interval '1 min', timestamptz '2026-06-01T00:00Z' + i * interval '1 min'
FROM generate_series(1, 20000) i;
INSERT INTO search_returns (return_no, return_id, retailer, route, carrier, tracking_number, connote, status, status_at,
    status_recorded_at, version, complete, created_at, updated_at, seq)
SELECT i, 'R-' || i, 'retailer-' || i % 5, 'omnirps', 'carrier-' || i % 3, 'T-' || i, 'CN-' || i / 5, 'RE', now(), now(), 1, false,
    now(), now(), 1
FROM generate_series(1, 20000) i;
INSERT INTO connote_members SELECT 'CN-' || i / 5, i FROM generate_series(1, 20000) i;
INSERT INTO connote_deliveries (connote, source, id, type, occurred_at, zone_source, data, topic, partition, "offset",
    published_at, recorded_at)
SELECT 'CN-' || i, '/test', 'd', 'x', now(), 'event', '{}', 't', 0, i, now(), now() + i * interval '1 s'
FROM generate_series(1, 8000) i;
"""
AFTER: dict[str, Any] = {"at": "2026-06-02T00:00Z", "number": "CN-7", "limit": 51, "most": 10_000}
SHARES = {"search_connotes_pkey"}
MEMBERS = {"search_returns_travelling", "search_returns_connote", "search_returns_pkey", "history_pkey"}


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database, autocommit=True, options="-c plan_cache_mode=force_custom_plan") as connection:
        connection.execute(ANY_BATCH)
        connection.execute(FILL)
        connection.execute("VACUUM ANALYZE")
        for setting in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"):
            connection.execute(f"SET {setting} = off".encode())  # as the sessions of the web have it
        yield connection


def used(connection: Connection[Any], query: str, parameters: dict[str, Any]) -> set[str]:
    """The indexes of the plan."""
    plan = "\n".join(
        row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {query}".encode(), parameters).fetchall()
    )
    assert "Seq Scan" not in plan, plan
    return {re.sub(r"^history_\d+_", "history_", each) for each in re.findall(r"using (\w+)", plan)}


@pytest.mark.parametrize(
    ("queries", "name"), ((connotes.UNDER_WAY_QUERIES, "under_way"), (connotes.DELIVERED_QUERIES, "delivered"))
)
def test_a_list_goes_along_its_index_and_from_there_to_the_shares_of_a_connote(
    connection: Connection[Any], queries: dict[str, str], name: str
) -> None:
    anybody = AFTER | bound(UNBOUND)

    assert used(connection, queries["listed"], anybody | {"retailer": None}) == {f"search_connotes_{name}", *SHARES}
    assert used(connection, queries["listed_upto"], anybody | {"retailer": None}) == {f"search_connotes_{name}"}
    of_one = used(connection, queries["listed"], anybody | {"retailer": "retailer-1"})
    assert of_one <= {f"search_connotes_retailer_{name}", f"search_connotes_{name}", *SHARES}
    acme = AFTER | bound(Bounds(frozenset({"retailer-1"}))) | {"retailer": "retailer-1"}
    assert used(connection, queries["listed"], acme) <= of_one | MEMBERS | {f"search_connotes_{name}"}


def test_deliveries_without_members_are_found_along_the_journal(connection: Connection[Any]) -> None:
    parameters = AFTER | {"source": "/test", "id": "d", "hidden": False}

    found = used(connection, connotes.QUERIES["without_members"], parameters)
    upto = used(connection, connotes.QUERIES["without_members_upto"], parameters)

    seen = {"waiting_acknowledgements_pkey", "batches_pkey", "batches_batch_id"}
    deliveries = {"connote_deliveries_recorded_at", "connote_deliveries_pkey", "connote_deliveries_void"}
    assert found <= deliveries | {"connote_members_pkey"} | seen
    assert upto == {"connote_deliveries_recorded_at"}
