"""Keeps creations in PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from psycopg import Connection, Rollback

from service.adapters.postgres.access.tokens import digest
from service.adapters.postgres.commands.numbers import take_number
from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.application.commands.creation import Creation
from service.wire.numbering.ranges import NumberRanges

_OWNER: Final = (
    "coalesce((SELECT min(first.token_no) FROM tokens first WHERE first.publisher = tokens.publisher), tokens.token_no)"
)
_QUERIES: Final = load_queries("creations.sql", {"owner": _OWNER})


class PostgresCreations:
    """`service.application.commands.creation.Creations`."""

    def __init__(self, pool: Pool, ranges: NumberRanges) -> None:
        self._pool, self._ranges = pool, ranges

    def keep(self, token: str | None, key: str, new: Creation) -> Creation | None:
        with writing(self._pool) as connection:
            _keep(connection, token, key, new)
            return _kept(connection, token, key)

    def keep_numbered(
        self, token: str | None, key: str, carrier: str, make: Callable[[str], Creation]
    ) -> Creation | None:
        with writing(self._pool) as connection:
            known = _kept(connection, token, key)
            if known is not None:
                return known
            with connection.transaction() as taking:
                if not _keep(connection, token, key, make(take_number(connection, self._ranges, carrier))):
                    raise Rollback(taking)  # somebody was first: the number is not given
            return _kept(connection, token, key)

    def take_number(self, carrier: str) -> str:
        with writing(self._pool) as connection:
            return take_number(connection, self._ranges, carrier)

    def known(self, token: str | None, key: str) -> Creation | None:
        with translated(), self._pool.connection() as connection:
            return _kept(connection, token, key)

    def is_cancelled(self, key: str) -> None:
        with writing(self._pool) as connection:
            connection.execute(_QUERIES["is_cancelled"], {"key": key})

    def created(self, return_id: str) -> Creation | None:
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_QUERIES["created"], {"return_id": return_id}).fetchone()
        return None if row is None else Creation(*row)

    def is_published(self, token: str | None, key: str) -> None:
        with writing(self._pool) as connection:
            connection.execute(_QUERIES["is_published"], _name(token, key))


def _name(token: str | None, key: str) -> dict[str, Any]:
    return {"hash": None if token is None else digest(token), "key": key}


def _keep(connection: Connection[Any], token: str | None, key: str, new: Creation) -> bool:
    return connection.execute(_QUERIES["keep"], _name(token, key) | new._asdict()).rowcount == 1


def _kept(connection: Connection[Any], token: str | None, key: str) -> Creation | None:
    row = connection.execute(_QUERIES["kept"], _name(token, key)).fetchone()
    return None if row is None else Creation(*row)
