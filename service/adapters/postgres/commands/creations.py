"""Keeps creations in PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

from typing import Final

from service.adapters.postgres.access.tokens import digest
from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.application.commands.creation import Creation

_OWNER: Final = (
    "coalesce((SELECT min(first.token_no) FROM tokens first WHERE first.publisher = tokens.publisher), tokens.token_no)"
)
_QUERIES: Final = load_queries("creations.sql", {"owner": _OWNER})


class PostgresCreations:
    """`service.application.commands.creation.Creations`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def keep(self, token: str, key: str, new: Creation) -> Creation | None:
        parameters = {"hash": digest(token), "key": key}
        with writing(self._pool) as connection:
            connection.execute(_QUERIES["keep"], parameters | new._asdict())
            row = connection.execute(_QUERIES["kept"], parameters).fetchone()
        return None if row is None else Creation(*row)

    def is_published(self, token: str, key: str) -> None:
        with writing(self._pool) as connection:
            connection.execute(_QUERIES["is_published"], {"hash": digest(token), "key": key})
