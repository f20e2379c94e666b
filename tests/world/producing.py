"""What the relay's sink takes for kafka-python: the transactional producer, and the consumer that looks at what stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, ProducerFencedError
from kafka.structs import OffsetAndMetadata

from service.application.journal.publish import Outgoing
from service.wire.outbound import Message
from tests.world.kafka import Away, Fenced, Headers, Kafka, Partition, Txn, visible


class Result:
    """The answer to a request, some time or never."""

    def __init__(self, kafka: Kafka) -> None:
        self._world = kafka.world
        self.error: Exception | None = None
        self.is_done = False

    def wait(self, timeout_ms: float) -> bool:
        if not self.is_done:
            world = self._world
            world.wait("waits for Kafka's answer", world.now + timeout_ms / 1000, lambda: self.is_done)
        if self.is_done and self.error is not None:
            raise self.error
        return self.is_done

    def answer(self, error: Exception | None = None) -> None:
        self.error, self.is_done = error, True

    def failed(self) -> bool:
        return self.error is not None


class ModelLimits:
    """`MessageLimits` for topics that take whatever comes."""

    smallest = 1 << 20

    def ask(self) -> None:
        """It is known."""

    def refused(self) -> None:
        """It never is."""

    def fitted(self, outgoing: Outgoing) -> Message:
        return outgoing.message


class ModelProducer:
    """`TransactionalProducer`."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka, self._world = kafka, kafka.world
        self.net = SimpleNamespace(heard_at=0.0)
        self._epoch = -2
        self._buffer: list[tuple[TopicPartition, bytes | None, bytes | None, Headers]] = []
        self._world.step("opens a producer")
        if not kafka.is_up:
            raise KafkaConnectionError("away")

    def initialized(self) -> Result:
        result = Result(self._kafka)
        world = self._world
        if (seconds := world.fault("hesitate")) is not None:
            world.pause(seconds)
        world.step("fences whoever published before")

        def ask() -> None:
            epoch = self._kafka.init_producer() if self._kafka.is_up else None
            if epoch is None:  # the transaction of its predecessor is not over yet
                world.at(0.02, ask)
                return
            self._epoch = epoch
            result.answer()

        ask()
        return result

    def partitions_for(self, topic: str) -> set[int]:
        return set(range(self._kafka.partitions)) if topic in self._kafka.topics else set()

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {topic: str(self._kafka.topics[topic].id) for topic in topics}

    def begin_transaction(self) -> None:
        self._buffer = []

    def include(self, partition: TopicPartition) -> None:
        """Part of the transaction with its first message."""

    def offsets_sent(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group_id: str) -> Result:
        del group_id
        if (seconds := self._world.fault("zombie_relay")) is not None:
            self._world.pause(seconds)  # others may take it for dead
        self._world.step("adds its position to the transaction")
        result = Result(self._kafka)
        if self._is_lost():
            return result
        try:
            self._open().offset = next(iter(offsets.values()))
            result.answer()
        except Fenced:
            result.answer(ProducerFencedError())
        return result

    def append(self, partition: TopicPartition, key: bytes | None, value: bytes | None, headers: Any) -> Result:
        self._buffer.append((partition, key, value, tuple(headers)))
        return Result(self._kafka)

    def flushed(self, futures: Sequence[Result], waiting: Callable[[], None]) -> None:
        del futures
        buffer, self._buffer = self._buffer, []
        by_partition: dict[TopicPartition, list[Any]] = {}
        for partition, *message in buffer:
            by_partition.setdefault(partition, []).append(message)
        for partition, messages in by_partition.items():
            self._world.step(f"sends {len(messages)} to {partition.topic} {partition.partition}")
            if self._is_lost():
                self._wait_long(waiting)
            try:
                txn = self._open()
                for key, value, headers in messages:
                    self._kafka.publish(partition.topic, partition.partition, key or b"", value, headers, txn)
            except Fenced:
                raise ProducerFencedError from None
            except Away:
                self._wait_long(waiting)

    def _wait_long(self, waiting: Callable[[], None]) -> None:
        for _ in range(24):
            self._world.wait("waits for Kafka's answer", self._world.now + 0.5)
            waiting()
        raise KafkaTimeoutError("delivery timed out")

    def committed(self) -> Result:
        world, kafka, result = self._world, self._kafka, Result(self._kafka)
        world.step("asks to commit")
        epoch = self._epoch
        if not kafka.is_up:
            return result
        if (late := world.fault("end_txn_late")) is not None:
            # The client waits in vain, or gives up; the request is under way over another connection.
            world.at(late, lambda: self._late(epoch))
            if late > 1:
                result.answer(KafkaTimeoutError("no answer"))
            return result
        if world.fault("end_txn_lost") is not None:
            kafka.end_txn(epoch)
            return result  # it is done, and nobody says so
        if world.fault("end_txn_undone") is not None:
            result.answer(KafkaConnectionError("cut"))
            return result
        if not kafka.end_txn(epoch):
            result.answer(ProducerFencedError())
            return result
        txn = kafka.txn

        def look() -> None:
            if txn is None or txn.outcome is not None:
                result.answer()
            else:
                world.at(0.01, look)

        look()
        return result

    def _late(self, epoch: int) -> None:
        self._world.tell("an EndTxn arrives late")
        self._world.saw("an EndTxn arrived late")
        self._kafka.end_txn(epoch)

    def _is_lost(self) -> bool:
        return not self._kafka.is_up or self._world.fault("produce_lost") is not None

    def _open(self) -> Txn:
        self._kafka.check()
        while self._kafka.is_busy:  # CONCURRENT_TRANSACTIONS: the client asks again
            self._world.wait("waits for its last transaction", self._world.now + 0.01)
        return self._kafka.in_txn(self._epoch)

    def kill(self) -> None:
        self._world.check_alive()
        self._epoch = -2


class ModelLooker:
    """The consumer of a sink: reads committed."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka, self._world = kafka, kafka.world
        self._cluster = SimpleNamespace(topic_id=lambda topic: kafka.topics[topic].id)
        self._coordinator = SimpleNamespace(_isolation_level=None)
        self._positions: dict[Partition, int] = {}
        self._world.step("opens a consumer that looks")
        if not kafka.is_up:
            raise KafkaConnectionError("away")
        self._polled: deque[Partition] = deque()

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(self._kafka.partitions)) if topic in self._kafka.topics else set()

    def committed(self, tp: TopicPartition, *, metadata: bool, timeout_ms: int) -> OffsetAndMetadata | None:
        del tp, metadata
        world = self._world
        world.step("reads the position in Kafka")
        until = world.now + timeout_ms / 1000
        while self._kafka.is_pending() or not self._kafka.is_up:
            world.saw("a position was not to be read while a transaction was pending")
            if world.now >= until:
                raise KafkaTimeoutError("unstable")
            world.wait("waits for a stable position", min(until, world.now + 0.1))
        return self._kafka.committed

    def _enter(self, doing: str) -> None:
        self._world.step(doing)
        if not self._kafka.is_up:
            raise KafkaConnectionError("away")

    def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self._enter("asks where topics begin")
        return {tp: self._kafka.topics[tp.topic].logs[tp.partition].begin for tp in tps}

    def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self._enter("asks where topics end")
        return {tp: self._kafka.topics[tp.topic].logs[tp.partition].stable for tp in tps}

    def assign(self, tps: Iterable[TopicPartition]) -> None:
        self._positions = dict.fromkeys(map(tuple, tps), 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp.topic, tp.partition] = offset

    def position(self, tp: TopicPartition) -> int:
        return self._positions[tp.topic, tp.partition]

    def highwater(self, tp: TopicPartition) -> int:
        return int(self._kafka.topics[tp.topic].logs[tp.partition].end)

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        self._enter("reads the ends of topics")
        found: dict[TopicPartition, list[Any]] = {}
        for (topic, number), position in self._positions.items():
            entries, end = visible(self._kafka.topics[topic].logs[number], position)
            self._positions[topic, number] = end
            records = [SimpleNamespace(offset=offset, value=entry.value) for offset, entry in entries]
            if records:
                found[TopicPartition(topic, number)] = records
        if not found:
            self._world.wait("reads the ends of topics", self._world.now + timeout_ms / 1000)
        return found

    def close(self, *, autocommit: bool) -> None:
        """Of a process that died it may be called too, whenever what is left of it is collected."""
