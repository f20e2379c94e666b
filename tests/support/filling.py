"""Fills a journal for tests: what a simulated world sends, through ingestion, without Kafka in between."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import psycopg

from service.adapters.postgres.journal.journal import PostgresJournal
from service.application.journal.ingest import decode, write
from service.application.journal.sweep import sweep
from service.simulator.options import Options
from service.simulator.world import World
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record

NOW = 1_790_000_000.0


class Filler:
    """Writes records to the journal of a database, in batches."""

    def __init__(self, database_url: str, remembered: int = 0) -> None:
        self._url = database_url
        tables = CarrierTables.load()
        self._parser = Parser(tables)
        self._journal = PostgresJournal(database_url, tables, "test-filler", remembered=remembered)

    def write(self, records: Sequence[Record]) -> None:
        """One batch, and what it leaves to the sweep."""
        write(self._journal, decode(self._parser, records), {})
        self.sweep()

    def sweep(self) -> None:
        """Place whatever waits."""
        while sweep(self._journal) is not None:
            pass

    def fill(self, records: Iterable[Record], batch: int = 200) -> int:
        """All of them; answers with how many there were."""
        total = 0
        iterator = iter(records)
        while piece := list(itertools.islice(iterator, batch)):
            self.write(piece)
            total += len(piece)
        return total

    def letter_numbers(self) -> dict[int, int]:
        """The number of each dead letter of topic `in`, by its offset."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute("SELECT \"offset\", letter_no FROM dead_letters WHERE topic = 'in'").fetchall()
        return dict(rows)

    def close(self) -> None:
        """Close the connection."""
        self._journal.close()


def world(returns: int, seed: int, *, shuffle: bool = False, **shares: float) -> Iterator[Record]:
    """What the publishers of a simulated world send; of so many returns, and none before them unless `recycled` says so."""
    options = Options(returns=returns, seed=seed, rate=0, shuffle=shuffle, **{"recycled": 0, **shares})
    offsets = itertools.count()
    for message in World(options, lambda: NOW).messages():
        at = int(NOW * 1000)
        yield Record(message.topic, 0, next(offsets), at, message.key, message.value, message.headers)
