"""The few things that the web process writes, on its pool of connections that read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import Connection

from service.adapters.database import translated
from service.adapters.queries import load_queries
from service.adapters.reading import Pool

_QUERIES: Final = load_queries("writing.sql")


@contextmanager
def writing(pool: Pool) -> Iterator[Connection[tuple[Any, ...]]]:
    """A connection in a transaction that may write, which the end of the block commits."""
    with translated(), pool.connection() as connection, connection.transaction():
        connection.execute(_QUERIES["allow_writing"])
        yield connection
