"""Brings a database to the wanted state: numbered SQL files, each applied once, each in a transaction of its own, or
outside one where its first line says so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from importlib.resources import files
from typing import Final, NamedTuple

import psycopg
from psycopg.rows import TupleRow

from service.adapters.postgres.database import connect, translate, translated
from service.adapters.postgres.identities import advance_identities, identity_state
from service.adapters.postgres.online import is_outside, run_outside
from service.adapters.postgres.patience import LOCK_TIMEOUT, Patience
from service.adapters.postgres.queries import load_queries
from service.errors import Fatal, Retryable

_NAME: Final = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+\.sql")
_LOCK: Final = 0x72657475726E73  # "returns"; an arbitrary number that all migrators of a database share

_STATEMENT_TIMEOUT: Final = "15min"
_LONGEST_REST_SECONDS: Final = 1.0
_Q: Final = load_queries("migrating.sql")

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
    folder = files("service.adapters.postgres") / "sql" / "migrations"
    found = [
        Migration(int(match["number"]), file.name, file.read_bytes())
        for file in folder.iterdir()
        if (match := _NAME.fullmatch(file.name))
    ]
    return sorted(found)


def migrate(
    database_url: str, migrations: list[Migration] | None = None, say: Callable[[str], object] = lambda _: None
) -> list[int]:
    """Apply what is not applied yet and answer with the numbers of those; `say` is told what takes long.

    Safe to run again, and by many at once: an advisory lock lets one migrate while the others wait. Raises Fatal if
    a file was changed after it was applied, or if PostgreSQL refuses one; Retryable if the server cannot be reached.
    """
    wanted = shipped() if migrations is None else migrations

    def watch() -> psycopg.Connection[TupleRow]:
        return connect(database_url, "returns-migrate", writes=False)

    with (
        connect(database_url, "returns-migrate") as connection,
        translated(),
        closing(Patience(connection, watch, say)) as patience,
        connection.patient(),
    ):
        return _migrate(connection, wanted, patience, say)


def pending(connection: psycopg.Connection[TupleRow], migrations: list[Migration] | None = None) -> list[str]:
    """The names of the migrations that this database lacks. Ones of a later version of the service are no matter."""
    wanted = shipped() if migrations is None else migrations
    known = _known(connection)
    return [] if known is None else [migration.name for migration in wanted if migration.number not in known]


def migration_state(connection: psycopg.Connection[TupleRow], migrations: list[Migration] | None = None) -> str | None:
    """What the database lacks for this version of the service, and what to do; None: nothing."""
    found = _tables(connection)
    if not found.are_there:
        if others := _elsewhere(connection):
            return _misled(found, others)
        return f"the database {found.database} has no tables of this service yet: run `returns-status migrate`"
    lacking = pending(connection, migrations)
    if not lacking:
        return None
    return f"the database {found.database} lacks migration {', '.join(lacking)}: run `returns-status migrate`"


def newer_state(connection: psycopg.Connection[TupleRow], migrations: list[Migration] | None = None) -> str | None:
    """In what the database is ahead of this version of the service, and what to do; None: in nothing.

    A process that runs goes on: a release only adds what the one before can do without. To start is something else.
    """
    wanted = {migration.number for migration in (shipped() if migrations is None else migrations)}
    ahead = sorted(number for number in _known(connection) or () if number > max(wanted, default=0))
    if not ahead:
        return None
    numbers = ", ".join(f"{number:04}" for number in ahead)
    return (
        f"the database is ahead of this program, which does not know its migration {numbers}: start the version of "
        "the service that the database was migrated with, or a later one"
    )


def refuse_unfit(database_url: str) -> None:
    """Raise Fatal, with what to do, where this version of the service cannot work on the database as it is now.

    A server that does not answer is no matter: whoever works with it waits, or says so.
    """
    try:
        with connect(database_url, "returns-start", writes=False) as connection, translated():
            unfit = migration_state(connection) or newer_state(connection) or identity_state(connection)
    except Retryable:
        return
    if unfit is not None:
        raise Fatal(unfit)


def _migrate(
    connection: psycopg.Connection[TupleRow],
    wanted: list[Migration],
    patience: Patience,
    say: Callable[[str], object],
) -> list[int]:
    patience.set(LOCK_TIMEOUT, _STATEMENT_TIMEOUT)
    _take_lock(connection, say)
    try:
        _refuse_misled(connection)
        connection.execute(_CREATE)
        known = _applied(connection)
        _refuse_changed(wanted, known)
        applied = [_apply(connection, each, patience, say) for each in wanted if each.number not in known]
        advance_identities(connection, say)
        return applied
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _take_lock(connection: psycopg.Connection[TupleRow], say: Callable[[str], object]) -> None:
    """The lock belongs to the session, so a crash gives it back. Waiting for it may take as long as others migrate.

    It is asked for again and again: a statement that waited for it would have a snapshot, for the end of which
    CREATE INDEX CONCURRENTLY waits in the session that holds the lock.
    """
    rest = 0.05
    while not _is_true(connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()):
        if rest == 0.05:
            say("waiting for another migrate to end")
        time.sleep(rest)
        rest = min(_LONGEST_REST_SECONDS, rest * 1.5)


def _is_true(row: TupleRow | None) -> bool:
    return row is not None and bool(row[0])


def _elsewhere(connection: psycopg.Connection[TupleRow]) -> list[str]:
    return [schema for (schema,) in connection.execute(_Q["elsewhere"]).fetchall()]


def _misled(found: _Tables, others: list[str]) -> str:
    return (
        f"the tables of this service in the database {found.database} are in the schema {', '.join(others)}, and "
        f"search_path leads to {found.schema}: set search_path for the database or its user, or use another database, "
        "for one holds one service"
    )


def _refuse_misled(connection: psycopg.Connection[TupleRow]) -> None:
    """A second set of tables would look like an empty service, and share the locks of the first."""
    found = _tables(connection)
    if found.are_foreign:
        raise Fatal(
            f"the schema {found.schema} of the database {found.database} has a table named migrations of another "
            "program: give this service a schema or a database of its own"
        )
    if not found.are_there and (others := _elsewhere(connection)):
        raise Fatal(_misled(found, others))


class _Tables(NamedTuple):
    are_there: bool
    schema: str
    database: str
    are_foreign: bool
    may_look: bool


def _tables(connection: psycopg.Connection[TupleRow]) -> _Tables:
    return _Tables(*(connection.execute(_Q["tables"]).fetchone() or (False, "", "", False, False)))


def _known(connection: psycopg.Connection[TupleRow]) -> set[int] | None:
    """The numbers of the migrations that were applied; None where this user may not look."""
    found = _tables(connection)
    if found.are_there and not found.may_look:
        return None
    return {number for (number,) in connection.execute(_Q["numbers"])} if found.are_there else set()


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


def _apply(
    connection: psycopg.Connection[TupleRow],
    migration: Migration,
    patience: Patience,
    say: Callable[[str], object],
) -> int:
    def at_once() -> None:
        with connection.transaction():
            connection.execute(migration.script)
            _note(connection, migration)

    try:
        if is_outside(migration.script):
            run_outside(connection, migration.name, migration.script.decode(), patience, say)
            _note(connection, migration)
        else:
            patience.run(migration.name, at_once, lock_timeout=LOCK_TIMEOUT, statement_timeout=_STATEMENT_TIMEOUT)
    except psycopg.Error as error:
        ours = translate(error)
        if isinstance(ours, Retryable):
            raise Retryable(f"migration {migration.name}: {ours}: run `migrate` again", cause=ours.cause) from error
        raise Fatal(f"migration {migration.name}: {ours}") from error
    return migration.number


def _note(connection: psycopg.Connection[TupleRow], migration: Migration) -> None:
    connection.execute(
        "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)",
        (migration.number, migration.name, migration.checksum),
    )
