"""Connections to PostgreSQL, and its errors in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import Connection, sql

from service.adapters.postgres.session import READ_ONLY, SESSION, begin_session
from service.adapters.postgres.working import NoAnswer, WorkingConnection
from service.errors import Cause, Conflict, Fatal, ReadOnly, RejectedValue, Retryable, ServiceError, SettingsError

# A server that is away, overloaded, shutting down, that chose this transaction as a deadlock's victim, or
# that ended one which stood still for too long (a worker that was frozen and thawed again).
_RETRYABLE_CLASSES: Final = ("08", "40", "53", "57P", "55P03", "25P03", "25P04", "57014", "58030")
# A value that is wrong, breaks a constraint, or is too large for an index.
_REJECTED_CLASSES: Final = ("22", "23", "54")
# What the retryable ones mean; the rest is a server that is away.
_CAUSES: Final[Mapping[str, Cause]] = {
    "53100": "disk",
    "53300": "connections",
    "55P03": "lock",
    "57014": "timeout",
    "58030": "disk",
    "40": "deadlock",
}
# Of a connection that is refused libpq gives the server's words alone, and no SQLSTATE. In English, which most servers
# speak; of another one it is only said that it is away.
_FULL: Final = ("too many clients", "too many connections", "connection slots are reserved")
_NO_ROOM: Final = (*_FULL, "no more connections")  # the last are a pooler's words
# A table, a column, a function that is not there: `migrate` was not run, or the wrong database or schema was named.
_UNDEFINED: Final = ("42P01", "42703", "42883", "42704")

# Their values are a sequence's: taken already, they are of a copy that does not have it (identities.py).
_NUMBERED: Final = frozenset(
    f"{table}_pkey" for table in ("returns", "dead_letters", "tokens", "ops_sessions", "audit")
)

_CONNECT_SECONDS: Final = 5  # for each host
_ASK_SECONDS: Final = 4

# What libpq says of an option that it does not take, as against a server that it does not reach.
_WRONG_OPTION: Final = re.compile(r"invalid |could not match |unrecognized |.*certificate file .* does not exist")
_PREFIX: Final = re.compile(r".*(?:failed|connection is bad): ")
_QUOTED: Final = re.compile(r'"[^"]*"')


def connect(url: str, application_name: str, *, autocommit: bool = True, writes: bool = True) -> WorkingConnection:
    """A connection with the service's session settings; errors are ours, SettingsError for a malformed URL.

    Of several hosts the first that will do; where the session is to write and the server is read-only, ReadOnly.
    """
    connection = _connected(url, application_name)
    try:
        with translated():
            session = begin_session(connection, SESSION, lambda: _connected(url, application_name))
            connection.autocommit = autocommit
        if writes and session.is_read_only:
            raise ReadOnly(READ_ONLY)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(url: str, application_name: str) -> WorkingConnection:
    try:
        connection = WorkingConnection.connect(
            url,
            autocommit=True,
            client_encoding="UTF8",
            application_name=application_name,
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
        text = " ".join(str(error).split())
        if error.sqlstate is None and _WRONG_OPTION.match(_PREFIX.sub("", text)):
            # What it quotes may be a piece of a password that was read as something else.
            raise SettingsError(f"RETURNS_DATABASE_URL: {_QUOTED.sub('...', text)}") from None
        if "unsupported startup parameter" in text:
            raise Fatal(
                f"a pooler stands between this service and PostgreSQL and refuses the session: {text}"
            ) from None
        raise Retryable(f"cannot connect to PostgreSQL: {text}", cause=refusal(error)) from error
    connection.is_at_work = lambda session: is_at_work(url, session)
    return connection


def is_at_work(url: str, session: int | None) -> bool | None:
    """Whether the server answers over a new connection and, if one is given, whether that session of it is in the middle
    of a statement; None if that could not be found out.

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
    except psycopg.Error as error:
        # A server that has no room for one more is alive, and the session has a place there until it has answered.
        return True if any(words in str(error) for words in _FULL) else None
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


@contextmanager
def closed_on_retryable(close: Callable[[], object]) -> Iterator[None]:
    """As `translated`; and where that raises Retryable, call `close` first: nobody knows what the session is up to."""
    try:
        with translated():
            yield
    except Retryable:
        close()
        raise


def refusal(error: psycopg.Error) -> Cause:
    """Why a connection could not be made."""
    return "connections" if any(words in str(error) for words in _NO_ROOM) else "database"


def translate(error: psycopg.Error) -> ServiceError:
    """Our error for one of psycopg's."""
    if isinstance(error, NoAnswer):
        return Retryable(f"PostgreSQL {error}")
    state = error.sqlstate
    where = " ".join(filter(None, (error.diag.table_name, error.diag.constraint_name)))
    text = f"PostgreSQL {state or type(error).__name__} {where}".rstrip()
    if isinstance(error, psycopg.errors.UniqueViolation):
        if error.diag.constraint_name in _NUMBERED:
            return Fatal(f"{text}: numbers of new rows are taken already: run `returns-status migrate`")
        return Conflict(text)
    if state is None:
        # No answer from the server: the connection is gone, or never came to be. A wrong URL looks the same to libpq.
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return Retryable(text)
        # psycopg refused to send a value (NUL in a text, a number out of range).
        if isinstance(error, psycopg.DataError):
            return RejectedValue(text)
        return Fatal(text)
    if state == "25006":
        return ReadOnly(READ_ONLY)
    if state.startswith(_RETRYABLE_CLASSES):
        causes = (cause for start, cause in _CAUSES.items() if state.startswith(start))
        return Retryable(text, cause=next(causes, "database"))
    if state.startswith(_REJECTED_CLASSES):
        return RejectedValue(text)
    if state in _UNDEFINED:
        return Fatal(f"{text}: the database lacks what this version asks of it: run `returns-status migrate`")
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
