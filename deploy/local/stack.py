"""The local stack: Kafka and PostgreSQL without Docker, for development, tests and the demo.

`python -m deploy.local.stack up | down | status | clean` (make up, make down, make clean), or `during COMMAND` (make
test). The state is under .local/.
Tests make servers of their own from KafkaServer and PostgresServer, or a whole LocalStack in a folder of their own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from deploy.local import packages
from deploy.local.kafka_server import KafkaServer
from deploy.local.postgres_server import PostgresServer
from deploy.local.process import StackError

HOME = packages.CHECKOUT / ".local"
KAFKA_VARIABLE = "RETURNS_KAFKA_BOOTSTRAP_SERVERS"
DATABASE_VARIABLE = "RETURNS_DATABASE_URL"


class LocalStack:
    """A broker and a database server that share a folder.

    A half whose address is in `environment` already is somebody else's: it is used and neither started nor stopped.
    """

    def __init__(self, home: Path = HOME, environment: Mapping[str, str] | None = None) -> None:
        self.home = home.resolve()
        self.kafka = KafkaServer(self.home / "kafka")
        self.postgres = PostgresServer(self.home / "postgres")
        given = os.environ if environment is None else environment
        # A shell that sourced our own file is not somebody else.
        self._given_kafka = _foreign(given.get(KAFKA_VARIABLE), self.kafka.bootstrap_servers)
        self._given_database = _foreign(given.get(DATABASE_VARIABLE), self.postgres.database_url)

    @property
    def bootstrap_servers(self) -> str:
        """Where Kafka is."""
        return self._given_kafka or self.kafka.bootstrap_servers

    @property
    def database_url(self) -> str:
        """Where PostgreSQL is."""
        return self._given_database or self.postgres.database_url

    @property
    def variables(self) -> dict[str, str]:
        """The settings that lead the service to this stack."""
        return {KAFKA_VARIABLE: self.bootstrap_servers, DATABASE_VARIABLE: self.database_url}

    def up(self) -> list[str]:
        """Start what does not run, and wait until both answer; the names of what was started. Raises StackError."""
        started = []
        with self._alone():
            if self._given_kafka:
                _reach(self._given_kafka, KAFKA_VARIABLE)
            elif _timed("Kafka", self.kafka.is_running, self.kafka.start):
                started.append("kafka")
            if not self._given_database and _timed("PostgreSQL", self.postgres.is_running, self.postgres.start):
                started.append("postgres")
            self._write_environment()
        return started

    def down(self) -> None:
        """Stop what `up` started, and nothing else."""
        with self._alone():
            if not self._given_kafka:
                self.kafka.stop()
            if not self._given_database:
                self.postgres.stop()

    def clean(self) -> None:
        """Stop, and delete the data with the state."""
        with self._alone():
            self.kafka.remove()
            self.postgres.remove()
            (self.home / "env").unlink(missing_ok=True)

    def status(self) -> dict[str, str]:
        """For each half where it is and whether it runs."""
        kafka = "given" if self._given_kafka else "runs" if self.kafka.is_running() else "stopped"
        postgres = "given" if self._given_database else "runs" if self.postgres.is_running() else "stopped"
        return {"kafka": kafka, "postgres": postgres}

    def _write_environment(self) -> None:
        draft = self.home / f"env.{os.getpid()}"
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in self.variables.items())
        draft.replace(self.home / "env")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time; the lock goes with the process, however it ends."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "stack.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _say("waiting for another command on the stack")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _foreign(given: str | None, own: str) -> str | None:
    return given if given and given != own else None


def _timed(name: str, is_running: Callable[[], bool], start: Callable[[], bool]) -> bool:
    if is_running():
        return False
    _say(f"starting {name}")
    began = time.monotonic()
    started = start()
    _say(f"{name} answers after {time.monotonic() - began:.1f} s")
    return started


def _reach(servers: str, variable: str) -> None:
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        with (
            contextlib.suppress(OSError, ValueError),
            socket.create_connection((host.strip("[]"), int(port)), timeout=3),
        ):
            return
    raise StackError(f"{variable} is set to {servers} and nothing answers there: start it, or unset the variable")


def _say(text: str) -> None:
    print(f"stack: {text}", file=sys.stderr, flush=True)


def _run(command: str) -> int:
    stack = LocalStack()
    if command == "up":
        stack.up()
        for name, value in stack.variables.items():
            print(f"{name}={shlex.quote(value)}")
    elif command == "down":
        stack.down()
    elif command == "clean":
        stack.clean()
    else:
        status = stack.status()
        for name, state in status.items():
            print(f"{name} {state}")
        return int("stopped" in status.values())
    return 0


def _during(command: list[str]) -> int:
    """Run a command with the stack up; what was started for it is stopped again, and what ran already goes on."""
    stack = LocalStack()
    started = stack.up()
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        for server in (stack.kafka, stack.postgres):
            if server.home.name in started:
                server.stop()


def main(arguments: list[str]) -> int:
    """Run one command; 0 done, 1 failed, 2 usage. A person reads one line about what went wrong, and no traceback."""
    during = arguments[:1] == ["during"] and len(arguments) > 1
    if not during and (len(arguments) != 1 or arguments[0] not in {"up", "down", "status", "clean"}):
        _say("usage: python -m deploy.local.stack up|down|status|clean|during COMMAND...")
        return 2
    try:
        return _during(arguments[1:]) if during else _run(arguments[0])
    except StackError as problem:
        _say(str(problem))
    except OSError as problem:
        _say(f"{problem.filename or 'the system'}: {problem.strerror or problem}")
    except KeyboardInterrupt:
        _say("interrupted")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
