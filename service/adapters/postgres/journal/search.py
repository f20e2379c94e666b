"""Keeps the search tables in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from service.adapters.postgres.database import closed_on_retryable, connect, probe_indexes, set_local, translated
from service.adapters.postgres.journal.batch_log import SliceReader
from service.adapters.postgres.journal.hints import Hints
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.working import WorkingConnection
from service.application.journal.figures import Counted, Figures, Reached
from service.application.journal.project import ExceptionRow, Projection
from service.application.journal.slices import Position, Slice, SliceLimits
from service.errors import Fatal

_QUERIES: Final = load_queries("search.sql")
_CLEAR: Final = (
    "begin_rebuild",
    "clear_exceptions",
    "clear_returns",
    "clear_counts",
    "clear_days",
    "clear_connotes",
    "clear_minutes",
    "restart_figures",
)


class PostgresSearch:
    """`project.SearchTables` over one connection, which is opened when needed and again after it broke."""

    def __init__(self, database_url: str, limits: SliceLimits) -> None:
        self._url, self._limits = database_url, limits
        self._connection: WorkingConnection | None = None
        self._reader: SliceReader | None = None
        self._hints: Hints | None = None

    @contextmanager
    def transaction(self) -> Iterator[PostgresSearchTransaction]:
        """Commits at the end of the block, or rolls back on an exception. Raises Retryable."""
        connection, reader = self._connected()
        # Patience lasts until the COMMIT is answered.
        with closed_on_retryable(self.close), ExitStack() as patience, connection.transaction():
            yield PostgresSearchTransaction(connection, reader, patience)

    def progress(self) -> tuple[int, int]:
        """The batch up to which the tables are, and the newest one."""
        with closed_on_retryable(self.close):
            connection, _ = self._connected()
            row = connection.execute(_QUERIES["is_behind"]).fetchone()
        if row is None:
            raise Fatal("the cursor of the search tables is gone: run `migrate`, then `project --rebuild`")
        return row[0], row[1]

    def wait(self, n: int, seconds: float) -> bool:
        """Until a batch after number `n` is told of, or so long; whether one may be there."""
        with closed_on_retryable(self.close):
            connection, _ = self._connected()
            if self._hints is None:
                self._hints = Hints(connection)
            return self._hints.wait(n, seconds)

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._hints = None
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _connected(self) -> tuple[WorkingConnection, SliceReader]:
        if self._connection is None or self._reader is None or self._connection.closed:
            self._hints = None
            connection = connect(self._url, "returns-project")
            probe_indexes(connection)
            with translated():
                # Plans made while the search tables are empty would outlive that.
                connection.execute("SET plan_cache_mode = force_custom_plan")
                # What a crash of the server takes back of the tables it takes back of the cursor too.
                connection.execute("SET synchronous_commit = off")
            self._connection, self._reader = connection, SliceReader(connection, self._limits)
        return self._connection, self._reader


class PostgresSearchTransaction:
    """`project.SearchTransaction`."""

    def __init__(self, connection: WorkingConnection, reader: SliceReader, patience: ExitStack) -> None:
        self._connection, self._reader, self._patience = connection, reader, patience

    def begin(self) -> int | None:
        row = self._connection.execute(_QUERIES["begin"]).fetchone()
        return None if row is None else int(row[0])

    def begin_rebuild(self) -> None:
        for setting in ("lock_timeout", "statement_timeout"):
            set_local(self._connection, setting, "0")
        self._patience.enter_context(self._connection.patient())
        for query in _CLEAR:
            self._connection.execute(_QUERIES[query])

    def read(self, position: Position) -> Slice:
        return self._reader.read(position)

    def open_exceptions(self, return_nos: Collection[int]) -> list[ExceptionRow]:
        rows = self._connection.execute(_QUERIES["open_exceptions"], (list(return_nos),), binary=True)
        return [ExceptionRow._make(row) for row in rows]

    def apply(self, projection: Projection) -> None:
        if projection.returns:
            columns = _columns([row._replace(reached=_array(row.reached)) for row in projection.returns])
            self._connection.execute(_QUERIES["put_returns"], columns)
            self._connection.execute(_QUERIES["touch_returns"], columns)
        if projection.exceptions:
            self._connection.execute(_QUERIES["put_exceptions"], _columns(projection.exceptions))
        if projection.resolved:
            resolved = projection.resolved
            places = [each.return_no for each in resolved], [each.seq for each in resolved]
            self._connection.execute(_QUERIES["resolve"], (*places, [each.resolved_at for each in resolved]))

    def counted(self, return_nos: Collection[int]) -> dict[int, Counted]:
        rows = self._connection.execute(_QUERIES["counted"], (list(return_nos),), binary=True)
        return {return_no: Counted(*held) for return_no, *held in rows}

    def count(self, figures: Figures) -> None:
        for query, moved in (("count_returns", figures.returns), ("count_days", figures.days)):
            rows = [(*key, number) for key, number in sorted(moved.items()) if number]
            if rows:
                self._connection.execute(_QUERIES[query], _columns(rows))
        if figures.connotes:
            shares = sorted(figures.connotes)
            numbers = [(*share, *figures.connotes[share]) for share in shares]
            self._connection.execute(_QUERIES["count_connotes"], _columns(numbers))
            for query in ("time_connotes", "forget_connotes"):
                self._connection.execute(_QUERIES[query], _columns(shares))

    def end(self, after: int, n: int) -> None:
        self._connection.execute(_QUERIES["count_minutes"], {"after": after, "upto": n})
        self._connection.execute(_QUERIES["end_minutes"], (n,))
        self._connection.execute(_QUERIES["resolve_untold"], (after, n))
        self._connection.execute(_QUERIES["end"], (n,))


def _array(days: Reached) -> Any:
    """An array as PostgreSQL writes it: of arrays of arrays it would make one."""
    return f"{{{','.join('NULL' if day is None else day.isoformat() for day in days)}}}"


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
