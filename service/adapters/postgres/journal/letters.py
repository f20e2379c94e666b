"""Dead letters and unmapped scans in PostgreSQL, with the journal that takes them in after all."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from service.adapters.postgres.database import translated
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.transaction import PostgresTransaction
from service.adapters.postgres.queries import load_queries
from service.application.journal.remap import HistoryKey, Unmapped, UnmappedScan
from service.application.journal.replay import BuriedLetter, Extent, Failure, Selection
from service.application.ports import Waiting, WhileWaiting
from service.errors import Retryable
from service.wire.cloudevents import MAX_BYTES
from service.wire.reasons import Invalid
from service.wire.record import Record, Unread
from service.wire.stored import to_micros

_Q: Final = load_queries("letters.sql")


class MendingJournal(PostgresJournal):
    """`replay.Letters` and `remap.UnmappedScans` over one connection, opened when needed."""

    @contextmanager
    def transaction(self, while_waiting: WhileWaiting | None = None) -> Iterator[MendingTransaction]:
        """Commits at the end of the block. After Retryable it is unknown whether the commit happened."""
        connection = self._connected()
        try:
            with connection.working(while_waiting), translated(), connection.transaction():
                yield MendingTransaction(connection, self._tables)
        except Retryable:
            self.close()
            raise

    def extent(self, selection: Selection) -> Extent:
        return Extent(*self._ask("extent", _asked(selection))[0])

    def read(self, selection: Selection, after: int, upto: int, limit: int) -> list[BuriedLetter]:
        asked = _asked(selection) | {"after": after, "upto": upto, "limit": limit, "most": MAX_BYTES}
        return [_letter(row) for row in self._ask("read", asked)]

    def count_unmapped(self, carrier: str | None, code: str | None) -> list[Unmapped]:
        return [Unmapped(*row) for row in self._ask("count_unmapped", {"carrier": carrier, "code": code})]

    def _ask(self, name: str, parameters: dict[str, Any]) -> list[Any]:
        connection = self._connected()
        try:
            with translated(), connection.transaction():
                # It may look at all there is; the time-out of the session is meant for a batch.
                connection.execute("SET LOCAL statement_timeout = 0")
                with connection.patient():
                    return connection.execute(_Q[name], parameters).fetchall()
        except Retryable:
            self.close()
            raise


class MendingTransaction(PostgresTransaction):
    """`replay.LettersTransaction` and `remap.RemapTransaction`."""

    def take(self, selection: Selection, after: int, upto: int, limit: int) -> list[BuriedLetter]:
        asked = _asked(selection) | {"after": after, "upto": upto, "limit": limit, "most": MAX_BYTES}
        return [_letter(row) for row in self._connection.execute(_Q["take"], asked)]

    def take_one(self, letter_no: int) -> BuriedLetter | None:
        row = self._connection.execute(_Q["take_one"], (MAX_BYTES, letter_no)).fetchone()
        return None if row is None else _letter(row)

    def resolve(self, letter_nos: Sequence[int]) -> None:
        self._connection.execute(_Q["resolve"], (list(letter_nos),))

    def fail(self, failures: Sequence[Failure]) -> None:
        letter_nos, reasons, errors = zip(*failures, strict=True)
        self._connection.execute(_Q["fail"], (list(letter_nos), list(reasons), list(errors)))

    def unmapped(self, carrier: str, code: str, after: HistoryKey, limit: int) -> list[UnmappedScan]:
        with self._connection.cursor(binary=True) as cursor:
            rows = cursor.execute(_Q["unmapped"], (carrier, code, *after, limit)).fetchall()
        return [UnmappedScan((row[0], row[1]), Waiting(row[0], self._arrival((row[0], *row[2:])))) for row in rows]


def _asked(selection: Selection) -> dict[str, Any]:
    return {
        "reasons": list(selection.reasons) or None,
        "topics": list(selection.topics) or None,
        "letter_nos": list(selection.letter_nos) or None,
        "since": selection.since,
        "until": selection.until,
    }


def _letter(row: Sequence[Any]) -> BuriedLetter:
    letter_no, topic, topic_id, partition, offset, published_at, key, value, headers, *rest = row
    reason, error, attempts, resolved_at = rest
    decoded = tuple((name, None if text is None else b64decode(text)) for name, text in headers)
    # No body, and yet no tombstone: it was never kept, or is larger than an event may be. The reason stays what it was.
    unread = Unread(reason, error, offset) if value is None and reason != Invalid.EMPTY else None
    at, id_ = to_micros(published_at) // 1000, topic_id and topic_id.bytes
    record = Record(topic, partition, offset, at, key, value, decoded, id_, unread=unread)
    return BuriedLetter(letter_no, record, reason, error, attempts, resolved_at is not None)
