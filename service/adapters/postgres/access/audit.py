"""Keeps the audit log in PostgreSQL, on the web process's pool of connections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.application.access.audit import Action, AuditEntry, Key
from service.application.access.bounds import Everything
from service.application.access.callers import Who

_QUERIES: Final = load_queries("audit.sql")
_LAST: Final = 2**63 - 1


class PostgresAudit:
    """`service.application.access.audit.Audit`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def note(
        self, who: Who, action: Action, subject: str | None = None, detail: Mapping[Key, str | int] | None = None
    ) -> None:
        row = (who.token_no, who.label, action.value, subject, json.dumps(detail or {}))
        with writing(self._pool) as connection:
            connection.execute(_QUERIES["note"], row)

    def entries(self, _: Everything, subject: str | None, before: int | None, limit: int) -> list[AuditEntry]:
        query = _QUERIES["entries" if subject is None else "entries_of"]
        parameters = {"subject": subject, "before": _LAST if before is None else before, "limit": limit}
        with translated(), self._pool.connection() as connection:
            return [AuditEntry(*row) for row in connection.execute(query, parameters).fetchall()]
