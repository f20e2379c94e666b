"""A transaction that stays open on an output topic is named, with what a person needs to end it."""

from __future__ import annotations

from kafka.errors import KafkaError
from structlog.testing import capture_logs

from service.adapters.kafka.publishing.hanging import HangingTransactions, Open
from tests.support.fakes import Clock
from tests.support.service import Service
from tests.support.waiting import eventually


def test_a_transaction_that_stays_open_past_its_time_out_is_named_once(service: Service) -> None:
    topic, clock = service.topics.name("exceptions"), Clock()
    watch = HangingTransactions(service.settings, clock=clock)
    producer = service.clients.producer(transactional_id=service.topics.name("other"), transaction_timeout_ms=60_000)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, key=b"k", value=b"v", partition=1).get(timeout=10)

    eventually(lambda: _open(watch))  # the topics are new, and so is what their leaders know
    with capture_logs() as lines:
        watch.question()
        clock.pass_(30)
        watch.question()
        assert not lines
        clock.pass_(30)
        watch.question()
        watch.question()

    (line,) = lines
    assert line["event"] == "hanging_transaction"
    assert (line["topic"], line["partition"], line["start_offset"]) == (topic, 1, 0)
    assert line["producer_id"] >= 0

    producer.abort_transaction()
    eventually(lambda: _open(watch) == set())  # its markers are written behind the answer


def _open(watch: HangingTransactions) -> set[Open] | None:
    """None where Kafka does not say: a partition's leader is chosen behind the answer to its topic's creation."""
    try:
        return watch.open_now()
    except KafkaError:
        return None


def test_transactions_one_after_the_other_do_not_hang(service: Service) -> None:
    clock = Clock()
    watch = HangingTransactions(service.settings, clock=clock)

    found = []
    for offset in range(10):
        clock.pass_(30)
        found += watch.judge({Open("t", 0, 7, 1, offset)})

    assert not found
