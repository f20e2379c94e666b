"""How the journal's rows look on their way to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from service.application.ports import Arrival, DeadLetter, HistoryRow, Stored
from service.domain.events import KEY_DIGEST_BYTES
from service.wire.record import Record
from service.wire.stored import encode_changes, encode_state

# The keys of up to so many events stand in each row; beyond that a return's rows would grow with their square.
MAX_KEYS_IN_ROW: Final = 64

_PG_EPOCH: Final = 946_684_800_000_000  # 2000-01-01 UTC in microseconds; what PostgreSQL counts from
_FIRST_MS: Final = -62_135_596_800_000  # 0001-01-01 UTC in milliseconds since 1970: what Python can read back
_LAST_MS: Final = 253_402_300_799_999  # 9999-12-31
_PIECE_BYTES: Final = 8 * 1024 * 1024  # of dead letters, in one statement
# timestamptz and xid8 go as the integer, and json and uuid as the bytes, that they are on the wire: a spared conversion each.
# fmt: off
HISTORY_TYPES: Final = (
    "int8", "int4", "int8", "text", "text", "text", "int8", "text", "int2", "text", "text", "bytea", "bytea",
    "text", "bytea", "int4", "int8", "int8", "text", "text", "bytea", "int4", "text", "bytea", "bytea", "bytea",
)
# fmt: on


def published_at(record: Record) -> int:
    """Kafka's timestamp. Publishers set it, to any 64 bits; what is no date we can keep becomes the first or last."""
    timestamp = record.timestamp
    return timestamp if _FIRST_MS <= timestamp <= _LAST_MS else clamped(timestamp)


def clamped(timestamp: int) -> int:
    """The nearest timestamp that is a date we can keep, in milliseconds since 1970."""
    return min(max(timestamp, _FIRST_MS), _LAST_MS)


# The order of all writes to the history: by return; the rows of one return stand in order already.
place_in_history: Final = attrgetter("return_no")


def history_columns(row: HistoryRow, batch_id: int) -> tuple[Any, ...]:
    """The values of a history row, as `copy_history` names its columns."""
    entry, inbound, record = row.entry, row.arrival.inbound, row.arrival.record
    event, state, changes = entry.event, entry.state, entry.changes
    seen = state.seen
    return (
        row.return_no,
        state.seq,
        batch_id,
        event.source,
        event.id,
        inbound.type,
        event.at - _PG_EPOCH,
        inbound.zone_source,
        inbound.utc_offset,
        inbound.code,
        event.milestone,
        inbound.data,
        inbound.extensions,
        record.topic,
        record.topic_id,
        record.partition,
        record.offset,
        published_at(record) * 1000 - _PG_EPOCH,
        entry.verdict,
        entry.reason,
        encode_changes(changes) if changes else None,
        state.version,
        state.timeline.status,
        encode_state(state),
        seen[-KEY_DIGEST_BYTES:],
        seen if len(seen) <= MAX_KEYS_IN_ROW * KEY_DIGEST_BYTES else None,
    )


def kept_columns(arrivals: Sequence[Arrival]) -> Iterator[list[Any]]:
    """The columns that parked events and deliveries share, each as a list."""
    inbound = [arrival.inbound for arrival in arrivals]
    events = [item.event for item in inbound]
    yield [event.source for event in events]
    yield [event.id for event in events]
    yield [item.type for item in inbound]
    yield [event.at for event in events]
    yield [item.zone_source for item in inbound]
    yield [item.utc_offset for item in inbound]
    yield [item.code for item in inbound]
    yield [event.milestone and event.milestone.value for event in events]
    yield [item.data.decode() for item in inbound]
    yield [item.extensions and item.extensions.decode() for item in inbound]
    yield [arrival.record.topic for arrival in arrivals]
    yield topic_ids(arrival.record for arrival in arrivals)
    yield [arrival.record.partition for arrival in arrivals]
    yield [arrival.record.offset for arrival in arrivals]
    yield [published_at(arrival.record) for arrival in arrivals]


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
