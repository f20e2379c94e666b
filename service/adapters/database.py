"""Connections to PostgreSQL, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import Connection, sql

from service.adapters.working import NoAnswer, WorkingConnection
from service.errors import Conflict, Fatal, RejectedValue, Retryable, ServiceError, SettingsError

# A server that is away, overloaded, shutting down, read-only, that chose this transaction as a deadlock's victim, or
# that ended one which stood still for too long (a worker that was frozen and thawed again).
_RETRYABLE_CLASSES: Final = ("08", "40", "53", "57P", "55P03", "25006", "25P03", "25P04", "57014", "58030")
# A value that is wrong, breaks a constraint, or is too large for an index.
_REJECTED_CLASSES: Final = ("22", "23", "54")

_CONNECT_SECONDS: Final = 8
_ASK_SECONDS: Final = 4
_SESSION: Final = {
    # A statement that takes this long means trouble elsewhere; the batch is held and tried again. Both are shorter than
    # the client's own deadline (ADR 17), so that a server that is slow, or waits for a lock, says so itself.
    "statement_timeout": "18s",
    "lock_timeout": "15s",
    # A worker that hangs in the middle of a transaction must not hold its locks for ever.
    "idle_in_transaction_session_timeout": "60s",
    "TimeZone": "UTC",
}


def connect(url: str, application_name: str, *, autocommit: bool = True) -> WorkingConnection:
    """A connection with the service's session settings; errors are ours, SettingsError for a malformed URL."""
    options = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    try:
        connection = WorkingConnection.connect(
            url,
            autocommit=autocommit,
            application_name=application_name,
            options=options,
            connect_timeout=_CONNECT_SECONDS,
            keepalives=1,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=20_000,
        )
    except psycopg.ProgrammingError:
        # Its text quotes the URL, password and all; so it must not be the cause that a traceback shows either.
        raise SettingsError("RETURNS_DATABASE_URL: not a PostgreSQL connection URL") from None
    except psycopg.OperationalError as error:
        # libpq's text names host, port, user and database, no password; there are no rows yet to echo.
        raise Retryable(f"cannot connect to PostgreSQL: {' '.join(str(error).split())}") from error
    connection.is_at_work = lambda session: is_at_work(url, session)
    return connection


def is_at_work(url: str, session: int | None) -> bool | None:
    """Whether the server answers over a new connection and, if one is given, whether that session of it is in the middle
    of a statement; None if it refuses to say.

    A session that is idle has given its answer, and somebody in between has dropped it.
    """
    try:
        with WorkingConnection.connect(
            url, autocommit=True, application_name="returns-watch", connect_timeout=_ASK_SECONDS
        ) as connection:
            connection.deadline = _ASK_SECONDS
            row = connection.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", (session,)).fetchone()
    except (NoAnswer, psycopg.errors.ConnectionTimeout):
        return False
    except psycopg.Error:
        return None  # too many connections, perhaps
    # Without a state it is another role's, which this one may not see.
    return session is None or (row is not None and row[0] in (None, "active"))


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into ours: Retryable, Conflict, RejectedValue or Fatal.

    The texts name the SQLSTATE, constraint and table, never the server's message: that one echoes row values.
    """
    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from error


def translate(error: psycopg.Error) -> ServiceError:
    """Our error for one of psycopg's."""
    if isinstance(error, NoAnswer):
        return Retryable(f"PostgreSQL {error}")
    state = error.sqlstate
    where = " ".join(filter(None, (error.diag.table_name, error.diag.constraint_name)))
    text = f"PostgreSQL {state or type(error).__name__} {where}".rstrip()
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Conflict(text)
    if state is None:
        # No answer from the server: the connection is gone, or never came to be. A wrong URL looks the same to libpq.
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return Retryable(text)
        # psycopg refused to send a value (NUL in a text, a number out of range).
        if isinstance(error, psycopg.DataError):
            return RejectedValue(text)
        return Fatal(text)
    if state.startswith(_RETRYABLE_CLASSES):
        return Retryable(text)
    if state.startswith(_REJECTED_CLASSES):
        return RejectedValue(text)
    return Fatal(text)


def set_local(connection: Connection, name: str, value: str) -> None:
    """Set a parameter until the end of the transaction."""
    connection.execute(sql.SQL("SELECT set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value)))


def probe_indexes(connection: Connection) -> None:
    """Have the session plan nothing but index probes and nested loops.

    For queries that ask for many keys at a time: their plans are made while the tables are empty, or believed to be,
    and kept. One that scans, or compares everything with everything, is the best for an empty table, and was seen to
    take 8 s for what takes 50 ms when it met a full one.
    """
    with translated():
        for method in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "memoize"):
            connection.execute(sql.SQL("SET {} = off").format(sql.Identifier(f"enable_{method}")))
