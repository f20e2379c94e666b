"""The service as its operators run it: processes of their own, with topics and a database of the test's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import psycopg

from service.config import Settings
from tests.support import forking
from tests.support.forking import Process
from tests.support.topics import Clients, Topics
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ("returns", "scans", "hub_events", "deliveries")
OUTPUTS = ("status_changes", "current_status", "exceptions", "dead_letters")
_PIECE = 50_000  # messages
# On Linux what runs in the background ends with the test run, even with one that is killed.
_TIED = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()


class Service:
    """Commands of the service against one database and one set of topics."""

    def __init__(self, database: str, topics: Topics, clients: Clients, logs: Path, partitions: int = 3) -> None:
        self.database = database
        self.topics = topics
        self.clients = clients
        self.logs = logs
        self.newest_log = logs  # of the process that was started last
        self.code = ROOT  # where the service's code stands; a benchmark may look at another checkout
        self.variables = {
            "RETURNS_DATABASE_URL": database,
            "RETURNS_KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap_servers,
            "RETURNS_GROUP_ID": topics.name("group"),
            "RETURNS_RELAY_GROUP_ID": topics.name("relay"),
            "RETURNS_RELAY_TRANSACTIONAL_ID": topics.name("relay"),
            "RETURNS_SESSION_TIMEOUT_MS": "6000",
            "RETURNS_HTTP_PORT": "0",
            "RETURNS_CREATION_AGE_DAYS": "36500",  # tests tell of the year in which they were written
            "RETURNS_TOPIC_PARTITIONS": str(partitions),
            **{f"RETURNS_TOPIC_{name.upper()}": topics.name(name) for name in (*INPUTS, *OUTPUTS)},
        }
        self._running: list[Process] = []

    @property
    def settings(self) -> Settings:
        """The same settings, for parts that run inside the test."""
        return Settings.from_environment(self.variables)

    def run(self, *command: str, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its output is in the answer and its exit status is the caller's to look at."""
        environment = {**os.environ, **self.variables, **variables}
        if self._may_fork(environment):
            return forking.run(command, environment, timeout * PATIENCE)
        return subprocess.run(
            [sys.executable, "-m", "service", *command],
            cwd=self.code,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout * PATIENCE,
            check=False,
        )

    def done(self, *command: str, timeout: float = 120, **variables: str) -> str:
        """Run a command that must succeed; what it printed."""
        result = self.run(*command, timeout=timeout, **variables)
        assert result.returncode == 0, (
            f"{command}: exit {result.returncode}\n{result.stdout[-4000:]}{result.stderr[-4000:]}"
        )
        return result.stdout

    def start(self, *command: str, **variables: str) -> Process:
        """Start a command in the background; it is killed at the end of the test if it still runs."""
        log: IO[bytes]
        process: Process
        environment = {**os.environ, **self.variables, **variables}
        self.newest_log = self.logs / f"{'-'.join(command)}-{len(self._running)}.log"
        with self.newest_log.open("wb") as log:
            if self._may_fork(environment):
                process = forking.start(command, environment, log.fileno(), log.fileno())
            else:
                process = subprocess.Popen(
                    [*_TIED, sys.executable, "-m", "service", *command],
                    cwd=self.code,
                    env=environment,
                    stdout=log,
                    stderr=log,
                )
        self._running.append(process)
        return process

    def _may_fork(self, environment: Mapping[str, str]) -> bool:
        return self.code == ROOT and forking.fits(environment)

    def stop(self, process: Process, timeout: float = 30) -> int:
        """Ask a process to stop, as a supervisor does; its exit status."""
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout * PATIENCE)

    def publish(self, records: Iterable[tuple[str, bytes | None, bytes | None, Iterable[tuple[str, bytes]]]]) -> int:
        """Write (topic, key, value, headers) and wait until the broker has all; how many."""
        producer = self.clients.producer(linger_ms=5)
        count = 0
        rest = iter(records)
        # In pieces: under a steady load the client may leave a partition's batch behind until its time is up.
        while futures := [producer.send(t, key=k, value=v, headers=list(h)) for t, k, v, h in islice(rest, _PIECE)]:
            producer.flush(timeout=60 * PATIENCE)
            for future in futures:
                future.get(timeout=30 * PATIENCE)
            count += len(futures)
        producer.close()
        return count

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(sql.encode(), parameters).fetchall()

    def log_text(self) -> str:
        """What the background processes logged, for the message of a failed assertion."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.logs.iterdir()))

    def log_text_of(self, command: str) -> str:
        """What the background processes of one command logged."""
        return "\n".join(path.read_text() for path in sorted(self.logs.glob(f"{command}-*.log")))

    def close(self) -> None:
        """Leave no process behind."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=10)


def create_topics(topics: Topics, partitions: int = 3) -> None:
    """Make the service's topics."""
    compacted = {"current_status": {"cleanup.policy": "compact"}}
    topics.create_all(partitions, {name: compacted.get(name, {}) for name in (*INPUTS, *OUTPUTS)})


@contextmanager
def new_service(database: str, topics: Topics, clients: Clients, logs: Path, partitions: int = 3) -> Iterator[Service]:
    """A service on topics that exist."""
    service = Service(database, topics, clients, logs, partitions)
    yield service
    service.close()
