"""How the journal's rows look on their way to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final
from uuid import UUID

from service.adapters.postgres.journal.memory import Coordinates
from service.application.ports import Arrival, DeadLetter, Stored
from service.wire.record import Record

FIRST_MS: Final = -62_135_596_800_000  # 0001-01-01 UTC in milliseconds since 1970: what Python can read back
LAST_MS: Final = 253_402_300_799_999  # 9999-12-31
_SMALL: Final = 2048  # bytes
_PIECE_BYTES: Final = 8 * 1024 * 1024  # of dead letters, in one statement


def published_at(record: Record) -> int:
    """Kafka's timestamp. Publishers set it, to any 64 bits; what is no date we can keep becomes the first or last."""
    return clamped(record.timestamp)


def clamped(timestamp: int) -> int:
    """The nearest timestamp that is a date we can keep, in milliseconds since 1970."""
    return min(max(timestamp, FIRST_MS), LAST_MS)


# The order of all writes to the history: by return; the rows of one return stand in order already.
order_of_rows: Final = attrgetter("return_no")


def topic_ids(records: Iterable[Record]) -> list[UUID | None]:
    """The ids of the records' topics as PostgreSQL takes them."""
    return [as_uuid(record.topic_id) for record in records]


@lru_cache(maxsize=1024)
def as_uuid(topic_id: bytes | None) -> UUID | None:
    """The id of a topic as PostgreSQL takes it."""
    return None if topic_id is None else UUID(bytes=topic_id)


def stored_of(next_: int, topic_id: UUID | None) -> Stored:
    """A stored offset with the topic that it belongs to."""
    return Stored(next_, None if topic_id is None else topic_id.bytes)


def coordinates(record: Record) -> tuple[str, UUID | None, int, int]:
    """What a record is known by, as PostgreSQL gives it back."""
    return record.topic, as_uuid(record.topic_id), record.partition, record.offset


def kept_by(arrivals: Sequence[Arrival]) -> tuple[list[str], list[bytes]]:
    """What events wait for that have to, and what tells them apart."""
    return [each.inbound.subject for each in arrivals], [each.inbound.event.identity for each in arrivals]


def parked_by(arrivals: Sequence[Arrival]) -> tuple[list[str], list[str], list[str | None]]:
    """What parked events wait for, and its kind, and why no table knows their code."""
    inbounds = [each.inbound for each in arrivals]
    kinds, subjects = [each.kind.value for each in inbounds], [each.subject for each in inbounds]
    return kinds, subjects, [each.event.unmapped_because for each in inbounds]


def others(arrivals: Iterable[Arrival], kept: Iterable[tuple[str, UUID | None, int, int]]) -> list[Arrival]:
    """The arrivals whose coordinates are not among those that were kept now."""
    now = set(kept)
    return [arrival for arrival in arrivals if coordinates(arrival.record) not in now]


def distinct(arrivals: Iterable[Arrival]) -> tuple[list[Arrival], list[bytes]]:
    """The first of each event with the event's identity, in the order in which all workers park."""
    first = dict[tuple[bytes, str], Arrival]()
    for arrival in arrivals:
        inbound = arrival.inbound
        first.setdefault((inbound.event.identity, inbound.subject), arrival)
    order = sorted(first)
    return [first[key] for key in order], [identity for identity, _ in order]


def remembered(arrivals: Iterable[Arrival]) -> Iterator[tuple[Coordinates, Arrival]]:
    """Those of which a worker can keep many, as they are read back from what is parked, by where they stood."""
    for arrival in arrivals:
        inbound, record = arrival.inbound, arrival.record
        if record.topic_id is None or len(inbound.data) > _SMALL or len(inbound.extensions or b"") > _SMALL:
            continue
        topic, partition, offset = record.topic, record.partition, record.offset
        stood = Record(topic, partition, offset, record.timestamp, None, None, topic_id=record.topic_id)
        yield (topic, record.topic_id, partition, offset), Arrival(inbound, stood)


def pieces(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """The letters in their order, so many bytes at a time: what goes to the server is copied several times on its way."""
    piece, size = list[DeadLetter](), 0
    for letter in letters:
        record = letter.record
        weight = len(record.value or b"") + len(record.key or b"") + sum(len(v or b"") for _, v in record.headers)
        if piece and size + weight > _PIECE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(letter)
        size += weight
    yield piece


def carriers_and_numbers(labels: Iterable[str]) -> tuple[list[str], list[str]]:
    """Labels as `inbound.label` writes them, as two columns."""
    parts = [name.split("/", 1) for name in labels]
    return [carrier for carrier, _ in parts], [number for _, number in parts]
