"""Kafka goes away while OmniReturns creates returns over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from httpx import Client, ConnectError, Response

from deploy.local.process import free_port
from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from tests.support.api import token
from tests.support.service import Service, new_service
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

BODY = {"retailer": "acme", "route": "omnirps", "carrier": "omniparcel", "tracking_number": "OP1"}


def post(client: Client, key: str) -> Response:
    return client.post("/v1/returns", json=BODY, headers={"idempotency-key": key})


def test_without_kafka_the_same_request_is_to_come_again_and_is_done_once(
    private_stack: LocalStack, tmp_path: Path
) -> None:
    kafka, postgres = private_stack.kafka, private_stack.postgres
    kafka.start()
    postgres.start()
    migrate(postgres.database_url)
    topics, clients = Topics(kafka.bootstrap_servers), Clients(kafka.bootstrap_servers)
    topic = topics.create("returns")
    topics.admin.close()
    with new_service(postgres.database_url, topics, clients, tmp_path) as service, closing(_client(service)) as client:
        kafka.kill()

        away = post(client, "k-1")
        with ThreadPoolExecutor(12) as pool:
            crowd = [pool.submit(post, client, f"k-{number}") for number in range(2, 14)]
            live = client.get("/livez", timeout=5)  # whoever waits for Kafka is in nobody's way
            unknown = client.get("/v1/returns/R-1", timeout=5)
            statuses = {future.result().status_code for future in crowd}
        kafka.start()
        eventually(lambda: post(client, "k-1").status_code == 201, timeout=30)
        back = post(client, "k-1")

    assert away.status_code == 503
    assert away.headers["retry-after"] == "5"
    assert away.headers["content-type"] == "application/problem+json"
    assert statuses == {503}
    assert (live.status_code, unknown.status_code) == (200, 404)
    (record,) = clients.read(topic, 1)
    assert record.key.decode() == back.json()["return_id"]
    clients.close()


def _client(service: Service) -> Client:
    """A client of `serve` as its own process: kafka-python leaves sockets to the collector while no broker answers."""
    port = free_port()
    service.start("serve", RETURNS_HTTP_PORT=str(port))
    headers = {"authorization": f"Bearer {token(service.settings, 'create', 'read')}"}
    client = Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30)
    eventually(lambda: _answers(client), timeout=20)
    return client


def _answers(client: Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except ConnectError:
        return False
