"""Reads pages of lists, on the web process's pool of connections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import sql

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
_COMMA: Final = sql.SQL(", ")


class _Order(NamedTuple):
    """What a list goes by.

    `key` names the columns of its order, with their types; `by` the columns that an index has before those, of which
    the first are taken whose values are all wanted, unless something in `rare` is: little is left then anyway.
    """

    key: tuple[tuple[str, str], ...]
    by: tuple[tuple[str, ...], ...]
    rare: tuple[str, ...] = ()


_RETURNS: Final = _Order(
    (("return_no", "int8"),),
    (("retailer", "status"), ("retailer",), ("hub",), ("carrier",), ("status",)),
    ("tracking_number", "order_number", "connote"),
)
_EXCEPTIONS: Final = _Order(
    (("recorded_at", "timestamptz"), ("return_no", "int8"), ("seq", "int4")),
    (("reason",), ("verdict",), ("carrier",)),
    ("return_id", "code"),
)
_LETTERS: Final = _Order((("recorded_at", "timestamptz"), ("letter_no", "int8")), (("reason",), ("topic",)))


class PostgresListing:
    """`service.application.listing.Listing` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def returns(
        self, wanted: ReturnFilter, due: Mapping[str, datetime], after: int | None, limit: int
    ) -> list[ListedReturn]:
        fresh = json.dumps({status: at.isoformat() for status, at in due.items()}) if wanted.stuck is False else None
        asked = wanted._asdict() | {"limit": limit, "due": fresh}
        before = (2**63 - 1 if after is None else after,)
        return [ListedReturn(*row) for row in self._range("returns", _RETURNS, asked, before, (0,))]

    def stuck_returns(
        self, wanted: ReturnFilter, due: Mapping[str, datetime], after: tuple[datetime, int] | None, limit: int
    ) -> list[ListedReturn]:
        statuses = [status for status in due if wanted.status in (None, status)]
        at, return_no = after or (_NEVER, 0)
        asked = wanted._asdict() | {"statuses": statuses, "due": [due[status] for status in statuses]}
        asked |= {"after_at": at, "after": return_no, "limit": limit}
        return [ListedReturn(*row) for row in self._ask(_QUERIES["stuck_returns"], asked)]

    def exceptions(
        self, wanted: ExceptionFilter, after: tuple[datetime, int, int] | None, limit: int
    ) -> list[ListedException]:
        asked = wanted._asdict() | {"limit": limit}
        rows = self._range("exceptions", _EXCEPTIONS, asked, after or (_EVER, 0, 0), (_NEVER, 0, 0))
        return [ListedException(*row) for row in rows]

    def parked(
        self, wanted: ExceptionFilter, after: tuple[datetime, str, str, str, str] | None, limit: int
    ) -> list[ParkedEvent]:
        at, kind, subject, source, id_ = after or (_EVER, _LAST_KIND, "", "", "")
        asked = wanted._asdict() | {"after_at": at, "kind": kind, "subject": subject, "source": source, "id": id_}
        return [ParkedEvent(*row) for row in self._ask(_QUERIES["parked"], asked | {"limit": limit})]

    def letters(self, wanted: LetterFilter, after: tuple[datetime, int] | None, limit: int, most: int) -> list[Letter]:
        asked = wanted._asdict() | {"limit": limit, "most": most}
        places = [*([after] if after else []), *([(wanted.until, 0)] if wanted.until else [])]
        before = min(places, default=(_EVER, 0))
        return [Letter(*row) for row in self._range("letters", _LETTERS, asked, before, (wanted.since or _NEVER, 0))]

    def letter(self, letter_no: int) -> Letter | None:
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_QUERIES["letter"], (letter_no,)).fetchone()
        return None if row is None else Letter(*row)

    def _ask(self, query: LiteralString | sql.Composed, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with translated(), self._pool.connection() as connection:
            return connection.execute(query, parameters, prepare=False).fetchall()

    def _range(
        self, query: str, order: _Order, asked: dict[str, Any], before: Sequence[Any], behind: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        """The rows with a key between the two, both excluded, the greatest first."""
        by: tuple[str, ...] = ()
        if all(asked[column] is None for column in order.rare):
            by = next((columns for columns in order.by if all(asked[column] is not None for column in columns)), ())
        bounds = {f"by_{column}": asked[column] for column in by} | dict.fromkeys(by)
        bounds |= {f"before_{name}": value for (name, _), value in zip(order.key, before, strict=True)}
        bounds |= {f"behind_{name}": value for (name, _), value in zip(order.key, behind, strict=True)}
        return self._ask(_ranged(query, by, order.key), asked | bounds)


@cache
def _ranged(query: str, by: tuple[str, ...], key: tuple[tuple[str, str], ...]) -> sql.Composed:
    """The query over one range of the index on these columns and the key, in its order."""
    names = [sql.Identifier(name) for name in (*by, *(name for name, _ in key))]

    def bound(which: str) -> sql.Composed:
        values = [(f"by_{column}", "text") for column in by] + [(f"{which}_{name}", type_) for name, type_ in key]
        return _COMMA.join(sql.SQL("{}::{}").format(sql.Placeholder(n), sql.Identifier(t)) for n, t in values)

    within = sql.SQL("ROW ({names}) < ROW ({before}) AND ROW ({names}) > ROW ({behind})").format(
        names=_COMMA.join(names), before=bound("before"), behind=bound("behind")
    )
    order = _COMMA.join(sql.SQL("{} DESC").format(name) for name in names)
    return sql.SQL(_QUERIES[query]).format(within=within, order=order)
