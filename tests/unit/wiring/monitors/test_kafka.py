"""What is made of answers, where no server is needed to show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from service.adapters.kafka.ends import KafkaEnds
from service.application.ports import Bounds, Partition
from service.metrics import Metrics
from service.runtime.monitoring.health import Check, Monitor
from service.wiring.monitors.kafka import KafkaWatch


class Ends:
    """As many brokers as a test says; None: nobody answers."""

    def __init__(self) -> None:
        self.brokers: int | None = None
        self.missing = frozenset[str]()
        self.topic_ids: Mapping[str, bytes | None] = {}

    def bounds(self) -> Mapping[Partition, Bounds] | None:
        return None if self.brokers is None else {}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_broker_of_several_that_is_gone_is_told_and_keeps_nobody_from_work() -> None:
    ends, metrics = Ends(), Metrics()
    kafka = KafkaWatch(metrics, cast("KafkaEnds", cast("Any", ends)))
    assert kafka.check() == Check("Kafka has not answered yet, for 0 s", ok=False)
    assert kafka.check(needed=False).ok

    ends.brokers = 3
    kafka.watch.turn()
    assert kafka.check() == Check("ok")
    ends.brokers = 2
    kafka.watch.turn()
    kafka.refresh()

    assert kafka.check() == Check("2 of 3 brokers are there")
    assert value(metrics, "returns_kafka_brokers") == 2
    assert value(metrics, "returns_server_up", server="kafka") == 1


def test_a_topic_that_is_gone_is_told_and_nobody_who_needs_it_is_ready() -> None:
    """Nothing waits in it, so no lag grows: an ingest worker was ready for as long as its topic was away."""
    ends, metrics = Ends(), Metrics()
    kafka = KafkaWatch(metrics, cast("KafkaEnds", cast("Any", ends)))
    ends.brokers, ends.missing = 1, frozenset({"scans"})
    kafka.watch.turn()

    assert kafka.check() == Check("no such topic: scans; `returns-status topics` makes it", ok=False)
    assert kafka.check(needed=False).ok


def test_a_question_that_a_server_does_not_answer_is_counted_by_its_cause() -> None:
    # A loop that hangs in a call tries nothing again, and counts nothing.
    metrics = Metrics()
    kafka = KafkaWatch(metrics, cast("KafkaEnds", cast("Any", Ends())))
    kafka.watch.retried = Monitor(metrics).retried

    kafka.watch.turn()
    kafka.watch.turn()

    assert value(metrics, "returns_retries_total", cause="kafka") == 2
