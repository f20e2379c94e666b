"""The journal in PostgreSQL, with what the output topics say in temporary tables beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Json, set_json_loads
from pydantic_core import from_json, to_json

from service.adapters.postgres.database import connect, translated
from service.adapters.postgres.journal.batch_log import RELAY_LOCK
from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.journal.rows import clamped
from service.adapters.postgres.journal.transaction import PostgresTransaction
from service.adapters.postgres.queries import load_queries
from service.application.journal.sides import (
    Beside,
    Change,
    Document,
    Held,
    OpenException,
    Standing,
    Stood,
    ToldException,
    ToldLetter,
)
from service.application.journal.slices import Position
from service.errors import Fatal
from service.wire.carriers import CarrierTables
from service.wire.models import EVENT_VOIDED
from service.wire.rows.exception_ids import NamedWait, Waits
from service.wire.rows.letters import KeptLetter
from service.wire.rows.logged import LogRow
from service.wire.rows.reconciled import RECONCILED
from service.wire.stored import decode_state

_Q: Final = load_queries("reconcile.sql", LISTS)
_FETCH_ROWS: Final = 2000
_FETCH_LETTERS: Final = 8  # one may be as large as a message can be


@contextmanager
def open_sides(url: str, tables: CarrierTables, name: str) -> Iterator[PostgresSides]:
    """The journal over a session of its own, for the time of the block."""
    with connect(url, name) as connection, translated():
        set_json_loads(from_json, connection)
        # It reads all there is, and waits for Kafka in between.
        for setting in ("statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"):
            connection.execute(f"SET {setting} = 0".encode())
        connection.execute(_Q["make_tables"])
        with connection.patient():
            yield PostgresSides(connection, tables)


class PostgresSides:
    """`sides.Sides`."""

    def __init__(self, connection: Connection, tables: CarrierTables) -> None:
        self._connection = connection
        self._tables = tables

    def lead(self, seconds: float) -> None:
        """Become the one that publishes, for this session. Raises Fatal while a relay does."""
        self._connection.execute(f"SET lock_timeout = {round(seconds * 1000)}".encode())
        try:
            self._connection.execute(_Q["lead"], (RELAY_LOCK,))
        except psycopg.errors.LockNotAvailable:
            raise Fatal("a relay is at work, so there is nothing to reconcile; else stop it first") from None
        # Writers may be in long transactions.
        self._connection.execute("SET lock_timeout = '60s'")

    def missing(self, ends: Mapping[tuple[str, int], tuple[int, int]]) -> dict[str, int]:
        """How many records of each topic are not ingested, up to these ends."""
        stored = {(topic, number): next_ for topic, number, next_ in self._connection.execute(_Q["lag"]).fetchall()}
        left: dict[str, int] = {}
        for partition, (begin, end) in ends.items():
            if (records := end - max(begin, stored.get(partition, begin))) > 0:
                left[partition[0]] = left.get(partition[0], 0) + records
        return left

    def note_documents(self, documents: Iterable[Document]) -> None:
        self._copy(
            "copy_documents",
            ((d.return_id, d.version, d.seq, to_json(d.data).decode(), *d.stood) for d in documents),
        )
        self._connection.execute(_Q["keep_newest"])

    def note_changes(self, changes: Iterable[Change]) -> None:
        self._copy("copy_told", ((c.return_id, c.version, c.stood.partition, c.stood.offset) for c in changes))

    def outdated(self) -> set[str]:
        return {return_id for (return_id,) in self._connection.execute(_Q["outdated"])}

    def documents_of(self, return_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        return dict(self._connection.execute(_Q["documents_of"], (list(return_ids),)).fetchall())

    def note_folded(self, held: Iterable[tuple[str, Mapping[str, Any], Stood]]) -> None:
        rows = [(return_id, document["version"], Json(document), *stood) for return_id, document, stood in held]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(_Q["put_folded"], rows)

    @contextmanager
    def transaction(self, *, alone: bool) -> Iterator[PostgresAgreeing]:
        """Commits at the end of the block; without `alone` nothing is written, and the whole is one snapshot."""
        with translated(), self._connection.transaction():
            if alone:
                self._connection.execute(_Q["alone"])
            else:
                self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield PostgresAgreeing(self._connection, self._tables)

    def note_exceptions(self, told: Iterable[ToldException]) -> None:
        self._copy("copy_told_exceptions", ((*each[:-1], to_json(each.data).decode()) for each in told))

    def untold_exceptions(self, upto: Position, since: datetime | None) -> Iterator[LogRow]:
        yield from self._streamed("untold_exceptions", {"n": upto.n, "since": since}, LogRow._make)

    def held_open(self) -> Iterator[ToldException]:
        yield from self._streamed("held_open", {}, ToldException._make)

    def held_over(self) -> Iterator[tuple[str, LogRow]]:
        yield from self._streamed("held_over", {}, lambda row: (row[0], LogRow._make(row[1:])))

    def untold_letters(
        self, told: Iterable[ToldLetter], upto: Position, since: datetime | None
    ) -> Iterator[KeptLetter]:
        at = (each._replace(timestamp=clamped(each.timestamp)) for each in told)
        self._copy("copy_told_letters", at)
        asked = {"n": upto.n, "since": since}
        with (
            translated(),
            self._connection.transaction(),
            self._connection.cursor(name="untold_letters", row_factory=class_row(KeptLetter)) as cursor,
        ):
            cursor.itersize = _FETCH_LETTERS
            yield from cursor.execute(_Q["untold_letters"], asked)

    def differences(self, position: Position) -> Iterator[Beside]:
        """Every return that was told of up to a position, beside what subscribers hold of it."""
        asked = position._asdict() | {"always": [EVENT_VOIDED, RECONCILED]}
        yield from self._streamed("held_beside", asked, Beside._make)

    def broken_order(self) -> Iterator[tuple[str, int, int]]:
        """Changes that do not follow upon the one before: return, version, and the version before it."""
        yield from self._streamed("broken_order", {}, tuple)

    def exceptions_otherwise(
        self, position: Position, since: datetime | None
    ) -> Iterator[tuple[str, str | None, str | None]]:
        """Exceptions that the journal had in another state up to a position than the topic: the id, and both states."""
        asked = position._asdict() | {"since": since}
        yield from self._streamed("exceptions_otherwise", asked, tuple)

    def held_alone(self) -> Iterator[str]:
        """Returns that subscribers hold and nobody here knows."""
        yield from self._streamed("held_alone", {}, lambda row: str(row[0]))

    def _streamed(
        self, name: str, parameters: Mapping[str, Any], make: Callable[[Sequence[Any]], Any]
    ) -> Iterator[Any]:
        with translated(), self._connection.transaction(), self._connection.cursor(name=name) as cursor:
            cursor.itersize = _FETCH_ROWS
            cursor.execute(_Q[name], parameters)
            yield from map(make, cursor)

    def _copy(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        with translated(), self._connection.cursor() as cursor, cursor.copy(_Q[name]) as copy:
            for row in rows:
                copy.write_row(row)


class PostgresAgreeing(PostgresTransaction):
    """`sides.Agreeing`."""

    def end(self) -> Position:
        row = self._connection.execute(_Q["end"]).fetchone()
        return Position(0) if row is None else Position(row[0], batch_id=row[1])

    def standings(self) -> Iterator[Standing]:
        with self._connection.cursor(name="standings") as cursor:
            cursor.itersize = _FETCH_ROWS
            cursor.execute(_Q["standings"])
            for return_no, return_id, seq, version, state, document, is_document, *stood in cursor:
                held = None if document is None else Held(return_id, document, Stood(*stood), is_document)
                yield Standing(return_no, decode_state(state, seq, version, b""), return_id, held)

    def unknown(self) -> Iterator[Held]:
        with self._connection.cursor(name="unknown") as cursor:
            cursor.execute(_Q["unknown"])
            for return_id, document, *stood in cursor:
                yield Held(return_id, document, Stood(*stood))

    def go_on_from(self, held: Sequence[Held]) -> None:
        with self._connection.cursor() as cursor:
            rows = [(each.return_id, each.document["version"], Json(each.document)) for each in held]
            cursor.executemany(_Q["go_on_from"], rows)

    def open_waits(self) -> Iterator[NamedWait]:
        with self._connection.cursor(name="open_waits") as cursor:
            cursor.itersize = _FETCH_ROWS
            for kind, subject in cursor.execute(_Q["open_waits"]):
                yield NamedWait(Waits(kind), subject)

    def note_open(self, found: Iterable[OpenException]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(_Q["copy_open_now"]) as copy:
            for each in found:
                copy.write_row(each)

    def note(self, upto: Position, ends: Mapping[str, Sequence[int]]) -> None:
        self._connection.execute(_Q["note"], (upto.n, upto.batch_id or "0", Json(ends)))
