"""Reads what the operations desk shows of one return or connote, on the web process's pool of connections."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.application.reading.desk import Connote, Delivery, Match, Member, ReturnDetail, SearchTerms, Standing
from service.application.reading.tracking import RecordedEvent
from service.domain.events import Event
from service.wire.stored import decode_state, stored_event

_QUERIES: Final = load_queries("desk.sql")
_LAST_SEQ: Final = 2**31 - 1
_MOST_DELIVERIES: Final = 50
_MOST_NAMED: Final = 2  # returns of a match


class PostgresDeskReading:
    """`service.application.reading.desk.DeskReading` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def find(self, terms: SearchTerms) -> list[Match]:
        parameters = terms._asdict() | {"numbers": list(terms.numbers), "orders": list(terms.orders)}
        with translated(), self._pool.connection() as connection, connection.transaction():
            rows = connection.execute(_QUERIES["find"], parameters).fetchall()
            connotes = [number for (number,) in connection.execute(_QUERIES["connotes"], parameters).fetchall()]
        found = [
            Match(kind, value, tuple(row[2] for row in group)[:_MOST_NAMED])
            for (kind, value), group in groupby(rows, key=lambda row: (row[0], row[1]))
        ]
        known = {match.value for match in found if match.kind == "connote"}
        return found + [Match("connote", number, ()) for number in connotes if number not in known]

    def return_detail(self, return_id: str, before: int | None, limit: int) -> ReturnDetail | None:
        with translated(), self._pool.connection() as connection, connection.transaction():
            row = connection.execute(_QUERIES["head"], (return_id,)).fetchone()
            if row is None:
                return None
            return_no, seq, version, document, status, since, hub = row
            parameters = (return_no, _LAST_SEQ if before is None else before, limit)
            rows = connection.execute(_QUERIES["rows"], parameters).fetchall()
        standing = None if status is None else Standing(status, since, hub)
        state = decode_state(document, seq, version, b"")
        return ReturnDetail(return_id, state, standing, [RecordedEvent(*each) for each in rows])

    def past(self, return_id: str, limit: int) -> list[Event] | None:
        with translated(), self._pool.connection() as connection, connection.transaction():
            row = connection.execute(_QUERIES["head"], (return_id,)).fetchone()
            rows = [] if row is None else connection.execute(_QUERIES["past"], (row[0], limit + 1)).fetchall()
        return [stored_event(*each) for each in rows] if len(rows) <= limit else None

    def connote(self, connote: str, after: int, limit: int) -> Connote | None:
        with translated(), self._pool.connection() as connection, connection.transaction():
            members = connection.execute(_QUERIES["members"], (connote, after, limit)).fetchall()
            statuses = connection.execute(_QUERIES["statuses"], (connote,)).fetchall()
            deliveries = connection.execute(_QUERIES["deliveries"], (connote, _MOST_DELIVERIES)).fetchall()
        if not statuses and not deliveries:
            return None
        return Connote([Member(*row) for row in members], list(statuses), [Delivery(*row) for row in deliveries])
