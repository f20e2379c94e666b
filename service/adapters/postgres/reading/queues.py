"""Reads what the operations desk shows besides lists, on the web process's pool of connections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from service.adapters.postgres.database import translated
from service.adapters.postgres.journal.rows import stored_of
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.acknowledged import ACKNOWLEDGED, WAITING
from service.adapters.postgres.reading.bounds import BOUNDS, bound
from service.adapters.postgres.reading.returns import Pool
from service.application.access.bounds import Bounds, Everything
from service.application.ports import Partition, Stored
from service.application.reading.exceptions.queues import (
    MOST_COUNTED,
    MOST_FUSES,
    MOST_GROUPS,
    DayCount,
    FuseState,
    ProjectionLag,
    Size,
    Sizes,
    UnmappedCode,
)
from service.domain.exceptional import EXCEPTIONAL_VERDICTS, QUEUED
from service.wire.reasons import Invalid

_QUERIES: Final = load_queries("queues.sql", {**BOUNDS, **ACKNOWLEDGED, **WAITING})
_FUSES: Final = load_queries("fuses.sql")
_EXCEPTIONAL: Final = [verdict.value for verdict in EXCEPTIONAL_VERDICTS]
_CIRCUMSTANCES: Final = [reason.value for reason in QUEUED]
_REASONS: Final = [reason.value for reason in Invalid]
_MOST: Final = {"most": MOST_COUNTED + 1}


class PostgresQueues:
    """`service.application.reading.exceptions.queues.Queues` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def sizes(self, bounds: Bounds, due: Mapping[str, datetime]) -> Sizes:
        parameters = {
            "statuses": list(due),
            "due": list(due.values()),
            "verdicts": _EXCEPTIONAL,
            "reasons": _REASONS,
            "circumstances": _CIRCUMSTANCES,
            **bound(bounds),
            **_MOST,
        }
        names = ("stuck", "exceptions", "in_use", "parked", "letters", "circumstances")
        with translated(), self._pool.connection() as connection, connection.transaction():
            stuck, exceptions, in_use, parked, letters, circumstances = (
                connection.execute(_QUERIES[name], parameters, prepare=False).fetchall() for name in names
            )
        known = _sizes(stuck), _sizes(exceptions), Size(*in_use[0]), Size(*parked[0]), _sizes(letters)
        return Sizes(*known, _sizes(circumstances))

    def unmapped(self, bounds: Bounds) -> list[UnmappedCode]:
        rows = self._ask("unmapped", groups=MOST_GROUPS, **_MOST, **bound(bounds))
        return [
            UnmappedCode(carrier, code, reason, Size(number, oldest), newest, example)
            for carrier, code, reason, number, oldest, newest, example in rows
        ]

    def counts(self, _: Everything) -> dict[tuple[str, str], int]:
        return {(route, status): returns for route, status, returns in self._ask("counts")}

    def days(self, _: Everything, since: date) -> list[DayCount]:
        return [DayCount(*row) for row in self._ask("days", since=since)]

    def minutes(self, _: Everything, since: datetime) -> dict[datetime, int]:
        return dict(self._ask("minutes", since=since))

    def offsets(self, _: Everything) -> dict[Partition, Stored]:
        return {(topic, partition): stored_of(*rest) for topic, partition, *rest in self._ask("offsets")}

    def fuses(self, _: Everything) -> list[FuseState]:
        with translated(), self._pool.connection() as connection:
            return [FuseState(*row) for row in connection.execute(_FUSES["fuses"], (MOST_FUSES,)).fetchall()]

    def projection_lag(self, _: Everything) -> ProjectionLag:
        return ProjectionLag(*self._ask("projection_lag")[0])

    def _ask(self, name: str, **parameters: Any) -> list[Any]:
        with translated(), self._pool.connection() as connection:
            return connection.execute(_QUERIES[name], parameters, prepare=False).fetchall()


def _sizes(rows: list[Any]) -> dict[str, Size]:
    return {name: Size(*size) for name, *size in rows}
