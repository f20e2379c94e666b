"""How much of the input topics is not ingested yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from service.application.ports import Bounds, Partition, Stored
from service.topic_names import covers, is_prefix


class Ends(Protocol):
    """Where the input topics begin and end."""

    topic_ids: Mapping[str, bytes | None]
    """The topics' ids as of then; None: not known."""

    def bounds(self) -> Mapping[Partition, Bounds] | None:
        """As of a few seconds ago; None while Kafka does not answer. Never waits for long, never fails."""


def own(stored: Mapping[Partition, Stored], topic_ids: Mapping[str, bytes | None]) -> dict[Partition, int]:
    """The stored offsets, without those of topics that were deleted: one made anew under the name is read from its
    beginning, however far the old one was.
    """
    return {
        partition: found.next
        for partition, found in stored.items()
        if (now := topic_ids.get(partition[0])) is None or found.topic_id is None or now == found.topic_id
    }


class Lag(NamedTuple):
    """Messages of a topic that are not ingested yet; None: not known."""

    topic: str
    messages: int | None


def lag_by_topic(
    topics: Iterable[str], bounds: Mapping[Partition, Bounds] | None, stored: Mapping[Partition, int]
) -> list[Lag]:
    """The lag of each topic, and of all that have a prefix; a partition that nobody has read yet lags by all that is in it."""
    if bounds is None:
        return [Lag(topic, None) for topic in topics]
    lags: dict[str, int] = {}
    for partition, (begin, end) in bounds.items():
        topic = partition[0]
        # What Kafka has deleted cannot be ingested any more.
        lags[topic] = lags.get(topic, 0) + max(0, end - max(begin, stored.get(partition, begin)))
    return [
        Lag(topic, sum(n for other, n in lags.items() if covers(topic, other)) if is_prefix(topic) else lags.get(topic))
        for topic in topics
    ]
