"""What stands in the output topics for the relay: its position, how many partitions there are, which topics they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    RecordListTooLargeError,
)
from kafka.partitioner.default import murmur2
from kafka.protocol.consumer import IsolationLevel
from kafka.structs import OffsetAndMetadata

from service.adapters.kafka.options import connection_options, opened
from service.adapters.kafka.publishing.position import from_offset
from service.adapters.kafka.silence import SILENCE_SECONDS
from service.application.journal.belief import REMEDY
from service.application.journal.publish import OutputTopics
from service.application.journal.slices import Position
from service.config import Settings
from service.errors import Cause, Fatal, Refused, Retryable

_FENCED: Final = (InvalidProducerEpochError, ProducerFencedError)  # another relay has taken over
TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
BLOCK_MS: Final = 10_000
_GLANCE_MS: Final = 2_000


class SinkOptions(NamedTuple):
    """`transactional_id` is the same for all relays of a service: whoever starts last fences the others.

    A transaction that is neither committed nor aborted holds up subscribers for `transaction_timeout_ms` at most.
    """

    transactional_id: str = "returns-relay"
    group_id: str = "returns-relay"
    transaction_timeout_ms: int = 10_000
    patience_seconds: float = SILENCE_SECONDS


def read_position(
    settings: Settings, options: SinkOptions, topics: OutputTopics, timeout_ms: int = BLOCK_MS
) -> Position | None:
    """The position of the last transaction that was committed, whoever did it; None where there was none.

    Raises Retryable while a transaction is open whose outcome is not known, Refused where it is no relay's.
    """
    with translated(), looking_consumer(settings, options) as consumer:
        found = committed(consumer, TopicPartition(topics.status_changes, 0), timeout_ms)
    return None if found is None else believable(found, options)[0]


def committed(consumer: Any, home: TopicPartition, timeout_ms: int = BLOCK_MS) -> Any:
    # As this consumer reads committed, the broker refuses an offset that a pending transaction may change.
    try:
        return consumer.committed(home, metadata=True, timeout_ms=timeout_ms)
    except KafkaTimeoutError as error:
        if not _is_pending(consumer, home):
            raise
        raise Retryable(
            "Kafka: the position is part of a transaction that does not end: the relay waits for it, and says "
            "hanging_transaction where Kafka has forgotten it",
            cause="pending",
        ) from error


def _is_pending(consumer: Any, home: TopicPartition) -> bool:
    """Whether the brokers do answer, and only will not say a position that may still change."""
    try:
        with uncommitted(consumer._coordinator):  # noqa: SLF001 - of a version that is pinned
            consumer.committed(home, metadata=True, timeout_ms=_GLANCE_MS)
    except KafkaError:
        return False
    return True


@contextmanager
def uncommitted(part: Any) -> Iterator[None]:
    """Within the block, this part of a consumer that reads committed sees what is not committed too."""
    asked = part._isolation_level  # noqa: SLF001 - of a version that is pinned
    part._isolation_level = IsolationLevel.READ_UNCOMMITTED  # noqa: SLF001
    try:
        yield
    finally:
        part._isolation_level = asked  # noqa: SLF001


def believable(found: OffsetAndMetadata, options: SinkOptions) -> tuple[Position, list[str]]:
    try:
        return from_offset(found)
    except ValueError:
        raise Refused(
            f"the position of group {options.group_id} was not written by a relay of this version: another program commits "
            f"under its name, or it is from before positions named their batch: {REMEDY}"
        ) from None


def described(consumer: Any, topics: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """How many partitions the topics have, and their ids, in order. Raises Fatal where one is missing."""
    counts = {topic: len(consumer.partitions_for_topic(topic)) for topic in topics}
    if missing := sorted(topic for topic, count in counts.items() if not count):
        raise Fatal(f"no such topic: {', '.join(missing)}; `python -m service topics` makes them")
    cluster = consumer._cluster  # noqa: SLF001 - of a version that is pinned
    return counts, [str(cluster.topic_id(topic) or "") for topic in counts]


@contextmanager
def looking_consumer(settings: Settings, options: SinkOptions) -> Iterator[Any]:
    consumer = opened(
        KafkaConsumer,
        **connection_options(settings, options.group_id),
        group_id=options.group_id,
        isolation_level="read_committed",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        bootstrap_timeout_ms=BLOCK_MS,
        metrics_enabled=False,
    )
    try:
        yield consumer
    finally:
        with suppress(KafkaError):
            consumer.close(autocommit=False)


@contextmanager
def translated() -> Iterator[None]:
    """kafka-python's errors in our words."""
    try:
        yield
    except TOO_LARGE as error:
        raise Retryable(
            "Kafka: a message is larger than its topic takes; should this come again and again, raise the topic's "
            "max.message.bytes",
            cause="kafka",
        ) from error
    except AuthorizationError as error:
        raise Fatal(f"Kafka does not allow this to the relay: {type(error).__name__}") from error
    except KafkaError as error:
        cause: Cause = "fenced" if isinstance(error, _FENCED) else "kafka"
        raise Retryable(f"Kafka: {' '.join(str(error).split())}", cause=cause) from error


@lru_cache(maxsize=8192)  # a change and the status after it share their key
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


def partition_of(key: bytes | None, partitions: int) -> int:
    """Where every Kafka client would put the key; without one any partition does."""
    return _hash(b"" if key is None else key) % partitions
