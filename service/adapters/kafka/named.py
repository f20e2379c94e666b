"""Topics by name and by prefix, as a consumer knows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from service.topic_names import covers, is_prefix, pattern


def subscribe(consumer: Any, inputs: Sequence[str], listener: Any) -> None:
    """Have the consumer read these topics, and those with a prefix as they come and go."""
    if any(map(is_prefix, inputs)):
        consumer.subscribe(pattern=pattern(inputs), listener=listener)
    else:
        consumer.subscribe(inputs, listener=listener)


def know_all(consumer: Any, inputs: Iterable[str]) -> None:
    """Have a consumer that subscribes to nothing keep up with all topics that there are, where there is a prefix."""
    if any(map(is_prefix, inputs)):
        consumer.topics()
        consumer._cluster.need_all_topic_metadata = True  # noqa: SLF001 - of a version that is pinned


def topics_of(consumer: Any, inputs: Iterable[str]) -> list[str]:
    """The topics that these names and prefixes mean; of those with a prefix, as far as the consumer knows them."""
    names, prefixes = list[str](), list[str]()
    for entry in inputs:
        (prefixes if is_prefix(entry) else names).append(entry)
    # Not the client's own `topics`, which asks the brokers each time.
    known = consumer._cluster.topics() if prefixes else ()  # noqa: SLF001 - of a version that is pinned
    found = {topic for topic in known if any(covers(entry, topic) for entry in prefixes)}
    return [*names, *sorted(found.difference(names))]
