"""Kafka goes away while a carrier calls its feed."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from httpx import Client, ConnectError, Response

from deploy.local.process import free_port
from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from tests.support.feeds import SECRET, body, headers, source
from tests.support.service import new_service
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually


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
            before = post(client)
            kafka.kill()
            away = post(client)
            live = client.get("/livez", timeout=5)
            kafka.start()
            eventually(lambda: post(client).status_code == 200, timeout=30)

    assert before.status_code == 200
    assert away.status_code == 503
    assert int(away.headers["retry-after"]) > 0
    assert away.headers["content-type"] == "application/problem+json"
    assert "not repeated" in away.json()["detail"]
    assert live.status_code == 200
    names = {(event["source"], event["id"]) for event in (json.loads(r.value) for r in clients.read(topic, 4))}
    assert len(names) == 2
    clients.close()


def post(client: Client) -> Response:
    signed = [
        (name.encode(), value.encode()) for name, value in headers(source("royalmail").feed.signature, b"").items()
    ]
    return client.post("/v1/feeds/royalmail", content=body("royalmail"), headers=signed)


def _answers(client: Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except ConnectError:
        return False
