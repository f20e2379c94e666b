"""How the journal's rows look on their way to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final
from uuid import UUID

from service.application.ports import Arrival, DeadLetter, Stored
from service.wire.record import Record

_FIRST_MS: Final = -62_135_596_800_000  # 0001-01-01 UTC in milliseconds since 1970: what Python can read back
_LAST_MS: Final = 253_402_300_799_999  # 9999-12-31
_PIECE_BYTES: Final = 8 * 1024 * 1024  # of dead letters, in one statement


def published_at(record: Record) -> int:
    """Kafka's timestamp. Publishers set it, to any 64 bits; what is no date we can keep becomes the first or last."""
    timestamp = record.timestamp
    return timestamp if _FIRST_MS <= timestamp <= _LAST_MS else clamped(timestamp)


def clamped(timestamp: int) -> int:
    """The nearest timestamp that is a date we can keep, in milliseconds since 1970."""
    return min(max(timestamp, _FIRST_MS), _LAST_MS)


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


def parked_by(arrivals: Sequence[Arrival]) -> tuple[list[str], list[str], list[bytes], list[str | None]]:
    """The same with the kind of what parked events wait for, and why no table knows their code."""
    kinds = [each.inbound.kind.value for each in arrivals]
    return kinds, *kept_by(arrivals), [each.inbound.event.unmapped_because for each in arrivals]


def others(arrivals: Iterable[Arrival], kept: Iterable[tuple[str, UUID | None, int, int]]) -> list[Arrival]:
    """The arrivals whose coordinates are not among those that were kept now."""
    now = set(kept)
    return [arrival for arrival in arrivals if coordinates(arrival.record) not in now]


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
