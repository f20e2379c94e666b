"""Relays for tests, in this process or in one that can be killed, and what their topics must hold.

As a program it is a relay: `python -m tests.support.relaying`, told what to do by JSON on its standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple, Self

import psycopg
from kafka import KafkaConsumer, TopicPartition
from pydantic import SecretStr

from service import logs
from service.adapters.kafka.publishing.sink import KafkaSink
from service.adapters.kafka.publishing.standing import SinkOptions, read_position
from service.adapters.postgres.journal.batch_log import RelayLog
from service.application.journal.publish import OutputTopics
from service.application.journal.slices import SliceLimits
from service.config import Settings
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.relay import Relay, Servers
from tests.support.waiting import PATIENCE

CHECKOUT = Path(__file__).parents[2]
_MARKER_SECONDS = 15.0


class Order(NamedTuple):
    """What a relay needs to know."""

    bootstrap_servers: str
    database_url: str
    prefix: str
    transaction_timeout_ms: int = 10_000
    rows: int = 1500
    patience_seconds: float = 30.0
    drain: bool = False

    @property
    def topics(self) -> OutputTopics:
        return OutputTopics(*(self.prefix + name for name in ("changes", "current", "exceptions", "dead")))

    @property
    def settings(self) -> Settings:
        return Settings(kafka_bootstrap_servers=self.bootstrap_servers, database_url=SecretStr(self.database_url))

    @property
    def sink(self) -> SinkOptions:
        name = self.prefix + "relay"
        return SinkOptions(name, name, self.transaction_timeout_ms, self.patience_seconds)


def build(order: Order, stop: Stop | None = None) -> Relay:
    """A relay as the composition root makes it."""
    settings, topics = order.settings, order.topics
    return Relay(
        Servers(
            lambda: RelayLog(order.database_url, SliceLimits(rows=order.rows)),
            lambda waiting: KafkaSink(settings, order.sink, topics, waiting),
            lambda: read_position(settings, order.sink, topics),
        ),
        topics,
        Stop() if stop is None else stop,  # one that is not set is false
        Metrics(),
    )


class RelayProcess:
    """A relay in a process of its own. Its log goes to a file."""

    def __init__(self, order: Order, log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.relaying"],
                cwd=CHECKOUT,
                stdin=subprocess.PIPE,
                stderr=file,
                stdout=file,
            )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode())
        self.process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self.process.kill()
        self.process.wait(30 * PATIENCE)

    def says(self, event: str) -> int:
        """How often its log holds an event."""
        return self.log.read_text().count(f'"{event}"')


class Published(NamedTuple):
    """What committed records of the output topics say, by topic, in the order of their partitions."""

    changes: list[dict[str, Any]]
    current: dict[str, dict[str, Any]]
    exceptions: list[dict[str, Any]]
    dead: list[Any]


def published(order: Order) -> Published:
    """Everything that a read_committed subscriber can see now."""
    return published_on(order.bootstrap_servers, order.topics)


def published_on(bootstrap_servers: str, topics: OutputTopics) -> Published:
    """Everything that a read_committed subscriber of these topics can see now."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        metrics_enabled=False,
    )
    try:
        read = {topic: _all(consumer, topic) for topic in topics}
    finally:
        consumer.close()
    changes, current, exceptions, dead = (read[topic] for topic in topics)
    documents = [json.loads(record.value) for record in current]
    return Published(
        [json.loads(record.value)["data"] for record in changes],
        {document["data"]["return_id"]: document["data"] for document in documents},
        [json.loads(record.value)["data"] for record in exceptions],
        dead,
    )


def _all(consumer: Any, topic: str) -> list[Any]:
    partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
    ends = consumer.end_offsets(partitions)  # of read_committed: the last stable offset
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    records: list[Any] = []
    # A transaction is committed a moment before each partition has its marker, and what it holds is seen after that.
    deadline = time.monotonic() + _MARKER_SECONDS
    while any(consumer.position(partition) < end for partition, end in ends.items()) or (
        time.monotonic() < deadline
        and any((consumer.highwater(partition) or 0) > consumer.position(partition) for partition in partitions)
    ):
        for batch in consumer.poll(timeout_ms=100, max_records=10_000).values():
            records += batch
    return records


def truth(database_url: str) -> dict[str, list[tuple[int, str, str, str]]]:
    """For each return, its changes as the history has them: version, kind, milestone, status."""
    changes: dict[str, list[tuple[int, str, str, str]]] = defaultdict(list)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT return_id, version, changes FROM history JOIN returns USING (return_no)"
            " WHERE changes IS NOT NULL ORDER BY return_no, seq"
        )
        for return_id, version, moved in rows:
            first = version - len(moved) + 1
            changes[return_id] += [(first + i, c[0], c[1], c[2]) for i, c in enumerate(moved)]
    return dict(changes)


def told(changes: list[dict[str, Any]]) -> dict[str, list[tuple[int, str, str, str]]]:
    """For each return, its changes as subscribers got them, in the order in which they got them."""
    seen: dict[str, list[tuple[int, str, str, str]]] = defaultdict(list)
    for data in changes:
        seen[data["return_id"]].append((data["version"], data["kind"], data["milestone"], data["status"]))
    return dict(seen)


def counts(database_url: str) -> tuple[int, int]:
    """How many exceptions and dead letters there are to tell of."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM history WHERE verdict IN ('held', 'refused', 'unmapped')"
            " AND reason IS DISTINCT FROM 'voided' OR reason = 'tracking_number_in_use')"
            " + (SELECT coalesce(sum(json_array_length(exceptions)), 0) FROM history WHERE exceptions IS NOT NULL),"
            " (SELECT count(*) FROM dead_letters)"
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def check(order: Order) -> Published:
    """Assert that the topics hold what the journal holds: nothing lost, repeated or swapped."""
    seen, expected = published(order), truth(order.database_url)
    assert told(seen.changes) == expected
    assert {return_id: document["version"] for return_id, document in seen.current.items()} == {
        return_id: changes[-1][0] for return_id, changes in expected.items()
    }
    assert (len(seen.exceptions), len(seen.dead)) == counts(order.database_url)
    return seen


def main() -> None:
    """Relay until told to stop."""
    order = Order(*json.load(sys.stdin))
    logs.configure("debug", "json")
    with Stop().install() as stop:
        build(order, stop).run(drain=order.drain)


if __name__ == "__main__":
    main()
