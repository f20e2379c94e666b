"""Brokers that die, come back elsewhere, or leave a transaction open; and a worker that is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.process import free_port
from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from tests.support.filling import Filler, world
from tests.support.proxy import Middlebox
from tests.support.service import Service, create_topics
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORKS_AGAIN = 15.0  # seconds


@pytest.fixture
def lone(private_stack: LocalStack, tmp_path: Path) -> Iterator[Service]:
    """The service on servers of its own, with the time-outs that it comes with."""
    private_stack.kafka.start()
    private_stack.postgres.start()
    migrate(private_stack.postgres.database_url)
    topics = Topics(private_stack.kafka.bootstrap_servers)
    create_topics(topics)
    topics.admin.close()  # while its broker is away it would leave sockets behind
    clients = Clients(private_stack.kafka.bootstrap_servers)
    service = Service(private_stack.postgres.database_url, topics, clients, tmp_path)
    del service.variables["RETURNS_SESSION_TIMEOUT_MS"]
    yield service
    service.close()


def letters(service: Service) -> int:
    return int(service.query("SELECT count(*) FROM dead_letters")[0][0])


def published(service: Service) -> int:
    """The position of the relay is in its log, at the level of debug."""
    lines = [json.loads(line) for path in service.logs.glob("relay*.log") for line in path.read_text().splitlines()]
    return max((line["n"] for line in lines if line.get("event") == "relay_published"), default=0)


def newest(service: Service) -> int:
    return int(service.query("SELECT coalesce(max(n), 0) FROM batches")[0][0])


def send(service: Service, number: int, bootstrap: str | None = None) -> None:
    clients = Clients(bootstrap or service.topics.bootstrap_servers)
    producer = clients.producer(linger_ms=0)
    for each in range(number):
        producer.send(service.topics.name("scans"), key=b"k%d" % each, value=b"no event").get(timeout=30)
    clients.close()


def test_a_worker_killed_without_a_goodbye_is_replaced(lone: Service) -> None:
    workers = [lone.start("ingest"), lone.start("ingest")]
    send(lone, 20)
    eventually(lambda: letters(lone) == 20, 40)
    eventually(lambda: all('"rebalanced"' in log.read_text() for log in lone.logs.glob("ingest*.log")), 20)

    workers[0].kill()
    killed = time.monotonic()
    send(lone, 20)
    eventually(lambda: letters(lone) == 40, WORKS_AGAIN)

    print(f"replaced after {time.monotonic() - killed:.1f} s")


@pytest.mark.parametrize("how", ("killed", "frozen"))
def test_a_relay_behind_a_broker_that_was_away_works_again(how: str, private_stack: LocalStack, lone: Service) -> None:
    lone.start("relay", RETURNS_LOG_LEVEL="debug")
    filler = Filler(lone.database)
    records = list(world(20, 1))
    filler.write(records[:40])
    eventually(lambda: published(lone) == newest(lone), 60)

    filler.write(records[40:80])
    if how == "killed":
        private_stack.kafka.kill()
        private_stack.kafka.start()
    else:
        private_stack.kafka.pause()
        time.sleep(30)  # the fault itself: for so long nobody answers
        private_stack.kafka.resume()
    answers = time.monotonic()
    filler.write(records[80:])
    eventually(lambda: published(lone) == newest(lone), WORKS_AGAIN)

    print(f"{how}: published {time.monotonic() - answers:.1f} s after the broker answers")
    filler.close()


def test_a_broker_that_comes_back_at_another_address_is_found_by_the_old_bootstrap_address(
    private_stack: LocalStack, lone: Service
) -> None:
    kafka = private_stack.kafka
    with Middlebox("127.0.0.1", int(kafka.bootstrap_servers.rpartition(":")[2])) as entrance:
        lone.variables["RETURNS_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{entrance.port}"
        relay = lone.start("relay", RETURNS_LOG_LEVEL="debug")
        ingest = lone.start("ingest")
        send(lone, 5)
        eventually(lambda: newest(lone) and published(lone) == newest(lone), 60)

        kafka.kill()
        kafka._state.update(port=free_port())
        kafka.start()
        entrance.target = ("127.0.0.1", int(kafka.bootstrap_servers.rpartition(":")[2]))
        moved = time.monotonic()
        send(lone, 5, kafka.bootstrap_servers)
        eventually(lambda: letters(lone) == 10, 2 * WORKS_AGAIN + 10)
        eventually(lambda: published(lone) == newest(lone), 2 * WORKS_AGAIN)

        print(f"all goes on {time.monotonic() - moved:.1f} s after the broker answers elsewhere")
        assert [lone.stop(process) for process in (ingest, relay)] == [0, 0]
