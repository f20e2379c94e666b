"""Lag as people see it, against the real broker, and without one."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from service.adapters.kafka.ends import KafkaEnds
from service.application.lag import Lag, lag_by_topic
from service.application.ports import Bounds
from service.config import Settings
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually


def settings_of(topics: Topics) -> Settings:
    return Settings(
        kafka_bootstrap_servers=topics.bootstrap_servers,
        topic_returns=topics.name("returns"),
        topic_scans=topics.name("scans"),
        topic_hub_events=topics.name("hub_events"),
        topic_deliveries=topics.name("deliveries"),
    )


def test_it_knows_where_the_input_topics_end_and_hears_of_more(topics: Topics, clients: Clients) -> None:
    scans = topics.create("scans", partitions=2)
    producer = clients.producer()
    for number in range(5):
        producer.send(scans, b"x", partition=number % 2).get(timeout=10)

    with contextlib.closing(KafkaEnds(settings_of(topics), patience=20, fresh=0.2)) as ends:
        first = ends.bounds()
        producer.send(scans, b"x", partition=1).get(timeout=10)

        assert first == {(scans, 0): Bounds(0, 3), (scans, 1): Bounds(0, 2)}
        eventually(lambda: (ends.bounds() or {}).get((scans, 1)) == Bounds(0, 3))
        lags = lag_by_topic([scans, topics.name("returns")], ends.bounds(), {(scans, 0): 1, (scans, 1): 3})
        assert lags == [Lag(scans, 2), Lag(topics.name("returns"), None)]


def test_topics_that_are_not_there_are_named_once_it_is_sure_of_it(topics: Topics) -> None:
    scans = topics.create("scans")
    others = {topics.name(name) for name in ("returns", "hub_events", "deliveries")}

    with contextlib.closing(KafkaEnds(settings_of(topics), patience=20, fresh=0.1, metadata_ms=500)) as ends:
        ends.bounds()
        assert not ends.missing
        eventually(lambda: ends.bounds() and ends.missing == others)

        topics.admin.delete_topics([scans])

        eventually(lambda: ends.bounds() == {} and scans in ends.missing, 15)


@pytest.mark.kafka
def test_without_a_broker_nothing_is_known_and_nobody_waits_for_long() -> None:
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1")

    with contextlib.closing(KafkaEnds(settings, patience=0.3)) as ends:
        began = time.monotonic()
        answers = [ends.bounds() for _ in range(50)]
        waited = time.monotonic() - began

    assert set(answers) == {None}
    assert waited < 50 * 0.3 / 2  # the first waits, the others do not
    assert lag_by_topic(["scans"], None, {}) == [Lag("scans", None)]


@pytest.mark.kafka
def test_a_broker_that_does_not_answer_is_as_good_as_none_and_leaves_no_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings = Settings(kafka_bootstrap_servers=f"127.0.0.1:{deaf.getsockname()[1]}")
        with contextlib.closing(KafkaEnds(settings, patience=0.3)) as ends:
            answer = ends.bounds()

    assert answer is None
    assert [thread.name for thread in threading.enumerate() if "returns-web-lag" in thread.name] == []
