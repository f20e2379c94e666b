"""What accepting events asks of PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

from typing import Final

from service.adapters.postgres.access.tokens import digest
from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.domain.journey import State
from service.wire.inbound import SubjectKind
from service.wire.stored import decode_state

_QUERIES: Final = load_queries("accepting.sql")
_TOKENS: Final = load_queries("tokens.sql")


class PostgresSubjects:
    """`service.application.commands.accepting.Subjects`, and whose a token is."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def states(self, kind: SubjectKind, subject: str, limit: int) -> list[tuple[str, State]]:
        wanted = {"subject": subject, "limit": limit}
        with translated(), self._pool.connection() as connection:
            rows = connection.execute(_QUERIES[f"of_{kind}"], wanted).fetchall()
        return [
            (return_id, decode_state(document, seq, version, seen)) for return_id, seq, version, seen, document in rows
        ]

    def publisher_of(self, token: str) -> str | None:
        """In whose name the token sends; None for one that is not valid. Raises Retryable."""
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_TOKENS["publisher_of"], (digest(token),)).fetchone()
        return None if row is None else str(row[0])
