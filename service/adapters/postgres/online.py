"""Migrations outside a transaction: indexes on tables that workers write to meanwhile.

The first line of such a file is `-- outside a transaction`. Its statements run one by one, and again from the first
where one was cut short; so each must be safe to run again. `CREATE INDEX CONCURRENTLY name ON table ...` is made so
here: an index that is whole stays, one that was left half made goes first, and a partitioned table, for which
PostgreSQL knows no such statement, gets its index partition by partition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from psycopg import Connection, sql

from service.adapters.postgres.patience import LOCK_TIMEOUT, Patience
from service.adapters.postgres.queries import load_queries

_MARK: Final = b"-- outside a transaction"
# Comments, texts, names and bodies of functions, in which a semicolon ends nothing. (E'...' with \' is not known.)
_PIECE: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(\$\w*\$).*?\1|;", re.DOTALL)
_INDEX: Final = re.compile(
    r"CREATE\s+(?P<unique>UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>\w+)\s+"
    r"ON\s+(?P<table>\w+)\s*(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_LONGEST_NAME: Final = 63
_Q: Final = load_queries("migrating.sql")


def is_outside(script: bytes) -> bool:
    """Whether a migration runs outside a transaction."""
    return script.split(b"\n", 1)[0].strip() == _MARK


def statements(script: str) -> Iterator[str]:
    """The statements of a script, without comments around them."""
    text = ""
    at = 0
    for piece in _PIECE.finditer(script):
        text += script[at : piece.start()]
        at = piece.end()
        if piece[0] == ";":
            yield text.strip()
            text = ""
        elif not piece[0].startswith(("--", "/*")):
            text += piece[0]
    if rest := (text + script[at:]).strip():
        yield rest


class _Index(NamedTuple):
    name: str
    unique: str
    rest: str  # what follows the table's name

    def statement(self, how: str, table: str) -> bytes:
        """The texts come with the package, and from the catalogue, quoted there."""
        return f"CREATE {self.unique}INDEX {how} {self.name} ON {table} {self.rest}".encode()


def run_outside(
    connection: Connection[Any], name: str, script: str, patience: Patience, say: Callable[[str], object]
) -> None:
    """Run the statements. Raises psycopg's errors; what was done until then stays done."""
    for statement in statements(script):
        found = _INDEX.fullmatch(statement)
        if found is None:
            _run(connection, name, statement.encode(), patience)
            continue
        index = _Index(found["name"], "UNIQUE " if found["unique"] else "", found["rest"])
        row = connection.execute(_Q["is_partitioned"], (found["table"],)).fetchone()
        make = _make_in_parts if row is not None and row[0] else _make
        make(connection, name, index, found["table"], patience, say)


def _make(
    connection: Connection[Any],
    what: str,
    index: _Index,
    table: str,
    patience: Patience,
    say: Callable[[str], object],
) -> None:
    row = connection.execute(_Q["is_valid"], (index.name,)).fetchone()
    if row is not None and row[0]:
        return
    if row is not None:
        say(f"{what}: dropping {index.name}, which was left half made")
        drop = sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(index.name))
        _wait_for_all(patience, what, lambda: connection.execute(drop))
    say(f"{what}: making {index.name} on {table}, while others write")
    create = index.statement("CONCURRENTLY", table)
    _wait_for_all(patience, what, lambda: connection.execute(create))


def _make_in_parts(
    connection: Connection[Any],
    what: str,
    index: _Index,
    table: str,
    patience: Patience,
    say: Callable[[str], object],
) -> None:
    """First the index of the whole, which new partitions get theirs by; it is valid once every partition has its part."""
    if connection.execute(_Q["is_valid"], (index.name,)).fetchone() is None:
        _run(connection, what, index.statement("IF NOT EXISTS", f"ONLY {table}"), patience)
    asked = {"table": table, "name": index.name}
    while lacking := [leaf for (leaf,) in connection.execute(_Q["unattached"], asked).fetchall()]:
        for leaf in lacking:
            part = index._replace(name=f"{leaf}_{index.name.removeprefix(f'{table}_')}"[:_LONGEST_NAME])
            _make(connection, what, part, leaf, patience, say)
            attach = sql.SQL("ALTER INDEX {} ATTACH PARTITION {}").format(
                sql.Identifier(index.name), sql.Identifier(part.name)
            )
            _run(connection, what, attach, patience)


def _run(connection: Connection[Any], what: str, statement: bytes | sql.Composed, patience: Patience) -> None:
    """A statement that takes its lock at once, or later."""
    patience.run(what, lambda: connection.execute(statement), lock_timeout=LOCK_TIMEOUT, statement_timeout="0")


def _wait_for_all(patience: Patience, what: str, step: Callable[[], object]) -> None:
    """CONCURRENTLY waits for every older transaction, in nobody's way; to give up would throw all of the work away."""
    patience.run(what, step, lock_timeout="0", statement_timeout="0")
