"""Fetched bytes to records: the part of kafka-python's consumer that takes the most time, on aiokafka's C parser.

kafka-python reads a record in Python, in 7 us of the 50 that all of ingestion takes, and of the codecs it brings gzip
alone. aiokafka's parser grew out of the same code; it takes half a microsecond and knows every codec. Neither has a bound
for what a batch may unpack to, so that is done here: see ADR 20.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

from aiokafka.record.default_records import DefaultRecordBatch
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, default_records
from msgspec.structs import replace

from service.adapters.kafka.epochs import Epochs
from service.adapters.kafka.fetching.legacy import legacy_records
from service.adapters.kafka.fetching.room import Room
from service.adapters.kafka.fetching.unpack import CODECS, RECORD_WEIGHT, TooLarge, Unreadable, unpack, weigh
from service.adapters.kafka.fetching.unread import Coordinates, refused, too_large_to_keep
from service.wire.record import Record

_HEAD: Final = Struct(">qiib")  # base offset, length of what follows it, leader epoch, magic
_LENGTH_ENDS_AT: Final = 12  # a batch's length counts from here
_MAGIC: Final = 2  # the record format since Kafka 0.11
_ATTRIBUTES: Final = Struct(">h")
_ATTRIBUTES_AT: Final = 21
_CODEC_BITS: Final = 0b111
_LOG_APPEND_TIME: Final = 0b1000
_COUNTS: Final = Struct(">iqqqhii")  # last offset delta, two timestamps, producer (id, epoch, sequence), records
_COUNTS_AT: Final = 23
_RECORDS_AT: Final = 61
# What unpacks to no more than this cannot become many times more as objects than a broker's largest batch would anyway.
_LIGHT: Final = 1024 * 1024
_ANY: Final = 2**63
# A larger message is no event in any case (contract 4.2), and as a dead letter would cost each who looks at it.
MAX_RECORD_BYTES: Final = 8 * _LIGHT


Batches = deque[tuple[int, int]]
"""The last offset of each batch, and its newest record's time in milliseconds since 1970-01-01 UTC."""


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """One fetch of one partition; gives `Record`s, in the order of their offsets, without those of aborted transactions.

    A batch whose checksum is wrong was damaged on its way or on a disk: another fetch, or another replica, may be right,
    so that raises. One whose checksum is right came like this from its producer, and will for ever: what cannot be read of
    it, or is too much to hold, is given by its coordinates, and the partition goes on.
    """

    topic_ids: Mapping[str, bytes | None] = MappingProxyType({})
    epochs: Epochs | None = None
    batches: Batches | None = None

    def __init__(self, *positional: Any, room: Room | None = None, **named: Any) -> None:
        self.next_fetch_offset: int
        self._room = room or Room()
        super().__init__(*positional, **named)

    def _unpack_records(self, tp: TopicPartition, records: MemoryRecords, *_: Any) -> Iterator[Record]:
        topic, partition = tp
        topic_id, epochs = self.topic_ids.get(topic), self.epochs
        buffer = memoryview(records._buffer)  # noqa: SLF001 - of a version that is pinned
        self.bytes_read = len(buffer)
        at = 0
        while len(buffer) - at >= _HEAD.size:
            first, length, epoch, magic = _HEAD.unpack_from(buffer, at)
            end = at + _LENGTH_ENDS_AT + length
            if end > len(buffer):
                break  # the fetch was cut here: the next one begins with this batch
            if self._room.is_full:
                break  # likewise
            if end < at + (_RECORDS_AT if magic >= _MAGIC else _HEAD.size):
                raise CorruptRecordError(f"{topic} {partition}: a record batch is shorter than its header")
            if magic < _MAGIC:
                yield from self._counted(legacy_records(tp, buffer[at:end], self._room), topic_id)
            else:
                self.leader_epoch = epoch
                if epochs is not None:
                    epochs.note((topic, partition), first, epoch)
                batch = DefaultRecordBatch(buffer[at:end])
                if not batch.validate_crc():
                    raise CorruptRecordError(f"{topic} {partition}: a record batch fails its checksum")
                if self._is_readable(batch):
                    yield from self._counted(self._batch_records(tp, buffer[at:end]), topic_id)
                # Compaction may have taken the last records of the batch.
                self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
            at = end
        self.drain()

    def _counted(self, records: Sequence[Record], topic_id: bytes | None) -> Iterator[Record]:
        for record in records:
            self.next_fetch_offset = record.offset + 1
            self.records_read += 1
            # Those that are rare are made without it.
            yield record if record.topic_id is topic_id else replace(record, topic_id=topic_id)

    def _batch_records(self, tp: TopicPartition, data: memoryview) -> list[Record]:
        last_delta, _, newest, *_, count = _COUNTS.unpack_from(data, _COUNTS_AT)
        (base,) = _HEAD.unpack_from(data)[:1]
        (attributes,) = _ATTRIBUTES.unpack_from(data, _ATTRIBUTES_AT)
        codec = attributes & _CODEC_BITS
        where = Coordinates(tp, base, base + last_delta, count, newest, CODECS.get(codec, "no codec"))
        if self.batches is not None:
            self.batches.append((where.last, newest))
        try:
            light, weight = self._unpacked(data, attributes, count)
            records = _read(light, count)
            topic_id = self.topic_ids.get(tp.topic)
            found = _checked(tp, records, where, topic_id, broker_time=bool(attributes & _LOG_APPEND_TIME))
        except (TooLarge, Unreadable) as finding:
            return refused(where, finding, self._room)
        self._room.hold((tp.topic, tp.partition), where.last, weight)
        if weight > MAX_RECORD_BYTES:
            return [
                too_large_to_keep(each, MAX_RECORD_BYTES) if _size(each) > MAX_RECORD_BYTES else each for each in found
            ]
        return found

    def _unpacked(self, data: memoryview, attributes: int, count: int) -> tuple[memoryview, int]:
        """The batch as if nobody had packed it, and how much memory its records take."""
        most = self._room.max_batch_bytes
        codec = attributes & _CODEC_BITS
        body: Any = data[_RECORDS_AT:]
        if codec:
            body = unpack(codec, body, most)
        weight = weigh(body, count, most) if len(body) > _LIGHT else len(body) + RECORD_WEIGHT * count
        if codec:
            head = bytearray(data[:_RECORDS_AT])
            _ATTRIBUTES.pack_into(head, _ATTRIBUTES_AT, attributes & ~_CODEC_BITS)
            data = memoryview(b"".join((head, body)))
        return data, weight

    def _is_readable(self, batch: Any) -> bool:
        """Whether a committed reader may see the batch: no marker, and not of a transaction that was aborted."""
        if batch.producer_id < 0:
            return not batch.is_control_batch
        self._consume_aborted_transactions_up_to(batch.base_offset + batch.last_offset_delta)
        if batch.is_control_batch:
            # The end of a transaction. That it was aborted the broker has told; what the marker holds adds nothing.
            self.aborted_producer_ids.discard(batch.producer_id)
            return False
        return not self._is_batch_aborted(batch)


def records_of(
    topic_ids: Mapping[str, bytes | None], epochs: Epochs, batches: Batches | None = None
) -> type[PartitionRecords]:
    """The class for one consumer: its records know their topic's id; their leader epochs are noted, and so are `batches`."""
    members = {"topic_ids": topic_ids, "epochs": epochs, "batches": batches}
    return type("PartitionRecords", (PartitionRecords,), members)


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def _read(data: memoryview, count: int) -> Any:
    """The records of a batch that is not packed, in one go: all of them, or Unreadable."""
    try:
        return list(DefaultRecordBatch(data))
    except UnicodeDecodeError:
        pass
    except MemoryError:
        weigh(data[_RECORDS_AT:], count, _ANY)  # a length that is not true; else there is too little memory indeed
        raise
    except Exception as error:
        raise Unreadable(type(error).__name__) from error
    try:
        return _read_leniently(data)
    except Exception as error:
        raise Unreadable(type(error).__name__) from error


def _checked(
    tp: TopicPartition, records: Sequence[Any], where: Coordinates, topic_id: bytes | None, *, broker_time: bool
) -> list[Record]:
    """The records as ours. Offsets that are not the batch's own would make the worker skip others, or repeat them."""
    topic, partition = tp
    found, least = list[Record](), where.base
    for each in records:
        offset, timestamp = each.offset, each.timestamp
        if not least <= offset <= where.last:
            raise Unreadable("offset")
        least = offset + 1
        found.append(
            Record(
                topic,
                partition,
                offset,
                -1 if timestamp is None else timestamp,
                each.key,
                each.value,
                tuple(each.headers),
                topic_id,
                broker_time,
            )
        )
    return found


def _read_leniently(data: memoryview) -> Any:
    """The records of a batch in which a header's name is not UTF-8, as a client in C may send it.

    Both parsers give up on such a batch, and the partition would stand still for ever. kafka-python's is made to go on.
    """
    batch = default_records.DefaultRecordBatch(data)
    batch._buffer = _AnyText(data[_RECORDS_AT:])  # noqa: SLF001
    batch._pos, batch._decompressed = 0, True  # noqa: SLF001
    return list(batch)


class _AnyText(bytearray):
    """Bytes that are text, whatever they are."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _AnyText(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "") -> str:
        return super().decode(encoding, errors or "backslashreplace")
