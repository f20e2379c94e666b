"""What was projected before there were connotes in lists is in them."""

from __future__ import annotations

import psycopg
import pytest

from service.adapters.postgres.migrations import migrate, shipped

pytestmark = pytest.mark.postgres

CONNOTES = 19
# A return that was delivered, one that is under way, and one that is held at the hub. Of history only what is asked for.
BEFORE = """
INSERT INTO search_returns (return_no, return_id, retailer, route, carrier, tracking_number, connote, status, status_at,
    status_recorded_at, version, complete, created_at, updated_at, seq)
SELECT n, 'R-' || n, 'acme', 'omnirps', 'nzpost', 'T-' || n, 'C-1', status, at, at, 1, false, at, at, 9
FROM (VALUES (1, 'RDBTC', timestamptz '2026-11-20T00:00Z'), (2, 'RE', timestamptz '2026-11-12T00:00Z'),
    (3, 'DS', timestamptz '2026-11-02T00:00Z')) AS known (n, status, at);
INSERT INTO history (return_no, seq, batch_id, source, id, type, occurred_at, zone_source, milestone, data, topic, topic_id,
    partition, "offset", published_at, verdict, version, status, state, key)
SELECT 1, n, '1', '/test', 're-' || n, 'x', at, 'event', 'RE', json_build_object('connote', connote), 't', NULL, 0, n, at,
    'advanced', 1, 'RE', '{}', ''
FROM (VALUES (1, timestamptz '2026-11-01T00:00Z', 'C-0'), (2, timestamptz '2026-11-11T00:00Z', 'C-1')) AS known (n, at, connote)
"""


def test_shares_of_connotes_are_counted_from_the_returns_that_are_listed(empty_database: str) -> None:
    migrate(empty_database, [migration for migration in shipped() if migration.number < CONNOTES])
    with psycopg.connect(empty_database) as connection:
        connection.execute(BEFORE)

    migrate(empty_database)

    with psycopg.connect(empty_database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        (share,) = connection.execute("SELECT * FROM search_connotes").fetchall()
        exported = connection.execute("SELECT exported_at FROM search_returns ORDER BY return_no").fetchall()
    assert share[:5] == ("C-1", "acme", "nzpost", 1, 1)
    assert [None if at is None else f"{at:%Y-%m-%d}" for (at,) in exported] == ["2026-11-11", "2026-11-12", None]
    assert (f"{share[5]:%Y-%m-%d}", f"{share[6]:%Y-%m-%d}") == ("2026-11-12", "2026-11-20")
