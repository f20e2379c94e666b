"""The plain producer against the real broker."""

from __future__ import annotations

import pytest

from service.adapters.kafka.publishing.producing import Publishing
from service.config import Settings
from service.errors import Retryable
from service.simulator.options import Options
from service.simulator.options import Topics as Inputs
from service.simulator.play import play
from tests.support.topics import Clients, Topics


def test_a_world_that_is_played_is_in_kafka_when_the_publisher_is_left(topics: Topics, clients: Clients) -> None:
    inputs = Inputs(*(topics.create(name, partitions=2) for name in Inputs()))
    settings = Settings(kafka_bootstrap_servers=topics.bootstrap_servers)

    with Publishing(settings, "test", lingering_ms=20) as publishing:
        tally = play(publishing.publish, Options(returns=100, rate=0), topics=inputs)

    assert {name: topics.end(name) for name in inputs} == dict(tally.by_way)
    for record in clients.read(inputs.scans, tally.by_way[inputs.scans]):
        assert record.key.startswith((b"generic/", b"omniparcel/"))
        assert ("content-type", b"application/cloudevents+json") in record.headers or dict(record.headers)["ce_id"]


def test_a_message_that_kafka_refuses_is_an_error_and_the_next_one_is_not(topics: Topics) -> None:
    name = topics.create("scans")
    small = topics.create("small", max_message_bytes="1000")
    settings = Settings(kafka_bootstrap_servers=topics.bootstrap_servers)

    with Publishing(settings, "test") as publishing:
        with pytest.raises(Retryable, match="did not take"):
            publishing.publish_now(small, b"key", b"x" * 5_000, [])
        publishing.publish_now(name, b"key", b"value", [("content-type", b"text/plain")])
        publishing.publish(small, b"key", b"x" * 5_000, [])
        with pytest.raises(Retryable, match="did not take"):
            publishing.flush()
        publishing.publish(name, b"key", b"value", [])

    assert topics.end(name) == 2
