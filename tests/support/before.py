"""A database as the release before rules had a version left it, and what its relay had published: `before.xz`.

It was made by that release's own code, and is made so again, should more be wanted in it:

    git worktree add --detach .local/before 1273faa && ln -s "$PWD/.venv" .local/before/.venv
    python -m deploy.local.stack during python -m tests.support.before .local/before
"""

from __future__ import annotations

import base64
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql

from service.adapters.postgres.migrations import migrate, shipped
from service.application.journal.slices import Position
from service.config import Settings
from service.simulator.options import Options
from service.simulator.world import World
from tests.support import upgrading
from tests.support.databases import Databases

FILE: Final = Path(__file__).parents[1] / "data" / "before.xz"
LAST_MIGRATION: Final = 19
_NOW: Final = 1_795_690_000.0
_RETURNS: Final = 70
_TABLES: Final = """
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""
_SEQUENCES: Final = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"


class Told(NamedTuple):
    """A message that the release before published: to which of the output topics, and what."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Before(NamedTuple):
    """What was published, and how far the relay was."""

    messages: list[Told]
    position: Position


def load(url: str) -> Before:
    """Make of an empty database the one of before."""
    kept = json.loads(lzma.decompress(FILE.read_bytes()))
    migrate(url, [each for each in shipped() if each.number <= LAST_MIGRATION])
    with psycopg.connect(url) as connection:
        known: dict[str, str] = dict(connection.execute("SELECT name, checksum FROM migrations").fetchall())
        assert known == kept["migrations"], "a migration was changed after it was released"
        for table, rows in kept["tables"].items():
            name = sql.Identifier(table)
            connection.execute(sql.SQL("TRUNCATE {}").format(name))
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(name)) as copy:
                copy.write(rows)
        for sequence, value in kept["sequences"].items():
            connection.execute("SELECT setval(%s::regclass, %s)", (sequence, value))
    return Before([_told(*each) for each in kept["messages"]], Position(*kept["position"]))


def _told(topic: str, key: str | None, value: str | None, headers: list[tuple[str, str]]) -> Told:
    said = [(name, base64.b64decode(text)) for name, text in headers]
    return Told(topic, _part(key), _part(value), said)


def _part(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _records() -> Iterator[tuple[str, str, str, list[tuple[str, str]]]]:
    """What came in: every oddity, and a simulated world in which numbers come again."""
    options = Options(returns=_RETURNS, seed=14, rate=0, late=0.1, wrong_code=0.03, recycled=0.2)
    oddities = upgrading.as_messages(upgrading.oddities(), Settings())
    world = ((each.topic, each.key, each.value, each.headers) for each in World(options, lambda: _NOW).messages())
    for topic, key, value, headers in (*oddities, *world):
        said = [(name, base64.b64encode(text).decode()) for name, text in headers]
        yield topic, base64.b64encode(key or b"").decode(), base64.b64encode(value or b"").decode(), said


def _last_of_each_key(messages: list[list[Any]]) -> list[list[Any]]:
    """As compaction leaves them: of the current statuses the last one of each return."""
    last = {key: at for at, (topic, key, *_) in enumerate(messages) if topic == "current"}
    return [each for at, each in enumerate(messages) if each[0] != "current" or last[each[1]] == at]


def make(tree: Path) -> None:
    """Write the file anew, with the code of the release that stands in this folder."""
    databases = Databases(os.environ["RETURNS_DATABASE_URL"])
    url = databases.create()
    filling = Path(__file__).with_name("before_filled.py")
    done = subprocess.run(
        [sys.executable, "-P", str(filling), url],
        input=json.dumps(list(_records())),
        env={**os.environ, "PYTHONPATH": str(tree.resolve())},
        cwd=tree,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    kept: dict[str, Any] = json.loads(done.stdout)
    kept |= {"messages": _last_of_each_key(kept["messages"]), "tables": {}}
    with psycopg.connect(url) as connection:
        kept["migrations"] = dict(connection.execute("SELECT name, checksum FROM migrations").fetchall())
        sequences = connection.execute(_SEQUENCES).fetchall()
        kept["sequences"] = {name: value for name, value in sequences if value is not None}
        for (table,) in connection.execute(_TABLES).fetchall():
            read = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(table))
            with connection.cursor().copy(read) as copy:
                rows = b"".join(bytes(block) for block in copy).decode()
            if rows and table != "migrations":
                kept["tables"][table] = rows
    databases.drop(url)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(lzma.compress(json.dumps(kept).encode()))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
