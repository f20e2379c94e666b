"""Where the input topics end, for people who look at lag: as of a moment ago, and never a reason to wait."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from service.adapters.kafka.named import know_all, topics_of
from service.adapters.kafka.options import connection_options, opened
from service.application.ports import Bounds, Partition
from service.config import Settings

_CONNECT_SECONDS: Final = 1.0
_BOOTSTRAP_MS: Final = 2_000
_REQUEST_MS: Final = 2_000
_CLOSE_SECONDS: Final = 5.0
_METADATA_MS: Final = 10_000  # added partitions are seen within this time

_Found = Mapping[Partition, Bounds] | None


class KafkaEnds:
    """`lag.Ends`. Asks Kafka on a thread of its own, one question at a time; callers wait `patience` seconds at most.

    What it found out, that Kafka does not answer among it, holds for `fresh` seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        topics: Sequence[str] | None = None,
        patience: float = 1.5,
        fresh: float = 3.0,
        metadata_ms: int = _METADATA_MS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._topics: Sequence[str] = settings.inputs if topics is None else topics
        self._metadata_ms = metadata_ms
        self.brokers: int | None = None  # how many Kafka said there are, when it was asked last
        self.topic_ids: Mapping[str, bytes | None] = {}
        self.missing: frozenset[str] = frozenset()  # topics that were not there, the last two times it was asked
        self._absent: frozenset[str] = frozenset()  # the last time: a client that has just begun may not know yet
        self._patience, self._fresh, self._monotonic = patience, fresh, monotonic
        self._lock = threading.Lock()
        self._looking: threading.Event | None = None
        self._began = 0.0
        self._found: _Found = None
        self._found_at: float | None = None
        self._consumer: Any = None
        self._closed = False

    def bounds(self) -> Mapping[Partition, Bounds] | None:
        with self._lock:
            now = self._monotonic()
            if self._is_fresh(now):
                return self._found
            if self._looking is None and not self._closed:
                self._looking, self._began = threading.Event(), now
                threading.Thread(target=self._look, args=(self._looking,), name="kafka-ends", daemon=True).start()
            looking, left = self._looking, self._began + self._patience - now
        if looking is None or left <= 0:  # somebody else has waited in vain
            return None
        looking.wait(left)
        with self._lock:
            return self._found if self._is_fresh(self._monotonic()) else None

    def close(self) -> None:
        """Let go of Kafka, once a question that is under way has ended."""
        with self._lock:
            self._closed = True
            looking = self._looking
        if looking is not None:
            looking.wait(_CLOSE_SECONDS)
        else:
            self._retire()

    def _is_fresh(self, now: float) -> bool:
        return self._found_at is not None and now - self._found_at < self._fresh

    def _look(self, done: threading.Event) -> None:
        found: _Found = None
        try:
            found = self._ask()
        except KafkaError:
            self._retire()
        finally:
            with self._lock:
                self._found, self._found_at, self._looking = found, self._monotonic(), None
                closed = self._closed
            if closed:
                self._retire()
            done.set()

    def _ask(self) -> _Found:
        if self._consumer is None:
            if not self._listens():
                return None
            self._consumer = self._open()
            know_all(self._consumer, self._topics)
        consumer = self._consumer
        topics = topics_of(consumer, self._topics)
        numbers = {topic: consumer.partitions_for_topic(topic) or () for topic in topics}
        absent = frozenset(topic for topic in topics if not numbers[topic])
        self.missing, self._absent = absent & self._absent, absent
        partitions = [TopicPartition(topic, number) for topic in topics for number in numbers[topic]]
        begin = consumer.beginning_offsets(partitions, timeout_ms=_REQUEST_MS) if partitions else {}
        end = consumer.end_offsets(partitions, timeout_ms=_REQUEST_MS) if partitions else {}
        cluster = consumer._cluster  # noqa: SLF001 - of a version that is pinned
        self.brokers = len(cluster.brokers())
        ids = {topic: cluster.topic_id(topic) for topic in topics}
        self.topic_ids = {topic: None if id_ is None else id_.bytes for topic, id_ in ids.items()}
        return {(each.topic, each.partition): Bounds(begin[each], end[each]) for each in partitions}

    def _listens(self) -> bool:
        """Whether any broker accepts a connection: a client that finds none tries for two seconds, and logs each try."""
        for server in self._settings.kafka_bootstrap_servers.split(","):
            host, _, port = server.rpartition(":")
            with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS):
                return True
        return False

    def _open(self) -> Any:
        return opened(
            KafkaConsumer,
            **connection_options(self._settings, "returns-web-lag"),
            group_id=None,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
            request_timeout_ms=_REQUEST_MS,
            metadata_max_age_ms=self._metadata_ms,
        )

    def _retire(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()
