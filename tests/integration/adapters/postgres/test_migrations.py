from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from service.adapters.postgres.database import connect
from service.adapters.postgres.migrations import Migration, migrate, pending, shipped
from service.errors import Fatal, Retryable
from tests.support.waiting import eventually

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


def outside(text: str, number: int = 2) -> Migration:
    """A migration outside a transaction."""
    return Migration(number, f"{number:04}_outside.sql", f"-- outside a transaction\n{text}".encode())


BIG = Migration(
    1,
    "0001_big.sql",
    b"CREATE TABLE big (a int, b int) PARTITION BY RANGE (a);"
    b"CREATE TABLE big_0 PARTITION OF big FOR VALUES FROM (0) TO (10);"
    b"CREATE TABLE big_1 PARTITION OF big FOR VALUES FROM (10) TO (20);"
    b"CREATE TABLE plain (a int, b int); INSERT INTO plain VALUES (1, 1); INSERT INTO big VALUES (1, 1), (11, 1)",
)
INDEXES = outside(
    "-- why; it has a semicolon\nCREATE INDEX CONCURRENTLY plain_b ON plain (b);\n"
    "CREATE INDEX CONCURRENTLY big_b ON big (b) WHERE b > 0 /* ; */;\nANALYZE plain;"
)


def valid_indexes(database_url: str) -> dict[str, bool]:
    """Each index on these tables, and whether it is whole."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index "
            "WHERE indrelid::regclass::text IN ('plain', 'big', 'big_0', 'big_1', 'big_2')"
        ).fetchall()
    return dict(rows)


def test_an_index_is_made_while_others_write_on_a_partitioned_table_too(empty_database: str) -> None:
    said: list[str] = []
    migrate(empty_database, [BIG])

    with psycopg.connect(empty_database, autocommit=True) as writer:
        assert migrate(empty_database, [BIG, INDEXES], said.append) == [2]
        writer.execute("CREATE TABLE big_2 PARTITION OF big FOR VALUES FROM (20) TO (30)")

    assert valid_indexes(empty_database) == {
        "plain_b": True, "big_b": True, "big_0_b": True, "big_1_b": True, "big_2_b_idx": True,
    }  # fmt: skip
    assert said[0] == "0002_outside.sql: making plain_b on plain, while others write"
    assert migrate(empty_database, [BIG, INDEXES]) == []


def test_many_at_once_make_an_index_once_and_do_not_wait_for_each_other(empty_database: str) -> None:
    # One that waits for the lock in a statement has a snapshot, for the end of which the index would wait: a deadlock.
    together = threading.Barrier(4)

    def apply() -> list[int]:
        together.wait()
        return migrate(empty_database, [BIG, INDEXES])

    with ThreadPoolExecutor(4) as pool:
        applied = [number for future in [pool.submit(apply) for _ in range(4)] for number in future.result()]

    assert sorted(applied) == [1, 2]
    assert all(valid_indexes(empty_database).values())


def test_a_migrate_that_was_killed_in_the_middle_of_an_index_is_run_again(empty_database: str) -> None:
    migrate(empty_database, [BIG])
    said: list[str] = []
    with psycopg.connect(empty_database) as reader, psycopg.connect(empty_database, autocommit=True) as killer:
        reader.execute("DELETE FROM plain")  # the index waits for its end
        with ThreadPoolExecutor(1) as pool:
            cut_short = pool.submit(migrate, empty_database, [BIG, INDEXES], said.append)
            eventually(lambda: any("waiting for" in line for line in said), timeout=20)
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'CREATE INDEX%'"
            )
            with pytest.raises(Retryable, match=r"0002_outside\.sql.*run `migrate` again"):
                cut_short.result()
        reader.rollback()
    assert valid_indexes(empty_database) == {"plain_b": False}

    said.clear()
    assert migrate(empty_database, [BIG, INDEXES], said.append) == [2]

    assert said[0] == "0002_outside.sql: dropping plain_b, which was left half made"
    assert all(valid_indexes(empty_database).values())


def test_a_lock_is_waited_for_again_and_again_and_it_is_said_for_which_and_for_whom(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.adapters.postgres.migrations.LOCK_TIMEOUT", "1500ms")
    changes = Migration(2, "0002_changes.sql", b"CREATE TABLE before (a int); ALTER TABLE plain ADD COLUMN c int")
    migrate(empty_database, [BIG])
    said: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(empty_database, application_name="somebody") as holder:
            holder.execute("SELECT * FROM plain")
            pid = holder.info.backend_pid
            done = pool.submit(migrate, empty_database, [BIG, changes], said.append)
            eventually(lambda: len(said) == 2, timeout=20)
            # Between two tries the others get through.
            with psycopg.connect(empty_database) as other:
                other.execute("SET lock_timeout = '20s'; SELECT * FROM plain")
        assert done.result() == [2]

    waits = f"0002_changes.sql: waiting for a lock on plain, held by somebody (pid {pid}), try"
    assert said[:2] == [f"{waits} 1", f"{waits} 2"]


def test_a_table_of_another_program_with_the_name_of_ours_is_left_alone(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE migrations (id int, migration text, batch int)")

    with pytest.raises(Fatal, match="has a table named migrations of another program"):
        migrate(empty_database)
