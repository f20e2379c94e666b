"""All processes work with exactly what `deploy/acls.py` allows them in Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import TopicAuthorizationFailedError
from structlog.testing import capture_logs

from deploy.acls import acls
from service.adapters.kafka.publishing.hanging import HangingTransactions
from service.config import Settings
from tests.support.guarded import GuardedKafka
from tests.support.ingesting import message
from tests.support.journals import creation, scan
from tests.support.service import Service
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually


@pytest.fixture
def guarded(private_folder: Path) -> Iterator[GuardedKafka]:
    broker = GuardedKafka(private_folder / "guarded" / "kafka")
    broker.server.start()
    yield broker
    broker.server.kill()
    broker.server.remove()


@pytest.fixture
def service(guarded: GuardedKafka, database: str, tmp_path: Path) -> Iterator[Service]:
    servers = guarded.server.bootstrap_servers
    with closing(Topics(servers)) as topics, closing(Clients(servers)) as clients:
        service = Service(database, topics, clients, tmp_path)
        service.variables["RETURNS_DEVELOPMENT"] = "true"  # its broker takes passwords without TLS
        service.variables["RETURNS_TOPIC_SCANS"] += f",{topics.name('couriers.')}*"
        yield service
        service.close()


def test_each_process_does_its_work_with_what_it_is_allowed_and_no_more(
    guarded: GuardedKafka, service: Service
) -> None:
    settings = Settings.from_environment(service.variables)
    guarded.allow(acls(settings))

    def done(user: str, *command: str) -> str:
        service.variables |= guarded.variables(user)
        return service.done(*command)

    assert "created" in done("setup", "topics")
    courier = service.topics.create("couriers.nz")
    broken = (courier, None, b"broken", ())
    service.publish([message(service, creation()), (courier, *message(service, scan("COLLECTED", "10:00"))[1:])])
    service.publish([broken] * 4)
    service.variables |= {"RETURNS_FUSE_RUN": "2", "RETURNS_FUSE_RATIO": "1"}
    done("ingest", "ingest", "--drain")
    assert service.query("SELECT count(*) FROM history") == [(2,)]
    assert service.query("SELECT count(*) FROM dead_letters WHERE value IS NULL") == [(3,)]
    done("relay", "relay", "--drain")
    assert service.topics.end(settings.topic_status_changes) == 3  # two changes, and the marker of their transaction
    with capture_logs() as lines:  # it may see what hangs in each of them
        assert HangingTransactions(Settings.from_environment(service.variables)).open_now() == set()
    assert lines == []

    done("replay", "replay")
    tried = "SELECT min(attempts), count(*) FILTER (WHERE error LIKE '%%not have it%%') FROM dead_letters"
    assert service.query(tried) == [(2, 0)]
    done("web", "project", "--drain")  # asks Kafka nothing
    assert "no difference" in done("verify", "verify", "--topics")
    done("reconcile", "reconcile")
    service.variables |= guarded.variables("web")
    sends(service, settings)

    with closing(KafkaConsumer(**consumer_options(guarded.variables("web")))) as other:
        other.assign([TopicPartition(settings.topic_returns, 0)])
        other.seek_to_beginning()
        with pytest.raises(TopicAuthorizationFailedError):
            eventually(lambda: other.poll(timeout_ms=500), 10)


def sends(service: Service, settings: Settings) -> None:
    """The API takes an event in, and Kafka has it."""
    token = service.done("token", "create", "--scopes", "hub,ops").strip()
    before = service.topics.end(settings.topic_hub_events)
    service.start("serve", RETURNS_LOG_FORMAT="json")
    log = service.newest_log

    def address() -> str | None:
        found = [json.loads(line) for line in log.read_text().splitlines() if '"serving"' in line]
        return found[0]["url"] if found else None

    eventually(address, 30)
    event = {
        "specversion": "1.0",
        "id": "d-1",
        "source": "akl-1",
        "type": "com.omnirps.hub.depot-scanned.v1",
        "time": "2026-11-20T11:00:00Z",
        "data": {"return_id": "R-1001", "hub": "akl-1"},
    }
    answer = httpx.post(
        f"{address()}/v1/events",
        content=json.dumps(event),
        headers={"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"},
        timeout=30,
    )
    assert answer.status_code in {200, 202}, answer.text
    assert service.topics.end(settings.topic_hub_events) > before


def consumer_options(variables: dict[str, str]) -> dict[str, object]:
    """Those of a client that logs in as the process does."""
    return {
        "bootstrap_servers": variables["RETURNS_KAFKA_BOOTSTRAP_SERVERS"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": variables["RETURNS_KAFKA_SASL_USERNAME"],
        "sasl_plain_password": variables["RETURNS_KAFKA_SASL_PASSWORD"],
        "group_id": None,
    }
