"""What the desk asks of one return, connote or number goes by indexes, however large the tables are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from service.adapters.postgres.access.tokens import CALLER
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.bounds import BOUNDS, bound
from service.application.access.bounds import UNBOUND, Bounds
from tests.support.any_batch import ANY_BATCH

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

FILL = """
INSERT INTO returns (return_id) SELECT 'R-' || i FROM generate_series(1, 20000) i;
INSERT INTO labels SELECT 'carrier', 'T-' || i, i FROM generate_series(1, 20000) i;
INSERT INTO label_claims (carrier, tracking_number, return_no, batch_id, made_in, claimed_at, retailer)
SELECT 'carrier', 'T-' || i, i, '1', '1', now(), 'retailer-' || i % 40 FROM generate_series(1, 20000) i;
INSERT INTO search_returns
SELECT i, 'R-' || i, 'retailer-' || i % 40, 'omnirps', 'carrier-' || i % 12, 'T-' || i, 'O-' || i, 'CN-' || i / 100, NULL,
    (ARRAY['RE', 'RDBTC', 'RP', 'RR'])[1 + i % 4], now(), now(), 3, false, now(), now(), 3
FROM generate_series(1, 20000) i;
INSERT INTO connote_members SELECT 'CN-' || i / 100, i FROM generate_series(1, 20000) i;
INSERT INTO connote_deliveries (connote, source, id, type, occurred_at, zone_source, data, topic, partition, "offset",
    published_at)
SELECT 'CN-' || i, '/s', 'id', 't', now(), 'event', '{}', 't', 0, i, now() FROM generate_series(1, 20000) i;
INSERT INTO history (return_no, seq, source, id, type, occurred_at, zone_source, data, topic, partition, "offset",
    published_at, verdict, version, status, state, key)
SELECT i % 20000 + 1, i / 20000 + 1, '/s', 'id', 't', now(), 'event', '{}', 't', 0, i, now(), 'held', 1, 'RC', '{}', ''
FROM generate_series(0, 59999) i;
INSERT INTO tokens (hash, scopes) SELECT decode(md5(i::text), 'hex'), '{ops}' FROM generate_series(1, 5000) i;
INSERT INTO ops_sessions (hash, token_no, expires_at)
SELECT decode(md5(i::text), 'hex'), i, now() + interval '1 hour' FROM generate_series(1, 5000) i;
INSERT INTO audit (token_no, label, action, subject, detail)
SELECT 1, 'a', 'history', 'R-' || i % 500, '{}' FROM generate_series(1, 20000) i;
"""
ASKED: dict[str, tuple[str, Any, set[str]]] = {
    "find": (
        "desk.sql",
        {"numbers": ["R-7", "T-7", "CN-7"], "orders": ["O-7"], "retailer": "retailer-7"},
        {
            "returns_return_id_key", "labels_tracking_number", "returns_pkey", "search_returns_tracking_number",
            "search_returns_order_number", "search_returns_connote", "search_returns_retailer",
            "search_returns_retailer_status", "label_claims_pkey", "label_claims_tracking_number",
        },
    ),
    "connotes": ("desk.sql", {"numbers": ["CN-7"]}, {"connote_members_pkey", "connote_deliveries_pkey"}),
    "head": ("desk.sql", ("R-7",), {"returns_return_id_key", "history_pkey", "search_returns_pkey"}),
    "newest": ("reading.sql", (7, 100, 50), {"history_pkey"}),
    "members": ("connotes.sql", {"connote": "CN-7", "after": 0, "limit": 51, "most": 10_000}, {"connote_members_pkey", "returns_pkey", "search_returns_pkey"}),
    "statuses": ("connotes.sql", {"connote": "CN-7"}, {"connote_members_pkey", "search_returns_pkey"}),
    "deliveries": ("connotes.sql", {"connote": "CN-7", "few": 50}, {"connote_deliveries_pkey"}),
    "find session": ("sessions.sql", {"hash": b"x", "idle": "30 min"}, {"ops_sessions_hash_key", "tokens_pkey"}),
    "whose": ("sessions.sql", {"token": b"x"}, {"tokens_hash_key"}),
    "entries": ("audit.sql", {"before": 10_000, "limit": 51}, {"audit_pkey"}),
    "entries_of": ("audit.sql", {"subject": "R-7", "before": 10_000, "limit": 51}, {"audit_subject"}),
}  # fmt: skip


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database, autocommit=True, options="-c plan_cache_mode=force_custom_plan") as connection:
        connection.execute(ANY_BATCH)
        connection.execute(FILL)
        connection.execute("VACUUM ANALYZE")
        yield connection


def test_each_query_goes_by_the_indexes_that_it_names(connection: Connection[Any]) -> None:
    for name, (file, asked, allowed) in ASKED.items():
        query = load_queries(file, {**BOUNDS, **CALLER})[name.partition(" ")[0]]
        parameters = asked | bound(UNBOUND) if isinstance(asked, dict) else asked
        plan = "\n".join(
            row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {query}".encode(), parameters).fetchall()
        )
        used = re.findall(r"using (\w+)|Bitmap Index Scan on (\w+)", plan)
        indexes = {re.sub(r"^history_\d+_", "history_", one or other) for one, other in used}
        assert "Seq Scan" not in plan, f"{name}\n{plan}"
        assert indexes <= allowed, f"{name}: {indexes - allowed}\n{plan}"


def as_web(connection: Connection[Any]) -> None:
    """Settings as the sessions of the web have them."""
    for setting in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"):
        connection.execute(f"SET {setting} = off".encode())


def test_whole_histories_are_read_by_their_returns(connection: Connection[Any]) -> None:
    as_web(connection)
    asked = {"return_nos": [7, 9], "most_each": 200, "most_rows": 5000, "most_bytes": 1 << 22}
    query = f"EXPLAIN (COSTS OFF) {load_queries('reading.sql')['pasts']}".encode()

    plan = "\n".join(row[0] for row in connection.execute(query, asked).fetchall())

    assert {re.sub(r"^history_\d+_", "history_", each) for each in re.findall(r"using (\w+)", plan)} == {"history_pkey"}
    assert "Seq Scan" not in plan, plan


def test_for_who_is_bound_indexes_serve_too(connection: Connection[Any]) -> None:
    as_web(connection)
    acme = bound(Bounds(frozenset({"retailer-7"})))
    for name, (file, asked, allowed) in ASKED.items():
        if file not in ("desk.sql", "connotes.sql") or not isinstance(asked, dict):
            continue
        query = load_queries(file, BOUNDS)[name]
        plan = "\n".join(
            row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {query}".encode(), asked | acme).fetchall()
        )
        used = {re.sub(r"^history_\d+_", "history_", each) for each in re.findall(r"using (\w+)", plan)}
        assert "Seq Scan" not in plan, f"{name}\n{plan}"
        assert used <= allowed | {"search_returns_pkey", "search_returns_retailer", "history_pkey"}, f"{name}\n{plan}"
