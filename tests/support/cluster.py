"""Three brokers that are one cluster, each its own controller."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from deploy.local.kafka_server import KafkaServer
from deploy.local.process import free_port

_NODES = (1, 2, 3)
_COPIES = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "broker.session.timeout.ms": "5000",
}


class Cluster:
    """A context manager that starts the brokers, and deletes them at the end."""

    def __init__(self, home: Path) -> None:
        ports = {node: (free_port(), free_port()) for node in _NODES}
        voters = ",".join(f"{node}@127.0.0.1:{ports[node][1]}" for node in _NODES)
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "x")
        self.brokers: dict[int, KafkaServer] = {}
        for node in _NODES:
            settings = {**_COPIES, "node.id": str(node), "controller.quorum.voters": voters}
            broker = KafkaServer(home / f"kafka{node}", heap="256m", settings=settings, cluster_id=cluster_id)
            broker.home.mkdir(parents=True)
            # Each must know where the others are before it has begun.
            broker._state.update(port=ports[node][0], controller_port=ports[node][1])
            self.brokers[node] = broker

    @property
    def bootstrap_servers(self) -> str:
        """Where all of them are."""
        return ",".join(broker.bootstrap_servers for broker in self.brokers.values())

    def __enter__(self) -> Self:
        # All at once: none answers before most of them are there.
        with ThreadPoolExecutor() as pool:
            list(pool.map(KafkaServer.start, self.brokers.values()))
        return self

    def __exit__(self, *_: object) -> None:
        for broker in self.brokers.values():
            broker.kill()
        for broker in self.brokers.values():
            broker.remove()
