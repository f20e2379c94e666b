"""Fetched bytes to records: the part of kafka-python's consumer that takes the most time, on aiokafka's C parser.

kafka-python reads a record in Python, in 7 us of the 50 that all of ingestion takes, and of the codecs it brings gzip
alone. aiokafka's parser grew out of the same code; it takes half a microsecond and knows every codec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.record.default_records import DefaultRecordBatch
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, default_records

from service.adapters.kafka_epochs import Epochs
from service.wire.record import Record

_HEAD: Final = Struct(">qiib")  # base offset, length of what follows it, leader epoch, magic
_LENGTH_ENDS_AT: Final = 12  # a batch's length counts from here
_MAGIC: Final = 2  # the record format since Kafka 0.11
_MARKER: Final = Struct(">hh")  # the key of a control record: version, type
_ABORT: Final = 0
_CODECS: Final = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}


class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """One fetch of one partition; gives `Record`s, in the order of their offsets, without those of aborted transactions."""

    topic_ids: Mapping[str, bytes | None] = MappingProxyType({})
    epochs: Epochs | None = None

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
            if magic < _MAGIC:
                yield from self._legacy(tp, buffer[at:end])
            else:
                self.leader_epoch = epoch
                if epochs is not None:
                    epochs.note((topic, partition), first, epoch)
                batch = DefaultRecordBatch(buffer[at:end])
                if not batch.validate_crc():
                    raise CorruptRecordError(f"{topic} {partition}: a record batch fails its checksum")
                if self._is_readable(batch):
                    for record in _records(batch, buffer[at:end]):
                        offset = record.offset
                        self.next_fetch_offset = offset + 1
                        self.records_read += 1
                        headers = tuple(record.headers)
                        yield Record(
                            topic, partition, offset, record.timestamp, record.key, record.value, headers, topic_id
                        )
                # Compaction may have taken the last records of the batch.
                self.next_fetch_offset = batch.next_offset
            at = end
        self.drain()

    def _is_readable(self, batch: Any) -> bool:
        """Whether a committed reader may see the batch: no marker, and not of a transaction that was aborted."""
        if batch.producer_id < 0:
            return not batch.is_control_batch
        self._consume_aborted_transactions_up_to(batch.base_offset + batch.last_offset_delta)
        if batch.is_control_batch:
            _, kind = _MARKER.unpack_from(next(batch).key)
            if kind == _ABORT:
                self.aborted_producer_ids.discard(batch.producer_id)
            return False
        return not self._is_batch_aborted(batch)

    def _legacy(self, tp: TopicPartition, batch: memoryview) -> Iterator[Record]:
        """A batch from before Kafka 0.11, which a broker below 4.0 may still hold."""
        topic, partition = tp
        for record in MemoryRecords(bytes(batch)).next_batch():
            if not record.validate_crc():
                raise CorruptRecordError(f"{topic} {partition}: a record fails its checksum")
            self.next_fetch_offset = record.offset + 1
            self.records_read += 1
            at, id_ = record.timestamp or 0, self.topic_ids.get(topic)
            yield Record(topic, partition, record.offset, at, record.key, record.value, (), id_)


def records_of(topic_ids: Mapping[str, bytes | None], epochs: Epochs) -> type[PartitionRecords]:
    """The class for one consumer: its records know their topic's id, and their leader epochs are noted."""
    return type("PartitionRecords", (PartitionRecords,), {"topic_ids": topic_ids, "epochs": epochs})


def _records(batch: Any, data: memoryview) -> Any:
    try:
        return list(batch)
    except UnicodeDecodeError:
        return _read_leniently(data, batch.compression_type)


def _read_leniently(data: memoryview, codec: int) -> Any:
    """The records of a batch in which a header's name is not UTF-8, as a client in C may send it.

    Both parsers give up on such a batch, and the partition would stand still for ever. kafka-python's is made to go on.
    """
    batch = default_records.DefaultRecordBatch(data)
    body = data[batch.HEADER_STRUCT.size :]
    batch._buffer = _AnyText(_CODECS[codec](bytes(body)) if codec else body)  # noqa: SLF001
    batch._pos, batch._decompressed = 0, True  # noqa: SLF001
    return batch


class _AnyText(bytearray):
    """Bytes that are text, whatever they are."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _AnyText(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "") -> str:
        return super().decode(encoding, errors or "backslashreplace")
