"""What was recorded and what waited before scans could be bound to retailers counts for all, as it did."""

from __future__ import annotations

import psycopg
import pytest

from service.adapters.postgres.migrations import migrate, shipped
from tests.integration.application.journal.test_labels import told
from tests.support.journals import creation, differences, ingest

pytestmark = pytest.mark.postgres

BOUND = 24
NAMES = 'source, id, type, occurred_at, zone_source, code, milestone, data, topic, partition, "offset", published_at'
SCAN = """'/test', 's-' || n, 'com.omnirps.carrier.scanned.v1', timestamptz '2026-11-20T10:00Z', 'event', 'COLLECTED', 'RT',
    json_build_object('carrier', 'generic', 'tracking_number', 'TR-' || n, 'code', 'COLLECTED'), 'first-mile.scans', 0, n,
    timestamptz '2026-11-20T10:00Z'"""
WAITS = f"INSERT INTO parked (batch_id, kind, subject, {NAMES}) SELECT '1', 'label', 'generic/TR-' || n, {SCAN} FROM "


def test_what_waits_and_what_a_worker_of_before_parks_is_placed_with_whoever_claims_its_label(
    empty_database: str,
) -> None:
    migrate(empty_database, [migration for migration in shipped() if migration.number < BOUND])
    with psycopg.connect(empty_database) as connection:
        connection.execute(f"{WAITS} generate_series(1, 3) AS n")

    migrate(empty_database)
    with psycopg.connect(empty_database) as connection:  # as a worker of the release before does it, beside today's
        connection.execute(f"{WAITS} generate_series(4, 5) AS n")
        assert connection.execute("SELECT DISTINCT retailers FROM parked").fetchall() == [("",)]
    ingest(empty_database, [creation(f"R-{n}", "09:00", retailer=("acme", "zenith")[n % 2]) for n in range(1, 6)])

    assert told(empty_database) == {"R": {("RT", "")}}
    assert differences(empty_database) == []
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT count(*), count(retailers) FROM history").fetchone() == (10, 0)
        assert connection.execute("SELECT FROM bound_scans").fetchall() == []
