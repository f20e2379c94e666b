"""A test bed: the local stack, a database and topics for each run, filled with a simulated world."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import psutil

from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from service.simulator.options import Options, Topics
from service.simulator.world import World
from tests.benchmarks.filled import Contents
from tests.support.databases import Databases
from tests.support.service import ROOT, Service, create_topics, new_service
from tests.support.topics import Clients
from tests.support.topics import Topics as TestTopics

NOW = 1_795_000_000.0
PARTITIONS = 12


class Bed:
    """The stack that all runs share, and the pieces that each gets for itself."""

    def __init__(self) -> None:
        self.stack = LocalStack()
        self._started = self.stack.up()
        self.databases = Databases(self.stack.database_url)
        self.servers = {"postgres": _process(self.stack, "postgres"), "broker": _process(self.stack, "kafka")}

    @contextmanager
    def database(self, code: Path = ROOT) -> Iterator[str]:
        """A database that this checkout has migrated: another one may know other tables."""
        url = self.databases.create()
        if code == ROOT:
            migrate(url)
        else:
            command = [sys.executable, "-m", "service", "migrate"]
            subprocess.run(command, cwd=code, env={**os.environ, "RETURNS_DATABASE_URL": url}, check=True)
        yield url
        self.databases.drop(url)

    @contextmanager
    def topics(self) -> Iterator[TestTopics]:
        """The service's topics under a prefix of their own."""
        topics = TestTopics(self.stack.bootstrap_servers)
        create_topics(topics, PARTITIONS)
        yield topics
        topics.close()

    @contextmanager
    def service(self, database: str, topics: TestTopics) -> Iterator[Service]:
        """The service on these, with logs of its own."""
        clients, logs = Clients(self.stack.bootstrap_servers), Path(tempfile.mkdtemp(prefix="returns-bench-"))
        with new_service(database, topics, clients, logs, PARTITIONS) as service:
            yield service
        clients.close()
        shutil.rmtree(logs)

    def close(self) -> None:
        """Stop what this started."""
        if "kafka" in self._started:
            self.stack.kafka.stop()
        if "postgres" in self._started:
            self.stack.postgres.stop()


def _process(stack: LocalStack, server: str) -> psutil.Process:
    state = json.loads((stack.home / server / "state.json").read_text())
    return psutil.Process(state["pid"])


def fill(service: Service, returns: int, seed: int = 1, shuffled: float = 0.0) -> Contents:
    """Publish a world without defects but late and missing scans; what a journal holds once it has taken it in.

    `shuffled`: over which share of the whole stream each message is moved back by chance.
    """
    topics = Topics(*(service.topics.name(name) for name in ("returns", "scans", "hub_events", "deliveries")))
    options = Options(returns=returns, seed=seed, rate=0, repeated=0, invalid=0, wrong_code=0, recycled=0)
    sent = list(World(options, lambda: NOW, topics).messages())
    if shuffled:
        chance = Random(f"shuffled {seed}").random
        places = [place + chance() * shuffled * len(sent) for place in range(len(sent))]
        sent = [message for _, message in sorted(zip(places, sent, strict=True), key=lambda each: each[0])]
    published = service.publish((m.topic, m.key, m.value, m.headers) for m in sent)
    print(f"filled the topics: {published:,} messages", flush=True)
    return Contents.of(sent)


def steps(service: Service) -> dict[str, float]:
    """Seconds by step, from the workers' own log lines."""
    total: Counter[str] = Counter()
    for log in service.logs.glob("*.log"):
        for line in log.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                event = json.loads(line)
                if event.get("event") == "batch":
                    total.update({step: ms / 1000 for step, ms in event["ms"].items()})
    return dict(total)
