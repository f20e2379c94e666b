"""The whole service on servers of its own, for faults that take a server or a process away."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Protocol

import psycopg

from deploy.local.postgres_server import PostgresServer
from service.adapters.postgres.migrations import migrate
from tests.support.commands import run, settings_of
from tests.support.journals import creation
from tests.support.telling import PROCESSES, Crew, Teller
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

AGAIN: Final = 90.0
HEADERS: Final = [("content-type", b"application/cloudevents+json")]


class Brokers(Protocol):
    """Kafka, of one broker or of several."""

    @property
    def bootstrap_servers(self) -> str: ...


class Bed:
    """The whole service on servers of its own."""

    def __init__(self, postgres: PostgresServer, topics: Topics, clients: Clients, crew: Crew) -> None:
        self.postgres, self.topics, self.clients, self.crew = postgres, topics, clients, crew
        self.settings: dict[str, str] = {}
        self.tellers: dict[str, Teller] = crew.tellers
        self._numbers = itertools.count(1)

    def publish(self, count: int = 20) -> None:
        """So many new returns, each acknowledged."""
        producer = self.clients.producer()
        for number in itertools.islice(self._numbers, count):
            event = json.dumps(creation(f"R-{number:06}")).encode()
            producer.send(self.topics.name("returns"), event, key=b"k", headers=HEADERS).get(timeout=10)

    def execute(self, statement: str) -> None:
        """A statement of the superuser, outside a transaction."""
        with psycopg.connect(self.postgres.database_url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(statement.encode())

    def all_ready(self, but: tuple[str, ...] = ()) -> bool:
        """Whether every process says so."""
        return all(teller.ready() for name, teller in self.tellers.items() if name not in but)

    def show(self) -> str:
        """What all of them say, for the message of a failed assertion."""
        return "\n".join(f"{name}: {teller.get('/readyz').text}" for name, teller in self.tellers.items())


@contextmanager
def whole_service(kafka: Brokers, postgres: PostgresServer, logs: Path, **more: str) -> Iterator[Bed]:
    """On servers that run: migrated, with topics, a few events, and every process ready."""
    migrate(postgres.database_url)
    topics, clients = Topics(kafka.bootstrap_servers), Clients(kafka.bootstrap_servers)
    settings = settings_of(postgres.database_url, topics, **more)
    done = run("topics", **settings)
    assert done.returncode == 0, done.stderr
    topics.admin.close()
    with closing(clients), Crew(logs, settings) as crew:
        for name in PROCESSES:
            crew.start(name)
        bed = Bed(postgres, topics, clients, crew)
        bed.settings = settings
        bed.publish()
        eventually(bed.all_ready, AGAIN)
        eventually(lambda: bed.tellers["project"].most("returns_cursor_lag_batches", reader="project") == 0, 20)
        yield bed
