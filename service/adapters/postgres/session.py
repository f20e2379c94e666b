"""What holds in every session with PostgreSQL: settings that are the service's, not the server's (ADR 19).

A database or a role may have settings of its own, and a pooler may stand between. What a driver or a query of ours
depends on is set after connecting, and what would make a lie of it is refused in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import Connection

from service.adapters.postgres.queries import load_queries
from service.errors import Fatal

SESSION: Final = {
    # A statement that takes this long means trouble elsewhere; the batch is held and tried again. Both are shorter than
    # the client's own deadline (ADR 17), so that a server that is slow, or waits for a lock, says so itself.
    "statement_timeout": "18s",
    "lock_timeout": "15s",
    # A worker that hangs in the middle of a transaction must not hold its locks for ever.
    "idle_in_transaction_session_timeout": "60s",
    # Those that wait, stand by or pool connections are idle for as long as it takes; and a rebuild is one transaction.
    "idle_session_timeout": "0",
    "transaction_timeout": "0",  # since PostgreSQL 17
    # How values are written: psycopg reads these forms and no others. Two sets of digits make one number two.
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    # How our queries are read.
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    # Compare-and-set and the primary key keep workers apart; a stricter isolation would only make them fail.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # Prepared queries are planned for what they ask until that has shown to be no better; our probes need these.
    "plan_cache_mode": "auto",
    "enable_indexscan": "on",
    "enable_indexonlyscan": "on",
    "enable_nestloop": "on",
    "enable_sort": "on",
}
# default_transaction_read_only is not among them: a server that refuses writes is to be noticed, not overruled.

READ_ONLY: Final = "PostgreSQL 25006: this server is read-only: a standby, or told to take no writes"
_TRIES: Final = 3
_POOLED: Final = (
    "a pooler between this service and PostgreSQL gives each transaction another session. The service needs a session "
    "of its own: its time-outs, its guard against writes, the lead of the relay and prepared queries belong to one. "
    "With PgBouncer set pool_mode = session for this database, or connect to PostgreSQL itself"
)
_Q: Final = load_queries("session.sql")


class Session(NamedTuple):
    """What was found when it began. `is_read_only`: the server takes no writes, whatever the session wants."""

    is_read_only: bool


def begin_session(
    connection: Connection[Any],
    settings: Mapping[str, str],
    another: Callable[[], AbstractContextManager[Connection[Any]]],
) -> Session:
    """Give the session, which must not be in a transaction, these settings. `another` makes a second connection.

    Raises psycopg's errors, and Fatal where the session cannot be what the service needs: behind a pooler that shares
    sessions out by the transaction, in a database that is not in UTF-8, with a search_path that leads nowhere.
    """
    asked = {"names": list(settings), "values": list(settings.values())}
    row = _one(connection, "begin", asked | {"pid": connection.info.backend_pid})
    _, encoding, is_read_only, schema, search_path, database, done = row
    if encoding != "UTF8":
        raise Fatal(
            f"the database {database} is encoded in {encoding}, and texts of all languages come: "
            f"make it anew with CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0"
        )
    if schema is None:
        raise Fatal(
            f"search_path ({search_path}) names no schema of the database {database} that exists and that this user "
            "may use: set it to the one where the service's tables are to be"
        )
    if done is None:
        if not _is_its_own(connection, another):
            raise Fatal(_POOLED)
        _one(connection, "set", asked)
    return Session(is_read_only)


def _is_its_own(connection: Connection[Any], another: Callable[[], AbstractContextManager[Connection[Any]]]) -> bool:
    """Whether a pooler keeps one session for this connection.

    One that does not gives the session to whoever comes next: that is tried with a second connection. Each of the two
    asks while the other is in a transaction, so that it shows whichever session the pooler takes out first.
    """
    mine = _whose(connection)
    try:
        with another() as second:
            for _ in range(_TRIES):
                with second.transaction():
                    if _whose(second) == mine or _whose(connection) != mine:
                        return False
                if _whose(connection) != mine or _whose(connection) != mine:
                    return False
    except psycopg.errors.ProtocolViolation:  # a pooler that shares out by the statement takes no transactions
        return False
    return True


def _whose(connection: Connection[Any]) -> int:
    return int(_one(connection, "whose", None)[0])


def _one(connection: Connection[Any], query: str, parameters: Mapping[str, Any] | None) -> tuple[Any, ...]:
    # Not prepared: a pooler may not know of it in the next session.
    row = connection.execute(_Q[query], parameters, prepare=False).fetchone()
    return row or ()
