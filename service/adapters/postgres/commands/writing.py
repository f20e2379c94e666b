"""The few things that the web process writes, on its pool of connections that read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import Connection

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool

_QUERIES: Final = load_queries("writing.sql")


@contextmanager
def writing(pool: Pool) -> Iterator[Connection[tuple[Any, ...]]]:
    """A connection in a transaction that may write, which the end of the block commits.

    Raises Retryable, before the block, where the server takes no writes; the pool looks for one that does then.
    """
    with translated(), pool.connection() as connection:
        try:
            with connection.transaction():
                _allow(connection)
                yield connection
        except psycopg.errors.ReadOnlySqlTransaction:
            connection.close()
            pool.turn_over()
            raise


def _allow(connection: Connection[Any]) -> None:
    try:
        cursor = connection.execute(_QUERIES["allow_writing"], prepare=False)
    except psycopg.errors.FeatureNotSupported:  # what a standby says
        raise psycopg.errors.ReadOnlySqlTransaction from None
    cursor.nextset()
    (of_the_server,) = cursor.fetchone() or ("off",)
    if of_the_server == "on":
        raise psycopg.errors.ReadOnlySqlTransaction
