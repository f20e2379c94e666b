from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from service.adapters.kafka.admin import Topic, _drifted, ensure_topics
from service.config import Settings, load
from service.errors import Fatal
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

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


def await_partitions(topics: Topics, expected: dict[str, int]) -> None:
    """What was asked for is there at once; each broker hears of it a moment later."""

    def agree() -> bool:
        assert _partitions(topics) == expected
        return True

    eventually(agree, 10)


def _policy(topics: Topics, name: str) -> str:
    return _setting(topics, name, "cleanup.policy")


def _becomes(topics: Topics, name: str, setting: str, value: str) -> bool:
    """Brokers answer that a setting is changed a moment before they say so themselves."""
    return eventually(lambda: _setting(topics, name, setting) == value, 10)


def _setting(topics: Topics, name: str, setting: str) -> str:
    resource = ConfigResource(ConfigResourceType.TOPIC, topics.name(name), [setting])
    described = topics.admin.describe_configs([resource], config_filter="all")
    value: str = described["topic"][topics.name(name)][setting]["value"]
    return value


def test_all_topics_are_made_and_one_of_them_is_compacted(topics: Topics) -> None:
    done = ensure_topics(_settings(topics, 2))

    assert len(done) == 8
    await_partitions(topics, dict.fromkeys(NAMES, 2))
    assert {name: _policy(topics, name) for name in NAMES} == {
        name: "compact" if name == "current_status" else "delete" for name in NAMES
    }
    assert ensure_topics(_settings(topics, 2)) == []


def test_partitions_are_added_and_never_taken_away(topics: Topics) -> None:
    topics.create("scans", partitions=5)
    topics.create("returns", partitions=1)

    done = ensure_topics(_settings(topics, 3))

    assert f"raised {topics.name('returns')} from 1 to 3 partitions" in done
    await_partitions(topics, {name: 5 if name == "scans" else 3 for name in NAMES})


def test_a_topic_of_statuses_that_is_not_compacted_is_mended(topics: Topics) -> None:
    topics.create("current_status", partitions=1, cleanup_policy="delete", retention_ms="123456")

    done = ensure_topics(_settings(topics, 1))

    assert f"set cleanup.policy=compact on {topics.name('current_status')}" in done
    assert _becomes(topics, "current_status", "cleanup.policy", "compact")


def test_an_output_topic_that_has_had_messages_keeps_its_partitions(topics: Topics, clients: Clients) -> None:
    # It was raised: the keys moved to other partitions, and what a subscriber read of one return was out of order.
    for name in ("status_changes", "exceptions", "scans"):
        topics.create(name, partitions=1)
    clients.send(topics.name("status_changes"), b"{}", key=b"R-1")
    clients.send(topics.name("scans"), b"{}", key=b"R-1")

    done = ensure_topics(_settings(topics, 3))

    left = topics.name("status_changes")
    assert f"left {left} at 1 partitions: its keys must stay where they are" in done
    await_partitions(topics, {name: 1 if name == "status_changes" else 3 for name in NAMES})


def test_a_limit_that_somebody_raised_is_not_lowered(topics: Topics) -> None:
    # Letters that had fitted in did so no more: the relay exited at every start.
    topics.create("dead_letters", max_message_bytes="8000000", retention_ms="-1")
    topics.create("status_changes", retention_ms="86400000")

    done = ensure_topics(_settings(topics, 1))

    assert [line for line in done if line.startswith("set")] == []
    assert _becomes(topics, "dead_letters", "max.message.bytes", "8000000")
    assert _becomes(topics, "dead_letters", "retention.ms", "-1")
    assert _becomes(topics, "status_changes", "retention.ms", "86400000")


def test_a_limit_that_is_too_low_is_raised(topics: Topics) -> None:
    topics.create("dead_letters", max_message_bytes="1000")

    done = ensure_topics(_settings(topics, 1))

    assert f"set max.message.bytes=2097152 on {topics.name('dead_letters')}" in done


def test_changes_are_kept_for_400_days_and_letters_for_90(topics: Topics) -> None:
    ensure_topics(_settings(topics, 1))

    for name in ("status_changes", "exceptions"):
        assert _becomes(topics, name, "retention.ms", str(400 * 24 * 3600 * 1000))
    assert _becomes(topics, "dead_letters", "retention.ms", str(90 * 24 * 3600 * 1000))


@pytest.mark.parametrize(
    ("described", "set_to"),
    (
        # Kafka's default, a broker's, an end that somebody chose, one that is later or never comes.
        (("604800000", "DEFAULT_CONFIG"), {"retention.ms": "5000000000"}),
        (("604800000", "STATIC_BROKER_CONFIG"), {"retention.ms": "5000000000"}),
        (("604800000", "DYNAMIC_TOPIC_CONFIG"), {}),
        (("5000000001", "STATIC_BROKER_CONFIG"), {}),
        (("-1", "STATIC_BROKER_CONFIG"), {}),
    ),
)
def test_a_retention_is_set_where_nobody_chose_one(described: tuple[str, str], set_to: dict[str, str]) -> None:
    topic = Topic("t", 1, {}, {}, kept_ms=5_000_000_000)
    value, source = described

    assert _drifted(topic, {"retention.ms": {"value": value, "config_source": source}}) == set_to


def test_many_at_once_agree(topics: Topics) -> None:
    topics.create("hub_events", partitions=1)
    settings = _settings(topics, 3)

    with ThreadPoolExecutor(5) as pool:
        done = [line for lines in pool.map(ensure_topics, [settings] * 5) for line in lines]

    await_partitions(topics, dict.fromkeys(NAMES, 3))
    assert len([line for line in done if line.startswith("created")]) == 7


def test_more_copies_than_brokers_is_said_in_a_sentence(topics: Topics) -> None:
    with pytest.raises(Fatal, match="RETURNS_TOPIC_REPLICATION_FACTOR"):
        ensure_topics(_settings(topics, 1, RETURNS_TOPIC_REPLICATION_FACTOR="9"))
