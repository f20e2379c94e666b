"""Dead letters and unmapped scans in PostgreSQL, with the journal that takes them in after all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from psycopg.rows import RowFactory, class_row, tuple_row

from service.adapters.postgres.database import closed_on_retryable
from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.parts.held import HeldLabels
from service.adapters.postgres.journal.transaction import PostgresTransaction
from service.adapters.postgres.queries import load_queries
from service.application.journal.reassess import Looked
from service.application.journal.remap import HistoryKey, Unmapped, UnmappedScan
from service.application.journal.replay import Extent, Failure, Selection
from service.application.ports import Waiting, WhileWaiting
from service.wire.cloudevents import MAX_BYTES
from service.wire.rows.letters import KeptLetter

_Q: Final = load_queries("letters.sql", LISTS)


class MendingJournal(PostgresJournal):
    """`replay.Letters`, `remap.UnmappedScans` and `reassess.Journals` over one connection, opened when needed."""

    @contextmanager
    def transaction(self, while_waiting: WhileWaiting | None = None) -> Iterator[MendingTransaction]:
        """Commits at the end of the block. After Retryable it is unknown whether the commit happened."""
        connection = self._connected()
        with closed_on_retryable(self.close), connection.working(while_waiting), connection.transaction():
            yield MendingTransaction(connection, self._tables, rules=self._rules)

    def extent(self, selection: Selection) -> Extent:
        return Extent(*self._ask("extent", _asked(selection))[0])

    def read(self, selection: Selection, after: int, upto: int, limit: int) -> list[KeptLetter]:
        asked = _asked(selection) | {"after": after, "upto": upto, "limit": limit, "most": MAX_BYTES}
        return self._ask("read", asked, class_row(KeptLetter))

    def count_unmapped(self, carrier: str | None, code: str | None) -> list[Unmapped]:
        return [Unmapped(*row) for row in self._ask("count_unmapped", {"carrier": carrier, "code": code})]

    def _ask(self, name: str, parameters: dict[str, Any], row_factory: RowFactory[Any] = tuple_row) -> list[Any]:
        connection = self._connected()
        with closed_on_retryable(self.close), connection.transaction():
            # It may look at all there is; the time-out of the session is meant for a batch.
            connection.execute("SET LOCAL statement_timeout = 0")
            with connection.patient(), connection.cursor(row_factory=row_factory) as cursor:
                return cursor.execute(_Q[name], parameters).fetchall()


class MendingTransaction(HeldLabels, PostgresTransaction):
    """`replay.LettersTransaction`, `remap.RemapTransaction`, `reassess.ReassessTransaction` and `mending.MendingTransaction`."""

    def take(self, selection: Selection, after: int, upto: int, limit: int) -> list[KeptLetter]:
        asked = _asked(selection) | {"after": after, "upto": upto, "limit": limit, "most": MAX_BYTES}
        with self._connection.cursor(row_factory=class_row(KeptLetter)) as cursor:
            return cursor.execute(_Q["take"], asked).fetchall()

    def take_one(self, letter_no: int) -> KeptLetter | None:
        with self._connection.cursor(row_factory=class_row(KeptLetter)) as cursor:
            return cursor.execute(_Q["take_one"], (MAX_BYTES, letter_no)).fetchone()

    def resolve(self, letter_nos: Sequence[int]) -> None:
        self._connection.execute(_Q["resolve"], (list(letter_nos),))

    def fail(self, failures: Sequence[Failure]) -> None:
        letter_nos, reasons, errors = zip(*failures, strict=True)
        self._connection.execute(_Q["fail"], (list(letter_nos), list(reasons), list(errors)))

    def looked(self, mark: int, after: int, limit: int) -> list[Looked]:
        return [Looked(*row) for row in self._found("looked", mark, after, limit)]

    def scans(self, return_no: int) -> list[Waiting]:
        return [Waiting(return_no, self._arrival(*event)) for event in self._found("scans", return_no)]

    def _found(self, name: str, *parameters: Any) -> list[Any]:
        with self._connection.cursor(binary=True) as cursor:
            return cursor.execute(_Q[name], parameters).fetchall()

    def unmapped(self, carrier: str, code: str, after: HistoryKey, limit: int) -> list[UnmappedScan]:
        rows = self._found("unmapped", carrier, code, *after, limit)
        return [
            UnmappedScan((return_no, seq), Waiting(return_no, self._arrival(*event))) for return_no, seq, *event in rows
        ]


def _asked(selection: Selection) -> dict[str, Any]:
    return {
        "reasons": list(selection.reasons) or None,
        "topics": list(selection.topics) or None,
        "letter_nos": list(selection.letter_nos) or None,
        "since": selection.since,
        "until": selection.until,
    }
