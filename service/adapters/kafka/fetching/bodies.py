"""Records by their coordinates: the bodies of thin letters, for as long as Kafka has them."""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from service.adapters.kafka.epochs import Epochs
from service.adapters.kafka.fetching.records import Batches, records_of
from service.adapters.kafka.fetching.room import Room
from service.adapters.kafka.groupless import opened_reader
from service.application.ports import Partition
from service.config import Settings
from service.errors import Retryable
from service.wire.reasons import Invalid
from service.wire.record import Record

_BOOTSTRAP_MS: Final = 5_000
_REQUEST_MS: Final = 10_000
_ANSWER_SECONDS: Final = 10.0
_POLL_MS: Final = 200
_RECORDS: Final = 500  # letters of one publisher stand side by side: the next ones are most often there already


class KafkaBodies:
    """`resending.Bodies`, for one thread. Opens a client, in no group, when it is asked something."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Any = None
        self._ids: dict[str, bytes | None] = {}
        self._room = Room(settings.max_batch_bytes)
        self._at: tuple[Partition, int] | None = None  # the partition that is read, and the next offset it gives
        self._read: dict[int, Record] = {}  # what it gave last
        self._batches: Batches = deque(maxlen=2 * _RECORDS)  # of which these are

    def fetch(self, record: Record) -> Record | None:
        """The record of these coordinates, with its body; None where Kafka has it no more, or another one there.

        Raises Retryable.
        """
        try:
            found = self._fetch((record.topic, record.partition), record.offset)
        except OffsetOutOfRangeError:
            self.close()
            return None
        except KafkaError as error:
            self.close()
            raise Retryable(f"Kafka: {type(error).__name__}", cause="kafka") from error
        if found is None or record.timestamp not in self._times_of(record, found):
            return None
        is_other = record.topic_id is not None and found.topic_id not in {None, record.topic_id}
        return None if is_other else found

    def _times_of(self, record: Record, found: Record) -> tuple[int, ...]:
        """What Kafka's timestamp of a letter may be that stands there: of one from a batch that was not read, the batch's."""
        unread = record.unread
        if unread is None or unread.reason not in {Invalid.BATCH_TOO_LARGE, Invalid.UNREADABLE_BATCH}:
            return (found.timestamp,)
        newest = next((time for last, time in self._batches if record.offset <= last), found.timestamp)
        return found.timestamp, newest

    def close(self) -> None:
        """Let go of Kafka."""
        consumer, self._consumer = self._consumer, None
        self._at, self._read = None, {}
        self._batches.clear()
        if consumer is not None:
            consumer.close()

    def _fetch(self, partition: Partition, offset: int) -> Record | None:
        at = self._at
        if at is not None and at[0] == partition and offset in self._read:
            return self._read[offset]
        consumer, tp = self._open(), TopicPartition(*partition)
        if partition[1] not in (consumer.partitions_for_topic(partition[0]) or ()):
            return None
        found = consumer._cluster.topic_id(partition[0])  # noqa: SLF001 - of a version that is pinned
        self._ids[partition[0]] = found.bytes if found else None
        end = consumer.end_offsets([tp], timeout_ms=_REQUEST_MS)[tp]
        if offset >= end:
            return None
        if at is None or at != (partition, offset):
            self._batches.clear()
            consumer.assign([tp])
            consumer.seek(tp, offset)
        return self._read_on(consumer, tp, offset)

    def _read_on(self, consumer: Any, tp: TopicPartition, offset: int) -> Record | None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            polled = consumer.poll(timeout_ms=_POLL_MS, max_records=_RECORDS).get(tp, ())
            self._room.release((tp.topic, tp.partition), None)
            if polled:
                self._read = {each.offset: each for each in polled}
                self._at = (tp.topic, tp.partition), polled[-1].offset + 1
                return self._read.get(offset)
            if consumer.position(tp, timeout_ms=_REQUEST_MS) > offset:
                return None  # nothing that a committed reader sees stands there
        raise Retryable("Kafka does not give what it has", cause="kafka")

    def _open(self) -> Any:
        if self._consumer is None:
            self._consumer = opened_reader(
                self._settings,
                "returns-replay",
                partial(records_of(self._ids, Epochs(), self._batches), room=self._room),
                isolation_level="read_committed",
                max_partition_fetch_bytes=self._settings.max_partition_fetch_bytes,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                request_timeout_ms=_REQUEST_MS,
            )
        return self._consumer
