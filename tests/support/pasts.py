"""Databases that go back: copies of an earlier state, put in the place of the one that went on."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.support.databases import Databases


def name_of(url: str) -> str:
    """The database's name."""
    return urlsplit(url).path.lstrip("/")


class Past:
    """A database as it was, kept beside it."""

    def __init__(self, databases: Databases, database: str) -> None:
        """Keep its state of now. Ends the sessions in it."""
        self._databases, self._database = databases, database
        self._end_sessions()
        self._copy = databases.create(template=database)

    def restore(self) -> None:
        """Put it back in the place of what became of it, as a restore from a backup or a failover does."""
        now, then = (sql.Identifier(name_of(url)) for url in (self._database, self._copy))
        self._databases.drop(self._database)
        with self._server() as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(then, now))

    def _end_sessions(self) -> None:
        with self._server() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (name_of(self._database),),
            )

    def _server(self) -> psycopg.Connection:
        return psycopg.connect(self._databases.server_url, autocommit=True)
