"""What a dump carries from one database into another: all rows and sequences, and nothing of the server."""

from __future__ import annotations

import psycopg
from psycopg import Connection, sql

from service.adapters.postgres.migrations import migrate

_TABLES = """
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> 'migrations'
ORDER BY c.relname
"""
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"


def restore(source: str, target: str) -> None:
    """Make of an empty database what a dump of another one makes of it."""
    migrate(target)
    with psycopg.connect(source) as there, psycopg.connect(target) as here:
        for (table,) in there.execute(_TABLES).fetchall():
            _copy(there, here, sql.Identifier(table))
        for name, value in there.execute(_SEQUENCES).fetchall():
            if value is not None:
                here.execute("SELECT setval(%s, %s)", (name, value))


def _copy(there: Connection, here: Connection, table: sql.Identifier) -> None:
    here.execute(sql.SQL("TRUNCATE {}").format(table))
    read = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT BINARY)").format(table)
    write = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(table)
    with there.cursor().copy(read) as source, here.cursor().copy(write) as target:
        for block in source:
            target.write(block)


def drive_transactions(database: str, upto: int) -> None:
    """Use up transaction ids of the server until it is about to give out this one."""
    with psycopg.connect(database, autocommit=True) as connection:
        while True:
            row = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
            if row is None or row[0] >= upto - 1:
                return
