"""Transactions that stay open on the output topics for longer than Kafka allows any to: they hold up every subscriber.

The coordinator of a transaction may have forgotten it while the leader of a partition still waits for its end: after a
broker was down past the transaction's time-out, say. Nothing in Kafka ends it then, and only a person can
(`kafka-transactions.sh`). What is looked at is what the leaders say, by no clock but our own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from kafka import TopicPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from service import logs
from service.adapters.kafka.options import asking
from service.config import Settings

# The coordinator looks for transactions past their time-out every 10 s by default; then it takes a moment to end them.
_MARGIN_SECONDS: Final = 30.0
_REQUEST_MS: Final = 5_000
_OFFSETS: Final = "__consumer_offsets"  # where the relay's position is, a part of its transactions


class Open(NamedTuple):
    """A transaction that is open on a partition, from this offset on."""

    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    start_offset: int


class HangingTransactions:
    """Remembers since when it has seen each transaction open."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._allowed_seconds = settings.relay_transaction_timeout_ms / 1000 + _MARGIN_SECONDS
        self._since: dict[Open, float] = {}
        self._said: set[Open] = set()
        self._unseen: set[str] = set()  # topics that it may not look into
        self._log = logs.get("relay")

    def question(self) -> str | None:
        """For a lookout: logs what hangs; what it cannot find out is another's to tell."""
        try:
            found = self.open_now()
        except (KafkaError, RuntimeError):
            return None
        hanging = self.judge(found)
        for each in hanging:
            if each not in self._said:
                self._said.add(each)
                self._log.error(
                    "hanging_transaction",
                    **each._asdict(),
                    seconds=round(self._clock() - self._since[each]),
                    hint="subscribers wait for its end, which Kafka has forgotten: see kafka-transactions.sh --abort",
                )
        self._said &= set(hanging)
        return None

    def judge(self, found: set[Open]) -> list[Open]:
        """Those that have been open for longer than any may be."""
        now = self._clock()
        self._since = {each: self._since.get(each, now) for each in found}
        return sorted(each for each, since in self._since.items() if now - since > self._allowed_seconds)

    def open_now(self) -> set[Open]:
        """What is open on the output topics and on the relay's position. Raises KafkaError."""
        with asking(self._settings, "returns-relay-watch", _REQUEST_MS) as admin:
            described = admin.describe_topics([*self._settings.output_topics, _OFFSETS])
            counts = {each["name"]: len(each["partitions"]) for each in described if not each["error_code"]}
            partitions = {
                topic: [TopicPartition(topic, n) for n in range(counts.get(topic, 0))]
                for topic in self._settings.output_topics
            }
            if count := counts.get(_OFFSETS):
                partitions[_OFFSETS] = [
                    TopicPartition(_OFFSETS, _group_partition(self._settings.relay_group_id, count))
                ]
            states: dict[TopicPartition, Any] = {}
            for topic, of_it in partitions.items():
                try:
                    states |= admin.describe_producers(of_it)
                except TopicAuthorizationFailedError:  # where the position is pending, the relay itself says so
                    if topic not in self._unseen and topic != _OFFSETS:
                        self._log.warning("hanging_not_watched", topic=topic, hint="allow the relay to read the topic")
                    self._unseen.add(topic)
        return {
            Open(
                at.topic,
                at.partition,
                each.producer_id,
                each.producer_epoch,
                each.current_transaction_start_offset,
            )
            for at, state in states.items()
            for each in state.active_producers
            if each.current_transaction_start_offset >= 0
        }


def _group_partition(group_id: str, partitions: int) -> int:
    """Where Kafka keeps the offsets of a group: by Java's hash of its name."""
    code = 0
    raw = group_id.encode("utf-16-be")
    for high, low in zip(raw[::2], raw[1::2], strict=True):
        code = (31 * code + (high << 8 | low)) & 0xFFFFFFFF
    return (code & 0x7FFFFFFF) % partitions
