"""Faults of the whole service. Each is a generator that prepares, injects, cures and tidies up, with a yield between."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import psycopg
from kafka import KafkaAdminClient, KafkaProducer

from deploy.local.kafka_server import KafkaServer
from tests.support.bed import HEADERS, Bed
from tests.support.cluster import Cluster
from tests.support.commands import run
from tests.support.databases import Databases
from tests.support.flow import Marks
from tests.support.journals import creation
from tests.support.pasts import Past, name_of
from tests.support.waiting import eventually

BURST: Final = 60_000

Kafka = KafkaServer | Cluster


def postgres_stopped(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    bed.postgres.stop()
    yield
    bed.postgres.start()
    yield


def postgres_killed(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    bed.postgres.kill()
    yield
    bed.postgres.start()
    yield


def postgres_frozen(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    bed.postgres.pause()
    try:
        yield
    finally:
        bed.postgres.resume()
    yield


def postgres_read_only(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    bed.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    bed.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        bed.execute("ALTER SYSTEM RESET default_transaction_read_only")
        bed.execute("SELECT pg_reload_conf()")
    yield


def no_connections(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    with ExitStack() as taken:
        for _attempt in range(250):  # all there are; the last ones are a superuser's, as the service is here
            with contextlib.suppress(psycopg.OperationalError):
                taken.enter_context(psycopg.connect(bed.postgres.database_url, application_name="taken"))
        yield
    yield


def kafka_stopped(_: Bed, kafka: Kafka) -> Iterator[None]:
    assert isinstance(kafka, KafkaServer)
    yield
    kafka.stop()
    yield
    kafka.start()
    yield


def kafka_killed(_: Bed, kafka: Kafka) -> Iterator[None]:
    assert isinstance(kafka, KafkaServer)
    yield
    kafka.kill()
    yield
    kafka.start()
    yield


def kafka_frozen(_: Bed, kafka: Kafka) -> Iterator[None]:
    assert isinstance(kafka, KafkaServer)
    yield
    kafka.pause()
    try:
        yield
    finally:
        kafka.resume()
    yield


def one_broker_of_three(_: Bed, kafka: Kafka) -> Iterator[None]:
    assert isinstance(kafka, Cluster)
    yield
    kafka.brokers[2].kill()
    yield
    kafka.brokers[2].start()
    yield


def worker_killed(bed: Bed, _: Kafka) -> Iterator[None]:
    other = bed.crew.start("other ingest", "ingest")
    eventually(other.ready, 60)
    other.process.logged("rebalanced", timeout=30)
    yield
    bed.crew.kill("ingest")
    del bed.tellers["ingest"]
    yield
    yield
    bed.crew.start("ingest")
    eventually(bed.tellers["ingest"].ready, 60)
    bed.crew.forget("other ingest")


def relay_killed(bed: Bed, _: Kafka) -> Iterator[None]:
    other = bed.crew.start("other relay", "relay")
    eventually(other.ready, 60)
    yield
    bed.crew.kill("relay")
    del bed.tellers["relay"]
    yield
    yield
    bed.crew.start("relay")
    eventually(bed.tellers["relay"].ready, 60)
    bed.crew.forget("other relay")


def relay_far_behind(bed: Bed, _: Kafka) -> Iterator[None]:
    bed.crew.stop("relay")
    producer = KafkaProducer(bootstrap_servers=bed.topics.bootstrap_servers, linger_ms=20)
    for number in range(BURST):
        event = json.dumps(creation(f"B-{number}")).encode()
        producer.send(bed.topics.name("returns"), event, key=str(number).encode(), headers=HEADERS)
    producer.flush(timeout=120)
    producer.close()
    ingest = bed.tellers["ingest"]
    eventually(lambda: 0 <= ingest.most("returns_lag_records") < 100, 120, every=0.5)
    yield
    bed.crew.start("relay")
    eventually(lambda: bed.tellers["relay"].get("/livez").status_code, 30)
    yield
    yield


def fuse(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    producer = KafkaProducer(bootstrap_servers=bed.topics.bootstrap_servers, linger_ms=20)
    for _number in range(1_500):
        producer.send(bed.topics.name("scans"), b"no event", partition=0)
    producer.flush(timeout=30)
    producer.close()
    yield
    yield


def stuck_partition(bed: Bed, _: Kafka) -> Iterator[None]:
    producer = KafkaProducer(
        bootstrap_servers=bed.topics.bootstrap_servers,
        transactional_id=bed.topics.name("publisher"),
        transaction_timeout_ms=300_000,
    )
    producer.init_transactions()
    producer.begin_transaction()
    yield
    event = json.dumps(creation("never")).encode()
    producer.send(bed.topics.name("returns"), event, partition=0, headers=HEADERS).get(timeout=10)
    yield
    producer.abort_transaction()
    producer.close()
    yield


def restored(bed: Bed, _: Kafka) -> Iterator[None]:
    url = bed.postgres.database_url
    databases = Databases(url.rpartition("/")[0] + "/postgres")
    past = _past(databases, url)
    marks = Marks(bed)  # what was published since then is what subscribers know and the past does not
    marks.publish(30)
    eventually(marks.are_published, 60)
    marks.close()
    yield
    past.restore()
    yield
    _reconcile(bed)
    yield


def _past(databases: Databases, url: str) -> Past:
    # The processes run on, and would be in the way of a copy again within the second.
    name = name_of(url)
    with psycopg.connect(databases.server_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            return Past(databases, url)
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


def position_forgotten(bed: Bed, _: Kafka) -> Iterator[None]:
    bed.crew.stop("relay")
    with _admin(bed) as admin:
        admin.delete_groups(["returns-relay"])
    yield
    bed.crew.start("relay")
    eventually(lambda: bed.tellers["relay"].get("/livez").status_code, 30)
    yield
    _reconcile(bed)
    yield


def input_made_anew(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    with _admin(bed) as admin:
        admin.delete_topics([bed.topics.name("returns")])
    yield
    _command(bed, "topics")
    yield


def input_replaced(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    with _admin(bed) as admin:
        admin.delete_topics([bed.topics.name("returns")])
    _command(bed, "topics")
    yield
    yield


def output_made_anew(bed: Bed, _: Kafka) -> Iterator[None]:
    yield
    with _admin(bed) as admin:
        admin.delete_topics([bed.topics.name("status-changes")])
    _command(bed, "topics")
    yield
    _reconcile(bed)
    yield


def _reconcile(bed: Bed) -> None:
    _command(bed, "reconcile")


def _command(bed: Bed, *arguments: str) -> None:
    done = run(*arguments, **bed.settings)
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"


@contextlib.contextmanager
def _admin(bed: Bed) -> Iterator[Any]:
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=bed.topics.bootstrap_servers)) as admin:
        yield admin
