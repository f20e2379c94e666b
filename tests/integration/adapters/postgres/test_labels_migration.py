"""A database of before labels had windows: what several returns claim is found by `reassess`, and shared out."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from service.adapters.postgres.journal.letters import MendingJournal
from service.application.journal.reassess import reassess
from service.wire.carriers import CarrierTables
from tests.support.journals import creation, differences, ingest, scan

pytestmark = pytest.mark.postgres


def test_claims_of_before_are_kept_by_reassess_and_the_next_sweep_gives_each_return_its_scans(database: str) -> None:
    shared = "TR-1001"
    ingest(database, [creation(), creation("R-2002", "08:00")])
    ingest(database, [scan("COLLECTED", "10:00")])
    with psycopg.connect(
        database
    ) as connection:  # as the release before left it: the label is the first return's alone
        connection.execute(
            "UPDATE history SET data = jsonb_set(data::jsonb, '{tracking_number}', %s)::json,"
            " state = jsonb_set(state::jsonb, '{a,3}', %s)::json WHERE id = 'R-2002-rc'",
            (f'"{shared}"', f'"{shared}"'),
        )
        connection.execute("DELETE FROM labels WHERE tracking_number = 'TR-2002'")
        connection.execute("UPDATE history SET state = (state::jsonb - 'r')::json")

    with closing(MendingJournal(database, CarrierTables.load(), "test")) as journal:
        reassess(journal, datetime(2026, 11, 26, tzinfo=UTC), dry_run=False, say=lambda _: None)
    ingest(database, [])

    with psycopg.connect(database) as connection:
        last = connection.execute(
            "SELECT DISTINCT ON (return_no) status FROM history ORDER BY return_no, seq DESC"
        ).fetchall()
        claims = connection.execute("SELECT count(*) FROM label_claims").fetchone()
    assert (last, claims) == ([("RT",), ("RT",)], (2,))
    assert differences(database) == []
