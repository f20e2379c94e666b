"""Reads the journal in the order of its commits, in slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import set_json_loads
from pydantic_core import from_json

from service.adapters.postgres.database import connect, probe_indexes, translated
from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.journal.hints import Hints
from service.adapters.postgres.queries import load_queries
from service.application.journal.publish import Reconciled, Told
from service.application.journal.slices import Position, RowKey, Slice, SliceLimits
from service.wire.models import EVENT_VOIDED
from service.wire.rows.letters import KeptLetter
from service.wire.rows.logged import LogRow
from service.wire.rows.reconciled import RECONCILED
from service.wire.rows.waits import WaitMove

_QUERIES: Final = load_queries("batch_log.sql", LISTS)
RELAY_LOCK: Final = 0x72656C6179  # "relay"; all relays of a database share it
# A leader that is frozen, or whose machine is gone, keeps its session open: the server ends it after this time.
# Longer than any wait of a healthy leader between two statements, short enough to be replaced within ten seconds.
_LEADER_IDLE: Final = "5s"


class SliceReader:
    """Reads slices over a connection; the caller's transaction, or none, is its own business.

    It looks at as many batches at once as brought about one slice last time, so that neither small nor large ones
    are read in pieces that are too small or thrown away.
    """

    def __init__(
        self, connection: psycopg.Connection[TupleRow], limits: SliceLimits, *, with_waits: bool = False
    ) -> None:
        set_json_loads(from_json, connection)  # a cursor takes over what it finds, so first
        self._cursor = connection.cursor(binary=True)
        self._letter_cursor = connection.cursor(binary=True, row_factory=class_row(KeptLetter))
        self._limits, self._with_waits = limits, with_waits
        self._batches = 8

    def end(self) -> int:
        """The number of the newest batch."""
        return int(self._cursor.execute(_QUERIES["end"]).fetchall()[0][0])

    def read(self, position: Position) -> Slice:
        """The next slice after `position`; empty, with the same position, where there is none."""
        first = position.n + 1 if position.is_whole else position.n
        batches = self._cursor.execute(_QUERIES["batches"], {"first": first, "limit": self._batches}).fetchall()
        if not batches:
            return Slice(position)
        batches, waits = self._waits(batches)
        ids = {n: batch_id for n, batch_id, *_ in batches}
        asked = {"numbers": list(ids), "ids": list(ids.values())} | position._asdict()
        # One more than fits tells whether there is more.
        rows = self._rows(asked | {"limit": self._limits.rows + 1, "always": [EVENT_VOIDED, RECONCILED]})
        letters = self._letters(asked | {"limit": self._limits.letters + 1, "bytes": self._limits.letter_bytes})
        fitting = sum(letter.fits for letter in letters)
        limits = self._limits._replace(letters=min(self._limits.letters, fitting)) if letters else self._limits
        found = cut(position, batches[-1][0], rows, letters, limits)
        self._adapt(len(batches), len(rows) + len(letters), found)
        touched = sum(n <= found.position.n for n, *_ in batches)
        ends = found.position._replace(batch_id=ids[found.position.n])
        ended = found.position.n if found.position.is_whole else found.position.n - 1
        told = [wait for wait in waits if wait.n <= ended]
        return found._replace(position=ends, waits=told, batches=touched, recorded_at=batches[0][2])

    def _waits(self, batches: list[TupleRow]) -> tuple[list[TupleRow], list[WaitMove]]:
        """What began or ceased to wait in these batches, or in as many of them as are within the limits; and these."""
        # They are in batches without events, which are few: nearly always there is nothing to ask for.
        if not self._with_waits or all(events for *_, events in batches):
            return batches, []
        limit = self._limits.waits
        waits = self._waits_of(batches, limit + 1)
        if len(waits) > limit:
            batches = [batch for batch in batches if batch[0] < waits[-1].n] or batches[:1]
            waits = self._waits_of(batches, None)
        return batches, waits

    def _waits_of(self, batches: list[TupleRow], limit: int | None) -> list[WaitMove]:
        asked = {"numbers": [n for n, *_ in batches], "ids": [batch_id for _, batch_id, *_ in batches], "limit": limit}
        return [WaitMove._make(row) for row in self._cursor.execute(_QUERIES["waits"], asked)]

    def _rows(self, parameters: Mapping[str, Any]) -> list[LogRow]:
        return [LogRow._make(row) for row in self._cursor.execute(_QUERIES["rows"], parameters)]

    def _letters(self, parameters: Mapping[str, Any]) -> list[KeptLetter]:
        return self._letter_cursor.execute(_QUERIES["letters"], parameters).fetchall()

    def _adapt(self, batches: int, read: int, found: Slice) -> None:
        if not found.position.is_whole:
            self._batches = max(1, self._batches // 2)
        elif read * 2 < self._limits.rows and batches == self._batches:
            self._batches = min(self._limits.batches, self._batches * 2)


def cut(
    position: Position, last: int, rows: Sequence[LogRow], letters: Sequence[KeptLetter], limits: SliceLimits
) -> Slice:
    """What of the rows and letters read after `position`, up to batch `last`, makes a slice within the limits."""
    over = (len(rows) > limits.rows, len(letters) > limits.letters)
    rows, letters = rows[: limits.rows], letters[: limits.letters]
    if not any(over):
        return Slice(Position(last), rows, letters)
    # The first batch that is not read to its end; of those behind it nothing is taken.
    n = min(rows[-1].n if over[0] else last, letters[-1].n if over[1] else last)
    rows = [row for row in rows if row.n <= n]
    if over[0] and rows and rows[-1].n == n:
        # Its letters wait for the end of its history.
        letters = [letter for letter in letters if letter.n < n]
        known = position.letter_no if position.n == n and not position.is_whole else 0
        return Slice(Position.with_history(n, rows[-1].return_no, rows[-1].seq, known), rows, letters)
    letters = [letter for letter in letters if letter.n <= n]
    return Slice(Position.with_letters(n, letters[-1].letter_no), rows, letters)


class RelayLog:
    """The relay's view of the journal: it reads, and holds the lock that lets one relay work at a time.

    Lock and reading share one session, so a relay that lost the lock cannot read on. The lock only spares relays from
    fencing each other all the time; that nothing is repeated rests on Kafka's fencing alone.
    """

    def __init__(self, database_url: str, limits: SliceLimits) -> None:
        """Connects; every method raises Retryable when the server is away, or the session has ended."""
        self._connection = connect(database_url, "returns-relay")
        probe_indexes(self._connection)
        self._reader = SliceReader(self._connection, limits, with_waits=True)
        self._hints = Hints(self._connection)

    def lead(self) -> bool:
        """Try to become the one relay that works; answers whether it is this one."""
        with translated():
            row = self._connection.execute(_QUERIES["lead"], {"lock": RELAY_LOCK}).fetchone()
            leads = row is not None and bool(row[0])
            if leads:
                self._connection.execute(f"SET idle_session_timeout = '{_LEADER_IDLE}'".encode())
            return leads

    def ping(self) -> None:
        """Keep the session, and with it the lead; raises Retryable if it has ended."""
        with translated():
            self._connection.execute(_QUERIES["ping"])

    def end(self) -> int:
        """The number of the newest batch."""
        with translated():
            return self._reader.end()

    def read(self, position: Position) -> Slice:
        """The next slice after `position`; empty, with the same position, where there is none."""
        with translated():
            return self._reader.read(position)

    def wait(self, n: int, seconds: float) -> bool:
        """Until a batch after number `n` is told of, or so long; whether one may be there."""
        return self._hints.wait(n, seconds)

    def batch_id(self, n: int) -> str | None:
        """The id of batch `n`; None where there is none."""
        with translated():
            row = self._connection.execute(_QUERIES["batch_id"], {"n": n}).fetchone()
        return None if row is None else str(row[0])

    def told_before(self, position: Position, limit: int) -> list[Told]:
        """The last changes up to `position`, newest first: so many, or fewer."""
        with translated():
            rows = self._connection.execute(_QUERIES["told_before"], position._asdict() | {"limit": limit}).fetchall()
        return [Told(return_id, version, (n, return_no, seq)) for n, return_no, seq, return_id, version in rows]

    def row_of(self, return_id: str, version: int) -> RowKey | None:
        """Where the journal says this version of a return: batch, return, row; None where it never did."""
        with translated():
            row = self._connection.execute(_QUERIES["row_of"], {"return_id": return_id, "version": version}).fetchone()
        return None if row is None else (row[0], row[1], row[2])

    def reconciled(self, position: Position) -> Reconciled | None:
        """What was reconciled last at or before the position."""
        with translated():
            row = self._connection.execute(_QUERIES["reconciled"], {"n": position.n}).fetchone()
        return None if row is None else Reconciled(row[0], row[1])

    def close(self) -> None:
        """End the session, and with it the lead."""
        self._connection.close()
