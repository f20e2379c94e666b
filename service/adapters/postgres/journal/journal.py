"""The journal in PostgreSQL: one append-only transaction a batch.

The primary key of the history is the concurrency control, the stored offsets move by compare-and-set, and each
transaction ends with its number in the batch log. Nothing here decides anything about a return.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from psycopg.types.json import set_json_loads
from psycopg.types.string import BytesBinaryDumper
from pydantic_core import from_json

from service.adapters.postgres.database import connect, probe_indexes, translated
from service.adapters.postgres.journal.memory import Memory
from service.adapters.postgres.journal.rows import as_uuid
from service.adapters.postgres.journal.transaction import PostgresTransaction
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.working import WorkingConnection
from service.application.ports import (
    Partition,
    Stored,
    SweepProgress,
)
from service.errors import Retryable
from service.wire.carriers import CarrierTables

# After a collision so many batches decide by turns with the other workers that collided: states are read, decided on
# and appended by one at a time, while the others decode what comes next. The number doubles with each collision that
# comes right after them. By turns a batch takes a little longer, because no state in memory is trusted.
WARY_BATCHES: Final = 16
MOST_WARY_BATCHES: Final = 256

_Q: Final = load_queries("journal.sql")


class PostgresJournal:
    """`ports.Journal` over one connection, which is opened when needed and again after it broke."""

    def __init__(
        self, url: str, tables: CarrierTables, application_name: str = "returns-ingest", *, remembered: int = 0
    ) -> None:
        """`remembered` is how many returns' states to keep in memory."""
        self.meanwhile: Callable[[], bool] | None = None
        self._url = url
        self._tables = tables
        self._application_name = application_name
        self._connection: WorkingConnection | None = None
        self._remembered = remembered
        self._memory = Memory(remembered)
        self._wary = 0
        self._caution = WARY_BATCHES

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Commits at the end of the block. After Retryable it is unknown whether the commit happened."""
        connection = self._connected()
        transaction = PostgresTransaction(connection, self._tables, self._memory, is_wary=self._wary > 0)
        try:
            with translated(), connection.transaction():
                yield transaction
        except Retryable:
            self.close()
            self._watch_out(transaction)
            raise
        transaction.remember()
        self._watch_out(transaction)

    def _watch_out(self, transaction: PostgresTransaction) -> None:
        if transaction.has_collided:
            self._wary, self._caution = self._caution, min(2 * self._caution, MOST_WARY_BATCHES)
        elif not transaction.has_appended:
            return
        elif self._wary:
            self._wary -= 1
        else:
            self._caution = WARY_BATCHES

    def stored_offsets(self, starts: Mapping[Partition, Stored]) -> dict[Partition, Stored]:
        """Where to read on in these partitions; one that was never read starts as is given for it."""
        partitions = sorted(starts)
        first = [starts[partition] for partition in partitions]
        topics, numbers = [t for t, _ in partitions], [n for _, n in partitions]
        connection = self._connected()
        try:
            with translated(), connection.transaction():
                ids = [as_uuid(each.topic_id) for each in first]
                connection.execute(_Q["start_offsets"], (topics, numbers, [each.next for each in first], ids))
                rows = connection.execute(_Q["stored_offsets"], (topics, numbers)).fetchall()
        except Retryable:
            self.close()
            raise
        return {(topic, n): Stored(offset, id_ and id_.bytes, epoch) for topic, n, offset, id_, epoch in rows}

    def known_offsets(self, partitions: Collection[Partition]) -> dict[Partition, Stored]:
        """Where to read on in these partitions; without those that were never read."""
        keys = sorted(partitions)
        connection = self._connected()
        try:
            with translated():
                asked = [topic for topic, _ in keys], [number for _, number in keys]
                rows = connection.execute(_Q["stored_offsets"], asked).fetchall()
        except Retryable:
            self.close()
            raise
        return {(topic, n): Stored(offset, id_ and id_.bytes, epoch) for topic, n, offset, id_, epoch in rows}

    def swept(self) -> SweepProgress:
        """How far the sweep is, and how far it has to go."""
        try:
            with translated():
                row = self._connected().execute(_Q["sweep_progress"]).fetchone()
        except Retryable:
            self.close()
            raise
        return SweepProgress(*(row or (0, 0)))

    def extend(self) -> None:
        """Make the next partitions of the history before they are needed."""
        try:
            with translated():
                self._connected().execute(_Q["extend_history"])
        except Retryable:
            self.close()
            raise

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
            connection.meanwhile = self.meanwhile
            set_json_loads(from_json, connection)
            # psycopg's own choice is a class in Python, which takes a wrapper of the DB-API as well.
            connection.adapters.register_dumper(bytes, BytesBinaryDumper)
            probe_indexes(connection)
            self._connection = connection
        return self._connection
