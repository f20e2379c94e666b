"""Keeps what people have seen of exceptions in PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.acknowledged import ACKNOWLEDGED
from service.adapters.postgres.reading.bounds import BOUNDS, bound
from service.adapters.postgres.reading.returns import Pool
from service.application.access.bounds import Bounds
from service.application.access.callers import Who
from service.application.commands.acknowledging import Acknowledgement, ReturnException, Said
from service.domain.milestones import Reason

_QUERIES: Final = load_queries("acknowledging.sql", {**BOUNDS, **ACKNOWLEDGED})
_MOST: Final = 1000  # events of an exception that are counted


class PostgresReturnExceptions:
    """`service.application.commands.acknowledging.ReturnExceptions`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def of_return(self, bounds: Bounds, return_id: str) -> list[ReturnException]:
        return [found for found in self._find(bounds, return_id, Reason) if found.events]

    def find(self, bounds: Bounds, return_id: str, reason: Reason) -> ReturnException | None:
        return next(iter(self._find(bounds, return_id, (reason,))), None)

    def said(self, found: ReturnException) -> list[Said]:
        parameters = {"return_no": found.return_no, "reason": found.reason.value, "most": _MOST}
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES["said"], parameters).fetchall()
        return [Said(type_, {"carrier": carrier, "hub": hub}) for type_, carrier, hub in rows]

    def keep(self, found: ReturnException, who: Who, by: str, note: str) -> Acknowledgement | None:
        parameters: dict[str, Any] = {name: getattr(found, name) for name in ("return_no", "seq")}
        parameters |= {"reason": found.reason.value, "token_no": who.token_no, "by": by, "note": note}
        with writing(self._pool) as connection:
            row = connection.execute(_QUERIES["keep"], parameters).fetchone()
        return None if row is None else Acknowledgement(*row)

    def _find(self, bounds: Bounds, return_id: str, reasons: Iterable[Reason]) -> list[ReturnException]:
        wanted = {"return_id": return_id, "reasons": [reason.value for reason in reasons], "most": _MOST}
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES["of_return"], wanted | bound(bounds), prepare=False).fetchall()
        return [_found(bounds, *row) for row in rows]


def _found(bounds: Bounds, return_no: int, return_id: str, reason: str, *rest: Any) -> ReturnException:
    seq, begun, events, since, at, by, note = rest
    seen = None if at is None else Acknowledgement(at, by, note)
    if seen is not None and bounds.is_impersonal:
        seen = Acknowledgement(at, None, None)
    return ReturnException(return_no, return_id, Reason(reason), seq, begun, events, since, seen)
