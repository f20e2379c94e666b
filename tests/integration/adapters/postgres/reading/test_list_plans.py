"""Lists go by their indexes, however large the tables are: each query's plan, asked of the server for large tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from service.adapters.postgres.reading.listing import PostgresListing
from service.adapters.postgres.reading.returns import open_pool
from service.application.access.bounds import EVERYTHING, UNBOUND
from service.application.reading.filters import ExceptionFilter, ExceptionState, LetterFilter, ReturnFilter
from service.application.reading.listing import STUCK_HOURS
from service.application.reading.pages import due_times
from service.domain.milestones import Milestone, Reason, Route
from service.wire.reasons import Invalid
from tests.support.any_batch import ANY_BATCH
from tests.support.plans import Explained, indexes, scans

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

RETURNS = 20_000
REASONS = tuple(Invalid)[:15]
NOW = datetime(2026, 11, 23, tzinfo=UTC)
FILL = f"""
INSERT INTO returns (return_id) SELECT 'R-' || i FROM generate_series(1, {RETURNS}) i;
INSERT INTO search_returns
SELECT i, 'R-' || i, 'retailer-' || i % 40, CASE i % 5 WHEN 0 THEN 'first_mile_only' ELSE 'omnirps' END,
    'carrier-' || i % 12, 'T-' || i, 'O-' || i, CASE WHEN i % 3 = 0 THEN 'CN-' || i / 100 END,
    CASE WHEN i % 2 = 0 THEN 'hub-' || i % 15 END, status,
    timestamptz '2026-11-01' + i * interval '1 min', timestamptz '2026-11-01' + i * interval '1 min', 3, status IN ('RDBTC', 'RR'),
    timestamptz '2026-10-01', timestamptz '2026-11-01', 3
FROM (
    SELECT i, (ARRAY['RDBTC','RE','RP','DS','RDTPF','RT','RC'])[1 + i * 7 / ({RETURNS} + 1)] AS status
    FROM generate_series(1, {RETURNS}) i WHERE i % 50 > 0
    UNION ALL
    SELECT i, 'RR' FROM generate_series(1, {RETURNS}) i WHERE i % 50 = 0
);
INSERT INTO search_exceptions
SELECT i, 2, 'R-' || i, 'acme', (ARRAY['held','refused','unmapped'])[1 + i % 3],
    (ARRAY['awaiting_processed','already_rejected','unknown_code'])[1 + i % 3], NULL, 'code-' || i % 50, 't', '/s',
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
    0, i, now()
FROM generate_series(1, {RETURNS}) i;
INSERT INTO dead_letters (recorded_at, topic, partition, "offset", published_at, value, headers, reason, error,
    resolved_at)
SELECT timestamptz '2026-11-01' + i * interval '1 min', 'topic-' || i % 20, 0, i, now(), 'x', '[]', (ARRAY{[reason.value for reason in REASONS]})[1 + i % {len(REASONS)}],
    'e', CASE WHEN i % 2 > 0 THEN now() END
FROM generate_series(1, {RETURNS}) i;
"""


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(ANY_BATCH)
        connection.execute(FILL.encode())
        connection.execute("ANALYZE")
    with open_pool(database, 1) as pool, pool.connection() as connection:
        yield connection


DUE = due_times(STUCK_HOURS, NOW)
PAGE = 51
RETURN_LISTS: dict[str, tuple[ReturnFilter, set[str]]] = {
    "all": (ReturnFilter(), {"search_returns_pkey"}),
    "status": (ReturnFilter(status=Milestone.DS), {"search_returns_status"}),
    "retailer": (ReturnFilter(retailer="retailer-7"), {"search_returns_retailer"}),
    "retailer and status": (
        ReturnFilter(retailer="retailer-7", status=Milestone.RR),
        {"search_returns_retailer_status"},
    ),
    "carrier": (ReturnFilter(carrier="carrier-3"), {"search_returns_carrier"}),
    "hub": (ReturnFilter(hub="hub-4"), {"search_returns_hub"}),
    "hub and status": (ReturnFilter(hub="hub-4", status=Milestone.RR), {"search_returns_hub_status"}),
    "carrier and status": (ReturnFilter(carrier="carrier-3", status=Milestone.RR), {"search_returns_carrier_status"}),
    "hub and carrier": (ReturnFilter(hub="hub-4", carrier="carrier-3"), {"search_returns_hub"}),
    "tracking number": (
        ReturnFilter(tracking_number=("T-77",)),
        {"search_returns_pkey", "labels_tracking_number", "label_claims_tracking_number"},
    ),
    "order number": (ReturnFilter(order_number="O-77"), {"search_returns_order_number"}),
    "connote": (ReturnFilter(connote="CN-7"), {"search_returns_connote"}),
    "route": (ReturnFilter(route=Route.FIRST_MILE_ONLY), {"search_returns_pkey"}),
    "not stuck": (ReturnFilter(stuck=False), {"search_returns_pkey"}),
}
EXCEPTION_LISTS: dict[str, tuple[ExceptionFilter, set[str]]] = {
    "all": (ExceptionFilter(), {"search_exceptions_recorded_at"}),
    "open": (ExceptionFilter(open=True), {"search_exceptions_all_open"}),
    "resolved": (ExceptionFilter(open=False), {"search_exceptions_resolved"}),
    "to be looked at": (ExceptionFilter(state=ExceptionState.OPEN), {"search_exceptions_all_open"}),
    "acknowledged": (ExceptionFilter(state=ExceptionState.ACKNOWLEDGED), {"search_exceptions_all_open"}),
    "acknowledged of a reason": (
        ExceptionFilter(state=ExceptionState.ACKNOWLEDGED, reason=Reason.AWAITING_PROCESSED),
        {"search_exceptions_open_reason"},
    ),
    "verdict": (ExceptionFilter(verdict="held"), {"search_exceptions_verdict"}),
    "open and verdict": (ExceptionFilter(verdict="held", open=True), {"search_exceptions_open"}),
    "reason": (ExceptionFilter(reason=Reason.UNKNOWN_CODE), {"search_exceptions_reason"}),
    "open and reason": (ExceptionFilter(reason=Reason.UNKNOWN_CODE, open=True), {"search_exceptions_open_reason"}),
    "carrier": (ExceptionFilter(carrier="carrier-3"), {"search_exceptions_carrier"}),
    "code": (ExceptionFilter(code="code-3"), {"search_exceptions_code"}),
    "code and carrier": (ExceptionFilter(code="code-3", carrier="carrier-3"), {"search_exceptions_code"}),
    "return": (ExceptionFilter(return_id="R-77"), {"search_exceptions_pkey", "search_exceptions_begun"}),
}
LETTER_LISTS: dict[str, tuple[LetterFilter, set[str]]] = {
    "all": (LetterFilter(), {"dead_letters_recorded_at"}),
    "open": (LetterFilter(open=True), {"dead_letters_open_recorded_at"}),
    "resolved": (LetterFilter(open=False), {"dead_letters_resolved"}),
    "open and reason": (LetterFilter(reason=REASONS[3], open=True), {"dead_letters_open_reason"}),
    "reason": (LetterFilter(reason=REASONS[3]), {"dead_letters_reason"}),
    "topic": (LetterFilter(topic="topic-3"), {"dead_letters_topic"}),
    "time": (
        LetterFilter(since=NOW - timedelta(days=20), until=NOW - timedelta(days=19)),
        {"dead_letters_recorded_at"},
    ),
}


@pytest.mark.usefixtures("few")
def test_every_list_goes_by_an_index_of_its_own(connection: Connection[Any]) -> None:
    explained = Explained(connection)
    listing = PostgresListing(explained.pool)
    middle = datetime(2026, 11, 8, tzinfo=UTC)

    for name, (wanted, expected) in RETURN_LISTS.items():
        for after in (None, RETURNS // 2):
            with planned(explained, f"returns, {name}", expected):
                listing.returns(UNBOUND, wanted, DUE, after, PAGE)
    for place in (None, (middle, 100)):
        with planned(explained, "stuck returns", {"search_returns_stuck"}):
            listing.stuck_returns(UNBOUND, ReturnFilter(), DUE, place, PAGE)
        with planned(explained, "stuck returns of a retailer", {"search_returns_retailer_stuck"}):
            listing.stuck_returns(UNBOUND, ReturnFilter(retailer="retailer-7"), DUE, place, PAGE)
    for name, (among, expected) in EXCEPTION_LISTS.items():
        for key in (None, (middle, 100, 1)):
            with planned(explained, f"exceptions, {name}", expected):
                listing.exceptions(UNBOUND, among, key, PAGE)
    for parked_key in (None, (middle, "return", "R-1", "", "")):
        with planned(explained, "parked", {"parked_recorded_at"}):
            listing.parked(UNBOUND, ExceptionFilter(), parked_key, PAGE)
    with planned(explained, "parked of a return", {"parked_newest"}):
        listing.parked(UNBOUND, ExceptionFilter(return_id="R-77"), None, PAGE)
    for name, (which, expected) in LETTER_LISTS.items():
        for letter_key in (None, (middle, 100)):
            with planned(explained, f"letters, {name}", expected):
                listing.letters(EVERYTHING, which, letter_key, PAGE, 4096)


@pytest.mark.usefixtures("few")
def test_no_question_looks_at_more_than_so_many_rows(connection: Connection[Any]) -> None:
    explained = Explained(connection)
    listing = PostgresListing(explained.pool)
    no_such = ReturnFilter(hub="hub-4", carrier="carrier-5", route=Route.FIRST_MILE_ONLY)  # never together

    for wanted in (no_such, no_such.model_copy(update={"status": Milestone.RDBTC})):
        with planned(explained, str(wanted), set()):
            found = listing.returns(UNBOUND, wanted, DUE, None, PAGE)

        assert found.rows == []
        assert found.upto is not None or wanted.status is not None  # of those there are not that many
    with planned(explained, "stuck", set()):
        listing.stuck_returns(UNBOUND, no_such, DUE, None, PAGE)
    with planned(explained, "exceptions", set()):
        listing.exceptions(UNBOUND, ExceptionFilter(verdict="held", carrier="nobody", open=True), None, PAGE)
    with planned(explained, "parked", set()):
        listing.parked(UNBOUND, ExceptionFilter(code="none"), None, PAGE)
    with planned(explained, "letters", set()):
        listing.letters(EVERYTHING, LetterFilter(topic="topic-3", open=True), None, PAGE, 4096)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.adapters.postgres.reading.listing.MOST_LOOKED_AT", 10 * PAGE)


@contextmanager
def planned(explained: Explained, name: str, expected: set[str]) -> Iterator[None]:
    """Each question of the block goes by one of the indexes, reading not many more rows than a page has."""
    explained.plans = []
    yield
    for plan in explained.plans:
        assert not scans(plan), f"{name}\n{plan}"
        assert indexes(plan) & expected or not expected, f"{name}\n{plan}"
        read = [float(number) for number in re.findall(r"rows=([\d.]+)", plan)]
        assert max(read) <= 15 * PAGE, f"{name}\n{plan}"
