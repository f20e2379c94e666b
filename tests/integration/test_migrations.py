from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from service.adapters.database import connect
from service.adapters.migrations import Migration, migrate, pending, shipped
from service.errors import Fatal, Retryable

FIRST = Migration(1, "0001_first.sql", b"CREATE TABLE first (a int); INSERT INTO first VALUES (1)")
SECOND = Migration(2, "0002_second.sql", b"CREATE TABLE second (b int)")


def _tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
    return {row[0] for row in rows}


def test_the_shipped_migrations_apply_once_and_then_there_is_nothing_to_do(empty_database: str) -> None:
    assert migrate(empty_database) == [migration.number for migration in shipped()]
    assert migrate(empty_database) == []

    assert {"returns", "history", "batches", "offsets", "tokens", "migrations"} <= _tables(empty_database)
    with connect(empty_database, "test") as connection:
        assert pending(connection) == []


def test_their_numbers_are_the_names_of_their_files_and_unique() -> None:
    migrations = shipped()

    assert [migration.number for migration in migrations] == sorted({migration.number for migration in migrations})
    assert migrations[0].number == 1
    assert all(migration.name.startswith(f"{migration.number:04}_") for migration in migrations)


def test_only_what_is_lacking_is_applied_in_order(empty_database: str) -> None:
    assert migrate(empty_database, [FIRST]) == [1]

    with connect(empty_database, "test") as connection:
        assert pending(connection, [FIRST, SECOND]) == ["0002_second.sql"]
    assert migrate(empty_database, [FIRST, SECOND]) == [2]
    assert {"first", "second"} <= _tables(empty_database)


def test_an_older_version_of_the_service_leaves_a_newer_database_alone(empty_database: str) -> None:
    migrate(empty_database, [FIRST, SECOND])

    assert migrate(empty_database, [FIRST]) == []


def test_many_at_once_apply_each_migration_once(empty_database: str) -> None:
    together = threading.Barrier(6)

    def apply() -> list[int]:
        together.wait()
        return migrate(empty_database)

    with ThreadPoolExecutor(6) as pool:
        applied = [number for future in [pool.submit(apply) for _ in range(6)] for number in future.result()]

    assert sorted(applied) == [migration.number for migration in shipped()]


def test_a_file_that_changed_after_it_was_applied_is_named(empty_database: str) -> None:
    migrate(empty_database, [FIRST])
    changed = FIRST._replace(script=FIRST.script + b" ")

    with pytest.raises(Fatal, match=r"0001_first\.sql was changed"):
        migrate(empty_database, [changed, SECOND])

    assert "second" not in _tables(empty_database)


def test_a_migration_that_fails_leaves_nothing_of_itself(empty_database: str) -> None:
    broken = Migration(2, "0002_broken.sql", b"CREATE TABLE half (a int); SELECT 'secret'::int")

    with pytest.raises(Fatal, match=r"0002_broken\.sql.*22P02") as caught:
        migrate(empty_database, [FIRST, broken])

    assert "secret" not in str(caught.value)
    assert "first" in _tables(empty_database)
    assert "half" not in _tables(empty_database)
    assert migrate(empty_database, [FIRST, SECOND]) == [2]


def test_a_migrator_that_waits_for_the_lock_has_no_time_limit_but_its_statements_have(empty_database: str) -> None:
    tells = Migration(
        1,
        "0001_tells.sql",
        b"CREATE TABLE told AS SELECT current_setting('lock_timeout') a, current_setting('statement_timeout') b",
    )

    migrate(empty_database, [tells])

    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT * FROM told").fetchone() == ("4s", "15min")


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_said_in_a_sentence() -> None:
    with pytest.raises(Retryable, match="cannot connect to PostgreSQL"):
        migrate("postgresql://nobody:hush@127.0.0.1:1/none")
