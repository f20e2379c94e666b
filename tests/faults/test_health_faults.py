"""What every process tells of itself while a server is away in one of the ways that servers are: within 15 seconds.

Before, lag was 0 throughout, a frozen PostgreSQL left everything ready, and every retry of a relay was Kafka's fault.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
import pytest

from deploy.local.stack import LocalStack
from tests.support.bed import AGAIN, Bed, whole_service
from tests.support.commands import settings_of
from tests.support.telling import PROCESSES, Teller, telling
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WITHIN: Final = 15.0


@pytest.fixture
def bed(private_stack: LocalStack, tmp_path: Path) -> Iterator[Bed]:
    private_stack.kafka.start()
    private_stack.postgres.start()
    with whole_service(private_stack.kafka, private_stack.postgres, tmp_path, RETURNS_STALL_SECONDS="120") as bed:
        yield bed


def tells(bed: Bed, **expected: Callable[[Teller], object]) -> None:
    """Each process tells it, within the time from now."""
    deadline = time.monotonic() + WITHIN
    for name, condition in expected.items():
        teller = bed.tellers[name]
        left = max(0.1, deadline - time.monotonic())
        eventually(lambda: condition(teller), left, every=0.25, why=f"{name}\n{bed.show()}")  # noqa: B023 - at once


def is_not_ready(*words: str) -> Callable[[Teller], bool]:
    def said(teller: Teller) -> bool:
        text = teller.get("/readyz").text
        return not teller.ready() and all(word in text for word in words)

    return said


def lags_for_seconds(teller: Teller) -> bool:
    return (
        teller.most("returns_lag_records") >= 20
        and teller.most("returns_lag_seconds") >= 3
        and teller.most("returns_seconds_without_progress") >= 3
    )


def says_that_it_does_not_know(teller: Teller, reader: str) -> bool:
    return teller.samples("returns_lag_known", reader=reader) == [0]


def works_again(bed: Bed) -> None:
    eventually(bed.all_ready, AGAIN, every=0.5, why=bed.show())
    ingest = bed.tellers["ingest"]
    eventually(lambda: ingest.most("returns_lag_records") == 0 == ingest.most("returns_lag_seconds"), 30)


def assert_every_process_lives_and_answers(bed: Bed) -> None:
    for teller in bed.tellers.values():
        began = time.monotonic()
        assert teller.is_live(), teller.get("/livez").text
        assert time.monotonic() - began < 1


@contextmanager
def stopped(bed: Bed) -> Iterator[None]:
    bed.postgres.stop()
    yield
    bed.postgres.start()


@contextmanager
def frozen(bed: Bed) -> Iterator[None]:
    bed.postgres.pause()
    try:
        yield
    finally:
        bed.postgres.resume()


@pytest.mark.parametrize("fault", (stopped, frozen))
def test_a_database_that_does_not_answer(bed: Bed, fault: Callable[[Bed], object]) -> None:
    with fault(bed):  # type: ignore[attr-defined] # a context manager
        bed.publish()
        tells(bed, **dict.fromkeys(PROCESSES, is_not_ready("PostgreSQL")))
        tells(bed, ingest=lags_for_seconds)
        for name in ("ingest", "relay", "project"):
            tells(bed, **{name: partial(says_that_it_does_not_know, reader=name)})
        for name in ("relay", "project"):
            tells(bed, **{name: lambda each: each.most("returns_cursor_lag_seconds", reader=each.name) > 3})
        assert bed.tellers["relay"].samples("returns_reader_ready", reader="relay") == [0]
        cause = "database" if fault is stopped else "timeout"
        for teller in bed.tellers.values():
            assert teller.most("returns_retries_total", cause=cause) >= 1
            assert teller.most("returns_retries_total", cause="kafka") <= 0
        assert_every_process_lives_and_answers(bed)

    works_again(bed)


def test_a_read_only_database(bed: Bed) -> None:
    bed.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    bed.execute("SELECT pg_reload_conf()")
    bed.publish()

    tells(bed, **dict.fromkeys(("ingest", "relay", "project"), is_not_ready("read-only")))
    tells(bed, serve=lambda serve: "read-only" in serve.says()["writes"], ingest=lags_for_seconds)
    assert bed.tellers["serve"].ready()
    tells(bed, ingest=lambda ingest: ingest.most("returns_retries_total", cause="read_only") >= 1)
    assert all(teller.samples("returns_postgres_writable") == [0] for teller in bed.tellers.values())

    bed.execute("ALTER SYSTEM RESET default_transaction_read_only")
    bed.execute("SELECT pg_reload_conf()")
    works_again(bed)


def test_a_database_without_a_free_connection(bed: Bed) -> None:
    url = bed.postgres.database_url
    with ExitStack() as taken:
        for _ in range(200):  # all there are; the last ones are a superuser's, as the service is here
            try:
                taken.enter_context(psycopg.connect(url, application_name="taken"))
            except psycopg.OperationalError:
                break
        tells(
            bed,
            **dict.fromkeys(("ingest", "relay", "project"), is_not_ready("takes no more connections")),
            serve=lambda serve: "no more" in serve.says()["connections"],
        )
        for teller in bed.tellers.values():
            assert teller.samples("returns_postgres_admits") == [0]
            assert teller.most("returns_retries_total", cause="connections") >= 1
        # What works on the sessions that it has goes on, and its lag is known; one that loses its own says why.
        bed.publish()
        tells(bed, ingest=lambda ingest: ingest.most("returns_lag_records") == 0)
        assert bed.tellers["ingest"].samples("returns_lag_known", reader="ingest") == [1]
    works_again(bed)


@pytest.mark.parametrize("how", ("stop", "pause"))
def test_a_kafka_that_does_not_answer(bed: Bed, private_stack: LocalStack, how: str) -> None:
    getattr(private_stack.kafka, how)()
    tells(
        bed,
        ingest=is_not_ready("Kafka"),
        relay=is_not_ready("Kafka"),
        serve=lambda serve: "Kafka does not answer" in serve.says()["kafka"],
    )
    tells(bed, ingest=lambda ingest: ingest.most("returns_lag_seconds") >= 8)
    assert says_that_it_does_not_know(bed.tellers["ingest"], "ingest")
    assert bed.tellers["ingest"].most("returns_seconds_without_progress") >= 8
    assert bed.tellers["relay"].samples("returns_reader_ready", reader="relay") == [0]
    assert bed.tellers["serve"].ready()
    assert bed.tellers["project"].ready()
    assert_every_process_lives_and_answers(bed)

    for name in ("ingest", "relay", "serve"):
        assert bed.tellers[name].most("returns_retries_total", cause="kafka") >= 1
        assert bed.tellers[name].most("returns_retries_total", cause="database") <= 0
    if how == "stop":
        private_stack.kafka.start()
    else:
        private_stack.kafka.resume()
    works_again(bed)


def test_a_relay_that_is_away_or_far_behind_and_the_one_that_stands_by(bed: Bed, tmp_path: Path) -> None:
    """What: the relay that leads is frozen; the one that stands by tells the lag. How: SIGSTOP, then events."""
    leader = bed.tellers["relay"]
    settings = settings_of(bed.postgres.database_url, bed.topics)
    with telling(tmp_path / "..", settings, "relay") as others:
        other = others["relay"]
        eventually(other.ready, 20)
        assert (leader.samples("returns_relay_leads"), other.samples("returns_relay_leads")) == ([1], [0])
        leader.process.process.send_signal(signal.SIGSTOP)
        try:
            bed.publish()
            eventually(lambda: other.most("returns_cursor_lag_batches", reader="relay") >= 1, WITHIN)
        finally:
            leader.process.process.send_signal(signal.SIGCONT)
        eventually(lambda: other.most("returns_cursor_lag_batches", reader="relay") == 0, 40)


def test_a_blown_fuse(bed: Bed) -> None:
    producer = bed.clients.producer(linger_ms=20)
    for _ in range(1500):
        producer.send(bed.topics.name("scans"), b"no event", key=b"k")
    producer.flush(timeout=30)

    ingest, topic = bed.tellers["ingest"], bed.topics.name("scans")
    eventually(lambda: ingest.most("returns_fuse_tripped", topic=topic) == 1, WITHIN)
    eventually(lambda: ingest.most("returns_thin_letters_total", topic=topic) >= 500, WITHIN)
    eventually(lambda: ingest.most("returns_lag_records", topic=topic) == 0, WITHIN)
    assert ingest.ready(), bed.show()  # work goes on
    assert "nearly everything of a source is invalid" in ingest.get("/readyz").text


def test_partitions_that_a_foreign_consumer_took_still_have_their_lag(bed: Bed) -> None:
    """What: somebody else joins the group, gets half of the partitions, and reads nothing into the database."""
    foreign = bed.clients.consumer(
        group_id=bed.topics.name("group"), session_timeout_ms=15_000, enable_auto_commit=False
    )
    foreign.subscribe([bed.topics.name(name) for name in ("returns", "scans", "hub-events", "deliveries")])
    eventually(lambda: foreign.poll(timeout_ms=200) or foreign.assignment(), 40)
    taken = {(tp.topic, tp.partition) for tp in foreign.assignment()}
    mine = sorted(number for topic, number in taken if topic == bed.topics.name("returns"))
    producer = bed.clients.producer()
    for _ in range(20):
        producer.send(bed.topics.name("returns"), b"{}", partition=mine[0]).get(timeout=10)

    ingest, where = bed.tellers["ingest"], {"topic": bed.topics.name("returns"), "partition": str(mine[0])}

    def told() -> bool:
        foreign.poll(timeout_ms=10)
        return (
            ingest.most("returns_lag_records", **where) == 20
            and ingest.most("returns_seconds_without_progress", **where) >= 10
            and ingest.most("returns_lag_seconds", **where) >= 10
            and not ingest.ready()
        )

    eventually(told, WITHIN, every=0.2, why=ingest.get("/readyz").text)
