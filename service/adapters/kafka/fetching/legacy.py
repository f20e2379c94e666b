"""Batches from before Kafka 0.11, which a broker below 4.0 may still hold: kafka-python reads them, within our bounds."""

from __future__ import annotations

from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import CorruptRecordError
from kafka.record.legacy_records import LegacyRecordBatch

from service.adapters.kafka.fetching.room import Room
from service.adapters.kafka.fetching.unpack import CODECS, RECORD_WEIGHT, TooLarge, Unreadable, unpack
from service.adapters.kafka.fetching.unread import Coordinates, refused
from service.wire.record import Record

_MAGIC_AT: Final = 16
_LEAST: Final = 26  # bytes of a message without key and value, its offset and length included


class _Bounded(LegacyRecordBatch):  # type: ignore[misc] # kafka-python has no types
    """Unpacks no more than it may; does not read a message that has no length again and again."""

    def __init__(self, data: memoryview, magic: int, most: int) -> None:
        super().__init__(data, magic)
        self.most = most

    def _decompress(self, key_offset: int) -> Any:
        key = int.from_bytes(self._buffer[key_offset : key_offset + 4], "big", signed=True)
        at = key_offset + 4 + max(0, key)
        size = int.from_bytes(self._buffer[at : at + 4], "big", signed=True)
        if key < -1 or size < 0:
            raise Unreadable("size of a packed message")
        return unpack(self.compression_type, self._buffer[at + 4 : at + 4 + size], self.most)

    def _read_all_headers(self) -> Any:
        at, found = 0, []
        while at < len(self._buffer):
            header = self._read_header(at)
            found.append((header, at))
            step = self.LOG_OVERHEAD + header[1]
            if step < _LEAST:
                raise Unreadable("length of a message")
            at += step
        if len(self._buffer) + RECORD_WEIGHT * len(found) > self.most:
            raise TooLarge
        return found


def legacy_records(tp: TopicPartition, data: memoryview, room: Room) -> list[Record]:
    """The records of one batch; by its coordinates where it is too large or cannot be read."""
    topic, partition = tp
    wrapper = _Bounded(data, data[_MAGIC_AT], room.max_batch_bytes)
    if not wrapper.validate_crc():
        raise CorruptRecordError(f"{topic} {partition}: a record fails its checksum")
    # The offset of a packed batch is that of its last message; how many there are nobody says.
    last = wrapper.base_offset
    where = Coordinates(tp, last, last, 0, wrapper._timestamp or 0, CODECS.get(wrapper.compression_type, "no codec"))  # noqa: SLF001
    try:
        found = _read(tp, wrapper)
    except (TooLarge, Unreadable) as finding:
        return refused(where, finding, room)
    room.hold((topic, partition), last, len(wrapper._buffer) + RECORD_WEIGHT * len(found))  # noqa: SLF001
    return found


def _read(tp: TopicPartition, wrapper: _Bounded) -> list[Record]:
    found = list[Record]()
    try:
        for record in wrapper:
            if not record.validate_crc():
                raise Unreadable("checksum of a packed message")
            found.append(Record(tp.topic, tp.partition, record.offset, record.timestamp or 0, record.key, record.value))
    except (TooLarge, Unreadable):
        raise
    except Exception as error:
        raise Unreadable(type(error).__name__) from error
    return found
