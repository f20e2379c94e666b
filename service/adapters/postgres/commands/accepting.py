"""What accepting events asks of PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.bounds import BOUNDS, bound, state_seen
from service.adapters.postgres.reading.returns import Pool
from service.adapters.postgres.reading.rows import windows_of
from service.application.access.bounds import Bounds
from service.domain.journey import State
from service.domain.labels import Windows
from service.wire.inbound import SubjectKind
from service.wire.stored import decode_state

_QUERIES: Final = load_queries("accepting.sql", BOUNDS)


class PostgresSubjects:
    """`service.application.commands.accepting.Subjects`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def states(self, bounds: Bounds, kind: SubjectKind, subject: str, limit: int) -> list[tuple[str, State]]:
        wanted = {"subject": subject, "limit": limit, **bound(bounds)}
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES[f"of_{kind}"], wanted).fetchall()
            found = [
                (return_id, state_seen(connection, bounds, return_no, decode_state(document, seq, version, seen)))
                for return_no, return_id, seq, version, seen, document in rows
            ]
        return [(return_id, state) for return_id, state in found if state is not None]

    def windows(self, return_ids: Sequence[str]) -> dict[str, Windows]:
        with translated(), self._pool.connection() as connection:
            return windows_of(connection, return_ids)
