"""The real broker keeps the contract that the world's model of it was made by."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka import KafkaProducer

from service.adapters.kafka.fetching.source import KafkaSource
from service.adapters.kafka.publishing.sink import KafkaSink
from tests.support.relaying import Order
from tests.support.service import Service
from tests.support.topics import Topics
from tests.world.contract_kafka import SinkContract, SourceContract


class _RealBroker:
    def __init__(self, order: Order, service: Service) -> None:
        self._order, self._service = order, service
        self.outputs, self.topic = order.topics, service.topics.name("returns")

    def play(self, part: Callable[[], object]) -> None:
        part()

    def sink(self) -> KafkaSink:
        return KafkaSink(self._order.settings, self._order.sink, self.outputs, lambda: None)

    def source(self) -> KafkaSource:
        return KafkaSource(self._service.settings, self._service.settings.input_topics)

    def publish(self, values: list[bytes], *, commit: bool | None = None) -> None:
        named = {} if commit is None else {"transactional_id": f"{self.topic}-publisher"}
        producer = KafkaProducer(bootstrap_servers=self._order.bootstrap_servers, **named)
        if commit is not None:
            producer.init_transactions()
            producer.begin_transaction()
        for value in values:
            producer.send(self.topic, value, partition=0, key=b"k")
        producer.flush(10)
        if commit is not None:
            (producer.commit_transaction if commit else producer.abort_transaction)()
        producer.close(5)


@pytest.fixture
def broker(service: Service, topics: Topics) -> _RealBroker:
    for name in ("changes", "current", "dead"):  # the fourth is the service's own
        topics.create(name, 2)
    database = service.settings.database_url.get_secret_value()
    return _RealBroker(Order(topics.bootstrap_servers, database, topics.prefix), service)


class TestTheSink(SinkContract):
    """All of it."""


class TestTheSource(SourceContract):
    """All of it."""
