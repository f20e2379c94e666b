"""The ids of the topics that a consumer reads: one consumer reads one topic of a name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from service.errors import ChangedTopics

_NO_ID: Final = bytes(16)  # in an answer that the topic is not there


class TopicIds(dict[str, bytes | None]):
    """By name; None: the broker does not tell."""

    def learn(self, consumer: Any, topics: Iterable[str]) -> None:
        """Take the ids of those of the topics that are new here as they are told now."""
        for topic in topics:
            if topic not in self:
                self[topic] = _told(consumer, topic)

    def compare(self, consumer: Any) -> None:
        """Raises ChangedTopics where a topic has another id by now."""
        for topic, known in self.items():
            told = _told(consumer, topic)
            if told in {None, _NO_ID, known}:  # while a topic is gone it has none
                continue
            if known is not None:
                raise ChangedTopics(f"{topic} was made anew")
            self[topic] = told


def _told(consumer: Any, topic: str) -> bytes | None:
    """The id of the topic as it was last told, in an answer that is half a minute old at most."""
    found = consumer._cluster.topic_id(topic)  # noqa: SLF001 - of a version that is pinned
    return found.bytes if found else None
