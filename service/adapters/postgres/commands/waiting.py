"""Keeps what people have seen of what waits in PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

from typing import Any, Final

from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.acknowledged import WAITING
from service.adapters.postgres.reading.bounds import BOUNDS, bound
from service.adapters.postgres.reading.returns import Pool
from service.application.access.bounds import Bounds
from service.application.access.callers import Who
from service.application.commands.acknowledging import Acknowledgement
from service.application.commands.waiting import WaitingException
from service.wire.models import EVENT_VOIDED
from service.wire.rows.exception_ids import NamedWait, Waits

_QUERIES: Final = load_queries("waiting.sql", {**BOUNDS, **WAITING})
_MOST: Final = 1000  # events that are counted


class PostgresWaitingExceptions:
    """`service.application.commands.waiting.WaitingExceptions`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def find(self, bounds: Bounds, named: NamedWait, seen: int | None) -> WaitingException | None:
        query = "delivered" if named.kind is Waits.CONNOTE else "parked"
        wanted = {"kind": named.kind.value, "subject": named.subject, "seen": seen, "most": _MOST, "void": EVENT_VOIDED}
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_QUERIES[query], wanted | bound(bounds), prepare=False).fetchone()
        if row is None:
            return None
        upto, events, since, is_newer, at, by, note = row
        acknowledged = None if at is None else Acknowledgement(at, by, note)
        if acknowledged is not None and bounds.is_impersonal:
            acknowledged = Acknowledgement(at, None, None)
        return WaitingException(named, upto, events, since, is_newer, acknowledged)

    def keep(self, found: WaitingException, who: Who, by: str, note: str) -> Acknowledgement | None:
        kind, subject = found.named
        parameters: dict[str, Any] = {"kind": kind.value, "subject": subject, "upto": found.upto}
        parameters |= {"token_no": who.token_no, "by": by, "note": note}
        with writing(self._pool) as connection:
            row = connection.execute(_QUERIES["keep"], parameters).fetchone()
        return None if row is None else Acknowledgement(*row)
