"""Keeps creations in PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import Connection

from service.adapters.database import translated
from service.adapters.queries import load_queries
from service.adapters.reading import Pool
from service.adapters.tokens import digest
from service.application.creation import Creation

_QUERIES: Final = load_queries("creations.sql")


class PostgresCreations:
    """`service.application.creation.Creations`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def keep(self, token: str, key: str, new: Creation) -> Creation | None:
        asked = {"hash": digest(token), "key": key}
        with self._writing() as connection:
            connection.execute(_QUERIES["keep"], asked | new._asdict())
            row = connection.execute(_QUERIES["kept"], asked).fetchone()
        return None if row is None else Creation(*row)

    def is_published(self, token: str, key: str) -> None:
        with self._writing() as connection:
            connection.execute(_QUERIES["is_published"], {"hash": digest(token), "key": key})

    @contextmanager
    def _writing(self) -> Iterator[Connection[tuple[Any, ...]]]:
        with translated(), self._pool.connection() as connection:
            connection.execute(_QUERIES["allow_writing"])
            yield connection
