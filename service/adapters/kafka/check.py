"""Looks at the settings of Kafka that the service relies on; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code

from service.adapters.kafka.admin import connected
from service.application.safety import TOPIC_SETTINGS, Checked, Role, TopicFacts, check_topics
from service.config import Settings
from service.topic_names import covers, is_prefix

_UNKNOWN: Final = UnknownTopicOrPartitionError.errno
_INTERNAL: Final = ("__consumer_offsets", "__transaction_state")
_OUTPUTS: Final[tuple[Role, ...]] = ("status_changes", "current_status", "exceptions", "dead_letters")


def check(settings: Settings) -> Checked:
    """What endangers what is promised, and what could not be looked at. Raises Retryable if no broker answers."""
    with connected(settings) as admin:
        roles: dict[str, Role] = {
            **dict.fromkeys(_inputs(settings, admin), "input"),
            **dict(zip(settings.output_topics, _OUTPUTS, strict=True)),
            **dict.fromkeys(_INTERNAL, "internal"),
        }
        described = {topic["name"]: topic for topic in admin.describe_topics(list(roles))}
        for name in _INTERNAL:  # made by Kafka when it needs them, and not everybody may look at them
            if described[name]["error_code"]:
                del described[name]
        unchecked = [
            f"{name}: {for_code(topic['error_code']).__name__}"
            for name, topic in described.items()
            if topic["error_code"] not in {0, _UNKNOWN}
        ]
        there = [name for name, topic in described.items() if not topic["error_code"]]
        configs, why = _configs(admin, there)
        facts = [
            TopicFacts(name, role, _copies(described[name]), configs.get(name, {}))
            for name, role in roles.items()
            if name in described and described[name]["error_code"] in {0, _UNKNOWN}
        ]
        found = check_topics(facts, len(admin.describe_cluster()["brokers"]))
    return Checked(found.findings, [*unchecked, *why, *found.unchecked])


def _inputs(settings: Settings, admin: Any) -> list[str]:
    prefixes = [entry for entry in settings.inputs if is_prefix(entry)]
    known = admin.list_topics() if prefixes else ()
    return [*settings.input_topics, *sorted(t for t in known if any(covers(entry, t) for entry in prefixes))]


def _configs(admin: Any, topics: list[str]) -> tuple[dict[str, Mapping[str, str]], list[str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, list(TOPIC_SETTINGS)) for name in topics]
    if not resources:
        return {}, []
    try:
        described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    except KafkaError as error:
        return {}, [f"the settings of topics: {type(error).__name__}"]
    return {
        topic: {name: str(each["value"]) for name, each in configs.items() if each["value"] is not None}
        for topic, configs in described.items()
    }, []


def _copies(topic: Mapping[str, Any]) -> int | None:
    """Of the partition that has the fewest; None without the topic."""
    if topic["error_code"] == _UNKNOWN:
        return None
    return min((len(partition["replica_nodes"]) for partition in topic["partitions"]), default=0)
