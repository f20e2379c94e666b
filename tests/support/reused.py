"""Databases of the service that are emptied and lent again: to make one and to drop it takes half a second of a core.

What is lent is as the template is: the same definitions, rows and sequences, tables without dead rows, no statistics, no
sessions. One that a test has altered is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import psycopg
from psycopg import sql

from tests.support.databases import Databases
from tests.support.waiting import eventually

# Everything but the rows. The ids are those of the template in each of its copies.
_DEFINITIONS: Final = """
SELECT md5(concat_ws('|',
  (SELECT string_agg(concat_ws(',', oid, relname, relkind, relowner, relacl, reloptions, relhastriggers), ';' ORDER BY oid)
     FROM pg_class WHERE oid >= 16384),
  (SELECT string_agg(concat_ws(',', attrelid, attnum, attname, atttypid, attnotnull, attidentity, attstattarget), ';'
     ORDER BY attrelid, attnum) FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0),
  (SELECT string_agg(concat_ws(',', oid, pg_get_expr(adbin, adrelid)), ';' ORDER BY oid) FROM pg_attrdef),
  (SELECT string_agg(concat_ws(',', oid, conname, convalidated), ';' ORDER BY oid) FROM pg_constraint WHERE oid >= 16384),
  (SELECT string_agg(concat_ws(',', indexrelid, indisvalid), ';' ORDER BY indexrelid) FROM pg_index WHERE indexrelid >= 16384),
  (SELECT string_agg(concat_ws(',', oid, tgenabled), ';' ORDER BY oid) FROM pg_trigger),
  (SELECT string_agg(concat_ws(',', oid, md5(prosrc), proacl), ';' ORDER BY oid) FROM pg_proc WHERE oid >= 16384),
  (SELECT string_agg(concat_ws(',', oid, nspname, nspacl), ';' ORDER BY oid) FROM pg_namespace WHERE nspname !~ '^pg_'),
  (SELECT string_agg(concat_ws(',', datacl, datconnlimit, encoding, datcollate), ';')
     FROM pg_database WHERE datname = current_database()),
  (SELECT count(*) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()),
  (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384)))
"""
_TABLES: Final = """
SELECT oid::regclass::text, pg_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND oid >= 16384 AND relnamespace = 'public'::regnamespace
"""
_SEQUENCES: Final = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
_END_SESSIONS: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class _Contents(NamedTuple):
    """What the template holds: how it is defined, its sequences, and the rows of the tables that have some."""

    definitions: str
    sequences: dict[str, int | None]
    rows: dict[str, list[str]]


class Reused:
    """Lends copies of a template."""

    def __init__(self, databases: Databases, template: str) -> None:
        self._databases, self._template = databases, template
        self._free: list[str] = []
        with psycopg.connect(template, autocommit=True) as connection:
            tables = [name for name, size in connection.execute(_TABLES).fetchall() if size]
            self._contents = _Contents(
                _definitions(connection), _sequences(connection), {table: _rows(connection, table) for table in tables}
            )

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of a database that nobody else uses during the block."""
        url = self._free.pop() if self._free else self._databases.create(template=self._template)
        yield url
        if self._is_as_new(url):
            self._free.append(url)
        else:
            self._databases.drop(url)

    def close(self) -> None:
        """Drop those that are there."""
        while self._free:
            self._databases.drop(self._free.pop())

    def _is_as_new(self, url: str) -> bool:
        """Whether it could be made as it was."""
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                eventually(lambda: not connection.execute(_END_SESSIONS).fetchall(), 2.0)
                if _definitions(connection) != self._contents.definitions:
                    return False
                connection.execute("SET lock_timeout = '2s'")
                self._empty(connection)
        except (psycopg.Error, AssertionError):
            return False  # a test may have left it in any state
        return True

    def _empty(self, connection: psycopg.Connection) -> None:
        known = self._contents
        used = [name for name, size in connection.execute(_TABLES).fetchall() if size and name not in known.rows]
        used += [name for name in known.rows if _rows(connection, name) != known.rows[name]]
        if used:
            named = sql.SQL(", ").join(map(sql.Identifier, used))
            connection.execute(sql.SQL("TRUNCATE {}").format(named))
        for table in known.rows.keys() & set(used):
            statement = sql.SQL("INSERT INTO {0} SELECT * FROM json_populate_recordset(NULL::{0}, %s)")
            connection.execute(statement.format(sql.Identifier(table)), [f"[{','.join(known.rows[table])}]"])
        for name, last in _sequences(connection).items():
            if last != (was := known.sequences[name]):
                connection.execute("SELECT setval(%s::regclass, %s, %s)", (name, was or 1, was is not None))


def _definitions(connection: psycopg.Connection) -> str:
    row = connection.execute(_DEFINITIONS).fetchone()
    assert row is not None
    return str(row[0])


def _sequences(connection: psycopg.Connection) -> dict[str, int | None]:
    return dict(connection.execute(_SEQUENCES).fetchall())


def _rows(connection: psycopg.Connection, table: str) -> list[str]:
    """The rows of a small table as JSON."""
    statement = sql.SQL("SELECT row_to_json(t)::text FROM {} t ORDER BY 1").format(sql.Identifier(table))
    return [row for (row,) in connection.execute(statement).fetchall()]
