"""A topic's log that loses its end, as by an unclean election or a disk that did not keep what it said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.kafka_server import KafkaServer
from deploy.local.stack import LocalStack
from tests.integration.runtime.ingest.test_topics_made_anew import drained, many, recorded, value
from tests.support.ingesting import publish, working
from tests.support.service import Service, create_topics, new_service
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually


@pytest.fixture
def own_broker(database: str, private_stack: LocalStack, tmp_path: Path) -> Iterator[Service]:
    """A service on a broker of the test's own; one partition a topic."""
    private_stack.kafka.start()
    topics, clients = Topics(private_stack.bootstrap_servers), Clients(private_stack.bootstrap_servers)
    with contextlib.closing(clients):
        create_topics(topics, partitions=1)
        topics.admin.close()  # it would try for a broker that is down, and leave a socket at each try
        with new_service(database, topics, clients, tmp_path, partitions=1) as service:
            yield service


def cut(kafka: KafkaServer, log: Path, size: int) -> None:
    """Stop the broker, take the end of a log away, and start it again."""
    kafka.stop()
    with log.open("r+b") as file:
        file.truncate(size)
    for other in log.parent.glob("*.*index"):
        other.unlink()
    (kafka.data / ".kafka_cleanshutdown").unlink(missing_ok=True)
    kafka.start()


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("written_after", (5, 40), ids=("shorter", "grown_past"))
def test_a_log_that_lost_its_end_is_read_from_there_however_far_it_has_grown_again(
    own_broker: Service, private_stack: LocalStack, written_after: int
) -> None:
    """What: the broker stops, the log is cut from 30 records to 10, the broker comes back, publishers write on.

    How: the stored offset says 30. What is written at the offsets from 10 on must be read, all of it.
    """
    service, kafka = own_broker, private_stack.kafka
    topic = service.topics.name("returns")
    publish(service, *many(0, 10))
    (log,) = (kafka.data / f"{topic}-0").glob("*.log")
    size = log.stat().st_size
    publish(service, *many(10, 20))
    drained(service)
    assert recorded(service) == 30

    cut(kafka, log, size)
    publish(service, *many(100, written_after))

    metrics = drained(service)

    assert service.query("SELECT next FROM offsets WHERE topic = %s", topic) == [(10 + written_after,)]
    assert recorded(service) == 30 + written_after
    assert value(metrics, "returns_duplicates_total") == 0, "it read more than it had to"
    assert value(metrics, "returns_offsets_out_of_range_total", topic=topic, reason="truncated") == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_log_that_loses_its_end_twice_with_nothing_written_between_is_read_from_the_second_cut(
    own_broker: Service, private_stack: LocalStack
) -> None:
    """What: from 30 records to 20, where a worker takes it up, and to 10; then it grows past 20.

    How: the place of the first cut is stored with the epoch of what stood before it. Found by the simulated world.
    """
    service, kafka = own_broker, private_stack.kafka
    topic = service.topics.name("returns")
    publish(service, *many(0, 10))
    (log,) = (kafka.data / f"{topic}-0").glob("*.log")
    sizes = [log.stat().st_size]
    publish(service, *many(10, 10))
    sizes.append(log.stat().st_size)
    publish(service, *many(20, 10))
    drained(service)
    stored = "SELECT next, leader_epoch IS NOT NULL FROM offsets WHERE topic = %s"

    cut(kafka, log, sizes[1])
    drained(service)
    assert service.query(stored, topic) == [(20, True)]
    cut(kafka, log, sizes[0])
    publish(service, *many(100, 40))
    drained(service)

    assert service.query(stored, topic) == [(50, True)]
    assert recorded(service) == 30 + 40


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_log_that_loses_its_end_under_a_worker_that_runs_is_read_from_there(
    own_broker: Service, private_stack: LocalStack
) -> None:
    """What: the same, while a worker runs that keeps its consumer throughout.

    How: its client finds out from the leader's epoch that its position is of a log that is not there any more.
    """
    service, kafka = own_broker, private_stack.kafka
    topic = service.topics.name("returns")
    publish(service, *many(0, 10))
    (log,) = (kafka.data / f"{topic}-0").glob("*.log")
    size = log.stat().st_size
    publish(service, *many(10, 20))
    with working(service) as worker:
        eventually(lambda: recorded(service) == 30, 30)
        cut(kafka, log, size)
        publish(service, *many(100, 40))

        eventually(lambda: recorded(service) == 70, 60)
        found = "returns_offsets_out_of_range_total"
        assert value(worker.loop._observer._metrics, found, topic=topic, reason="truncated") == 1
