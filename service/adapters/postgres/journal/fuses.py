"""Whose letters are thin, counted in the transaction that keeps them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from psycopg import Connection

from service.adapters.postgres.journal.rows import published_at
from service.adapters.postgres.queries import load_queries
from service.application.ports import DeadLetter, Partition

_Q: Final = load_queries("fuses.sql")


def count_thin(connection: Connection, letters: Iterable[DeadLetter]) -> None:
    """Count those of the letters that are thin."""
    counts = dict[tuple[str, int, str], int]()
    last = dict[tuple[str, int, str], DeadLetter]()
    for letter in letters:
        if letter.is_thin:
            key = letter.record.topic, letter.record.partition, letter.source or ""
            counts[key] = counts.get(key, 0) + 1
            last[key] = letter
    if not counts:
        return
    keys = sorted(counts)
    latest = [last[key] for key in keys]
    rows = (
        [topic for topic, _, _ in keys],
        [partition for _, partition, _ in keys],
        [source for _, _, source in keys],
        [counts[key] for key in keys],
        [letter.record.offset for letter in latest],
        [published_at(letter.record) for letter in latest],
        [letter.reason for letter in latest],
    )
    connection.execute(_Q["count_thin"], rows)


def mend(connection: Connection, partitions: Collection[Partition], sources: Collection[str] | None) -> None:
    """Note that fuses in these partitions are whole again."""
    named = None if sources is None else list(sources)
    asked = [topic for topic, _ in partitions], [number for _, number in partitions], named, named
    connection.execute(_Q["mend_fuses"], asked)
