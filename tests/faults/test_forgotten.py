"""A transaction of an earlier relay that Kafka has forgotten is ended by the next one, and nothing of it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.producer.transaction_manager import TransactionalRequestResult, TxnOffsetCommitHandler
from kafka.structs import ConsumerGroupMetadata
from structlog.testing import capture_logs

from deploy.local.kafka_server import KafkaServer
from service.adapters.kafka.publishing.position import to_offset
from service.adapters.kafka.publishing.sink import KafkaSink
from service.adapters.kafka.publishing.standing import partition_of, read_position
from service.adapters.kafka.publishing.transactions import TransactionalProducer
from service.application.journal.publish import Outgoing
from service.application.journal.slices import Position
from service.errors import Retryable
from service.wire.outbound import Message
from tests.support.relaying import Order
from tests.support.topics import Topics
from tests.support.waiting import eventually

pytestmark = pytest.mark.kafka

_SECONDS: Final = 20
_PARTITIONS: Final = 2
_UNGUARDED: Final = {"transaction.partition.verification.enable": "false"}  # else it asks the coordinator first


@pytest.fixture
def order(private_folder: Path) -> Iterator[Order]:
    broker = KafkaServer(private_folder / "forgetful", heap="384m", settings=_UNGUARDED, is_short_lived=True)
    broker.start()
    try:
        with closing(Topics(broker.bootstrap_servers)) as topics:
            for name in ("changes", "current", "exceptions", "dead"):
                topics.create(name, _PARTITIONS)
            yield Order(broker.bootstrap_servers, "postgresql://none@localhost/none", topics.prefix)
    finally:
        broker.kill()
        broker.remove()


def test_what_kafka_forgot_of_a_relay_is_ended_by_the_next_one_and_never_told(order: Order) -> None:
    with closing(_sink(order)) as sink:
        sink.publish(_messages(order, b"first"), _at(1))
    _forget(order, _messages(order, b"forgotten"), _at(2))
    with pytest.raises(Retryable, match="does not end") as refusal:
        read_position(order.settings, order.sink, order.topics, timeout_ms=1_000)
    assert refusal.value.cause == "pending"
    assert _read(order) == {topic: [b"first"] for topic in order.topics}

    with capture_logs() as lines, closing(_sink(order)) as sink:
        (line,) = [line for line in lines if line["event"] == "forgotten_transaction_ended"]
        assert line["position"]
        assert len(line["partitions"]) == len(order.topics)
        assert sink.position() == _at(1)
        sink.publish(_messages(order, b"second"), _at(3))

    assert read_position(order.settings, order.sink, order.topics) == _at(3)
    assert _read(order) == {topic: [b"first", b"second"] for topic in order.topics}
    with capture_logs() as lines, closing(_sink(order)):
        assert not lines


def test_what_it_forgot_on_one_partition_alone_does_not_go_out_with_the_next_transaction(order: Order) -> None:
    with closing(_sink(order)) as sink:
        sink.publish(_messages(order, b"first"), _at(1))
    _forget(order, _messages(order, b"forgotten")[1:2], None)

    with closing(_sink(order)) as sink:
        sink.publish(_messages(order, b"second"), _at(2))

    assert _read(order) == {topic: [b"first", b"second"] for topic in order.topics}


def test_what_another_producer_has_open_is_neither_ended_nor_said_to_be(order: Order) -> None:
    with closing(_sink(order)) as sink:
        sink.publish(_messages(order, b"first"), _at(1))
    _forget(order, _messages(order, b"anothers")[1:2], None, transactional_id="somebody")

    with capture_logs() as lines, closing(_sink(order)) as sink:
        assert [line["event"] for line in lines] == []
        sink.publish(_messages(order, b"second"), _at(2))

    current = order.topics.current_status
    assert _read(order) == {topic: [b"first"] if topic == current else [b"first", b"second"] for topic in order.topics}


def _sink(order: Order) -> KafkaSink:
    return KafkaSink(order.settings, order.sink, order.topics, lambda: None)


def _at(n: int) -> Position:
    return Position(n, batch_id=f"batch-{n}")


def _messages(order: Order, value: bytes) -> list[Outgoing]:
    return [Outgoing(topic, Message(b"R-1", value)) for topic in order.topics]


def _forget(
    order: Order, messages: Sequence[Outgoing], position: Position | None, transactional_id: str | None = None
) -> None:
    """Leave a transaction of the relay's id (or of that one) open on the leaders, of which no coordinator knows."""
    options = order.sink
    producer = TransactionalProducer(
        bootstrap_servers=order.bootstrap_servers,
        transactional_id=transactional_id or options.transactional_id,
        transaction_timeout_ms=options.transaction_timeout_ms,
        metrics_enabled=False,
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        manager: Any = producer._transaction_manager
        for topic, message, _ in messages:
            producer.partitions_for(topic)
            partition = TopicPartition(topic, partition_of(message.key, _PARTITIONS))
            manager._partitions_in_transaction.add(partition)  # as if the coordinator had been asked
            producer.append(partition, *message)
        producer.flush(timeout=_SECONDS)
        if position is not None:
            _forget_position(order, manager, position)
            producer._sender.wakeup()
            eventually(lambda: not manager._pending_txn_offset_commits, _SECONDS)
    finally:
        producer.kill()


def _forget_position(order: Order, manager: Any, position: Position) -> None:
    offsets = manager._pending_txn_offset_commits
    offsets[TopicPartition(order.topics.status_changes, 0)] = to_offset(position, [])
    group = ConsumerGroupMetadata(group_id=order.sink.group_id)
    manager._enqueue_request(TxnOffsetCommitHandler(manager, group, offsets, TransactionalRequestResult()))


def _read(order: Order) -> dict[str, list[bytes]]:
    """What a committed reader finds in the topics."""
    found: dict[str, list[bytes]] = {topic: [] for topic in order.topics}
    consumer = KafkaConsumer(
        bootstrap_servers=order.bootstrap_servers,
        isolation_level="read_committed",
        group_id=None,
        metrics_enabled=False,
    )
    with closing(consumer):
        partitions = [TopicPartition(topic, n) for topic in order.topics for n in range(_PARTITIONS)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)

        def is_read() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                for record in records:
                    found[record.topic].append(record.value)
            return all(consumer.position(each) >= end for each, end in ends.items())

        eventually(is_read, _SECONDS)
    return found
