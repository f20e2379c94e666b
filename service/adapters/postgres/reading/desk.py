"""Reads what the operations desk shows of one return, on the web process's pool of connections."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.bounds import BOUNDS, bound, rows_seen, state_seen
from service.adapters.postgres.reading.pasts import read_pasts
from service.adapters.postgres.reading.returns import Pool
from service.adapters.postgres.reading.rows import read_rows, with_others, with_voids
from service.application.access.bounds import Bounds
from service.application.reading.desk import Match, ReturnDetail, SearchTerms, Standing
from service.application.reading.tracking import RecordedEvent
from service.domain.events import Event
from service.domain.journey import State
from service.wire.stored import decode_state

_QUERIES: Final = load_queries("desk.sql", BOUNDS)
_LAST_SEQ: Final = 2**31 - 1
_MOST_NAMED: Final = 2  # returns of a match


class PostgresDeskReading:
    """`service.application.reading.desk.DeskReading` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def find(self, bounds: Bounds, terms: SearchTerms) -> list[Match]:
        # By a retailer that is not seen nothing is found, and its returns are not walked over to say so.
        retailer = terms.retailer if bounds.everything or terms.retailer in bounds.retailers else None
        orders = [] if bounds.is_impersonal else list(terms.orders)
        parameters = {"numbers": list(terms.numbers), "orders": orders, "retailer": retailer, **bound(bounds)}
        with translated(), self._pool.connection() as connection, connection.transaction():
            rows = connection.execute(_QUERIES["find"], parameters).fetchall()
            connotes = [number for (number,) in connection.execute(_QUERIES["connotes"], parameters).fetchall()]
        found = [
            Match(kind, value, tuple(row[2] for row in group)[:_MOST_NAMED])
            for (kind, value), group in groupby(rows, key=lambda row: (row[0], row[1]))
        ]
        known = {match.value for match in found if match.kind == "connote"}
        return found + [Match("connote", number, ()) for number in connotes if number not in known]

    def return_detail(self, bounds: Bounds, return_id: str, before: int | None, limit: int) -> ReturnDetail | None:
        with translated(), self._pool.connection() as connection, connection.transaction():
            head = _head(connection, bounds, return_id)
            if head is None:
                return None
            return_no, state, standing = head
            rows, is_cut = read_rows(connection, "newest", return_no, _LAST_SEQ if before is None else before, limit)
            shown = rows_seen(connection, bounds, return_no, [RecordedEvent(*each) for each in rows])
            shown = with_others(connection, return_id, state, shown)
            state = with_voids(connection, return_no, state)
        return ReturnDetail(return_id, state, standing, shown, is_cut)

    def past(self, bounds: Bounds, return_id: str, limit: int) -> list[Event] | None:
        with translated(), self._pool.connection() as connection, connection.transaction():
            head = _head(connection, bounds, return_id)
            if head is None:
                return None
            found = read_pasts(connection, [head[0]], limit).get(head[0])
        return None if found is None else [each.event for each in found]


def _head(connection: Connection[Any], bounds: Bounds, return_id: str) -> tuple[int, State, Standing | None] | None:
    """The number, state and standing of a return that is seen."""
    row = connection.execute(_QUERIES["head"], (return_id,)).fetchone()
    if row is None:
        return None
    return_no, seq, version, document, status, since, hub = row
    state = state_seen(connection, bounds, return_no, decode_state(document, seq, version, b""))
    standing = None if status is None else Standing(status, since, hub)
    return None if state is None else (return_no, state, standing)
