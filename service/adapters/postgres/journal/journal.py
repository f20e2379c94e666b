"""The journal in PostgreSQL: one append-only transaction a batch.

The primary key of the history is the concurrency control, the stored offsets move by compare-and-set, and each
transaction ends with its number in the batch log. Nothing here decides anything about a return.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from psycopg.types.json import set_json_loads
from psycopg.types.string import BytesBinaryDumper
from pydantic_core import from_json

from service.adapters.postgres.database import closed_on_retryable, connect, probe_indexes
from service.adapters.postgres.journal import fuses, offsets
from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.journal.memory import Memory
from service.adapters.postgres.journal.transaction import PostgresTransaction
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.working import WorkingConnection
from service.application.ports import (
    Partition,
    Stored,
    SweepProgress,
    WhileWaiting,
)
from service.domain.rules import DEFAULT, Rules
from service.errors import Retryable
from service.wire.carriers import CarrierTables

# After a collision so many batches decide by turns with the other workers that collided: states are read, decided on
# and appended by one at a time, while the others decode what comes next. The number doubles with each collision that
# comes right after them. By turns a batch takes a little longer, because no state in memory is trusted.
CONTENDED_BATCHES: Final = 16
MOST_CONTENDED_BATCHES: Final = 256

_Q: Final = load_queries("journal.sql", LISTS)


class PostgresJournal:
    """`ports.Journal` over one connection, which is opened when needed and again after it broke."""

    def __init__(
        self,
        url: str,
        tables: CarrierTables,
        application_name: str = "returns-ingest",
        *,
        remembered: int = 0,
        rules: Rules = DEFAULT,
    ) -> None:
        """`remembered` is how many returns' states to keep in memory."""
        self._rules = rules
        self._url = url
        self._tables = tables
        self._application_name = application_name
        self._connection: WorkingConnection | None = None
        self._remembered = remembered
        self._memory = Memory(remembered)
        self._contended_for = 0
        self._next_contended = CONTENDED_BATCHES

    @contextmanager
    def transaction(self, while_waiting: WhileWaiting | None = None) -> Iterator[PostgresTransaction]:
        """Commits at the end of the block. After Retryable it is unknown whether the commit happened."""
        connection = self._connected()
        transaction = PostgresTransaction(
            connection, self._tables, self._memory, self._rules, is_contended=self._contended_for > 0
        )
        try:
            with closed_on_retryable(self.close), connection.working(while_waiting), connection.transaction():
                yield transaction
        except Retryable:
            self._note_contention(transaction)
            raise
        transaction.remember()
        self._note_contention(transaction)

    def _note_contention(self, transaction: PostgresTransaction) -> None:
        if transaction.has_collided:
            self._contended_for, self._next_contended = (
                self._next_contended,
                min(2 * self._next_contended, MOST_CONTENDED_BATCHES),
            )
        elif not transaction.has_appended:
            return
        elif self._contended_for:
            self._contended_for -= 1
        else:
            self._next_contended = CONTENDED_BATCHES

    def stored_offsets(self, starts: Mapping[Partition, Stored]) -> dict[Partition, Stored]:
        """Where to read on in these partitions; one that was never read starts as is given for it."""
        connection = self._connected()
        with closed_on_retryable(self.close), connection.transaction():
            return offsets.stored(connection, starts)

    def known_offsets(self, partitions: Collection[Partition]) -> dict[Partition, Stored]:
        """Where to read on in these partitions; without those that were never read."""
        with closed_on_retryable(self.close):
            return offsets.known(self._connected(), partitions)

    def swept(self) -> SweepProgress:
        """How far the sweep is, and how far it has to go."""
        with closed_on_retryable(self.close):
            row = self._connected().execute(_Q["sweep_progress"]).fetchone()
        return SweepProgress(*(row or (0, 0)))

    def extend(self) -> None:
        """Make the next partitions of the history before they are needed."""
        with closed_on_retryable(self.close):
            self._connected().execute(_Q["extend_history"])

    def mend_fuses(self, partitions: Collection[Partition], sources: Collection[str] | None = None) -> None:
        """Note that fuses in these partitions are whole again: of these sources ("": of none), None: of all."""
        with closed_on_retryable(self.close):
            fuses.mend(self._connected(), partitions, sources)

    def close(self) -> None:
        """Close the connection, if there is one, and forget what was remembered.

        The next session may be one with a journal that went back: a standby that lagged, a server that lost its last
        commits. Numbers and labels that are gone there belong to whoever comes next.
        """
        self._memory = Memory(self._remembered)
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _connected(self) -> WorkingConnection:
        if self._connection is None or self._connection.closed:
            self.close()
            connection = connect(self._url, self._application_name)
            set_json_loads(from_json, connection)
            # psycopg's own choice is a class in Python, which takes a wrapper of the DB-API as well.
            connection.adapters.register_dumper(bytes, BytesBinaryDumper)
            probe_indexes(connection)
            self._connection = connection
        return self._connection
