"""Numbers that PostgreSQL gives out, and copies of a database that do not know how many it gave.

Logical replication carries rows and no sequence: a copy would give numbers that its rows have already. Where an insert
meets such a row it fails (`database.translate`), so nothing is swapped or lost; `migrate` sets it right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from psycopg import Connection, sql

from service.adapters.postgres.queries import load_queries

_Q: Final = load_queries("migrating.sql")


class _Behind(NamedTuple):
    table: str
    sequence: str
    highest: int


def identity_state(connection: Connection[Any]) -> str | None:
    """What is wrong with the numbers to come, and what to do; None: nothing, as far as this user may look."""
    tables = ", ".join(each.table for each in _behind(connection))
    if not tables:
        return None
    return (
        f"the numbers that are given to new rows of {tables} are taken already, as in a copy by logical replication, "
        "which carries no sequences: run `returns-status migrate`"
    )


def advance_identities(connection: Connection[Any], say: Callable[[str], object]) -> None:
    """Have the numbers of new rows begin after the highest that is taken; `say` is told of each table."""
    for each in list(_behind(connection)):
        connection.execute("SELECT setval(%s::regclass, %s)", (each.sequence, each.highest))
        say(f"new rows of {each.table} are numbered after {each.highest} from now on")


def _behind(connection: Connection[Any]) -> Iterator[_Behind]:
    for schema, table, column, name, sequence in connection.execute(_Q["numbered"]).fetchall():
        ask = sql.SQL("SELECT (SELECT max({}) FROM {}), (SELECT last_value FROM {} WHERE is_called)")
        asked = ask.format(sql.Identifier(column), sql.Identifier(schema, table), sql.Identifier(schema, name))
        highest, given = connection.execute(asked).fetchone() or (None, None)
        if highest is not None and highest > (given or 0):
            yield _Behind(table, sequence, highest)
