"""A pool for adapters that notes how what they ask is planned, and how long it takes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from psycopg import Connection, Cursor, sql

from service.adapters.postgres.reading.returns import Pool

_EXPLAIN = sql.SQL("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ")
_INDEX = re.compile(r"(?:Index Scan|Index Only Scan)(?: Backward)? using (\w+)|Bitmap Index Scan on (\w+)")


class Explained:
    """One connection, in the place of a pool of them; `plans` is None while nobody wants to know."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self.seconds = 0.0
        self.plans: list[str] | None = None

    @property
    def pool(self) -> Pool:
        """What adapters take it for."""
        return cast("Pool", self)

    @contextmanager
    def connection(self, **_: Any) -> Iterator[Explained]:
        yield self

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            yield

    def execute(self, query: Any, parameters: Any = None, *, prepare: bool | None = None) -> Cursor[Any]:
        if self.plans is not None:
            asked = _EXPLAIN + (sql.SQL(query) if isinstance(query, str) else query)
            lines = [line for (line,) in self._connection.execute(asked, parameters, prepare=False)]
            # Of the history's partitions one is looked at, the others stand in the plan all the same.
            self.plans.append("\n".join(line for line in lines if "never executed" not in line))
        started = time.perf_counter()
        cursor = self._connection.execute(query, parameters, prepare=prepare)
        self.seconds += time.perf_counter() - started
        return cursor


def indexes(plan: str) -> set[str]:
    """The indexes that a plan goes by; of partitions, that of the table."""
    return {re.sub(r"^history_\d+_", "history_", one or other) for one, other in _INDEX.findall(plan)}


def scans(plan: str) -> set[str]:
    """The tables that a plan reads from end to end."""
    return set(re.findall(r"Seq Scan on (\w+)", plan))
