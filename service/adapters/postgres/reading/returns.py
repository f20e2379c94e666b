"""Reads returns and histories for the API, on a pool of connections."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from math import inf
from typing import Any, Final

from psycopg import Connection
from psycopg_pool import ConnectionPool

from service.adapters.postgres import migrations
from service.adapters.postgres.access import tokens
from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.bounds import STANDING, rows_seen, state_of_retailers, state_seen
from service.adapters.postgres.reading.rows import read_rows, with_others, with_voids
from service.adapters.postgres.session import SESSION, begin_session
from service.adapters.postgres.working import WorkingConnection
from service.application.access.bounds import Bounds
from service.application.access.callers import Caller
from service.application.reading.tracking import HistoryPage, RecordedEvent
from service.domain.journey import State
from service.errors import Fatal, ServiceError
from service.wire.models import RETURN_CREATED
from service.wire.stored import decode_state

_QUERIES: Final = load_queries("reading.sql", {"standing": STANDING})
_WAIT_SECONDS: Final = 5.0  # for a free connection; then the caller is told to come back
_READINESS_SECONDS: Final = 2.0
_DEADLINE_SECONDS: Final = 6.5  # of silence; a server that is alive ends a statement before, see below
# How long one attempt at a lost connection goes on before the next request starts another: what bounds how soon
# the pool notices that the server is back.
_RECONNECT_SECONDS: Final = 5.0
_TURN_OVER_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 1.0  # for what still works for the pool when it ends
_SESSION: Final = SESSION | {
    "statement_timeout": "5s",  # a person waits for the answer
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    # Both queries of a page see the same moment.
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    # To plan the probe for one return takes four times as long as to make it, so its plan is kept; one that was made
    # while the tables were small must not scan or compare everything once they are large. Queries of which the filters
    # decide the plan are not prepared; they go along an index in the order of the list, and do not gather first.
    **dict.fromkeys(("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"), "off"),
}


class Pool(ConnectionPool[Connection[tuple[Any, ...]]]):
    """Connections with the session settings of the web process."""

    # Why sessions with this database are of no use, where they are not.
    refusal: str | None = None
    _turned_over_at = -inf

    def turn_over(self) -> None:
        """Make all connections anew: the server that they lead to takes no writes, another may."""
        now = time.monotonic()
        if now - self._turned_over_at >= _TURN_OVER_SECONDS:
            self._turned_over_at = now
            self.drain()


@contextmanager
def open_pool(database_url: str, size: int) -> Iterator[Pool]:
    """A pool of read-only connections, each statement a transaction unless told otherwise. The server need not be
    there yet.
    """
    options: dict[str, Any] = {
        "application_name": "returns-web",
        "autocommit": True,
        "client_encoding": "UTF8",
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }

    def begin(connection: Connection[Any]) -> None:
        try:
            begin_session(connection, _SESSION, lambda: Connection.connect(database_url, **options))
        except Exception as error:
            pool.refusal = str(error) if isinstance(error, Fatal) else None
            connection.close()
            raise
        pool.refusal = None

    pool = Pool(
        database_url,
        connection_class=_WebConnection,
        kwargs=options,
        min_size=1,
        max_size=size,
        timeout=_WAIT_SECONDS,
        reconnect_timeout=_RECONNECT_SECONDS,
        configure=begin,
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
    """ReturnReading, Callers and ReadinessCheck of `service.application` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def state(self, bounds: Bounds, return_id: str) -> State | None:
        with translated(), self._pool.connection() as connection:
            found = _state(connection, bounds, return_id)
        return None if found is None else found[1]

    def latest(self, bounds: Bounds, return_id: str) -> tuple[State, datetime] | None:
        with translated(), self._pool.connection() as connection:
            found = _state(connection, bounds, return_id)
        return None if found is None else found[1:]

    def states(self, bounds: Bounds, return_ids: Sequence[str]) -> dict[str, State]:
        wanted = {"return_ids": list(return_ids), "created": RETURN_CREATED, "is_bound": bounds.everything is None}
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES["states"], wanted).fetchall()
        found = {
            return_id: state_of_retailers(bounds, decode_state(document, seq, version, b""), retailers)
            for return_id, seq, version, document, retailers in rows
        }
        return {return_id: state for return_id, state in found.items() if state is not None}

    def history(self, bounds: Bounds, return_id: str, after: int, limit: int) -> HistoryPage | None:
        with translated(), self._pool.connection() as connection, connection.transaction():
            found = _state(connection, bounds, return_id)
            if found is None:
                return None
            return_no, state, _ = found
            rows, is_cut = read_rows(connection, "history", return_no, after, limit)
            seen = rows_seen(connection, bounds, return_no, [RecordedEvent(*row) for row in rows])
            seen = with_others(connection, return_id, state, seen)
            state = with_voids(connection, return_no, state)
        return HistoryPage(state, seen, is_cut)

    def caller_of(self, token: str) -> Caller | None:
        with translated(), self._pool.connection() as connection:
            return tokens.find_caller(connection, token)

    def token_hashes(self) -> frozenset[bytes]:
        """Of all valid tokens. Raises Retryable."""
        with translated(), self._pool.connection() as connection:
            return tokens.valid_hashes(connection)

    def problems(self) -> list[str]:
        try:
            with translated(), self._pool.connection(timeout=_READINESS_SECONDS) as connection:
                lacking = migrations.migration_state(connection)
        except ServiceError as error:
            return [self._pool.refusal or f"the database does not answer: {error}"]
        return [] if lacking is None else [lacking]


def _state(connection: Connection[Any], bounds: Bounds, return_id: str) -> tuple[int, State, datetime] | None:
    row = connection.execute(_QUERIES["state"], (return_id,)).fetchone()
    if row is None:
        return None
    return_no, seq, version, document, recorded_at = row
    # The keys seen matter to ingestion alone.
    state = state_seen(connection, bounds, return_no, decode_state(document, seq, version, b""))
    return None if state is None else (return_no, state, recorded_at)
