"""Kafka for a test: topics under a prefix of its own, and clients that are closed whatever happens."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from tests.support.waiting import PATIENCE, eventually


class Topics:
    """Names and makes topics, and deletes them with everything else under the prefix."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.prefix = f"t{uuid.uuid4().hex[:10]}."
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)

    def name(self, name: str) -> str:
        """The test's own name for a topic, a group or a transactional id."""
        return self.prefix + name

    def create(self, name: str, partitions: int = 1, **configs: str) -> str:
        """Make a topic and answer with its full name; `configs` with `_` for `.`: `cleanup_policy="compact"`."""
        full = self.name(name)
        options = {
            "num_partitions": partitions,
            "replication_factor": 1,
            "configs": {key.replace("_", "."): value for key, value in configs.items()},
        }
        self.admin.create_topics({full: options}, wait_for_metadata=True)
        return full

    def create_all(self, partitions: int, topics: Mapping[str, Mapping[str, str]]) -> None:
        """Make several topics in one request; to each name its settings, in Kafka's own words."""
        options = {
            self.name(name): {"num_partitions": partitions, "replication_factor": 1, "configs": dict(configs)}
            for name, configs in topics.items()
        }
        self.admin.create_topics(options, wait_for_metadata=True)

    def alter(self, name: str, configs: dict[str, str]) -> None:
        """Change settings of a topic, in Kafka's own words; they, and what was changed before them, are there then."""
        topic = self.name(name)
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])

        def described() -> bool:
            asked = ConfigResource(ConfigResourceType.TOPIC, topic, list(configs))
            found = self.admin.describe_configs([asked], config_filter="all")["topic"][topic]
            return all(found[setting]["value"] == value for setting, value in configs.items())

        eventually(described, 10)

    def end(self, topic: str) -> int:
        """How many records a topic holds, transaction markers included."""
        partitions = self.admin.describe_topics([topic])[0]["partitions"]
        with contextlib.closing(KafkaConsumer(bootstrap_servers=self.bootstrap_servers)) as consumer:
            numbers = [TopicPartition(topic, each["partition_index"]) for each in partitions]
            return sum(consumer.end_offsets(numbers).values())

    def close(self) -> None:
        """Delete every topic and group under the prefix. Never fails a test that has passed."""
        with contextlib.suppress(KafkaError):
            mine = [topic for topic in self.admin.list_topics() if topic.startswith(self.prefix)]
            if mine:
                self.admin.delete_topics(mine)
            groups = [group["group_id"] for group in self.admin.list_groups()]
            groups = [group for group in groups if group.startswith(self.prefix)]
            if groups:
                self.admin.delete_groups(groups)
        with contextlib.suppress(KafkaError):
            self.admin.close()


class Clients:
    """Makes producers and consumers with settings that suit a test, and closes the ones that are left over."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._open: list[Any] = []

    def producer(self, **settings: Any) -> Any:
        """A KafkaProducer of bytes."""
        defaults = {"bootstrap_servers": self._bootstrap_servers, "retry_backoff_ms": 5}
        return self._keep(KafkaProducer(**(defaults | settings)))

    def consumer(self, *topics: str, **settings: Any) -> Any:
        """A KafkaConsumer of bytes that reads committed records from the beginning, in no group unless one is named."""
        defaults = {
            "bootstrap_servers": self._bootstrap_servers,
            "group_id": None,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "allow_auto_create_topics": False,
            "heartbeat_interval_ms": 500,
            # It may subscribe with what it knew of the topics before they were made, and asks again only after this.
            "metadata_max_age_ms": 2_000,
        }
        return self._keep(KafkaConsumer(*topics, **(defaults | settings)))

    def send(self, topic: str, *values: bytes, key: bytes | None = None) -> None:
        """Write records and wait until the broker has them."""
        with contextlib.closing(self.producer()) as producer:
            futures = [producer.send(topic, value=value, key=key) for value in values]
            for future in futures:
                future.get(timeout=30)

    def read(self, topic: str, count: int, timeout: float = 20.0) -> list[Any]:
        """The first `count` committed records of a topic; fails the test when they do not come in time."""
        deadline = time.monotonic() + timeout * PATIENCE
        records: list[Any] = []
        with contextlib.closing(self.consumer(topic)) as consumer:
            while len(records) < count:
                assert time.monotonic() < deadline, f"{len(records)} of {count} records on {topic} after {timeout} s"
                for batch in consumer.poll(timeout_ms=200).values():
                    records += batch
        return records[:count]

    def close(self) -> None:
        """Close everything that a test left open."""
        for client in reversed(self._open):
            with contextlib.suppress(Exception):
                client.close()

    def _keep(self, client: Any) -> Any:
        self._open.append(client)
        return client
