"""Keeps the sessions of the operations desk in PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from service.adapters.postgres.access.tokens import CALLER, caller, digest
from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.application.access.callers import NOBODY, Caller, Who
from service.application.access.sessions import SessionLimits
from service.errors import Retryable

_QUERIES: Final = load_queries("sessions.sql", CALLER)


class PostgresSessions:
    """`service.application.access.sessions.Sessions`."""

    def __init__(self, pool: Pool, limits: SessionLimits) -> None:
        self._pool = pool
        self._limits = limits

    def open(self, token: str, session_id: str) -> Caller | None:
        parameters = {"token": digest(token), "hash": digest(session_id), "longest": self._limits.longest}
        with writing(self._pool) as connection:
            connection.execute(_QUERIES["forget"])
            connection.execute(_QUERIES["open"], parameters)
        return self.find(session_id)

    def find(self, session_id: str) -> Caller | None:
        parameters = {"hash": digest(session_id), "idle": self._limits.idle}
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_QUERIES["find"], parameters).fetchone()
        if row is None:
            return None
        *whose, is_due = row
        if is_due:
            # A desk that only looks goes on while the server takes no writes; the session lasts no longer for it.
            with suppress(Retryable), writing(self._pool) as connection:
                connection.execute(_QUERIES["touch"], parameters)
        return caller(tuple(whose))

    def end(self, session_id: str) -> None:
        with writing(self._pool) as connection:
            connection.execute(_QUERIES["end"], {"hash": digest(session_id)})

    def whose(self, token: str) -> Who:
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_QUERIES["whose"], {"token": digest(token)}).fetchone()
        return NOBODY if row is None else Who(*row)
