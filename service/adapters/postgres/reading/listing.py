"""Reads pages of lists, on the web process's pool of connections."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import sql

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.application.reading.listing import (
    ExceptionFilter,
    Letter,
    LetterFilter,
    ListedException,
    ListedReturn,
    ParkedEvent,
    ReturnFilter,
    Row,
    Window,
)

_QUERIES: Final = load_queries("listing.sql")
# Of a list, by one question. It takes some 10 ms; where the filters let fewer through than a page holds, the page is short.
MOST_LOOKED_AT: Final = 10_000
_EVER: Final = "infinity"
_NEVER: Final = "-infinity"
_LAST_KIND: Final = "~"  # behind every kind of parked event
_COMMA: Final = sql.SQL(", ")
_ONLY: Final = {
    None: sql.SQL(""),
    True: sql.SQL(" AND resolved_at IS NULL"),
    False: sql.SQL(" AND resolved_at IS NOT NULL"),
}
_Query = LiteralString | sql.Composed
_Ask = Callable[[_Query, Mapping[str, Any]], list[tuple[Any, ...]]]


class _Range(NamedTuple):
    """An index that has these columns before those of the list's order; of all rows, or of the open or resolved ones."""

    columns: tuple[str, ...] = ()
    open: bool | None = None

    def serves(self, parameters: Mapping[str, Any]) -> bool:
        return all(parameters[column] is not None for column in self.columns) and self.open in (
            None,
            parameters.get("open"),
        )


class _Order(NamedTuple):
    """What a list goes by.

    `key` names the columns of its order, with their types; `by` the indexes that have others before those, the best
    first; `outer` what filters the rows that are looked at. Where something in `rare` is asked for there is no need to
    look at many.
    """

    key: tuple[tuple[str, str], ...]
    by: tuple[_Range, ...]
    outer: tuple[str, ...]
    rare: tuple[str, ...] = ()


_RETURNS: Final = _Order(
    (("return_no", "int8"),),
    tuple(
        map(
            _Range,
            (
                ("retailer", "status"),
                ("hub", "status"),
                ("carrier", "status"),
                ("retailer",),
                ("hub",),
                ("carrier",),
                ("status",),
            ),
        )
    ),
    ("status", "retailer", "route", "carrier", "hub", "due"),
    ("tracking_number", "order_number", "connote"),
)
_EXCEPTIONS: Final = _Order(
    (("recorded_at", "timestamptz"), ("return_no", "int8"), ("seq", "int4")),
    (
        _Range(("code",)),
        _Range(("reason",), open=True),
        _Range(("verdict",), open=True),
        _Range(("reason",)),
        _Range(("verdict",)),
        _Range(("carrier",)),
        _Range(open=True),
        _Range(open=False),
    ),
    ("verdict", "reason", "carrier", "code", "open"),
    ("return_id",),
)
_LETTERS: Final = _Order(
    (("recorded_at", "timestamptz"), ("letter_no", "int8")),
    (_Range(("reason",), open=True), _Range(("reason",)), _Range(("topic",)), _Range(open=True), _Range(open=False)),
    ("reason", "topic", "open"),
)


class PostgresListing:
    """`service.application.reading.listing.Listing` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def returns(
        self, wanted: ReturnFilter, due: Mapping[str, datetime], after: int | None, limit: int
    ) -> Window[ListedReturn]:
        fresh = json.dumps({status: at.isoformat() for status, at in due.items()}) if wanted.stuck is False else None
        parameters = wanted._asdict() | {"limit": limit, "due": fresh}
        before = (2**63 - 1 if after is None else after,)
        return self._range("returns", _RETURNS, parameters, before, (0,), ListedReturn)

    def stuck_returns(
        self, wanted: ReturnFilter, due: Mapping[str, datetime], after: tuple[datetime, int] | None, limit: int
    ) -> Window[ListedReturn]:
        statuses = [status for status in due if wanted.status in (None, status)]
        at, return_no = after or (_NEVER, 0)
        parameters = wanted._asdict() | {"statuses": statuses, "due": [due[status] for status in statuses]}
        is_narrowed = any(value is not None for value in (wanted.route, wanted.carrier, wanted.hub))
        most = MOST_LOOKED_AT // (len(statuses) or 1) if is_narrowed else limit
        parameters |= {"after_at": at, "after": return_no, "limit": limit, "most": most}
        with self._moment() as ask:
            rows = [ListedReturn(*row) for row in ask(_QUERIES["stuck_returns"], parameters)]
            upto = next(iter(ask(_QUERIES["stuck_returns_upto"], parameters)), None) if is_narrowed else None
        if upto is None:
            return Window(rows)
        # Of other statuses it was looked further; those have to wait.
        return Window([row for row in rows if (row.status_recorded_at, row.return_no) <= upto], upto)

    def exceptions(
        self, wanted: ExceptionFilter, after: tuple[datetime, int, int] | None, limit: int
    ) -> Window[ListedException]:
        parameters = wanted._asdict() | {"limit": limit}
        before, behind = after or (_EVER, 0, 0), (_NEVER, 0, 0)
        return self._range("exceptions", _EXCEPTIONS, parameters, before, behind, ListedException)

    def parked(
        self, wanted: ExceptionFilter, after: tuple[datetime, str, str, str, str] | None, limit: int
    ) -> Window[ParkedEvent]:
        at, kind, subject, source, id_ = after or (_EVER, _LAST_KIND, "", "", "")
        parameters = wanted._asdict() | {"after_at": at, "kind": kind, "subject": subject, "source": source, "id": id_}
        is_narrowed = wanted.carrier is not None or wanted.code is not None
        parameters |= {"limit": limit, "most": MOST_LOOKED_AT if is_narrowed else limit}
        return self._look(_QUERIES["parked"], _QUERIES["parked_upto"] if is_narrowed else None, parameters, ParkedEvent)

    def letters(
        self, wanted: LetterFilter, after: tuple[datetime, int] | None, limit: int, most: int
    ) -> Window[Letter]:
        parameters = wanted._asdict() | {"limit": limit, "most_bytes": most}
        places = [*([after] if after else []), *([(wanted.until, 0)] if wanted.until else [])]
        before = min(places, default=(_EVER, 0))
        return self._range("letters", _LETTERS, parameters, before, (wanted.since or _NEVER, 0), Letter)

    def letter(self, letter_no: int) -> Letter | None:
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_QUERIES["letter"], (letter_no,)).fetchone()
        return None if row is None else Letter(*row)

    @contextmanager
    def _moment(self) -> Iterator[_Ask]:
        """Ask several questions of one moment. Each is planned with its own values."""
        with translated(), self._pool.connection() as connection, connection.transaction():
            yield lambda query, parameters: connection.execute(query, parameters, prepare=False).fetchall()

    def _look(
        self, query: _Query, upto: _Query | None, parameters: Mapping[str, Any], row_type: Callable[..., Row]
    ) -> Window[Row]:
        """What `query` finds; `upto` tells where it ended, if it found too little and stopped looking."""
        if upto is None:
            with translated(), self._pool.connection() as connection:
                return Window([row_type(*row) for row in connection.execute(query, parameters, prepare=False)])
        with self._moment() as ask:
            rows = [row_type(*row) for row in ask(query, parameters)]
            ended = ask(upto, parameters) if len(rows) < parameters["limit"] else []
        return Window(rows, ended[0] if ended else None)

    def _range(
        self,
        query: str,
        order: _Order,
        parameters: dict[str, Any],
        before: Sequence[Any],
        behind: Sequence[Any],
        row_type: Callable[..., Row],
    ) -> Window[Row]:
        """The rows with a key between the two, both excluded, the greatest first."""
        by = _Range()
        if all(parameters[column] is None for column in order.rare):
            by = next((each for each in order.by if each.serves(parameters)), by)
        bounds: dict[str, Any] = {f"by_{column}": parameters[column] for column in by.columns}
        bounds |= {f"before_{name}": value for (name, _), value in zip(order.key, before, strict=True)}
        bounds |= {f"behind_{name}": value for (name, _), value in zip(order.key, behind, strict=True)}
        settled = {*by.columns, *(("open",) if by.open is not None else ())}
        is_narrowed = any(parameters[name] is not None for name in order.outer if name not in settled)
        bounds["most"] = MOST_LOOKED_AT if is_narrowed else parameters["limit"]
        upto = _ranged(f"{query}_upto", by, order.key) if is_narrowed else None
        return self._look(_ranged(query, by, order.key), upto, parameters | bounds, row_type)


@cache
def _ranged(query: str, by: _Range, key: tuple[tuple[str, str], ...]) -> sql.Composed:
    """The query over one range of the index on these columns and the key, in its order."""
    key_names = [sql.Identifier(name) for name, _ in key]
    names = [*map(sql.Identifier, by.columns), *key_names]

    def bound(which: str) -> sql.Composed:
        values = [(f"by_{column}", "text") for column in by.columns] + [
            (f"{which}_{name}", type_) for name, type_ in key
        ]
        return _COMMA.join(sql.SQL("{}::{}").format(sql.Placeholder(n), sql.Identifier(t)) for n, t in values)

    # An index without nulls serves where it is said that they are not wanted.
    only = [sql.SQL(" AND {} IS NOT NULL").format(sql.Identifier(column)) for column in by.columns]
    within = sql.SQL("ROW ({names}) < ROW ({before}) AND ROW ({names}) > ROW ({behind}){only}").format(
        names=_COMMA.join(names),
        before=bound("before"),
        behind=bound("behind"),
        only=sql.Composed([_ONLY[by.open], *only]),
    )
    order = _COMMA.join(sql.SQL("{} DESC").format(name) for name in names)
    return sql.SQL(_QUERIES[query]).format(within=within, order=order, key=_COMMA.join(key_names))
