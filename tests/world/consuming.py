"""`ports.Source` on the model of Kafka: one member of the group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial

from service.application.ports import Bounds, EpochEnd, Partition
from service.errors import BrokenSource, ChangedTopics
from service.wire.record import Record
from tests.world.kafka import Kafka, Log


class ModelSource:
    """Opened by a worker; after BrokenSource it is closed, and another one opened."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka, self._world = kafka, kafka.world
        self._world.step("opens a consumer")
        self._check_up()
        kafka.members += 1
        self._number = kafka.members
        self._ids = {topic: kafka.topics[topic].id.bytes for topic in kafka.inputs}
        self._owned: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._positions: dict[Partition, int] = {}
        self._epochs: dict[Partition, tuple[int, int]] = {}  # the offset behind a record, and that record's epoch
        self._gained: set[Partition] = set()
        self._lost: set[Partition] = set()
        self._fetched_end: dict[Partition, int] = {}

    def _check_up(self) -> None:
        if not self._kafka.is_up:
            self._world.wait("waits for Kafka", self._world.now + 0.5)
            raise BrokenSource("Kafka: KafkaConnectionError")

    def _log(self, partition: Partition) -> Log:
        return self._kafka.topics[partition[0]].logs[partition[1]]

    def _compare(self) -> None:
        for topic, known in self._ids.items():
            if self._kafka.topics[topic].id.bytes != known:
                self._world.saw("a consumer noticed that a topic was made anew")
                raise ChangedTopics(f"{topic} was made anew")

    def poll(self, timeout_ms: int, limit: int) -> list[Record]:
        world = self._world
        world.step(f"polls for {timeout_ms} ms")
        if world.fault("poll_breaks") is not None:
            raise BrokenSource("Kafka: CorruptRecordError")
        self._check_up()
        until = world.now + timeout_ms / 1000
        while True:
            self._rebalance()
            self._compare()
            if records := self._take(limit):
                world.tell(f"  got {' '.join(f'{r.topic}/{r.partition}@{r.offset}' for r in records)}")
                return records
            if self._gained or self._lost or world.now >= until:
                return []
            world.wait("polls", until, partial(self._has_news, self._kafka.news))

    def _has_news(self, since: int) -> bool:
        return self._kafka.news != since

    def _rebalance(self) -> None:
        if self._world.fault("rebalance") is not None:
            self._kafka.group.shake()
        has_lost, given = self._kafka.group.poll(self._number)
        if has_lost:
            self._lost |= self._owned
            self._gained -= self._owned
            self._owned, self._paused, self._positions = set(), set(), {}
        if given is not None:
            self._owned, self._paused = set(given), set(given)
            self._positions = dict.fromkeys(given, 0)
            self._gained |= given

    def _take(self, limit: int) -> list[Record]:
        records = list[Record]()
        ready = sorted(self._owned - self._paused)
        while ready and len(records) < limit:
            partition = ready.pop(self._world.choices.draw(len(ready), 0.5))
            log, position = self._log(partition), self._positions[partition]
            if not log.begin <= position <= log.end:
                self._world.saw("a consumer was out of range")
                raise BrokenSource("Kafka: OffsetOutOfRangeError")
            behind, epoch = self._epochs.get(partition, (-1, -1))
            ended = log.epoch_end(epoch) if behind == position and epoch >= 0 else None
            if ended is not None and ended.end < position:
                self._world.saw("a consumer noticed that its log was cut")
                raise BrokenSource("Kafka: LogTruncationError")
            stable = log.stable
            self._fetched_end[partition] = log.end
            # A fetch brings a part of what there is.
            share = self._world.choices.draw(3, 0.3)
            room = limit - len(records) if share == 0 else share
            while position < stable and room > 0:
                entry = log.at(position)
                position += 1
                if log.is_visible(entry):
                    records.append(
                        Record(
                            *partition,
                            position - 1,
                            entry.timestamp,
                            entry.key,
                            entry.value,
                            entry.headers,
                            self._ids[partition[0]],
                        )
                    )
                    room -= 1
                self._epochs[partition] = position, entry.epoch
            self._positions[partition] = position
        return records

    def take_gained(self) -> set[Partition]:
        gained, self._gained = self._gained, set()
        return gained

    def take_lost(self) -> set[Partition]:
        lost, self._lost = self._lost, set()
        return lost

    def seek(self, partition: Partition, offset: int, epoch: int = -1) -> None:
        if partition in self._owned:
            self._positions[partition] = offset
            self._epochs[partition] = offset, epoch

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused |= self._owned & set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused -= set(partitions)

    def position(self, partition: Partition) -> int | None:
        return self._positions.get(partition)

    def high_water(self, partition: Partition) -> int | None:
        return self._fetched_end.get(partition) if partition in self._owned else None

    def bounds(self, partitions: Collection[Partition]) -> dict[Partition, Bounds]:
        self._world.step("asks for the bounds of partitions")
        self._check_up()
        return {p: Bounds(self._log(p).begin, self._log(p).stable) for p in partitions}

    def all_partitions(self) -> set[Partition]:
        return {(topic, n) for topic in self._kafka.inputs for n in range(self._kafka.partitions)}

    def check_topics(self) -> None:
        self._world.step("asks whether the topics are still those")
        self._check_up()
        self._compare()

    def topic_id(self, topic: str) -> bytes | None:
        return self._ids[topic]

    def epoch(self, partition: Partition, offset: int) -> int:
        behind, epoch = self._epochs.get(partition, (-1, -1))
        return epoch if behind == offset else -1

    def epoch_ends(self, epochs: Mapping[Partition, int]) -> dict[Partition, EpochEnd]:
        self._world.step("asks where epochs ended")
        self._check_up()
        ends = {partition: self._log(partition).epoch_end(epoch) for partition, epoch in epochs.items()}
        return {partition: end for partition, end in ends.items() if end is not None}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """For people only."""

    def close(self) -> None:
        self._world.check_alive()
        self._kafka.group.leave(self._number)
