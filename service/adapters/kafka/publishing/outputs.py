"""What stands in the output topics, read from their beginnings to their ends as a committed subscriber sees them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from service.adapters.kafka.named import know_all, topics_of
from service.adapters.kafka.options import connection_options, opened
from service.application.journal.sides import Change, Document, Stood, ToldException, ToldLetter
from service.config import Settings
from service.errors import Fatal, Retryable
from service.wire.outbound import SOURCE
from service.wire.published import CURRENT_STATUS, EXCEPTION, STATUS_CHANGED

_BOOTSTRAP_MS: Final = 10_000
_REQUEST_MS: Final = 15_000
_POLL_MS: Final = 1_000
_GLANCE_MS: Final = 50
_MARKER_SECONDS: Final = 5.0  # from when a topic is begun to be read
_IDLE_POLLS: Final = 30  # polls in a row that bring nothing although there is more
_FETCH_BYTES: Final = 4 * 1024 * 1024


class _Message(msgspec.Struct):
    id: str
    type: str
    source: str
    data: dict[str, Any]


_decode = msgspec.json.Decoder(_Message).decode


class KafkaOutputs:
    """`sides.Outputs`."""

    def __init__(self, settings: Settings) -> None:
        """Connects. Raises Retryable, and Fatal where a topic is missing."""
        self._changes, self._current, self._exceptions, self._letters = settings.output_topics
        self._inputs = settings.inputs
        try:
            self._consumer: Any = opened(
                KafkaConsumer,
                **connection_options(settings, "returns-outputs"),
                group_id=None,
                isolation_level="read_committed",
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                request_timeout_ms=_REQUEST_MS,
                max_partition_fetch_bytes=_FETCH_BYTES,
                metrics_enabled=False,
            )
        except KafkaError as error:
            raise Retryable(f"Kafka: {' '.join(str(error).split())}", cause="kafka") from error

    def close(self) -> None:
        """Let go of Kafka."""
        with suppress(KafkaError):
            self._consumer.close()

    def input_ends(self) -> dict[tuple[str, int], tuple[int, int]]:
        """The first and the next offset of every input partition."""
        know_all(self._consumer, self._inputs)
        partitions = [tp for topic in topics_of(self._consumer, self._inputs) for tp in self._partitions(topic)]
        begins, ends = self._bounds(partitions)
        return {(tp.topic, tp.partition): (begins[tp], ends[tp]) for tp in partitions}

    def ends(self) -> Mapping[str, list[int]]:
        """The ends of the partitions of the status changes, by the topic's id."""
        partitions = self._partitions(self._changes)
        _, ends = self._bounds(partitions)
        topic_id = self._consumer._cluster.topic_id(self._changes)  # noqa: SLF001 - of a version that is pinned
        return {str(topic_id or ""): [ends[tp] for tp in partitions]}

    def documents(self) -> Iterator[Document]:
        """The documents of the compacted topic, older ones of a return before newer ones."""
        for stood, message in self._messages(self._current, CURRENT_STATUS):
            with suppress(KeyError, TypeError, ValueError):
                seq = int(message.id.rpartition("/")[2])
                yield Document(stood, message.data["return_id"], int(message.data["version"]), seq, message.data)

    def changes(self) -> Iterator[Change]:
        """The status changes, those of a return in their order."""
        for stood, message in self._messages(self._changes, STATUS_CHANGED):
            with suppress(KeyError, TypeError, ValueError):
                yield Change(stood, message.data["return_id"], int(message.data["version"]), message.data)

    def exceptions(self) -> Iterator[ToldException]:
        """The exceptions that were published, those of one id in their order."""
        for _, message in self._messages(self._exceptions, EXCEPTION):
            with suppress(KeyError, TypeError):
                yield ToldException.of(message.data)

    def letters(self) -> Iterator[ToldLetter]:
        """The dead letters that were published."""
        for record in self._records(self._letters):
            headers = {name: value for name, value in record.headers if name.startswith("dlq.")}
            with suppress(KeyError, TypeError, ValueError):
                partition, offset, timestamp = (
                    int(headers[f"dlq.{name}"]) for name in ("partition", "offset", "timestamp")
                )
                is_whole = record.value is not None and "dlq.stub" not in headers
                digest = sha256(record.value).digest() if is_whole else None
                yield ToldLetter(headers["dlq.topic"].decode(), partition, offset, timestamp, digest)

    def kept_since(self, *, letters: bool) -> datetime | None:
        """What was recorded before this may have been published and deleted since; None: nothing was deleted."""
        partitions = self._partitions(self._letters if letters else self._exceptions)
        begins, ends = self._bounds(partitions)
        cut = {tp: begin for tp, begin in begins.items() if begin > 0}
        times = [self._first_time(tp, begin) if begin < ends[tp] else datetime.now(UTC) for tp, begin in cut.items()]
        return max(times, default=None)

    def _first_time(self, partition: TopicPartition, begin: int) -> datetime:
        self._consumer.assign([partition])
        self._consumer.seek(partition, begin)
        for _ in range(_IDLE_POLLS):
            for records in self._consumer.poll(timeout_ms=_POLL_MS, max_records=1).values():
                return datetime.fromtimestamp(max(0, records[0].timestamp) / 1000, UTC)
        return datetime.now(UTC)

    def _messages(self, topic: str, type_: str) -> Iterator[tuple[Stood, _Message]]:
        """Those of ours; others may write there what they like."""
        for record in self._records(topic):
            try:
                message = _decode(record.value or b"")
            except msgspec.MsgspecError:
                continue
            if (message.type, message.source) == (type_, SOURCE):
                yield Stood(topic, record.partition, record.offset, record.timestamp), message

    def _records(self, topic: str) -> Iterator[Any]:
        partitions = self._partitions(topic)
        begins, ends = self._bounds(partitions)
        left = {tp: end for tp, end in ends.items() if begins[tp] < end}
        self._consumer.assign(list(left))
        for tp in left:
            self._consumer.seek(tp, begins[tp])
        read, idle, deadline = list(left), 0, time.monotonic() + _MARKER_SECONDS
        while left or (time.monotonic() < deadline and self._is_hidden(read)):
            try:
                polled = self._consumer.poll(timeout_ms=_POLL_MS if left else _GLANCE_MS, max_records=5_000)
                left = {tp: end for tp, end in left.items() if self._consumer.position(tp) < end}
            except KafkaError as error:
                raise Retryable(f"Kafka: {type(error).__name__}", cause="kafka") from error
            idle = 0 if polled else idle + 1
            if idle > _IDLE_POLLS:
                raise Retryable(f"Kafka: the end of {topic} could not be read", cause="kafka")
            for records in polled.values():
                yield from records

    def _is_hidden(self, partitions: list[TopicPartition]) -> bool:
        """Whether something stands there that a committed reader does not see yet: a transaction is committed a moment
        before each of its partitions has the marker.
        """
        return any((self._consumer.highwater(tp) or 0) > self._consumer.position(tp) for tp in partitions)

    def _partitions(self, topic: str) -> list[TopicPartition]:
        try:
            numbers = sorted(self._consumer.partitions_for_topic(topic))
        except KafkaError as error:
            raise Retryable(f"Kafka: {type(error).__name__}", cause="kafka") from error
        if not numbers:
            raise Fatal(f"no such topic: {topic}; `python -m service topics` makes it")
        return [TopicPartition(topic, number) for number in numbers]

    def _bounds(self, partitions: list[TopicPartition]) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        try:
            begins = self._consumer.beginning_offsets(partitions, timeout_ms=_REQUEST_MS)
            return begins, self._consumer.end_offsets(partitions, timeout_ms=_REQUEST_MS)
        except KafkaError as error:
            raise Retryable(f"Kafka: {type(error).__name__}", cause="kafka") from error
