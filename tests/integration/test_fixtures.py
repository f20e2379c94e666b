"""The fixtures themselves: what a test gets is its own, and a test that asks for nothing reaches nothing."""

from __future__ import annotations

import socket

import psycopg
import pytest
from _pytest.outcomes import Failed
from psycopg import sql

from tests.support.api import project
from tests.support.databases import Databases
from tests.support.journals import creation, ingest
from tests.support.reused import Reused
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually


def test_a_database_has_the_tables_of_the_service(database: str) -> None:
    with psycopg.connect(database) as connection:
        names = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    assert "history" in names


@pytest.mark.parametrize("_turn", (1, 2))
def test_a_database_is_the_tests_own(database: str, _turn: int) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE mine ()")


def contents(connection: psycopg.Connection) -> dict[str, object]:
    """The rows of each table, its size, and what each sequence gives next."""
    found: dict[str, object] = dict(connection.execute("SELECT sequencename, last_value FROM pg_sequences").fetchall())
    for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
        rows = connection.execute(sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(name))).fetchall()
        found[name] = (rows, connection.execute("SELECT pg_relation_size(%s::regclass)", [name]).fetchone())
    return found


def test_records_written_to_a_topic_are_read_from_it(topics: Topics, clients: Clients) -> None:
    topic = topics.create("letters", partitions=2)

    clients.send(topic, b"a", b"b", b"c")

    assert {record.value for record in clients.read(topic, 3)} == {b"a", b"b", b"c"}
    assert topics.end(topic) == 3


def test_a_test_that_asks_for_nothing_cannot_reach_postgresql() -> None:
    with pytest.raises(Failed, match="ask for the fixture"):
        psycopg.connect("postgresql://127.0.0.1:5432/returns")


def test_a_test_that_asks_for_nothing_cannot_reach_kafka() -> None:
    with socket.socket() as client, pytest.raises(Failed, match="ask for the fixtures"):
        client.connect(("127.0.0.1", 9092))


def test_eventually_gives_up_and_tells_what_it_saw() -> None:
    with pytest.raises(AssertionError, match="at last: 0"):
        eventually(lambda: 0, timeout=0.05)


def test_a_database_that_was_used_is_lent_again_as_it_was_made(databases: Databases, migrated_template: str) -> None:
    reused = Reused(databases, migrated_template)
    with reused.lent() as first, psycopg.connect(first) as connection:
        ingest(first, [creation()])
        project(first)
        connection.execute("UPDATE cursors SET n = n + 1")
        connection.execute("DELETE FROM migrations")

    with reused.lent() as second, psycopg.connect(migrated_template) as made, psycopg.connect(second) as again:
        assert second == first
        assert contents(again) == contents(made)
    reused.close()


@pytest.mark.parametrize(
    "alters",
    ("CREATE TABLE mine ()", "DROP INDEX parked_recorded_at", "GRANT SELECT ON returns TO PUBLIC", "ANALYZE"),
)
def test_a_database_that_was_altered_is_not_lent_again(
    databases: Databases, migrated_template: str, alters: str
) -> None:
    reused = Reused(databases, migrated_template)
    with reused.lent() as first, psycopg.connect(first, autocommit=True) as connection:
        ingest(first, [creation()])
        connection.execute(alters.encode())

    with reused.lent() as second:
        assert second != first
    reused.close()
