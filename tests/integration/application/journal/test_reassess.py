"""Returns of before, to which something happened between the update and `reassess`: they are looked at like all others."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from service.adapters.postgres.journal.letters import MendingJournal
from service.application.journal.reassess import Reassessed, reassess
from service.wire.carriers import CarrierTables
from tests.support.api import project
from tests.support.journals import DS, RE, RP, RR, creation, differences, event, ingest, scan

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 26, tzinfo=UTC)
MOVED = "R-1001: revoked RDTPF, returned_to_sender opened, returning_after_delivered resolved"
AT_HUB = event(DS, "ds", "13:00", return_id="R-1001", hub="akl1")


def decided_anew(database: str) -> tuple[Reassessed, list[str]]:
    said = list[str]()
    with closing(MendingJournal(database, CarrierTables.load(), "test")) as journal:
        done = reassess(journal, NOW, dry_run=False, say=said.append)
    ingest(database, [])  # the sweep
    return done, said


def left_by_the_release_before(database: str, *statements: str) -> None:
    """Rows that name no rules and no effect, and what else that release left otherwise."""
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE history SET effect = NULL, exceptions = NULL")
        connection.execute("UPDATE history SET state = (state::jsonb - 'r' - 't' - 'f')::json")
        connection.execute("DELETE FROM label_claims")
        for statement in statements:
            connection.execute(statement.encode())


def open_exceptions(database: str) -> list[tuple[str, str]]:
    project(database)
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT return_id, reason FROM search_exceptions WHERE resolved_at IS NULL ORDER BY 1, 2"
        ).fetchall()


def statuses(database: str) -> list[tuple[str]]:
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT DISTINCT ON (return_no) status FROM history ORDER BY return_no, seq DESC"
        ).fetchall()


def test_a_parcel_that_went_back_is_found_although_its_return_was_decided_since(database: str) -> None:
    ingest(database, [creation(), *(scan(code, f"1{n}:00") for n, code in enumerate(("COLLECTED", "?", "DELIVERED")))])
    left_by_the_release_before(
        database,
        "UPDATE history SET code = 'RETURNING', verdict = 'informational', reason = NULL WHERE verdict = 'unmapped'",
    )
    ingest(database, [scan("IN_TRANSIT", "12:30")])  # decided by today's rules; of what the code means it says nothing

    done, said = decided_anew(database)

    assert (done.outdated, said) == (0, [MOVED])
    assert statuses(database) == [("RT",)]
    assert differences(database) == []
    assert decided_anew(database)[0].moved == 0


def test_a_claim_of_before_is_kept_although_its_return_was_decided_since(database: str) -> None:
    ingest(database, [creation("R-2002", "08:00"), creation(), scan("COLLECTED", "10:00", "R-2002")])
    named = "'{tracking_number}', '\"TR-2002\"'"
    left_by_the_release_before(
        database,
        f"UPDATE history SET data = jsonb_set(data::jsonb, {named})::json, "
        "state = jsonb_set(state::jsonb, '{a,3}', '\"TR-2002\"')::json WHERE id = 'R-1001-rc'",
        "DELETE FROM labels WHERE tracking_number = 'TR-1001'",
    )
    ingest(database, [AT_HUB])

    decided_anew(database)

    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM label_claims").fetchone() == (2,)
        rows = connection.execute(
            "SELECT id FROM history JOIN returns USING (return_no) WHERE return_id = 'R-1001' AND milestone = 'RT'"
        ).fetchall()
    assert rows == [("R-2002-COLLECTED-10:00",)]
    assert differences(database) == []


def test_an_exception_of_before_that_nothing_gives_today_is_resolved_and_subscribers_hear_of_it(database: str) -> None:
    ingest(database, [creation()])
    left_by_the_release_before(database, "UPDATE history SET reason = 'tracking_number_in_use'")
    assert open_exceptions(database) == [("R-1001", "tracking_number_in_use")]

    done, said = decided_anew(database)

    assert (done.moved, done.changes, said) == (1, 0, ["R-1001: tracking_number_in_use resolved"])
    assert open_exceptions(database) == []
    assert differences(database) == []
    assert decided_anew(database) == (Reassessed(1, 0, 0, 0), [])


def test_one_that_is_open_from_before_is_not_opened_a_second_time(database: str) -> None:
    ingest(database, [creation(), scan("NO_SUCH_CODE", "10:00")])
    left_by_the_release_before(database)
    assert open_exceptions(database) == [("R-1001", "unknown_code")]

    ingest(database, [AT_HUB])
    decided_anew(database)

    assert open_exceptions(database) == [("R-1001", "unknown_code")]
    assert differences(database) == []


def test_one_that_no_row_of_before_told_is_opened_whichever_event_came_first(database: str) -> None:
    rejected = event(RR, "rr", "20:00", return_id="R-1001", hub="akl1", reason="worn")
    exported = event(RE, "re", "11:00", return_id="R-1001", hub="akl1", connote="CN1")
    ingest(database, [creation(), event(RP, "rp", "10:00", return_id="R-1001", hub="akl1"), rejected])
    ingest(database, [exported])
    left_by_the_release_before(database)
    assert open_exceptions(database) == []

    done, said = decided_anew(database)

    assert (done.moved, said) == (1, ["R-1001: already_exported opened"])
    assert open_exceptions(database) == [("R-1001", "already_exported")]
    assert differences(database) == []
    assert decided_anew(database)[0].moved == 0


def test_a_list_made_anew_goes_on_to_show_what_a_row_of_before_gave_and_later_ones_say_nothing_of(
    database: str,
) -> None:
    ingest(database, [creation(), scan("NO_SUCH_CODE", "10:00"), AT_HUB])
    left_by_the_release_before(database)

    assert open_exceptions(database) == [("R-1001", "unknown_code")]
    exported = event(RE, "re", "15:00", return_id="R-1001", hub="akl1", connote="CN1")
    ingest(database, [exported])
    ingest(database, [event(RP, "rp", "14:00", return_id="R-1001", hub="akl1")])

    assert open_exceptions(database) == [("R-1001", "unknown_code")]
