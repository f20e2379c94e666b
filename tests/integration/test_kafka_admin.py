from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from service.adapters.kafka_admin import ensure_topics
from service.config import Settings, load
from service.errors import Fatal
from tests.support.topics import Topics

NAMES = (
    "returns",
    "scans",
    "hub_events",
    "deliveries",
    "status_changes",
    "current_status",
    "exceptions",
    "dead_letters",
)


def _settings(topics: Topics, partitions: int, **more: str) -> Settings:
    names = {f"RETURNS_TOPIC_{name.upper()}": topics.name(name) for name in NAMES}
    return load(
        {
            "RETURNS_KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap_servers,
            "RETURNS_TOPIC_PARTITIONS": str(partitions),
            **names,
            **more,
        }
    )


def _partitions(topics: Topics) -> dict[str, int]:
    described = topics.admin.describe_topics([topics.name(name) for name in NAMES])
    return {topic["name"].removeprefix(topics.prefix): len(topic["partitions"]) for topic in described}


def _policy(topics: Topics, name: str) -> str:
    resource = ConfigResource(ConfigResourceType.TOPIC, topics.name(name), ["cleanup.policy"])
    described = topics.admin.describe_configs([resource], config_filter="all")
    value: str = described["topic"][topics.name(name)]["cleanup.policy"]["value"]
    return value


def test_all_topics_are_made_and_one_of_them_is_compacted(topics: Topics) -> None:
    done = ensure_topics(_settings(topics, 2))

    assert len(done) == 8
    assert _partitions(topics) == dict.fromkeys(NAMES, 2)
    assert {name: _policy(topics, name) for name in NAMES} == {
        name: "compact" if name == "current_status" else "delete" for name in NAMES
    }
    assert ensure_topics(_settings(topics, 2)) == []


def test_partitions_are_added_and_never_taken_away(topics: Topics) -> None:
    topics.create("scans", partitions=5)
    topics.create("returns", partitions=1)

    done = ensure_topics(_settings(topics, 3))

    assert f"raised {topics.name('returns')} from 1 to 3 partitions" in done
    assert _partitions(topics) == {name: 5 if name == "scans" else 3 for name in NAMES}


def test_a_topic_of_statuses_that_is_not_compacted_is_mended(topics: Topics) -> None:
    topics.create("current_status", partitions=1, cleanup_policy="delete", retention_ms="123456")

    done = ensure_topics(_settings(topics, 1))

    assert f"set cleanup.policy=compact on {topics.name('current_status')}" in done
    assert _policy(topics, "current_status") == "compact"


def test_many_at_once_agree(topics: Topics) -> None:
    topics.create("hub_events", partitions=1)
    settings = _settings(topics, 3)

    with ThreadPoolExecutor(5) as pool:
        done = [line for lines in pool.map(ensure_topics, [settings] * 5) for line in lines]

    assert _partitions(topics) == dict.fromkeys(NAMES, 3)
    assert len([line for line in done if line.startswith("created")]) == 7


def test_more_copies_than_brokers_is_said_in_a_sentence(topics: Topics) -> None:
    with pytest.raises(Fatal, match="RETURNS_TOPIC_REPLICATION_FACTOR"):
        ensure_topics(_settings(topics, 1, RETURNS_TOPIC_REPLICATION_FACTOR="9"))
