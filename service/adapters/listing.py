"""Reads pages of lists, on the web process's pool of connections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from service.adapters.database import translated
from service.adapters.queries import load_queries
from service.adapters.reading import Pool
from service.application.listing import (
    ExceptionFilter,
    Letter,
    LetterFilter,
    ListedException,
    ListedReturn,
    ParkedEvent,
    ReturnFilter,
)

_QUERIES: Final = load_queries("listing.sql")
_EVER: Final = "infinity"
_NEVER: Final = "-infinity"
_LAST_KIND: Final = "~"  # behind every kind of parked event


class PostgresListing:
    """`service.application.listing.Listing` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def returns(
        self, wanted: ReturnFilter, due: Mapping[str, datetime], after: int | None, limit: int
    ) -> list[ListedReturn]:
        fresh = json.dumps({status: at.isoformat() for status, at in due.items()}) if wanted.stuck is False else None
        asked = wanted._asdict() | {"after": after, "limit": limit, "due": fresh}
        return [ListedReturn(*row) for row in self._ask("returns", asked)]

    def stuck_returns(
        self, wanted: ReturnFilter, due: Mapping[str, datetime], after: tuple[datetime, int] | None, limit: int
    ) -> list[ListedReturn]:
        statuses = [status for status in due if wanted.status in (None, status)]
        at, return_no = after or (_NEVER, 0)
        asked = wanted._asdict() | {"statuses": statuses, "due": [due[status] for status in statuses]}
        asked |= {"after_at": at, "after": return_no, "limit": limit}
        return [ListedReturn(*row) for row in self._ask("stuck_returns", asked)]

    def exceptions(
        self, wanted: ExceptionFilter, after: tuple[datetime, int, int] | None, limit: int
    ) -> list[ListedException]:
        at, return_no, seq = after or (_EVER, 0, 0)
        asked = wanted._asdict() | {"after_at": at, "return_no": return_no, "seq": seq, "limit": limit}
        return [ListedException(*row) for row in self._ask("exceptions", asked)]

    def parked(
        self, wanted: ExceptionFilter, after: tuple[datetime, str, str, str, str] | None, limit: int
    ) -> list[ParkedEvent]:
        at, kind, subject, source, id_ = after or (_EVER, _LAST_KIND, "", "", "")
        asked = wanted._asdict() | {"after_at": at, "kind": kind, "subject": subject, "source": source, "id": id_}
        return [ParkedEvent(*row) for row in self._ask("parked", asked | {"limit": limit})]

    def letters(self, wanted: LetterFilter, after: tuple[datetime, int] | None, limit: int, most: int) -> list[Letter]:
        at, letter_no = after or (_EVER, 0)
        asked = wanted._asdict() | {"after_at": at, "after": letter_no, "limit": limit, "most": most}
        return [Letter(*row) for row in self._ask("letters", asked)]

    def letter(self, letter_no: int) -> Letter | None:
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_QUERIES["letter"], (letter_no,)).fetchone()
        return None if row is None else Letter(*row)

    def _ask(self, query: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with translated(), self._pool.connection() as connection:
            return connection.execute(_QUERIES[query], parameters).fetchall()
