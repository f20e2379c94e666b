"""The input topics as one member of the consumer group reads them.

A thin face over kafka-python's consumer: bytes out, positions from outside, rebalances noted for the loop to act on.
Its rules come from how that client works: listeners run on its I/O thread and must not block, so they note and
pause; `poll` moves its position even if what it gave is never stored, so the loop seeks back.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import InvalidSessionTimeoutError, KafkaError
from kafka.structs import OffsetAndMetadata

from service.adapters.kafka import broker_limits as kafka_broker_limits
from service.adapters.kafka.epochs import Epochs, ask_ends
from service.adapters.kafka.fetching.backlog import Backlog
from service.adapters.kafka.fetching.ids import TopicIds
from service.adapters.kafka.fetching.records import records_of
from service.adapters.kafka.fetching.room import Room
from service.adapters.kafka.fetching.subscribing import REQUEST_TIMEOUT_MS, Joining, Rebalances, opened_consumer
from service.adapters.kafka.named import subscribe, topics_of
from service.adapters.kafka.silence import Silence
from service.adapters.kafka.trouble import CannotConnect
from service.application.ports import Bounds, EpochEnd, Partition
from service.config import Settings
from service.errors import BrokenSource, Fatal
from service.topic_names import is_prefix
from service.wire.record import Record

_ALL: Final = 2**31  # records; the client is never left with a part of a fetch, which it would forget on a pause
_GLANCE_MS: Final = 20
_ANSWER_MS: Final = 5  # a fetch of what is there is answered within this time, or the broker is busy elsewhere
# Records over all partitions: with less than its share of that left, one is fetched on. Some batches of the largest size, for
# what is given is no younger than the newest that was fetched of each.
_LITTLE: Final = 60_000


class KafkaSource:
    """`ports.Source`. After BrokenSource, close it and make a new one."""

    def __init__(self, settings: Settings, inputs: Collection[str]) -> None:
        """`inputs` are names of topics, and prefixes that end in an asterisk: such topics come and go."""
        self._settings = settings
        self._inputs = tuple(inputs)
        self._listener = Rebalances()
        self._backlog = Backlog()
        self._epochs = Epochs()
        self._ids = TopicIds()
        self._room = Room(settings.max_batch_bytes)
        self._open = set[Partition]()  # those that the loop wants records of
        self._dry = set[Partition]()  # those that hold more, and give nothing of it
        try:
            self._consumer: Any = opened_consumer(settings)
        except KafkaError as error:
            why = error if isinstance(error, CannotConnect) else type(error).__name__
            raise BrokenSource(f"Kafka: {why}") from error
        # There is no public way.
        self._consumer._fetcher.PartitionRecords = partial(records_of(self._ids, self._epochs), room=self._room)  # noqa: SLF001
        self._listener.consumer = self._consumer
        self._silence = Silence(self._consumer._client.net)  # noqa: SLF001 - there is no public way
        self._joining = Joining(self._consumer)
        try:
            # In this order: the client takes what it learns of topics before they are subscribed for news once it has
            # joined the group, and has the whole group join again.
            subscribe(self._consumer, self._inputs, self._listener)
            self._find_topics()
        except BaseException:
            self.close()
            raise

    def _find_topics(self) -> None:
        try:
            names = [entry for entry in self._inputs if not is_prefix(entry)]
            missing = sorted(t for t in names if not self._consumer.partitions_for_topic(t))
        except KafkaError as error:
            raise BrokenSource(f"Kafka: {type(error).__name__}") from error
        if missing:
            message = f"no such topic: {', '.join(missing)}; `python -m service topics` makes them"
            raise Fatal(message)
        self._ids.learn(self._consumer, topics_of(self._consumer, self._inputs))

    def poll(self, timeout_ms: int, limit: int) -> list[Record]:
        """Records of the partitions that are not paused, in the order of each partition; behind, the oldest first."""
        deadline = time.monotonic() + timeout_ms / 1000
        if not self._open:
            self._await_partitions(deadline)
            return []
        records = self._poll(deadline, timeout_ms, limit)
        for partition in self._open:
            self._room.release(partition, self._backlog.next_offset(partition))
        return records

    def _poll(self, deadline: float, timeout_ms: int, limit: int) -> list[Record]:
        keeps_up = not self._backlog
        # A fetch is answered with the first record that comes. One that was answered while nobody polled is all that waits
        # here, and what came after it is what the next one brings, which the client sends when it gives the first.
        has_waited = bool(self._consumer._fetcher._completed_fetches)  # noqa: SLF001 - of a version that is pinned
        self._fetch(timeout_ms if keeps_up else 0)
        if keeps_up and has_waited and timeout_ms:
            self._fetch(_ANSWER_MS)
        while not (records := self._backlog.take(self._open, limit, self._horizon())) and self._backlog:
            remaining_ms = int((deadline - time.monotonic()) * 1000)
            if not timeout_ms:
                return []  # a look at what is there; the next poll takes the time to wait for older ones
            if remaining_ms <= 0 or self._room.is_full:
                # What the others wait for does not come: an open transaction, a leader that is away, or no room for it.
                self._dry.update(self._open)
                return self._backlog.take(self._open, limit)
            self._fetch(remaining_ms)
        return records

    def _await_partitions(self, deadline: float) -> None:
        """While none are read nothing can come but a rebalance, and that does not end the client's poll."""
        while True:
            remaining_ms = max(0, int((deadline - time.monotonic()) * 1000))
            self._fetch(min(remaining_ms, _GLANCE_MS))
            if remaining_ms <= _GLANCE_MS or self._listener.gained or self._listener.lost:
                return

    def _fetch(self, timeout_ms: int) -> None:
        """Take over whatever the client has, and let it fetch on where little is left."""
        little = _LITTLE // max(1, len(self._open))
        is_full = self._room.is_full
        enough = {partition for partition in self._open if is_full or self._backlog.size(partition) > little}
        try:
            self._consumer.pause(*(TopicPartition(*partition) for partition in enough))
            self._consumer.resume(*(TopicPartition(*partition) for partition in self._open - enough))
            self._go_on_joining()
            polled = self._consumer.poll(timeout_ms=timeout_ms, max_records=_ALL)
        except InvalidSessionTimeoutError as error:
            limits = ("group.min.session.timeout.ms", "group.max.session.timeout.ms")
            raise Fatal(kafka_broker_limits.refused(self._settings, "session_timeout_ms", *limits)) from error
        except Exception as error:
            # Whatever it was, this consumer is not to be trusted any more (a failed checksum makes it spin for ever).
            raise BrokenSource(f"Kafka: {type(error).__name__}") from error
        self._ids.learn(self._consumer, {tp.topic for tp in self._listener.gained})
        self._ids.compare(self._consumer)
        if not polled and self._silence.is_too_long:
            # The brokers may be elsewhere now: only the bootstrap addresses lead there.
            raise BrokenSource(f"Kafka: no broker has answered for {self._silence.seconds():.0f} s")
        if self._joining.is_too_long:
            raise BrokenSource(f"Kafka: {self._joining}")
        for topic, number in self._listener.lost | self._listener.gained:
            self._open.discard((topic, number))
            self._forget((topic, number))
        for (topic, number), records in polled.items():
            self._backlog.add((topic, number), records)
            self._dry.discard((topic, number))

    def _horizon(self) -> float:
        """The time up to which the backlog has everything that Kafka holds of the partitions that are read."""
        behind = (partition for partition in self._open - self._dry if self._has_more(partition))
        return min((self._backlog.newest(partition) for partition in behind), default=inf)

    def _has_more(self, partition: Partition) -> bool:
        """Whether Kafka holds more of it than was fetched, or nothing is known of it yet."""
        high_water, end = self.high_water(partition), self._backlog.end(partition)
        if end is None or not self._backlog.size(partition):
            end = self._fetched(partition)  # which is past transaction markers
        return high_water is None or end is None or end < high_water

    def _forget(self, partition: Partition) -> None:
        self._backlog.forget(partition)
        self._epochs.forget(partition)
        self._room.release(partition, None)
        self._dry.discard(partition)

    def take_gained(self) -> set[Partition]:
        """Partitions that came with the last polls, paused, until the next call."""
        gained, self._listener.gained = self._listener.gained, set()
        return {(tp.topic, tp.partition) for tp in gained}

    def take_lost(self) -> set[Partition]:
        """Partitions that went with the last polls, until the next call."""
        lost, self._listener.lost = self._listener.lost, set()
        return {(tp.topic, tp.partition) for tp in lost}

    def seek(self, partition: Partition, offset: int, epoch: int = -1) -> None:
        """Read on from `offset`; with the epoch the broker tells if the log was cut below it."""
        if (tp := TopicPartition(*partition)) in self._consumer.assignment():
            self._forget(partition)
            self._epochs.begin(partition, offset, epoch)
            self._consumer.seek(tp, offset)
            if epoch >= 0:
                self._consumer._subscription.seek(tp, OffsetAndMetadata(offset, "", epoch))  # noqa: SLF001 - no public way

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Give no records of these until they are resumed."""
        if assigned := self._assigned(partitions):
            self._open.difference_update(map(tuple, assigned))
            self._consumer.pause(*assigned)

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Give records of these again."""
        if assigned := self._assigned(partitions):
            self._open.update(map(tuple, assigned))
            self._consumer.resume(*assigned)

    def position(self, partition: Partition) -> int | None:
        """The next offset to be given, past transaction markers; None while it is not known."""
        waiting = self._backlog.next_offset(partition)
        return self._fetched(partition) if waiting is None else waiting

    def _fetched(self, partition: Partition) -> int | None:
        # Not the client's own `position`, which looks after all partitions each time: asked of every one of 48 that took as
        # long as all else of a small batch. The next poll tells what is wrong.
        state = self._consumer._subscription.assignment.get(TopicPartition(*partition))  # noqa: SLF001 - of a version that is pinned
        return None if state is None or state.position is None else int(state.position.offset)

    def high_water(self, partition: Partition) -> int | None:
        """The end of the partition as of the last fetch."""
        tp = TopicPartition(*partition)
        if tp not in self._consumer.assignment():
            return None
        high_water: int | None = self._consumer.highwater(tp)
        return high_water

    def bounds(self, partitions: Collection[Partition]) -> dict[Partition, Bounds]:
        """The first and the next offset of each partition, as a committed reader sees them."""
        wanted = [TopicPartition(*partition) for partition in partitions]
        try:
            begins = self._consumer.beginning_offsets(wanted, timeout_ms=REQUEST_TIMEOUT_MS)
            ends = self._consumer.end_offsets(wanted, timeout_ms=REQUEST_TIMEOUT_MS)
        except Exception as error:
            raise BrokenSource(f"Kafka: {type(error).__name__}") from error
        return {(tp.topic, tp.partition): Bounds(begins[tp], ends[tp]) for tp in wanted}

    def all_partitions(self) -> set[Partition]:
        """Every partition of the input topics, whoever reads it."""
        consumer = self._consumer
        try:
            return {(t, n) for t in topics_of(consumer, self._inputs) for n in consumer.partitions_for_topic(t) or ()}
        except Exception as error:
            raise BrokenSource(f"Kafka: {type(error).__name__}") from error

    def check_topics(self) -> None:
        """Ask Kafka whether the topics are still those that this source reads."""
        consumer = self._consumer
        try:
            update = consumer._cluster.request_update()  # noqa: SLF001 - of a version that is pinned
            consumer._net.run(consumer._manager.wait_for, update, REQUEST_TIMEOUT_MS)  # noqa: SLF001
        except Exception as error:
            raise BrokenSource(f"Kafka: {type(error).__name__}") from error
        self._ids.compare(self._consumer)

    def topic_id(self, topic: str) -> bytes | None:
        """The id of the topic that this source reads under the name; None: the broker does not tell."""
        return self._ids.get(topic)

    def epoch(self, partition: Partition, offset: int) -> int:
        """The leader epoch of the record before `offset`; -1: not known."""
        return self._epochs.before(partition, offset)

    def epoch_ends(self, epochs: Mapping[Partition, int]) -> dict[Partition, EpochEnd]:
        """Where the records of these leader epochs, and of those before them, ended; without those that go on."""
        return ask_ends(self._consumer, epochs, REQUEST_TIMEOUT_MS) if epochs else {}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka how far this worker is, for those who look there; never waits, never fails."""
        told = {TopicPartition(*partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        if told := {tp: offset for tp, offset in told.items() if tp in self._consumer.assignment()}:
            with suppress(KafkaError):
                self._consumer.commit_async(told, callback=_ignore)

    def close(self) -> None:
        """Leave the group."""
        # Whatever goes wrong, it is gone; the group notices by the session timeout.
        with suppress(Exception):
            self._consumer.close(autocommit=False, timeout_ms=5000)

    def _go_on_joining(self) -> None:
        """See to it that the poll goes on with a rebalance that the last one left in the middle when its time was up.

        The client forgets one that it began because of new metadata, as the leader of the group: its partitions are
        revoked, the heartbeats stopped, and as far as it knows there is nothing to do, for ever.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 - of a version that is pinned
        if coordinator.rejoining:
            coordinator.request_rejoin()

    def _assigned(self, partitions: Iterable[Partition]) -> list[TopicPartition]:
        assignment = self._consumer.assignment()
        return [tp for tp in (TopicPartition(*partition) for partition in partitions) if tp in assignment]


def _ignore(*_: Any) -> None:
    """What Kafka knows of our offsets is for people only."""
