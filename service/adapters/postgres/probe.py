"""Asks PostgreSQL how it is and how far everything is, on a session of its own, with a deadline on this side.

A frozen server lets no time-out of its own fire, and its connections stay open: only a clock here can tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import Connection

from service.adapters.postgres.database import refusal, translate
from service.adapters.postgres.journal.rows import stored_of
from service.adapters.postgres.queries import load_queries
from service.application.health import Counted, CursorFacts, DatabaseFacts
from service.errors import Cause, Retryable

MOST_COUNTED: Final = 10_000  # parked events and open letters are counted up to here
_QUERIES: Final = load_queries("health.sql")
_CONNECT_SECONDS: Final = 2  # the least that libpq takes for it
_ANSWER_SECONDS: Final = 3.0
# A new session now and then: whether one can be had, and with the settings that new ones get, is a part of the answer.
_RENEW_SECONDS: Final = 5.0
_COUNT_SECONDS: Final = 15.0


class _Bounded(Connection[tuple[Any, ...]]):
    """Every wait for the server ends."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, _ANSWER_SECONDS if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - of a version that is pinned
            raise Retryable("PostgreSQL does not answer", cause="timeout") from error


class PostgresProbe:
    """One question at a time, from one thread. `look` raises the errors of `service.errors`.

    `relay` tells the relay's position, None where it is not known or nobody asks.
    """

    def __init__(
        self,
        url: str,
        *,
        with_offsets: bool = False,
        with_counts: bool = False,
        relay: Callable[[], int | None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._with_offsets, self._with_counts, self._relay = url, with_offsets, with_counts, relay
        self._monotonic = monotonic
        self._connection: _Bounded | None = None
        self._refused: Cause | None = None
        self._opened_at = self._counted_at = float("-inf")
        self._counted: Counted | None = None

    def look(self) -> DatabaseFacts:
        """What it says now; within five seconds or so, whatever becomes of the server."""
        try:
            return self._ask(self._current())
        except psycopg.Error as error:
            self.close()
            raise translate(error) from error
        except Retryable:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the session."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _current(self) -> _Bounded:
        """The session; a new one if it is old, and the old one where no new one is to be had."""
        now = self._monotonic()
        if self._connection is None or self._connection.closed or now - self._opened_at >= _RENEW_SECONDS:
            try:
                fresh = self._connect()
            except psycopg.OperationalError as error:
                self._refused = refusal(error)
                if self._connection is None or self._connection.closed:
                    # Its text may name hosts and users, which nobody is told over HTTP.
                    raise Retryable("PostgreSQL does not let the service in", cause=refusal(error)) from error
                return self._connection
            self.close()
            self._connection, self._opened_at, self._refused = fresh, now, None
        return self._connection

    def _connect(self) -> _Bounded:
        return _Bounded.connect(
            self._url,
            autocommit=True,
            application_name="returns-health",
            connect_timeout=_CONNECT_SECONDS,
            # Whatever stands between here and the server: nothing of a session is relied on.
            prepare_threshold=None,
        )

    def _ask(self, connection: _Bounded) -> DatabaseFacts:
        rows = connection.execute(_QUERIES["readers"], {"relay": self._relay()}).fetchall()
        offsets = connection.execute(_QUERIES["offsets"]).fetchall() if self._with_offsets else []
        if self._with_counts and self._monotonic() - self._counted_at >= _COUNT_SECONDS:
            row = connection.execute(_QUERIES["counts"], {"most": MOST_COUNTED}).fetchone()
            self._counted, self._counted_at = Counted(*(row or (0, 0))), self._monotonic()
        return DatabaseFacts(
            is_read_only=rows[0][0],
            end=rows[0][1],
            cursors={name: CursorFacts(n, seconds) for _, _, name, n, seconds in rows},
            offsets={(topic, partition): stored_of(*rest) for topic, partition, *rest in offsets},
            counted=self._counted,
            refused=self._refused,
        )
