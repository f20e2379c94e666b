"""Reads what the public pages need, on the web process's pool of connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.adapters.postgres.reading.rows import read_rows, with_voids
from service.application.reading.numbers import Match, look
from service.application.reading.public import Revision
from service.application.reading.redaction import Found
from service.application.reading.tracking import RecordedEvent
from service.domain.journey import State
from service.wire.stored import decode_state

_QUERIES: Final = load_queries("public.sql")
_MOST_ROWS: Final = 500  # of the newest; no parcel is scanned so often, and no page would be read that long
_MOST_ALIKE: Final = 20  # of one look; two that are not the same are too many already
_NOBODY: Final = "-"  # no number: so that nonsense takes as long to look up as any other number that leads nowhere


class PostgresPublicReading:
    """`service.application.reading.public.PublicReading` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def find(self, numbers: Sequence[str]) -> Found | None:
        known = list(numbers) or [_NOBODY]
        with translated(), self._pool.connection() as connection, connection.transaction():
            row = connection.execute(_QUERIES["find"], {"numbers": known}).fetchone()
            if row is None:
                return None
            return_no, number, seq, version, document = row
            rows, is_cut = read_rows(connection, "newest", return_no, seq + 1, _MOST_ROWS)
            state = with_voids(connection, return_no, decode_state(document, seq, version, b""))
        told = [RecordedEvent(*each) for each in reversed(rows)]
        return Found(number, state, told, is_whole=not is_cut and len(told) < _MOST_ROWS)

    def sharing(self, number: str) -> list[str]:
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES["sharing"], {"number": number, "most": _MOST_ALIKE}).fetchall()
        return [return_id for (return_id,) in rows]

    def alike(self, numbers: Sequence[str]) -> list[Match]:
        looks = list({look(number) for number in numbers})
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES["alike"], {"looks": looks, "most": _MOST_ALIKE}).fetchall()
        return [Match(*row) for row in rows]

    def states_of(self, numbers: Sequence[str]) -> dict[str, State]:
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES["states"], {"numbers": list(numbers)}).fetchall()
        return {number: decode_state(document, seq, version, b"") for number, seq, version, document in rows}

    def revisions(self, queries: Sequence[Sequence[str]]) -> list[Revision | None]:
        pairs = [(numbers[0], numbers[-1]) if numbers else (_NOBODY, _NOBODY) for numbers in queries]
        columns = {"first": [first for first, _ in pairs], "second": [second for _, second in pairs]}
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES["revisions"], columns).fetchall()
        found = {i: Revision(version, seq) for i, version, seq in rows}
        return [found.get(i) for i in range(1, len(pairs) + 1)]

    def completed(self, limit: int) -> list[State]:
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES["completed"], {"limit": limit}).fetchall()
        return [decode_state(document, seq, version, b"") for seq, version, document in rows]
