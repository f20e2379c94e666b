"""When the records came that wait in Kafka: from the heads of their batches, without reading a record.

A batch's records may unpack to a thousand times its size; its head is never packed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Any, Final, NamedTuple

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.record import MemoryRecords

from service.adapters.kafka.groupless import opened_reader
from service.application.ports import Partition
from service.config import Settings
from service.errors import Retryable

# Base offset, length, leader epoch, magic, checksum, attributes, last offset's delta, first and greatest timestamp.
_HEAD: Final = Struct(">qiibIhiqq")
_LENGTH_ENDS_AT: Final = 12  # a batch's length counts from here
_MAGIC: Final = 2
_BOOTSTRAP_MS: Final = 2_000
_REQUEST_MS: Final = 2_000
_ANSWER_MS: Final = 1_000


class _Head(NamedTuple):
    offset: int
    timestamp: int | None


class _BatchHeads(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """Gives the head of the first batch that reaches to the offset asked for."""

    def _unpack_records(self, tp: TopicPartition, records: MemoryRecords, *_: Any) -> Iterator[_Head]:
        del tp
        buffer = memoryview(records._buffer)  # noqa: SLF001 - of a version that is pinned
        at = 0
        while len(buffer) - at >= _HEAD.size:
            base, length, _, magic, _, _, delta, first, _ = _HEAD.unpack_from(buffer, at)
            if magic < _MAGIC:
                yield _Head(self.fetch_offset, None)
            elif base + delta >= self.fetch_offset:
                yield _Head(self.fetch_offset, first)
            at += _LENGTH_ENDS_AT + length
        self.drain()


class KafkaHeads:
    """`health.Heads`, for one thread. Opens a client when it is asked something."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Any = None

    def timestamps(self, wanted: Mapping[Partition, int]) -> dict[Partition, int | None]:
        """Raises Retryable."""
        try:
            return {partition: self._timestamp(partition, offset) for partition, offset in wanted.items()}
        except KafkaError as error:
            self.close()
            raise Retryable(f"Kafka: {type(error).__name__}", cause="kafka") from error

    def close(self) -> None:
        """Let go of Kafka."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _timestamp(self, partition: Partition, offset: int) -> int | None:
        consumer = self._open()
        tp = TopicPartition(*partition)
        # One at a time: only of the first partition of a fetch a broker gives a whole batch, whatever its size.
        consumer.assign([tp])
        consumer.seek(tp, offset)
        try:
            found = consumer.poll(timeout_ms=_ANSWER_MS, max_records=1).get(tp, ())
        except OffsetOutOfRangeError:
            self.close()
            return None
        consumer.unsubscribe()
        return found[0].timestamp if found else None

    def _open(self) -> Any:
        if self._consumer is None:
            self._consumer = opened_reader(
                self._settings,
                "returns-health-heads",
                _BatchHeads,
                max_partition_fetch_bytes=1024,
                fetch_max_bytes=1024,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                request_timeout_ms=_REQUEST_MS,
                metrics_enabled=False,
            )
        return self._consumer
