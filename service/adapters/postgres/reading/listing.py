"""Reads pages of lists, on the web process's pool of connections.

Which columns a list has, what it goes by and what it is filtered by is declared in `service.application.reading`; here
stands which indexes serve it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import cache
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import sql

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.acknowledged import ACKNOWLEDGED, WAITING, states
from service.adapters.postgres.reading.bounds import BOUNDS, bound
from service.adapters.postgres.reading.filtered import BY_NUMBERS, filtered
from service.adapters.postgres.reading.returns import Pool
from service.application.access.bounds import UNBOUND, Bounds, Everything
from service.application.access.within import may_ask
from service.application.reading.filters import ExceptionFilter, Filter, LetterFilter, ReturnFilter
from service.application.reading.listing import (
    EXCEPTIONS,
    LETTERS,
    PARKED_EVENTS,
    RETURNS,
    STUCK_RETURNS,
    DueTimes,
    ListedException,
    ListedReturn,
    ListSpec,
    ParkedEvent,
    Window,
)
from service.wire.rows.letters import KeptLetter

_QUERIES: Final = load_queries("listing.sql", {**BOUNDS, **ACKNOWLEDGED, **WAITING})
# Of a list, by one question. It takes some 10 ms; where the filters let fewer through than a page holds, the page is short.
MOST_LOOKED_AT: Final = 10_000
_EVER: Final = "infinity"
_NEVER: Final = "-infinity"
_LAST_KIND: Final = "~"  # behind every kind of parked event
_SEEN_BY: Final = ("acknowledged_by", "acknowledged_note")
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
        given = all(parameters[column] is not None for column in self.columns)
        return given and self.open in (None, parameters.get("open"))


class _Plan(NamedTuple):
    """How a list is read.

    `ranges` are the indexes that have other columns before those of its order, the best first. What is in `few` finds few
    rows by an index of its own, so there is no need to look at many. `compared` filters the rows that are looked at, each
    the column of its name; `special` does so in words of the query's own.
    """

    spec: ListSpec[Any]
    ranges: tuple[_Range, ...] = ()
    few: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    special: tuple[str, ...] = ()


def _but(filters: type[Filter], *names: str) -> tuple[str, ...]:
    """All of these filters but some."""
    return tuple(name for name in filters.model_fields if name not in names)


_NUMBERS: Final = ("return_id", "tracking_number", "order_number", "connote")
_RETURNS: Final = _Plan(
    RETURNS,
    (
        _Range(("retailer", "status")),
        _Range(("hub", "status")),
        _Range(("carrier", "status")),
        _Range(("retailer",)),
        _Range(("hub",)),
        _Range(("carrier",)),
        _Range(("status",)),
    ),
    few=_NUMBERS,
    compared=_but(ReturnFilter, *_NUMBERS, "stuck", "updated_since"),
    special=("due", "updated_since"),
)
# Of each status a range of its own; search_returns_stuck has the retailer, too.
_STUCK: Final = _Plan(
    STUCK_RETURNS,
    few=("retailer", *_NUMBERS),
    compared=_but(ReturnFilter, "retailer", *_NUMBERS, "stuck", "status", "updated_since"),
    special=("updated_since",),
)
_EXCEPTIONS: Final = _Plan(
    EXCEPTIONS,
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
    few=("return_id",),
    compared=_but(ExceptionFilter, "return_id", "open", "state"),
    special=("open", "hidden"),
)
_PARKED: Final = _Plan(PARKED_EVENTS, few=("return_id",), special=("carrier", "code", "reason", "hidden"))
_LETTERS: Final = _Plan(
    LETTERS,
    (_Range(("reason",), open=True), _Range(("reason",)), _Range(("topic",)), _Range(open=True), _Range(open=False)),
    compared=_but(LetterFilter, "since", "until", "open"),
    special=("open",),
)


def _values(wanted: Filter) -> dict[str, Any]:
    given = {name: getattr(wanted, name) for name in type(wanted).model_fields}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def _may_ask(bounds: Bounds, wanted: ReturnFilter) -> bool:
    return may_ask(bounds, retailer=wanted.retailer, carrier=wanted.carrier, order_number=wanted.order_number)


def _narrowed(bounds: Bounds, wanted: ReturnFilter) -> ReturnFilter:
    """The same within these bounds, asked so that an index serves it: whoever is bound to one of a kind wants that one."""
    kinds = (("retailer", bounds.retailers), ("carrier", bounds.carriers))
    single = {name: min(allowed) for name, allowed in kinds if len(allowed) == 1 and getattr(wanted, name) is None}
    return wanted.model_copy(update=single)


def _impersonal(bounds: Bounds, window: Window[Any], *personal: str) -> Window[Any]:
    """Without these members of its rows, for whoever is told nothing that is personal."""
    if not bounds.is_impersonal:
        return window
    return window._replace(rows=[row._replace(**dict.fromkeys(personal)) for row in window.rows])


class PostgresListing:
    """`service.application.reading.listing.Listing` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def returns(
        self, bounds: Bounds, wanted: ReturnFilter, due: DueTimes, after: int | None, limit: int
    ) -> Window[ListedReturn]:
        if not _may_ask(bounds, wanted):
            return Window([])
        fresh = json.dumps({status: at.isoformat() for status, at in due.items()}) if wanted.stuck is False else None
        parameters = _values(_narrowed(bounds, wanted)) | bound(bounds) | {"limit": limit, "due": fresh}
        before = (2**63 - 1 if after is None else after,)
        return _impersonal(bounds, self._range("returns", _RETURNS, parameters, before, (0,)), "order_number")

    def stuck_returns(
        self, bounds: Bounds, wanted: ReturnFilter, due: DueTimes, after: tuple[datetime, int] | None, limit: int
    ) -> Window[ListedReturn]:
        if not _may_ask(bounds, wanted):
            return Window([])
        statuses = [status for status in due if wanted.status in (None, status)]
        at, return_no = after or (_NEVER, 0)
        parameters = _values(_narrowed(bounds, wanted)) | bound(bounds)
        is_narrowed = parameters["is_bound"] or any(
            parameters[name] is not None for name in (*_STUCK.compared, *_STUCK.special)
        )
        most = MOST_LOOKED_AT // (len(statuses) or 1) if is_narrowed else limit
        parameters |= {"statuses": statuses, "due": [due[status] for status in statuses]}
        parameters |= {"after_at": at, "after": return_no, "limit": limit, "most": most}
        with self._asking(of_one_moment=is_narrowed) as ask:
            rows = [ListedReturn(*row) for row in ask(_composed("stuck_returns", _STUCK), parameters)]
            upto = next(iter(ask(_composed("stuck_returns_upto", _STUCK), parameters)), None) if is_narrowed else None
        if upto is not None:
            # Of other statuses it was looked further; those have to wait.
            rows = [row for row in rows if (row.status_recorded_at, row.return_no) <= upto]
        return _impersonal(bounds, Window(rows, upto), "order_number")

    def exceptions(
        self, bounds: Bounds, wanted: ExceptionFilter, after: tuple[datetime, int, int] | None, limit: int
    ) -> Window[ListedException]:
        parameters = _values(wanted) | states(wanted) | bound(bounds) | {"limit": limit}
        found = self._range("exceptions", _EXCEPTIONS, parameters, after or (_EVER, 0, 0), (_NEVER, 0, 0))
        return _impersonal(bounds, found, *_SEEN_BY)

    def parked(
        self, bounds: Bounds, wanted: ExceptionFilter, after: tuple[datetime, str, str, str, str] | None, limit: int
    ) -> Window[ParkedEvent]:
        parameters = _values(wanted) | states(wanted) | bound(bounds) | {"limit": limit}
        before, behind = after or (_EVER, _LAST_KIND, "", "", ""), (_NEVER, "", "", "", "")
        return _impersonal(bounds, self._range("parked", _PARKED, parameters, before, behind), *_SEEN_BY)

    def letters(
        self, _: Everything, wanted: LetterFilter, after: tuple[datetime, int] | None, limit: int, most: int
    ) -> Window[KeptLetter]:
        parameters = _values(wanted) | bound(UNBOUND) | {"limit": limit, "most_bytes": most}
        ends = [*([after] if after else []), *([(wanted.until, 0)] if wanted.until else [])]
        before = min(ends, default=(_EVER, 0))
        return self._range("letters", _LETTERS, parameters, before, (wanted.since or _NEVER, 0))

    def letter(self, _: Everything, letter_no: int) -> KeptLetter | None:
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_QUERIES["letter"], (letter_no,)).fetchone()
        return None if row is None else KeptLetter(*row)

    @contextmanager
    def _asking(self, *, of_one_moment: bool) -> Iterator[_Ask]:
        """Ask a question, or several of one moment. Each is planned with its own values."""
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction() if of_one_moment else nullcontext(),
        ):
            yield lambda query, parameters: connection.execute(query, parameters, prepare=False).fetchall()

    def _range(
        self, query: str, plan: _Plan, parameters: dict[str, Any], before: Sequence[Any], behind: Sequence[Any]
    ) -> Window[Any]:
        """The rows with a key between the two, both excluded, the greatest first.

        Where they are filtered and too few were found, it also tells where looking stopped.
        """
        by = _Range()
        if all(parameters[name] is None for name in plan.few):
            by = next((each for each in plan.ranges if each.serves(parameters)), by)
        bounds: dict[str, Any] = {f"by_{column}": parameters[column] for column in by.columns}
        bounds |= {f"before_{name}": value for (name, _), value in zip(plan.spec.key, before, strict=True)}
        bounds |= {f"behind_{name}": value for (name, _), value in zip(plan.spec.key, behind, strict=True)}
        settled = {*by.columns, *(("open",) if by.open is not None else ())}
        compared = [name for name in (*plan.compared, *plan.special) if name not in settled]
        is_narrowed = parameters["is_bound"] or any(parameters[name] is not None for name in compared)
        bounds["most"] = MOST_LOOKED_AT if is_narrowed else parameters["limit"]
        with self._asking(of_one_moment=is_narrowed) as ask:
            rows = [plan.spec.row(*row) for row in ask(_composed(query, plan, by), parameters | bounds)]
            is_short = is_narrowed and len(rows) < parameters["limit"]
            ended = ask(_composed(f"{query}_upto", plan, by), parameters | bounds) if is_short else []
        return Window(rows, ended[0] if ended else None)


@cache
def _composed(query: str, plan: _Plan, by: _Range = _Range()) -> sql.Composed:  # noqa: B008 - it is a value
    """The query over one range of the index on the columns of `by` and the list's key, in its order."""
    key = [_ordered(name, type_) for name, type_ in plan.spec.key]
    names = [*map(sql.Identifier, by.columns), *key]

    def bound(which: str) -> sql.Composed:
        values = [(f"by_{column}", "text") for column in by.columns]
        values += [(f"{which}_{name}", type_) for name, type_ in plan.spec.key]
        return _COMMA.join(sql.SQL("{}::{}").format(sql.Placeholder(n), sql.Identifier(t)) for n, t in values)

    # An index without nulls serves where it is said that they are not wanted.
    only = [sql.SQL(" AND {} IS NOT NULL").format(sql.Identifier(column)) for column in by.columns]
    within = sql.SQL("ROW ({names}) < ROW ({before}) AND ROW ({names}) > ROW ({behind}){only}").format(
        names=_COMMA.join(names),
        before=bound("before"),
        behind=bound("behind"),
        only=sql.Composed([_ONLY[by.open], *only]),
    )
    return sql.SQL(_QUERIES[query]).format(
        columns=_COMMA.join(map(sql.Identifier, plan.spec.row._fields)),
        within=within,
        few=filtered(plan.few, {} if plan.spec in (EXCEPTIONS, PARKED_EVENTS) else BY_NUMBERS),
        compared=filtered(plan.compared),
        order=_COMMA.join(sql.SQL("{} DESC").format(name) for name in names),
        key=_COMMA.join(sql.Identifier(name) for name, _ in plan.spec.key),
    )


def _ordered(name: str, type_: str) -> sql.Composable:
    """A column of the order. Texts go by their bytes, as their index does."""
    return sql.SQL('{} COLLATE "C"').format(sql.Identifier(name)) if type_ == "text" else sql.Identifier(name)
