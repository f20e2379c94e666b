"""Transactions of the relay that Kafka has forgotten: ended before anything is believed or written.

Once a relay has taken the transactional id over, every transaction under it has ended, as far as the coordinator knows.
The leader of a partition may still wait for the end of one all the same (a broker that was away for longer than the
transaction may take). What stands open there hides what comes behind it, the position too; and it would become a part of
the next transaction of the same producer, and be committed with it: told twice. An abort that names the partition ends it,
for to a leader it comes from the same producer, in a later epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from kafka import TopicPartition

from service import logs
from service.adapters.kafka.publishing.standing import committed, uncommitted
from service.adapters.kafka.publishing.transactions import TransactionalProducer
from service.errors import Retryable

_GLANCE_MS: Final = 3_000
_MARKER_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.05


def end_forgotten(
    producer: TransactionalProducer,
    consumer: Any,
    home: TopicPartition,
    partitions: Iterable[TopicPartition],
    group_id: str,
    wait: Callable[[Any], None],
) -> None:
    """End what is open on these partitions and on the position of the group at `home`; logs what it was.

    The producer has just taken the transactional id over, so that nothing of it can be open. `wait` waits for the answer
    to a request of the transaction protocol. A transaction of another producer stays what it is.
    """
    still_open = _still_open(consumer, list(partitions))
    is_hidden = _is_hidden(consumer, home)
    if not still_open and not is_hidden:
        return
    producer.begin_transaction()
    if still_open:
        wait(producer.included(still_open))
    if is_hidden:
        wait(producer.offsets_sent({}, group_id))  # the group's partition takes part, and no offset is written
    wait(producer.aborted())
    left = _left_open(consumer, still_open)
    ended = [f"{each.topic} {each.partition}" for each in still_open if each not in left]
    is_readable = is_hidden and not _is_hidden(consumer, home)
    if ended or is_readable:  # else it is another producer's
        logs.get("relay").warning(
            "forgotten_transaction_ended",
            partitions=ended,
            position=is_readable,
            hint="Kafka had not ended a transaction of an earlier relay; what was in it is published anew",
        )


def _left_open(consumer: Any, partitions: list[TopicPartition]) -> list[TopicPartition]:
    """Those that the abort does not end. Its markers are written behind the answer to it."""
    until = time.monotonic() + _MARKER_SECONDS
    while partitions and (partitions := _still_open(consumer, partitions)) and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    return partitions


def _still_open(consumer: Any, partitions: list[TopicPartition]) -> list[TopicPartition]:
    """Those of which a committed reader does not see the end."""
    seen = consumer.end_offsets(partitions)
    with uncommitted(consumer._fetcher):  # noqa: SLF001 - of a version that is pinned
        ends = consumer.end_offsets(partitions)
    return [each for each in partitions if seen[each] < ends[each]]


def _is_hidden(consumer: Any, home: TopicPartition) -> bool:
    try:
        committed(consumer, home, _GLANCE_MS)
    except Retryable as error:
        return error.cause == "pending"
    return False
