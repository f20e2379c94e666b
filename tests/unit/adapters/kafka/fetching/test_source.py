"""What is given of what was fetched, and when: the source's own part, around a client that a test plays."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from pydantic import SecretStr

from service.adapters.kafka.fetching import subscribing
from service.adapters.kafka.fetching.source import KafkaSource
from service.application.ports import Partition
from service.config import Settings
from service.wire.record import Record

A, B = ("in", 0), ("in", 1)


class Client:
    """A consumer of two partitions; each poll gives what the test put there next."""

    def __init__(self, ends: dict[Partition, int]) -> None:
        self._fetcher = SimpleNamespace(_completed_fetches=())
        self._coordinator = SimpleNamespace(rejoining=False, stable=lambda: True)
        self._cluster = SimpleNamespace(topic_id=lambda _: None)
        self._client = SimpleNamespace(net=SimpleNamespace(heard_at=0.0))
        self._ends = ends
        states = {TopicPartition(*each): SimpleNamespace(position=SimpleNamespace(offset=0)) for each in ends}
        self._subscription = SimpleNamespace(assignment=states)
        self.fetches = deque[list[Record]]()

    def poll(self, **_: object) -> dict[TopicPartition, list[Record]]:
        given: dict[TopicPartition, list[Record]] = {}
        for record in self.fetches.popleft() if self.fetches else ():
            given.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
            state = self._subscription.assignment[TopicPartition(record.topic, record.partition)]
            state.position.offset = record.offset + 1
        return given

    def highwater(self, partition: TopicPartition) -> int:
        return self._ends[partition]

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(*partition) for partition in self._ends}

    def partitions_for_topic(self, _: str) -> set[int]:
        return {0, 1}

    def subscribe(self, *_: object, **__: object) -> None: ...

    def pause(self, *_: TopicPartition) -> None: ...

    def resume(self, *_: TopicPartition) -> None: ...


def record(partition: Partition, offset: int, time: int) -> Record:
    return Record(*partition, offset, time, None, b"")


def opened(monkeypatch: pytest.MonkeyPatch, ends: dict[Partition, int]) -> tuple[KafkaSource, Client]:
    """A source that reads both partitions."""
    client = Client(ends)

    def open_client(*_: object, **__: object) -> Any:
        return client

    monkeypatch.setattr(subscribing, "opened", open_client)
    settings = Settings(kafka_bootstrap_servers="nowhere:1", database_url=SecretStr("postgresql://nowhere"))
    source = KafkaSource(settings, ["in"])
    source.resume([A, B])
    return source, client


def test_a_look_at_what_is_there_does_not_give_what_older_records_may_come_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It once took a partition for dry that had not been waited for, and gave the young before the old.
    source, client = opened(monkeypatch, {A: 1, B: 2})
    client.fetches.append([record(A, 0, 100), record(B, 0, 10)])
    assert [each.timestamp for each in source.poll(0, 10)] == [10]

    assert source.poll(0, 10) == []

    client.fetches.append([record(B, 1, 20)])
    assert sorted(each.timestamp for each in source.poll(5000, 10)) == [20, 100]


def test_what_does_not_come_in_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    source, client = opened(monkeypatch, {A: 1, B: 2})
    client.fetches.append([record(A, 0, 100), record(B, 0, 10)])
    source.poll(0, 10)

    assert [each.timestamp for each in source.poll(1, 10)] == [100]
