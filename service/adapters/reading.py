"""Reads returns and histories for the API, on a pool of connections."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from psycopg import Connection
from psycopg_pool import ConnectionPool

from service.adapters import migrations, tokens
from service.adapters.database import translated
from service.adapters.queries import load_queries
from service.adapters.working import WorkingConnection
from service.application.tracking import RecordedEvent
from service.domain.journey import State
from service.errors import ServiceError
from service.wire.stored import decode_state

Pool = ConnectionPool[Connection[tuple[Any, ...]]]

_QUERIES: Final = load_queries("reading.sql")
_WAIT_SECONDS: Final = 5.0  # for a free connection; then the caller is told to come back
_READINESS_SECONDS: Final = 2.0
_DEADLINE_SECONDS: Final = 6.5  # of silence; a server that is alive ends a statement before, see below
# How long one attempt at a lost connection goes on before the next request starts another: what bounds how soon
# the pool notices that the server is back.
_RECONNECT_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 1.0  # for what still works for the pool when it ends
_SESSION: Final = {
    "statement_timeout": "5s",  # a person waits for the answer
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "TimeZone": "UTC",
    # Both queries of a page see the same moment.
    "default_transaction_isolation": r"repeatable\ read",
    "default_transaction_read_only": "on",
    # To plan the probe for one return takes four times as long as to make it, so its plan is kept; one that was made
    # while the tables were small must not scan or compare everything once they are large. Queries of which the filters
    # decide the plan are not prepared; they go along an index in the order of the list, and do not gather first.
    **dict.fromkeys(("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"), "off"),
}


@contextmanager
def open_pool(database_url: str, size: int) -> Iterator[Pool]:
    """A pool of read-only connections, each statement a transaction unless told otherwise. The server need not be
    there yet.
    """
    pool: Pool = ConnectionPool(
        database_url,
        connection_class=_WebConnection,
        kwargs={
            "application_name": "returns-web",
            "autocommit": True,
            "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
        min_size=1,
        max_size=size,
        timeout=_WAIT_SECONDS,
        reconnect_timeout=_RECONNECT_SECONDS,
        check=_check,
        name="web",
        open=False,
    )
    pool.open(wait=False)
    try:
        yield pool
    finally:
        pool.close(timeout=_CLOSE_SECONDS)


class _WebConnection(WorkingConnection):
    """With a person waiting behind it."""

    deadline = _DEADLINE_SECONDS


def _check(connection: Connection[Any]) -> None:
    """Raise OperationalError for a connection that died since it was last used.

    The server says goodbye, or its system does: there is something to read where nobody has asked. To ask every time
    would take as long as most queries do.
    """
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if poll.poll(0):
        ConnectionPool.check_connection(connection)


class PostgresReading:
    """`service.application.tracking.Reading` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def state(self, return_id: str) -> State | None:
        with translated(), self._pool.connection() as connection:
            found = _state(connection, return_id)
        return None if found is None else found[1]

    def history(self, return_id: str, after: int, limit: int) -> tuple[State, Sequence[RecordedEvent]] | None:
        with translated(), self._pool.connection() as connection, connection.transaction():
            found = _state(connection, return_id)
            if found is None:
                return None
            return_no, state = found
            rows = connection.execute(_QUERIES["history"], (return_no, after, limit)).fetchall()
        return state, [RecordedEvent(*row) for row in rows]

    def scopes_of(self, token: str) -> frozenset[str] | None:
        with translated(), self._pool.connection() as connection:
            return tokens.scopes_of(connection, token)

    def problems(self) -> list[str]:
        try:
            with translated(), self._pool.connection(timeout=_READINESS_SECONDS) as connection:
                lacking = migrations.pending(connection)
        except ServiceError as error:
            return [f"the database does not answer: {error}"]
        return [f"the database lacks migration {name}: run `migrate`" for name in lacking]


def _state(connection: Connection[Any], return_id: str) -> tuple[int, State] | None:
    row = connection.execute(_QUERIES["state"], (return_id,)).fetchone()
    if row is None:
        return None
    return_no, seq, version, document = row
    # The keys seen matter to ingestion alone.
    return return_no, decode_state(document, seq, version, b"")
