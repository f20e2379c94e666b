"""The queues of the operations desk: how much waits, since when, and counted along which index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.acknowledged import ACKNOWLEDGED, WAITING
from service.adapters.postgres.reading.bounds import BOUNDS, bound
from service.adapters.postgres.reading.queues import PostgresQueues
from service.adapters.postgres.reading.returns import open_pool
from service.application.access.bounds import EVERYTHING, UNBOUND
from service.application.reading.exceptions.queues import MOST_COUNTED, Size
from service.application.reading.listing import STUCK_HOURS
from service.application.reading.pages import due_times
from service.wire.record import Record
from tests.support.any_batch import ANY_BATCH
from tests.support.api import project
from tests.support.filling import Filler
from tests.support.journals import RE, RP, creation, event, ingest, scan

pytestmark = pytest.mark.postgres

NOW = datetime.now(UTC)
DUE = due_times(STUCK_HOURS, NOW)


@pytest.fixture
def queues(database: str) -> Iterator[PostgresQueues]:
    with open_pool(database, 2) as pool:
        yield PostgresQueues(pool)


def execute(database: str, statement: str, *parameters: Any) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(statement.encode(), parameters)


def test_nothing_waits_where_there_is_nothing(queues: PostgresQueues) -> None:
    sizes = queues.sizes(UNBOUND, DUE)

    assert set(sizes.stuck.values()) | set(sizes.exceptions.values()) | {sizes.in_use, sizes.parked} == {Size(0, None)}
    assert sizes.letters == {}
    assert (
        queues.unmapped(UNBOUND),
        queues.counts(EVERYTHING),
        queues.days(EVERYTHING, date(2026, 1, 1)),
        queues.offsets(EVERYTHING),
    ) == ([], {}, [], {})
    assert queues.projection_lag(EVERYTHING) == (0, None, True)


def test_each_queue_says_how_much_waits_and_since_when(database: str, queues: PostgresQueues) -> None:
    ingest(database, [creation(f"R-{n}") for n in range(4)])
    ingest(database, [scan("DELIVERED", "10:00", f"R-{n}") for n in range(3)])
    ingest(database, [event(RE, "re", "12:00", return_id="R-3", hub="leeds", connote="C-1")])
    ingest(database, [creation("R-9", tracking_number="TR-1"), event(RP, "p", "12:00", return_id="R-77", hub="leeds")])
    filler = Filler(database)
    filler.write([Record("first-mile.scans", 0, 1000 + n, 1_795_600_000_000, None, b"{", ()) for n in range(2)])
    filler.close()
    project(database)
    long_ago = NOW - timedelta(days=5)
    execute(
        database,
        "UPDATE search_returns SET status_recorded_at = %s - return_no * interval '1 hour' WHERE return_no < 3",
        long_ago,
    )

    sizes = queues.sizes(UNBOUND, DUE)

    assert sizes.stuck["RDTPF"] == Size(2, long_ago - timedelta(hours=2))
    assert {status for status, size in sizes.stuck.items() if size.number} == {"RDTPF"}
    assert {verdict: size.number for verdict, size in sizes.exceptions.items()} == {
        "held": 1,
        "refused": 0,
        "unmapped": 0,
    }
    assert (sizes.in_use.number, sizes.parked.number) == (2, 1)  # of a number that two share, both
    assert {reason: size.number for reason, size in sizes.letters.items()} == {"not_json": 2}


def test_a_resolved_letter_and_a_complete_return_wait_for_nobody(database: str, queues: PostgresQueues) -> None:
    ingest(database, [creation(route="first_mile_only"), scan("DELIVERED", "10:00")])
    filler = Filler(database)
    filler.write([Record("first-mile.scans", 0, 1000, 1_795_600_000_000, None, b"{", ())])
    filler.close()
    project(database)
    execute(database, "UPDATE search_returns SET status_recorded_at = '2026-01-01'")
    execute(database, "UPDATE dead_letters SET resolved_at = now()")

    sizes = queues.sizes(UNBOUND, DUE)

    assert sizes.stuck["RDTPF"].number == 0
    assert sizes.letters == {}


def test_unmapped_codes_stand_together_by_carrier_and_code(database: str, queues: PostgresQueues) -> None:
    ingest(database, [creation("R-1"), creation("R-2"), creation("R-3", carrier="nobody")])
    ingest(database, [scan("WHAT", "10:00", "R-1"), scan("=HUH", "10:00", "R-1")])
    lost = scan("W", "10:00", "R-3")
    ingest(database, [scan("WHAT", "10:00", "R-2"), {**lost, "data": {**lost["data"], "carrier": "nobody"}}])
    project(database)

    found = queues.unmapped(UNBOUND)

    assert [(each.carrier, each.code, each.reason, each.size.number, each.example) for each in found] == [
        ("generic", "WHAT", "unknown_code", 2, "R-2"),
        ("generic", "=HUH", "unknown_code", 1, "R-1"),
        ("nobody", "W", "unknown_carrier", 1, "R-3"),
    ]
    assert found[0].size.oldest is not None
    assert found[0].size.oldest < found[0].newest


def test_a_queue_is_counted_so_far_and_no_further(database: str, queues: PostgresQueues) -> None:
    execute(database, ANY_BATCH)
    execute(
        database,
        "INSERT INTO parked (kind, subject, source, id, type, occurred_at, zone_source, data, topic, partition,"
        """ "offset", published_at) SELECT 'return', 'R-' || i, '/s', 'id', 't', now(), 'event', '{}', 't', 0, i, now()"""
        " FROM generate_series(1, %s) i",
        MOST_COUNTED + 50,
    )

    parked = queues.sizes(UNBOUND, DUE).parked

    assert parked.number == MOST_COUNTED + 1
    assert parked.is_more


def test_figures_are_read_as_they_were_kept(database: str, queues: PostgresQueues) -> None:
    ingest(database, [creation("R-1"), creation("R-2", route="first_mile_only"), scan("COLLECTED", "10:00", "R-1")])
    project(database)

    assert queues.counts(EVERYTHING) == {("omnirps", "RT"): 1, ("first_mile_only", "RC"): 1}
    assert {(each.day, each.milestone, each.returns) for each in queues.days(EVERYTHING, date(2026, 11, 20))} == {
        (date(2026, 11, 20), "RC", 1),
        (date(2026, 11, 20), "RT", 1),
    }
    assert queues.days(EVERYTHING, date(2026, 11, 21)) == []
    assert sum(queues.minutes(EVERYTHING, NOW - timedelta(hours=1)).values()) == 3
    assert queues.minutes(EVERYTHING, datetime.now(UTC) + timedelta(hours=1)) == {}


def test_tables_that_are_behind_say_so(database: str, queues: PostgresQueues) -> None:
    ingest(database, [creation("R-1")])
    project(database)
    ingest(database, [creation("R-2")])
    execute(database, "UPDATE cursors SET n = 1 WHERE name = 'figures'")

    progress = queues.projection_lag(EVERYTHING)

    assert progress.behind > 0
    assert progress.since is not None
    assert not progress.is_complete


RETURNS = 20_000
FILL = f"""
INSERT INTO search_returns
SELECT i, 'R-' || i, 'acme', 'omnirps', 'c', 'T-' || i, NULL, NULL, NULL,
    (ARRAY['RDBTC','RE','RP','DS','RDTPF','RT','RC'])[1 + i % 7], now(), timestamptz '2026-01-01' + i * interval '1 min', 3,
    i % 7 = 0, now(), now(), 3 FROM generate_series(1, {RETURNS}) i;
INSERT INTO search_exceptions
SELECT i, 2, 'R-' || i, 'acme', (ARRAY['held','refused','unmapped'])[1 + i % 3],
    (ARRAY['awaiting_processed','tracking_number_in_use','unknown_code'])[1 + i % 3], NULL, 'code-' || i % 50, 't', '/s',
    'id', 'carrier-' || i % 12, 'T', NULL, now(), timestamptz '2026-11-01' + i * interval '1 min',
    CASE WHEN i % 10 > 0 THEN now() END
FROM generate_series(1, {RETURNS}) i;
INSERT INTO history (return_no, seq, source, id, type, occurred_at, zone_source, data, topic, partition, "offset",
    published_at, verdict, version, status, state, key)
SELECT i, 2, '/s', 'id', 't', now(), 'event', '{{}}', 't', 0, i, now(), 'held', 1, 'RC', '{{}}', ''
FROM generate_series(1, {RETURNS}) i;
INSERT INTO acknowledgements (return_no, reason, seq, batch_id, token_no, by, note)
SELECT i, 'awaiting_processed', 2, '1', 1, 'Ann', 'seen' FROM generate_series(1, {RETURNS}, 10) i;
INSERT INTO parked (kind, subject, source, id, recorded_at, type, occurred_at, zone_source, data, topic, partition,
    "offset", published_at)
SELECT 'return', 'R-' || i, '/s', 'id', timestamptz '2026-11-01' + i * interval '1 min', 't', now(), 'event', '{{}}', 't',
    0, i, now() FROM generate_series(1, {RETURNS}) i;
INSERT INTO batches (n, batch_id, events) SELECT i, i::text::xid8, 1 FROM generate_series(1, {RETURNS}) i;
INSERT INTO waiting_acknowledgements (kind, subject, upto, batch_id, token_no, by, note)
SELECT 'return', 'R-' || i, 1, '1', 1, 'Ann', 'seen' FROM generate_series(1, {RETURNS}, 10) i;
INSERT INTO dead_letters (recorded_at, topic, partition, "offset", published_at, value, headers, reason, error,
    resolved_at)
SELECT timestamptz '2026-11-01' + i * interval '1 min', 't', 0, i, now(), 'x', '[]',
    (ARRAY['empty','not_json','bad_value'])[1 + i % 3], 'e', CASE WHEN i % 50 > 0 THEN now() END
FROM generate_series(1, {RETURNS}) i;
INSERT INTO search_days SELECT date '2000-01-01' + i, 'RC', 'omnirps', 1 FROM generate_series(1, 9800) i;
INSERT INTO search_minutes SELECT timestamptz '2026-11-01' + i * interval '1 min', 1 FROM generate_series(1, {RETURNS}) i;
"""
OF_ACKNOWLEDGEMENTS = {
    *("acknowledgements_pkey", "history_pkey", "search_exceptions_begun", "search_exceptions_pkey"),
    *("waiting_acknowledgements_pkey", "batches_pkey", "batches_batch_id", "parked_newest"),
}
PLANS = {
    "stuck": {"search_returns_stuck"},
    "exceptions": {"search_exceptions_open"},
    "in_use": {"search_exceptions_open_reason"},
    "circumstances": {"search_exceptions_open_reason"},
    "parked": {"parked_recorded_at"},
    "letters": {"dead_letters_open_reason"},
    "unmapped": {"search_exceptions_unmapped"},
    "days": {"search_days_pkey"},
    "minutes": {"search_minutes_pkey"},
}


@pytest.mark.slow
def test_queues_and_figures_are_read_along_their_indexes(database: str) -> None:
    queries = load_queries("queues.sql", {**BOUNDS, **ACKNOWLEDGED, **WAITING})
    asked = {
        "statuses": list(DUE),
        "due": list(DUE.values()),
        "verdicts": ["held", "refused", "unmapped"],
        "reasons": ["empty", "not_json", "bad_value"],
        "circumstances": ["other_connote", "tracking_number_in_use"],
        "groups": 200,
        "most": 101,
        "since": datetime(2026, 11, 14, 12, tzinfo=UTC),
        **bound(UNBOUND),
    }
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(ANY_BATCH)
        connection.execute(FILL.encode())
        connection.execute("VACUUM ANALYZE")
        connection.execute("SET plan_cache_mode = force_custom_plan")
        for name, indexes in PLANS.items():
            rows = connection.execute(b"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + queries[name].encode(), asked)
            plan = "\n".join(row[0] for row in rows)

            looked = "\n".join(line for line in plan.splitlines() if "never executed" not in line)
            assert "Seq Scan" not in looked, f"{name}\n{plan}"
            found = {
                re.sub(r"^history_\d+_", "history_", index)
                for index in re.findall(r"(?:using|Index Scan on) (\w+)", looked)
            }
            assert found - OF_ACKNOWLEDGEMENTS == indexes, f"{name}\n{plan}"
            read = [float(number) for number in re.findall(r"rows=([\d.]+)", plan)]
            assert max(read) <= 1_500, f"{name}\n{plan}"
