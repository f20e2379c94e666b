"""Brings the topics to the wanted state: they exist, with enough partitions, and the compacted one is compacted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

from service.adapters.kafka_options import connection_options, opened
from service.config import Settings
from service.errors import Fatal, Retryable

_BOOTSTRAP_MS: Final = 10_000
_READY_MS: Final = 30_000
_SETTLE_SECONDS: Final = 5.0
_UNKNOWN: Final = UnknownTopicOrPartitionError.errno


class Topic(NamedTuple):
    """A topic as it should be; `config` holds what must differ from the brokers' defaults."""

    name: str
    partitions: int
    config: dict[str, str]


def wanted(settings: Settings) -> list[Topic]:
    """The input and output topics of the service."""
    special = {
        settings.topic_current_status: {"cleanup.policy": "compact"},
        # A dead letter is the largest message that an input topic takes (1 MiB), with more headers.
        settings.topic_dead_letters: {"max.message.bytes": str(2 * 1024 * 1024)},
    }
    return [
        Topic(name, settings.topic_partitions, special.get(name, {}))
        for name in (*settings.input_topics, *settings.output_topics)
    ]


def ensure_topics(settings: Settings) -> list[str]:
    """Create what is missing, add partitions where there are too few, mend the configuration of the compacted topic.

    Answers with a sentence for each thing done, none if all was well. Never takes a partition away. Safe to run
    again and by many at once. Raises Retryable if no broker answers, Fatal if one refuses.
    """
    with _admin(settings) as admin:
        topics = wanted(settings)
        done = _create(admin, topics, settings.topic_replication_factor)
        admin.wait_for_topics([topic.name for topic in topics], timeout_ms=_READY_MS)
        return done + _extend(admin, topics) + _configure(admin, topics)


@contextmanager
def _admin(settings: Settings) -> Iterator[Any]:
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
        raise (Retryable if retriable else Fatal)(f"Kafka refused to change topics: {_text(error)}") from error
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
        try:
            admin.create_partitions({topic.name: topic.partitions})
        except InvalidPartitionsError:
            # Someone else was first, and what brokers tell of a topic lags behind what was decided about it.
            if _await_partitions(admin, topic):
                continue
            raise
        done.append(f"raised {topic.name} from {existing[topic.name]} to {topic.partitions} partitions")
    return done


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
        drifted = {key: value for key, value in topic.config.items() if described[key]["value"] != value}
        if not drifted:
            continue
        answer = admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, drifted)])
        if answer["topic"][topic.name] != "OK":
            raise Fatal(f"Kafka refused to configure {topic.name}: {answer['topic'][topic.name]}")
        done += [f"set {key}={value} on {topic.name}" for key, value in drifted.items()]
    return done
