"""Brings a database to the wanted state: numbered SQL files, each applied once, each in a transaction of its own."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.resources import files
from typing import Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from service.adapters.database import connect, translate, translated
from service.errors import Fatal, Retryable

_NAME: Final = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+\.sql")
_LOCK: Final = 0x72657475726E73  # "returns"; an arbitrary number that all migrators of a database share

# A migration that waits for a lock makes every query behind it wait too: better fail and be run again.
_LOCK_TIMEOUT: Final = "10s"
_STATEMENT_TIMEOUT: Final = "15min"

_CREATE: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class Migration(NamedTuple):
    """One SQL file; `checksum` is the sha256 of its bytes."""

    number: int
    name: str
    script: bytes

    @property
    def checksum(self) -> str:
        return sha256(self.script).hexdigest()


def shipped() -> list[Migration]:
    """The migrations of this version of the service, in order."""
    folder = files("service.adapters") / "sql" / "migrations"
    found = [
        Migration(int(match["number"]), file.name, file.read_bytes())
        for file in folder.iterdir()
        if (match := _NAME.fullmatch(file.name))
    ]
    return sorted(found)


def migrate(database_url: str, migrations: list[Migration] | None = None) -> list[int]:
    """Apply what is not applied yet and answer with the numbers of those.

    Safe to run again, and by many at once: an advisory lock lets one migrate while the others wait. Raises Fatal if
    a file was changed after it was applied, or if PostgreSQL refuses one; Retryable if the server cannot be reached.
    """
    wanted = shipped() if migrations is None else migrations
    with connect(database_url, "returns-migrate") as connection, translated(), connection.patient():
        return _migrate(connection, wanted)


def pending(connection: psycopg.Connection[TupleRow], migrations: list[Migration] | None = None) -> list[str]:
    """The names of the migrations that this database lacks. Ones of a later version of the service are no matter."""
    wanted = shipped() if migrations is None else migrations
    row = connection.execute("SELECT to_regclass('migrations') IS NOT NULL").fetchone()
    known = _applied(connection) if row is not None and row[0] else {}
    return [migration.name for migration in wanted if migration.number not in known]


def _migrate(connection: psycopg.Connection[TupleRow], wanted: list[Migration]) -> list[int]:
    # The lock belongs to the session, so a crash gives it back. Waiting for it may take as long as others migrate.
    connection.execute("SET lock_timeout = 0; SET statement_timeout = 0")
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        _set(connection, "lock_timeout", _LOCK_TIMEOUT)
        _set(connection, "statement_timeout", _STATEMENT_TIMEOUT)
        connection.execute(_CREATE)
        known = _applied(connection)
        _refuse_changed(wanted, known)
        return [_apply(connection, migration) for migration in wanted if migration.number not in known]
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _set(connection: psycopg.Connection[TupleRow], setting: str, value: str) -> None:
    connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(setting), sql.Literal(value)))


def _applied(connection: psycopg.Connection[TupleRow]) -> dict[int, str]:
    return dict(connection.execute("SELECT number, checksum FROM migrations").fetchall())


def _refuse_changed(wanted: list[Migration], known: dict[int, str]) -> None:
    for migration in wanted:
        applied = known.get(migration.number)
        if applied is not None and applied != migration.checksum:
            raise Fatal(
                f"migration {migration.name} was changed after it was applied to this database: "
                "restore the file and put the change into a new one"
            )


def _apply(connection: psycopg.Connection[TupleRow], migration: Migration) -> int:
    try:
        with connection.transaction():
            connection.execute(migration.script)
            connection.execute(
                "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.checksum),
            )
    except psycopg.Error as error:
        ours = translate(error)
        if isinstance(ours, Retryable):
            raise Retryable(f"migration {migration.name}: {ours}") from error
        raise Fatal(f"migration {migration.name}: {ours}") from error
    return migration.number
