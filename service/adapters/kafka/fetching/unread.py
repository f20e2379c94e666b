"""A batch that cannot be read, or takes more memory than it may: known by its coordinates alone."""

from __future__ import annotations

from typing import Final, NamedTuple

from kafka import TopicPartition

from service.adapters.kafka.fetching.room import Room
from service.adapters.kafka.fetching.unpack import TooLarge, Unreadable
from service.wire.reasons import Invalid
from service.wire.record import Record, Unread

# A header of 61 bytes may claim two thousand million records. Beyond this number one letter stands for all of them.
MAX_LETTERS: Final = 1000
_MIB: Final = 1024 * 1024


class Coordinates(NamedTuple):
    """What the header of a batch says: first and last offset, how many records, the newest one's time, the codec."""

    tp: TopicPartition
    base: int
    last: int
    records: int
    timestamp: int
    codec: str


def refused(where: Coordinates, finding: TooLarge | Unreadable, room: Room) -> list[Record]:
    """A record without a body for each of the batch; of very many, or where the header is at odds with itself, one.

    That one has the batch's last offset: so it is not behind a worker that begins to read in the middle of the batch.
    """
    most = room.max_batch_bytes
    # To find it out took as long as to unpack the largest batch: no more of that than of those between two looks at
    # the rest of the world.
    room.hold((where.tp.topic, where.tp.partition), where.last, most)
    reason = Invalid.BATCH_TOO_LARGE if isinstance(finding, TooLarge) else Invalid.UNREADABLE_BATCH
    topic, partition = where.tp
    last = max(where.base, where.last)
    first = where.base if where.records == last - where.base + 1 <= MAX_LETTERS else last
    unread = Unread(reason, _sentence(where, last, reason, most), first)
    return [
        Record(topic, partition, offset, where.timestamp, None, None, unread=unread)
        for offset in range(first, last + 1)
    ]


def _sentence(where: Coordinates, last: int, reason: Invalid, most: int) -> str:
    what = (
        f"takes more than {most // _MIB} MiB once it is unpacked ({where.codec})"
        if reason is Invalid.BATCH_TOO_LARGE
        else f"is damaged inside, as its producer wrote it ({where.codec})"
    )
    return (
        f"the batch of records {where.base} to {last} of {where.tp.topic} {where.tp.partition} {what}: nothing of it is "
        "kept here, and it stays in Kafka until retention takes it; send its messages again, in smaller batches"
    )


def too_large_to_keep(record: Record, most: int) -> Record:
    """The coordinates of a record that is larger than a dead letter may be."""
    error = (
        f"the message is larger than {most // _MIB} MiB: nothing of it is kept here, and it stays in Kafka, "
        f"{record.topic} {record.partition} {record.offset}, until retention takes it"
    )
    unread = Unread(Invalid.TOO_LARGE, error, record.offset)
    return Record(record.topic, record.partition, record.offset, record.timestamp, None, None, (), unread=unread)
