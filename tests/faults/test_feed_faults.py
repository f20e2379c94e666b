"""Kafka goes away while a carrier calls its feed, and while a publisher sends events."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from httpx import Client, ConnectError, Response

from deploy.local.process import free_port
from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from service.wire.http_events import BATCH_MEDIA_TYPE
from tests.support.api import token
from tests.support.feeds import SECRET, body, headers, source
from tests.support.journals import scan
from tests.support.service import new_service
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

EVENTS = [{**scan("COLLECTED", f"1{hour}:00"), "source": "/depot/7"} for hour in range(5)]


@pytest.mark.timeout(300)
def test_without_kafka_a_feed_is_asked_to_come_again_and_then_everything_is_there_once_for_who_reads_ids(
    private_stack: LocalStack, tmp_path: Path
) -> None:
    kafka, postgres = private_stack.kafka, private_stack.postgres
    kafka.start()
    postgres.start()
    migrate(postgres.database_url)
    topics, clients = Topics(kafka.bootstrap_servers), Clients(kafka.bootstrap_servers)
    topic = topics.create("scans")
    topics.admin.close()
    opened = tmp_path / "feeds.toml"
    opened.write_text(f'[royalmail]\nsecret = "{SECRET}"\n', encoding="utf-8")
    port = free_port()
    with new_service(postgres.database_url, topics, clients, tmp_path) as service:
        service.start("serve", RETURNS_HTTP_PORT=str(port), RETURNS_FEEDS_FILE=str(opened))
        with closing(Client(base_url=f"http://127.0.0.1:{port}", timeout=30)) as client:
            eventually(lambda: _answers(client), timeout=20)
            secret = token(service.settings, "scan", publisher="nzpost")
            before = post(client)
            kafka.kill()
            away = post(client)
            unsent = send(client, secret)
            live = client.get("/livez", timeout=5)
            kafka.start()
            eventually(lambda: post(client).status_code == 200, timeout=30)
            sent = [send(client, secret) for _ in range(2)]

    assert before.status_code == 200
    assert away.status_code == 503
    assert int(away.headers["retry-after"]) > 0
    assert away.headers["content-type"] == "application/problem+json"
    assert "not repeated" in away.json()["detail"]
    assert live.status_code == 200
    assert (unsent.status_code, unsent.headers["retry-after"]) == (503, "5")
    assert [item["status"] for answer in sent for item in answer.json()["items"]] == ["accepted"] * 2 * len(EVENTS)
    # What was asked for while Kafka was away may have come to it after all: it is the same by its name then.
    found = [json.loads(record.value) for record in clients.read(topic, 4 + 2 * len(EVENTS))]
    names = {(event["source"], event["id"]) for event in found}
    assert len(names) == 2 + len(EVENTS)
    clients.close()


def post(client: Client) -> Response:
    signed = [
        (name.encode(), value.encode()) for name, value in headers(source("royalmail").feed.signature, b"").items()
    ]
    return client.post("/v1/feeds/royalmail", content=body("royalmail"), headers=signed)


def send(client: Client, secret: str) -> Response:
    """All events in one request."""
    headers = {"content-type": BATCH_MEDIA_TYPE, "authorization": f"Bearer {secret}"}
    return client.post("/v1/events", content=json.dumps(EVENTS), headers=headers)


def _answers(client: Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except ConnectError:
        return False
