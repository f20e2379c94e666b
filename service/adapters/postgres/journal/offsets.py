"""How far each input partition is ingested: rows that move by compare-and-set, in the transaction of what was read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.journal.rows import as_uuid
from service.adapters.postgres.queries import load_queries
from service.application.ports import Move, Partition, Rebinding, Stored
from service.errors import LostPartition

_Q: Final = load_queries("journal.sql", LISTS)


def stored(connection: Connection, starts: Mapping[Partition, Stored]) -> dict[Partition, Stored]:
    """Where to read on in these partitions; one that was never read starts as is given for it."""
    partitions = sorted(starts)
    first = [starts[partition] for partition in partitions]
    topics, numbers = [t for t, _ in partitions], [n for _, n in partitions]
    ids = [as_uuid(each.topic_id) for each in first]
    connection.execute(_Q["start_offsets"], (topics, numbers, [each.next for each in first], ids))
    return known(connection, partitions)


def known(connection: Connection, partitions: Collection[Partition]) -> dict[Partition, Stored]:
    """Where to read on in these partitions; without those that were never read."""
    asked = [topic for topic, _ in partitions], [number for _, number in partitions]
    rows = connection.execute(_Q["stored_offsets"], asked).fetchall()
    return {(topic, n): Stored(offset, id_ and id_.bytes, epoch) for topic, n, offset, id_, epoch in rows}


def advance(connection: Connection, moves: Mapping[Partition, Move]) -> None:
    """Move stored offsets; raises LostPartition if one is not where, or not in the topic, it is expected."""
    keys = sorted(moves)
    if not keys:
        return
    _move(
        connection,
        "advance_offsets",
        [topic for topic, _ in keys],
        [partition for _, partition in keys],
        [moves[key].expected for key in keys],
        [moves[key].next for key in keys],
        [as_uuid(moves[key].topic_id) for key in keys],
        [moves[key].epoch for key in keys],
    )


def rebind(connection: Connection, rebindings: Mapping[Partition, Rebinding]) -> None:
    """Bind stored offsets anew; raises LostPartition if one is not what it was before."""
    keys = sorted(rebindings)
    before, after = [rebindings[key].before for key in keys], [rebindings[key].after for key in keys]
    _move(
        connection,
        "rebind_offsets",
        [topic for topic, _ in keys],
        [partition for _, partition in keys],
        [each.next for each in before],
        [as_uuid(each.topic_id) for each in before],
        [each.next for each in after],
        [as_uuid(each.topic_id) for each in after],
        [each.epoch for each in after],
    )


def _move(connection: Connection, name: str, topics: list[str], *columns: list[Any]) -> None:
    moved, wanted = connection.execute(_Q[name], (topics, *columns)).rowcount, len(topics)
    if moved != wanted:
        raise LostPartition(f"{wanted - moved} of {wanted} stored offsets were moved by another worker")
