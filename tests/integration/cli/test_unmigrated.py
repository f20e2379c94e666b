"""What every command says of a database that `migrate` did not bring to its version."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from service.adapters.postgres.access.tokens import create_token
from service.adapters.postgres.database import connect
from service.adapters.postgres.migrations import migration_state, newer_state, refuse_unfit, shipped
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.cli.app import app
from service.errors import Fatal
from tests.support.commands import run
from tests.support.databases import Databases

COMMANDS = (
    "serve", "ingest", "relay", "project", "project --rebuild", "verify", "replay", "remap", "run",
    "token create --scopes read", "token list", "token revoke 1",
)  # fmt: skip
SENTENCE = r"the database test_\w+ has no tables of this service yet: run `returns-status migrate`"


@pytest.fixture(scope="module")
def bare_database(databases: Databases) -> Iterator[str]:
    """A database in which nobody makes anything."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.mark.postgres
@pytest.mark.parametrize("command", COMMANDS)
def test_before_migrate_every_command_says_so_in_words(
    bare_database: str, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    # They said "PostgreSQL 42P01", or went on as if all was well.
    monkeypatch.setenv("RETURNS_DATABASE_URL", bare_database)
    monkeypatch.setattr("service.logs.configure", lambda *_, **__: None)

    with pytest.raises(Fatal, match=SENTENCE):
        app(command.split(), standalone_mode=False)


def test_that_is_one_line_and_exit_status_1(empty_database: str) -> None:
    ended = run("relay", RETURNS_DATABASE_URL=empty_database)

    assert ended.returncode == 1
    assert re.fullmatch(f"Error: {SENTENCE}\n", ended.stderr)


def test_serve_says_it_to_those_who_ask_whether_it_is_ready(empty_database: str) -> None:
    with open_pool(empty_database, 1) as pool:
        (problem,) = PostgresReading(pool).problems()

    assert "run `returns-status migrate`" in problem


def test_an_older_database_is_told_from_a_newer_one(database: str) -> None:
    with connect(database, "test") as connection:
        assert (migration_state(connection), newer_state(connection)) == (None, None)

        newest = shipped()[-1]
        connection.execute("DELETE FROM migrations WHERE number = %s", (newest.number,))
        assert migration_state(connection) == (
            f"the database {connection.info.dbname} lacks migration {newest.name}: run `returns-status migrate`"
        )
        with pytest.raises(Fatal, match="lacks migration"):
            refuse_unfit(database)

        row = (newest.number, newest.name, newest.checksum)
        connection.execute("INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)", row)
        connection.execute("INSERT INTO migrations (number, name, checksum) VALUES (9998, 'later', '')")
        # What runs goes on; what starts would be of a version that is gone.
        assert migration_state(connection) is None
        with pytest.raises(Fatal, match=r"the database is ahead of this program.*9998.*start the version"):
            refuse_unfit(database)


@pytest.mark.postgres
def test_a_server_that_is_away_is_waited_for() -> None:
    refuse_unfit("postgresql://127.0.0.1:1/none")


def test_a_table_that_went_since_the_start_is_said_in_words_too(database: str) -> None:
    with psycopg.connect(database) as bare:
        bare.execute("DROP TABLE tokens CASCADE")

    with connect(database, "test") as connection, pytest.raises(Fatal, match=r"42P01.*run `returns-status migrate`"):
        create_token(connection, ["read"])
