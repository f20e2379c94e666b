"""Brings the topics to the wanted state: they exist, with enough partitions, and the compacted one is compacted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

from service.adapters.kafka.options import connection_options, opened
from service.application.safety import LETTER_BYTES, LETTERS_KEPT_MS, TOLD_KEPT_MS
from service.config import Settings
from service.errors import Fatal, Retryable

_BOOTSTRAP_MS: Final = 10_000
_READY_MS: Final = 30_000
_SETTLE_SECONDS: Final = 5.0
_UNKNOWN: Final = UnknownTopicOrPartitionError.errno
_RETENTION: Final = "retention.ms"
_CHOSEN: Final = "DYNAMIC_TOPIC_CONFIG"  # where a setting comes from that somebody made for this topic


class Topic(NamedTuple):
    """A topic as it should be: `exactly` so configured, with numbers that are `at_least` so high.

    `kept_ms` is for how long it keeps messages unless somebody said how long; None: as the brokers do. The partitions
    of one that is `keyed` for others' use stay as many as they are once it has messages.
    """

    name: str
    partitions: int
    exactly: Mapping[str, str]
    at_least: Mapping[str, int]
    kept_ms: int | None = None
    is_keyed: bool = False

    @property
    def config(self) -> dict[str, str]:
        """What it is made with."""
        kept = {} if self.kept_ms is None else {_RETENTION: str(self.kept_ms)}
        return {**self.exactly, **{name: str(number) for name, number in self.at_least.items()}, **kept}


def wanted(settings: Settings) -> list[Topic]:
    """The input and output topics of the service."""
    exactly = {settings.topic_current_status: {"cleanup.policy": "compact"}}
    at_least = {settings.topic_dead_letters: {"max.message.bytes": LETTER_BYTES}}
    kept_ms = dict.fromkeys((settings.topic_status_changes, settings.topic_exceptions), TOLD_KEPT_MS)
    kept_ms[settings.topic_dead_letters] = LETTERS_KEPT_MS
    return [
        Topic(
            name,
            settings.topic_partitions,
            exactly.get(name, {}),
            at_least.get(name, {}),
            kept_ms.get(name),
            is_keyed=name in settings.output_topics,
        )
        for name in (*settings.input_topics, *settings.output_topics)
    ]


def ensure_topics(settings: Settings) -> list[str]:
    """Create what is missing, add partitions where there are too few, mend the configuration where it must be so.

    Answers with a sentence for each thing done or left, none if all was well. Never takes a partition away, never lowers
    a limit. Safe to run again and by many at once. Raises Retryable if no broker answers, Fatal if one refuses.
    """
    with connected(settings) as admin:
        topics = wanted(settings)
        done = _create(admin, topics, settings.topic_replication_factor)
        admin.wait_for_topics([topic.name for topic in topics], timeout_ms=_READY_MS)
        return done + _extend(admin, topics) + _configure(admin, topics)


@contextmanager
def connected(settings: Settings) -> Iterator[Any]:
    """An admin client; its errors are ours."""
    try:
        admin = opened(
            KafkaAdminClient, **connection_options(settings, "returns-topics"), bootstrap_timeout_ms=_BOOTSTRAP_MS
        )
    except KafkaError as error:
        text = f"cannot connect to Kafka at {settings.kafka_bootstrap_servers}: {_text(error)}"
        raise Retryable(text, cause="kafka") from error
    try:
        yield admin
    except KafkaError as error:
        retriable = getattr(error, "retriable", False)
        raise (Retryable if retriable else Fatal)(f"Kafka refused: {_text(error)}") from error
    finally:
        admin.close()


def _text(error: KafkaError) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _existing(admin: Any, topics: list[Topic]) -> dict[str, int]:
    """The number of partitions of each topic that exists."""
    described = admin.describe_topics([topic.name for topic in topics])
    return {topic["name"]: len(topic["partitions"]) for topic in described if topic["error_code"] != _UNKNOWN}


def _create(admin: Any, topics: list[Topic], replication_factor: int) -> list[str]:
    existing = _existing(admin, topics)
    done = []
    for topic in topics:
        if topic.name in existing:
            continue
        order = {
            "num_partitions": topic.partitions,
            "replication_factor": replication_factor,
            "configs": topic.config,
        }
        try:
            admin.create_topics({topic.name: order})
        except TopicAlreadyExistsError:
            continue  # someone else was first
        except InvalidReplicationFactorError as error:
            raise Fatal(
                f"RETURNS_TOPIC_REPLICATION_FACTOR: there are fewer than {replication_factor} brokers"
            ) from error
        done.append(f"created {topic.name} with {topic.partitions} partitions")
    return done


def _extend(admin: Any, topics: list[Topic]) -> list[str]:
    existing = _existing(admin, topics)
    done = []
    for topic in topics:
        if existing[topic.name] >= topic.partitions:
            continue
        if topic.is_keyed and _had_messages(admin, topic.name, existing[topic.name]):
            done.append(f"left {topic.name} at {existing[topic.name]} partitions: its keys must stay where they are")
            continue
        try:
            admin.create_partitions({topic.name: topic.partitions})
        except InvalidPartitionsError:
            # Someone else was first, and what brokers tell of a topic lags behind what was decided about it.
            if _await_partitions(admin, topic):
                continue
            raise
        done.append(f"raised {topic.name} from {existing[topic.name]} to {topic.partitions} partitions")
    return done


def _had_messages(admin: Any, topic: str, partitions: int) -> bool:
    """Whether anything was ever written to it, deleted and compacted messages among it."""
    latest = {TopicPartition(topic, number): OffsetSpec.LATEST for number in range(partitions)}
    return any(found.offset > 0 for found in admin.list_partition_offsets(latest).values())


def _await_partitions(admin: Any, topic: Topic) -> bool:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while _existing(admin, [topic])[topic.name] < topic.partitions:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _configure(admin: Any, topics: list[Topic]) -> list[str]:
    done = []
    for topic in topics:
        if not topic.config:
            continue
        asked = ConfigResource(ConfigResourceType.TOPIC, topic.name, list(topic.config))
        described = admin.describe_configs([asked], config_filter="all")["topic"][topic.name]
        drifted = _drifted(topic, described)
        if not drifted:
            continue
        answer = admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, drifted)])
        if answer["topic"][topic.name] != "OK":
            raise Fatal(f"Kafka refused to configure {topic.name}: {answer['topic'][topic.name]}")
        done += [f"set {key}={value} on {topic.name}" for key, value in drifted.items()]
    return done


def _drifted(topic: Topic, described: Mapping[str, Any]) -> dict[str, str]:
    """What must be set: a limit that is lower, never one that somebody raised; a retention that nobody chose."""
    wrong = {name for name, value in topic.exactly.items() if described[name]["value"] != value}
    wrong |= {name for name, number in topic.at_least.items() if int(described[name]["value"]) < number}
    if topic.kept_ms is not None and described[_RETENTION]["config_source"] != _CHOSEN:
        wrong |= {_RETENTION} if 0 <= int(described[_RETENTION]["value"]) < topic.kept_ms else set()
    return {name: value for name, value in topic.config.items() if name in wrong}
