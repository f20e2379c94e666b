"""The consumer of the ingest workers, and what it notes of rebalances."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor

from service.adapters.kafka.options import connection_options, opened
from service.adapters.kafka.silence import Lasting
from service.config import Settings

METADATA_MAX_AGE_MS: Final = 30_000  # added partitions are read within this time
REQUEST_TIMEOUT_MS: Final = 10_000
# A fellow that is in the middle of a batch is waited for; it notices within half a minute what does not answer it.
JOIN_SECONDS: Final = 60.0
_RECEIVE_BUFFER_BYTES = 1024 * 1024
_BOOTSTRAP_TIMEOUT_MS = 5_000  # the loop tries again, and reads the stop flag in between


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """Notes gains and losses; pauses what is gained until its stored offset is read."""

    def __init__(self) -> None:
        self.consumer: Any = None
        self.gained = set[TopicPartition]()
        self.lost = set[TopicPartition]()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        partitions = list(assigned)
        for partition in partitions:
            # Any position will do: without one the client would ask Kafka for the group's, or raise.
            self.consumer.seek(partition, 0)
        if partitions:
            self.consumer.pause(*partitions)
        self.gained.update(partitions)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.lost.update(revoked)
        self.gained.difference_update(revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self.on_partitions_revoked(lost)


class Joining:
    """For how long the consumer has been no member of its group, asking all the while to be one.

    Kafka lets a group wait for a silent member for as long as `max_poll_interval_ms`, and says nothing meanwhile.
    """

    def __init__(self, consumer: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._coordinator = consumer._coordinator  # noqa: SLF001 - of a version that is pinned
        self._lasts = Lasting(clock)

    def seconds(self) -> float:
        """Ask often."""
        return self._lasts.seconds(is_over=self._coordinator.stable())

    @property
    def is_too_long(self) -> bool:
        """Whether the client is to be replaced."""
        return self.seconds() > JOIN_SECONDS

    def __str__(self) -> str:
        of = self._coordinator
        at = "looks for its coordinator" if of.coordinator_id is None else str(of.state).strip("<>")
        return f"not in its group for {self.seconds():.0f} s ({at}, generation {of._generation.generation_id})"  # noqa: SLF001


def opened_consumer(settings: Settings) -> Any:
    """A consumer that is in no group yet."""
    return opened(
        KafkaConsumer,
        **connection_options(settings, "returns-ingest"),
        group_id=settings.group_id,
        # Positions come from PostgreSQL; what is committed to Kafka is for people who look at lag there.
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        isolation_level="read_committed",
        # The same numbers of every topic to one worker: a return's creations and hub events share a key, so
        # they meet in one worker and seldom collide.
        partition_assignment_strategy=(RangePartitionAssignor,),
        max_poll_records=settings.batch_size,
        max_poll_interval_ms=settings.max_poll_interval_ms,
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=max(300, min(2000, settings.session_timeout_ms // 3)),
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        fetch_min_bytes=settings.fetch_min_bytes,
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        max_partition_fetch_bytes=settings.max_partition_fetch_bytes,
        receive_buffer_bytes=_RECEIVE_BUFFER_BYTES,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
    )
