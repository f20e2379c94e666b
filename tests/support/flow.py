"""Events that flow all the time, and marks: events that tell when all of the service works again."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Self

import psycopg
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from tests.support.bed import HEADERS, Bed
from tests.support.journals import creation, scan

PARTITIONS: Final = 2
_EVERY_SECONDS: Final = 0.25
_numbers = itertools.count(1)


class Trickle(threading.Thread):
    """Some events a second, whatever becomes of them."""

    def __init__(self, bed: Bed) -> None:
        super().__init__(name="trickle", daemon=True)
        self._bed = bed
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self) -> None:
        """Until `end`. A client that fails is replaced."""
        while not self._ended.is_set():
            with contextlib.suppress(Exception):
                self._send()

    def end(self) -> None:
        """Send no more."""
        self._ended.set()
        self.join(30)

    def _send(self) -> None:
        producer = _producer(self._bed)
        try:
            while not self._ended.wait(_EVERY_SECONDS):
                number = next(_numbers)
                event = json.dumps(creation(f"T-{number}")).encode()
                producer.send(
                    self._bed.topics.name("returns"), event, partition=number % PARTITIONS, headers=HEADERS
                ).get(timeout=5)
        finally:
            producer.close(timeout=1)


class Marks:
    """New returns, one in each partition, that are collected in each partition: they show when all has passed."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._ends = self._outputs_end()
        self.ids = {f"M-{next(_numbers)}": partition for partition in range(PARTITIONS)}
        self._told = set[str]()
        self._consumer: Any = None

    def publish(self, seconds: float) -> None:
        """Until Kafka has them. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._publish()
            except KafkaError as error:
                if time.monotonic() > deadline:
                    raise AssertionError("Kafka does not take the marks") from error
                time.sleep(0.2)
            else:
                return

    def are_published(self) -> bool:
        """Whether the changes of all of them stand in the topic, committed."""
        try:
            if self._consumer is None:
                self._consumer = self._open()
            for records in self._consumer.poll(timeout_ms=50).values():
                for record in records:
                    data = json.loads(record.value)["data"]
                    if data["return_id"] in self.ids and data["milestone"] == "RT":
                        self._told.add(data["return_id"])
        except KafkaError:
            self.close()
        return len(self._told) == len(self.ids)

    def are_searchable(self) -> bool:
        """Whether the search tables know that all of them are in transit."""
        query = "SELECT count(*) FROM search_returns WHERE return_id = ANY(%s) AND status = 'RT'"
        try:
            with psycopg.connect(self._bed.postgres.database_url, connect_timeout=2) as connection:
                row = connection.execute(query, [list(self.ids)]).fetchone()
        except psycopg.Error:
            return False
        return row is not None and row[0] == len(self.ids)

    def close(self) -> None:
        """Close what reads the topic."""
        if self._consumer is not None:
            with contextlib.suppress(KafkaError):
                self._consumer.close()
        self._consumer = None

    def _publish(self) -> None:
        producer = _producer(self._bed)
        try:
            for return_id, partition in self.ids.items():
                for topic, event in (
                    ("returns", creation(return_id)),
                    ("scans", scan("COLLECTED", "10:00", return_id)),
                ):
                    producer.send(
                        self._bed.topics.name(topic), json.dumps(event).encode(), partition=partition, headers=HEADERS
                    ).get(timeout=5)
        finally:
            producer.close(timeout=1)

    def _changes(self) -> list[TopicPartition]:
        topic = self._bed.topics.name("status-changes")
        return [TopicPartition(topic, number) for number in range(PARTITIONS)]

    def _outputs_end(self) -> dict[TopicPartition, int]:
        # Where to begin to look; where Kafka does not tell, at the beginning.
        with contextlib.suppress(KafkaError), contextlib.closing(_consumer(self._bed)) as consumer:
            ends: dict[TopicPartition, int] = consumer.end_offsets(self._changes())
            return ends
        return {}

    def _open(self) -> Any:
        consumer = _consumer(self._bed)
        consumer.assign(self._changes())
        for partition in self._changes():
            consumer.seek(partition, self._ends.get(partition, 0))
        return consumer


def works_again(
    bed: Bed, began: float, marks: Marks, seconds: float, meanwhile: Callable[[], object]
) -> dict[str, float]:
    """How long, since `began`, until the marks are published and searchable and all processes ready."""
    waits: dict[str, Callable[[], bool]] = {
        "published": marks.are_published,
        "searchable": marks.are_searchable,
        "ready": lambda: _is_ready(bed),
    }
    found: dict[str, float] = {}
    deadline = time.monotonic() + seconds
    try:
        while waits:
            for name, condition in list(waits.items()):
                if condition():
                    found[name] = time.monotonic() - began
                    del waits[name]
            meanwhile()
            assert not waits or time.monotonic() < deadline, f"not {', '.join(waits)} in {seconds:.0f} s\n{_shown(bed)}"
            time.sleep(0.1)
    finally:
        marks.close()
    return found


def _is_ready(bed: Bed) -> bool:
    try:
        return bed.all_ready()
    except AssertionError:
        return False


def _shown(bed: Bed) -> str:
    lines = []
    for name, teller in bed.tellers.items():
        try:
            lines.append(f"{name}: {teller.get('/readyz').text}")
        except AssertionError as error:
            lines.append(str(error))
    return "\n".join(lines)


def _producer(bed: Bed) -> Any:
    return KafkaProducer(
        bootstrap_servers=bed.topics.bootstrap_servers,
        max_block_ms=5_000,
        request_timeout_ms=4_000,
        delivery_timeout_ms=5_000,
        linger_ms=0,
        retry_backoff_ms=50,
        bootstrap_timeout_ms=4_000,
    )


def _consumer(bed: Bed) -> Any:
    return KafkaConsumer(
        bootstrap_servers=bed.topics.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        metrics_enabled=False,
    )
