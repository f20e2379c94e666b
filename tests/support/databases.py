"""A database of its own for a test, as a copy of one that was migrated once."""

from __future__ import annotations

import itertools
import os
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from tests.support.waiting import eventually

PREFIX = "test_"


class Databases:
    """Makes and drops databases on one server. Their names say which process made them."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._numbers = itertools.count(1)

    @property
    def server_url(self) -> str:
        """A URL that leads to the server, and to no database of a test."""
        return self._server_url

    def create(self, template: str | None = None) -> str:
        """The URL of a new database; a copy of the one that `template` leads to."""
        name = f"{PREFIX}{os.getpid()}_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(_name(template)))
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        # A template must have no connections, and those just closed take a moment to go.
        eventually(lambda: self._created(statement), why="the template is in use")
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{name}"))

    def drop(self, url: str) -> None:
        """Drop a database, with whoever is still in it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_name(url))))

    def drop_orphans(self) -> None:
        """Drop what processes left behind that were killed; only for a server of this machine."""
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            rows = connection.execute(r"SELECT datname FROM pg_database WHERE datname ~ '^test_\d+_\d+$'").fetchall()
        for (name,) in rows:
            if not psutil.pid_exists(int(name.split("_")[1])):
                self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _created(self, statement: sql.Composed) -> bool:
        try:
            self._execute(statement)
        except psycopg.errors.ObjectInUse:
            return False
        return True

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(statement)


def _name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")
