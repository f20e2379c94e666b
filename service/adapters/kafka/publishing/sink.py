"""Publishes to Kafka in transactions that carry the relay's position, so that a slice is out exactly once.

The position is the committed offset of a consumer group that nobody consumes with, on partition 0 of the status
changes (see `kafka_position`). It is committed in the transaction of the messages, so there is never one without the
other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import (
    InvalidTransactionTimeoutError,
    KafkaError,
)
from kafka.structs import OffsetAndMetadata

from service.adapters.kafka import broker_limits as kafka_broker_limits
from service.adapters.kafka.limits import MessageLimits
from service.adapters.kafka.options import connection_options, opened
from service.adapters.kafka.publishing.forgotten import end_forgotten
from service.adapters.kafka.publishing.position import to_offset
from service.adapters.kafka.publishing.standing import (
    BLOCK_MS,
    TOO_LARGE,
    SinkOptions,
    believable,
    committed,
    described,
    looking_consumer,
    partition_of,
    translated,
)
from service.adapters.kafka.publishing.tails import read_tails
from service.adapters.kafka.publishing.transactions import WAIT_SECONDS, TransactionalProducer
from service.adapters.kafka.silence import Silence
from service.application.journal.belief import REMEDY
from service.application.journal.publish import Outgoing, OutputTopics, Tail
from service.application.journal.slices import Position
from service.config import Settings
from service.errors import Fatal, Refused, Retryable
from service.wire.stubs import LARGEST

_BATCH_SIZE: Final = 128 * 1024

_PRODUCER: Final = {
    "bootstrap_timeout_ms": BLOCK_MS,
    "max_block_ms": BLOCK_MS,
    "request_timeout_ms": 6_000,
    "delivery_timeout_ms": 12_000,
    # At rest a producer says nothing else to the brokers; so it is noticed when they do not answer.
    "metadata_max_age_ms": 4_000,
    # The sender polls for so long between the steps of a transaction: 100 ms by default.
    "retry_backoff_ms": 5,
    # Batches (of _BATCH_SIZE) go when they are full, the rest with the flush at the end of a slice.
    "linger_ms": 50,
    # A dead letter may be larger than what the input topics take: it has more headers.
    "max_request_size": LARGEST,
    # A topic that is missing is not made by the way, with one partition and the wrong clean-up.
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
}


class KafkaSink:
    """A transactional producer with its position. After any exception it is of no use: close it and open another."""

    def __init__(
        self,
        settings: Settings,
        options: SinkOptions,
        topics: OutputTopics,
        waiting: Callable[[], None],
        limits: MessageLimits | None = None,
    ) -> None:
        """Connects, and ends whatever transaction an earlier sink left open. Raises Retryable.

        `waiting` is called during long waits; an exception from it ends the wait.
        """
        self._limits = limits or MessageLimits(settings, topics)
        self._limits.ask()
        self._settings, self._options, self._topics, self._waiting = settings, options, topics, waiting
        self._home = TopicPartition(topics.status_changes, 0)
        with translated():
            self._producer = opened(
                TransactionalProducer,
                **connection_options(settings, options.transactional_id),
                transactional_id=options.transactional_id,
                transaction_timeout_ms=options.transaction_timeout_ms,
                **_PRODUCER,
                batch_size=min(_BATCH_SIZE, self._limits.smallest),
            )
        self._silence = Silence(self._producer.net)
        self._looking = ExitStack()  # holds the consumer that looks at what stands there, until there is more to do
        self._consumer: Any = None
        try:
            with translated():
                # Fences every earlier sink, and aborts or completes its last transaction, before the position is read.
                self._begin()
                self._partitions, self._topic_ids = described(self._look(), topics)
                end_forgotten(self._producer, self._look(), self._home, self._outputs(), options.group_id, self._wait)
                for topic in topics:  # the producer's sender looks for leaders of those it knows only
                    self._producer.partitions_for(topic)
        except BaseException:
            self.close()
            raise

    def position(self) -> Position | None:
        """The position of the last transaction that was committed; None where there was none, ever.

        Raises Refused where what stands in its place is no relay's, or was for other topics of the same names.
        """
        with translated():
            found = committed(self._look(), self._home)
        if found is None:
            return None
        position, topic_ids = believable(found, self._options)
        anew = [topic for topic, now, then in zip(self._topics, self._topic_ids, topic_ids, strict=True) if now != then]
        if anew:
            raise Refused(
                f"{', '.join(anew)} is not the topic that was published to: it was deleted and made anew: {REMEDY}"
            )
        return position

    def is_empty(self) -> bool:
        """Whether the output topics are without a record since they were made."""
        with translated():
            return not any(self._look().end_offsets(self._outputs()).values())

    def tails(self) -> dict[int, Tail]:
        """The last change in each partition of the status changes; of those without one nothing."""
        topic = self._topics.status_changes
        with translated():
            return read_tails(self._look(), topic, self._partitions[topic], self._waiting)

    def begins(self) -> dict[int, int]:
        """The first offset of each partition of the status changes: what stood before is deleted."""
        topic = self._topics.status_changes
        partitions = [TopicPartition(topic, n) for n in range(self._partitions[topic])]
        with translated():
            return {tp.partition: offset for tp, offset in self._look().beginning_offsets(partitions).items()}

    def partition(self, return_id: str) -> int:
        """The partition of the status changes that holds a return's."""
        return partition_of(return_id.encode(), self._partitions[self._topics.status_changes])

    def topic_id(self) -> str:
        """The id of the topic of status changes."""
        return self._topic_ids[0]

    def publish(self, messages: Sequence[Outgoing], position: Position | None) -> None:
        """Write the messages and the position in one transaction; without a position it stays the one it was."""
        producer = self._producer
        self._look_away()
        self._still_these()
        # For all steps together: Kafka aborts a transaction that takes longer anyway, and a new sink asks who is who.
        patience = self._patience()
        with translated():
            producer.begin_transaction()
            fitted = [self._limits.fitted(outgoing) for outgoing in messages]
            targets = [
                TopicPartition(topic, partition_of(out.key, self._partitions[topic]))
                for (topic, *_), out in zip(messages, fitted, strict=True)
            ]
            # All at once, before the first message: each request of the protocol is a round trip of its own. They
            # go their way while the messages are encoded.
            for partition in dict.fromkeys(targets):
                producer.include(partition)
            offset_sent = None
            if position is not None:
                offset_sent = producer.offsets_sent({self._home: self._offset(position)}, self._options.group_id)
            futures = [producer.append(target, *out) for target, out in zip(targets, fitted, strict=True)]
            if futures:
                self._flush(futures, patience)
            if offset_sent is not None:
                self._wait(offset_sent, patience)
            self._wait(producer.committed(), patience)

    def _flush(self, futures: Sequence[Any], patience: Callable[[], None]) -> None:
        try:
            self._producer.flushed(futures, patience)
        except TOO_LARGE:
            self._limits.refused()  # the next sink asks again, and sends stubs
            raise

    def check(self) -> None:
        """For one that has nothing to publish: whether the brokers still answer, and have the topics that they had."""
        self._still_these()
        if self._silence.is_too_long:
            raise Retryable(f"Kafka: no broker has answered for {self._silence.seconds():.0f} s", cause="kafka")

    def _still_these(self) -> None:
        # As the producer heard last, which asks every few seconds. Whoever opens a sink again is told what to do.
        now = self._producer.topic_ids(self._topics)
        for topic, known in zip(self._topics, self._topic_ids, strict=True):
            if now.get(topic, known) != known:
                raise Retryable(f"Kafka: {topic} is not the topic any more that it was", cause="kafka")

    def close(self) -> None:
        """Stop the producer; a transaction that is open will be aborted by the next one, or by its time-out."""
        self._producer.kill()
        self._look_away()

    def _look(self) -> Any:
        """The consumer that looks at what stands in the topics; one for all that a take-over wants to know."""
        if self._consumer is None:
            self._consumer = self._looking.enter_context(looking_consumer(self._settings, self._options))
        return self._consumer

    def _look_away(self) -> None:
        if self._consumer is not None:
            self._consumer = None
            self._looking.close()

    def _offset(self, position: Position) -> OffsetAndMetadata:
        return to_offset(position, self._topic_ids)

    def _begin(self) -> None:
        try:
            self._wait(self._producer.initialized())
        except KafkaError as error:
            if InvalidTransactionTimeoutError.__name__ not in str(error):  # which kafka-python wraps
                raise
            text = kafka_broker_limits.refused(
                self._settings, "relay_transaction_timeout_ms", "transaction.max.timeout.ms"
            )
            raise Fatal(text) from error

    def _outputs(self) -> list[TopicPartition]:
        return [TopicPartition(topic, n) for topic, count in self._partitions.items() for n in range(count)]

    def _wait(self, result: Any, patience: Callable[[], None] | None = None) -> None:
        """Wait for the answer to a request of the transaction protocol."""
        patience = patience or self._patience()
        while not result.wait(WAIT_SECONDS * 1000):
            patience()

    def _patience(self) -> Callable[[], None]:
        deadline = time.monotonic() + self._options.patience_seconds

        def still_waiting() -> None:
            self._waiting()
            if time.monotonic() > deadline:
                raise Retryable(f"Kafka has not answered for {self._options.patience_seconds:.0f} s", cause="kafka")

        return still_waiting
