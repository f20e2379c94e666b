"""A database whose sequences are behind its rows, as a copy by logical replication is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.adapters.postgres.database import _NUMBERED, connect
from service.adapters.postgres.migrations import migrate, refuse_unfit
from service.errors import Fatal
from service.wire.record import Record
from tests.support.filling import Filler
from tests.support.journals import creation, ingest
from tests.support.roles import user

_ROWS = "SELECT (SELECT count(*) FROM returns), (SELECT count(*) FROM dead_letters), (SELECT count(*) FROM batches)"


def bury(database: str, offset: int) -> None:
    filler = Filler(database)
    try:
        filler.write([Record("first-mile.scans", 0, offset, 1_795_600_000_000, None, b"{", ())])
    finally:
        filler.close()


@pytest.fixture
def copy(database: str) -> str:
    """With a return and a dead letter, and sequences that know of neither."""
    ingest(database, [creation()])
    bury(database, 1000)
    with connect(database, "test") as connection:
        connection.execute("SELECT setval(pg_get_serial_sequence('returns', 'return_no'), 1, false)")
        connection.execute("SELECT setval(pg_get_serial_sequence('dead_letters', 'letter_no'), 1, false)")
    return database


@pytest.mark.parametrize(
    ("table", "write"),
    (
        ("returns", lambda copy: ingest(copy, [creation("R-1002")])),
        ("dead_letters", lambda copy: bury(copy, 1001)),
    ),
)
def test_what_would_get_a_number_a_second_time_is_refused_and_nothing_is_lost_silently(
    copy: str, table: str, write: Callable[[str], object]
) -> None:
    with connect(copy, "test") as connection:
        before = connection.execute(_ROWS).fetchone()

        with pytest.raises(
            Fatal, match=f"{table}_pkey: numbers of new rows are taken already: run `returns-status mig"
        ):
            write(copy)

        assert connection.execute(_ROWS).fetchone() == before


def test_the_start_names_the_tables_and_migrate_sets_them_right(copy: str) -> None:
    told: list[str] = []
    with pytest.raises(Fatal, match="new rows of dead_letters, returns are taken already"):
        refuse_unfit(copy)

    migrate(copy, say=told.append)

    refuse_unfit(copy)
    assert told == [f"new rows of {table} are numbered after 1 from now on" for table in ("dead_letters", "returns")]
    ingest(copy, [creation("R-1002")])
    bury(copy, 1001)
    migrate(copy, say=told.append)
    assert len(told) == 2


def test_whoever_may_not_look_starts_all_the_same(copy: str) -> None:
    with user(copy, "returns_web") as url:
        refuse_unfit(url)


def test_an_insert_into_each_table_whose_numbers_a_sequence_gives_is_told_from_a_conflict(database: str) -> None:
    """The list in `database` is whole: a table that it lacks would be retried for ever, as if another worker had been first."""
    with connect(database, "test") as connection:
        found = connection.execute(
            "SELECT DISTINCT attrelid::regclass::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
            "WHERE attidentity <> '' AND relnamespace = current_schema()::regnamespace ORDER BY 1"
        ).fetchall()
    assert {f"{table}_pkey" for (table,) in found} == _NUMBERED
