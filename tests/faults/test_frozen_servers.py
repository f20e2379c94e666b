"""Servers that are frozen, or cut off by something that goes on acknowledging: whoever needs them says so, and stops."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from tests.support.forking import Process
from tests.support.proxy import Middlebox
from tests.support.service import Service, create_topics
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NOTICED = 30.0  # seconds
STOPPED = 15.0
STARTED = {
    "ingest": '"rebalanced"',
    "relay": '"relay_leads"',
    "project": '"project_starts"',
    "serve": '"serving"',
}
SAYS = {
    "ingest": ('"held"', '"kafka_away"'),
    "relay": ('"relay_retries"',),
    "project": ('"project_retries"',),
    "serve": ('"server_away"',),
}


@dataclass
class Crew:
    """One process of each kind, with its log."""

    service: Service
    running: dict[str, tuple[Process, Path]]

    @classmethod
    def start(cls, service: Service, *commands: str, **variables: str) -> Crew:
        running = {}
        for command in commands:
            process = service.start(command, **variables)
            running[command] = (process, service.newest_log)
        crew = cls(service, running)
        for command, (_, log) in running.items():
            eventually(lambda log=log, command=command: STARTED[command] in log.read_text(), 30)  # type: ignore[misc]
        return crew

    def notices(self) -> dict[str, float]:
        """After how many seconds each says that something is wrong; the harm is done just now."""
        before = {command: len(log.read_text()) for command, (_, log) in self.running.items()}
        began, after = time.monotonic(), dict[str, float]()

        def all_said() -> bool:
            for command, (_, log) in self.running.items():
                text = log.read_text()[before[command] :]
                if command not in after and any(word in text for word in SAYS[command]):
                    after[command] = round(time.monotonic() - began, 1)
            return len(after) == len(self.running)

        try:
            eventually(all_said, NOTICED, every=0.1)
        except AssertionError:
            print(f"said so: {after}")
            raise
        return after

    def ends(self) -> dict[str, tuple[int, float]]:
        """Each one's exit status, and how many seconds after SIGTERM; one that is still there then is killed."""
        began, ended = time.monotonic(), dict[str, tuple[int, float]]()
        for process, _ in self.running.values():
            process.send_signal(signal.SIGTERM)

        def all_ended() -> bool:
            for command, (process, _) in self.running.items():
                if command not in ended and (status := process.poll()) is not None:
                    ended[command] = (status, round(time.monotonic() - began, 1))
            return len(ended) == len(self.running)

        try:
            eventually(all_ended, STOPPED, every=0.1)
        except AssertionError:
            print(f"ended: {ended}")
            raise
        return ended


@pytest.fixture
def servers(private_stack: LocalStack) -> Iterator[LocalStack]:
    private_stack.kafka.start()
    private_stack.postgres.start()
    migrate(private_stack.postgres.database_url)
    yield private_stack
    for server in (private_stack.kafka, private_stack.postgres):
        server.resume()


@pytest.fixture
def lone(servers: LocalStack, tmp_path: Path) -> Iterator[Service]:
    """The service on servers of its own, with the time-outs that it comes with."""
    topics, clients = Topics(servers.kafka.bootstrap_servers), Clients(servers.kafka.bootstrap_servers)
    create_topics(topics)
    topics.admin.close()  # while its broker is away it would leave sockets behind
    service = Service(servers.postgres.database_url, topics, clients, tmp_path)
    del service.variables["RETURNS_SESSION_TIMEOUT_MS"]
    yield service
    service.close()


@pytest.mark.parametrize("server", ("postgres", "kafka"))
def test_every_process_notices_a_frozen_server_and_stops_when_told_to(
    server: str, servers: LocalStack, lone: Service
) -> None:
    commands = ("ingest", "relay", "project", "serve") if server == "postgres" else ("ingest", "relay", "serve")
    crew = Crew.start(lone, *commands)

    getattr(servers, server).pause()
    said = crew.notices()
    ended = crew.ends()

    print(f"{server} frozen: said so after {said}, ended {ended}")
    assert all(status in {0, 1} for status, _ in ended.values())


def test_processes_that_are_stopped_right_after_the_database_froze_end_in_time_too(
    servers: LocalStack, lone: Service
) -> None:
    crew = Crew.start(lone, "ingest", "relay", "project", "serve")

    servers.postgres.pause()
    ended = crew.ends()

    print(f"ended {ended}")


def test_the_whole_of_run_ends_in_time(servers: LocalStack, lone: Service) -> None:
    run = lone.start("run")
    eventually(lambda: STARTED["serve"] in lone.newest_log.read_text(), 40)

    servers.postgres.pause()
    run.send_signal(signal.SIGTERM)
    began = time.monotonic()
    run.wait(STOPPED)

    print(f"run ended after {time.monotonic() - began:.1f} s with {run.returncode}")


@pytest.mark.parametrize("command", (("verify",), ("migrate",), ("replay",), ("project", "--rebuild"), ("topics",)))
def test_a_command_notices_a_frozen_server(command: tuple[str, ...], servers: LocalStack, lone: Service) -> None:
    (servers.kafka if command == ("topics",) else servers.postgres).pause()
    began = time.monotonic()

    done = lone.run(*command, timeout=NOTICED)

    print(f"{command} ended after {time.monotonic() - began:.1f} s: {done.stderr[-300:]}")
    assert done.returncode == 1


def test_a_simulator_notices_a_frozen_broker(servers: LocalStack, lone: Service) -> None:
    simulator = lone.start("simulate", "--returns", "0", "--rate", "50")
    eventually(lambda: sent_anything(servers, lone), 40)

    servers.kafka.pause()

    assert simulator.wait(NOTICED) == 1
    assert "Kafka did not take a message" in lone.newest_log.read_text()


def sent_anything(servers: LocalStack, service: Service) -> bool:
    topics = Topics(servers.kafka.bootstrap_servers)
    try:
        return topics.end(service.topics.name("returns")) > 0
    finally:
        topics.admin.close()


def through_a_middlebox(service: Service) -> Middlebox:
    box, service.variables["RETURNS_DATABASE_URL"] = Middlebox.before(service.database)
    return box


def test_after_a_middlebox_that_dropped_everything_all_go_on_within_seconds(servers: LocalStack, lone: Service) -> None:
    del servers
    with through_a_middlebox(lone) as box:
        crew = Crew.start(lone, "ingest", "relay", "project")
        box.drop()
        said = crew.notices()
        box.cure()
        cured = time.monotonic()
        lone.publish([(lone.topics.name("scans"), b"k", b"no event", ())])

        def goes_on() -> bool:
            position = lone.query("SELECT n FROM cursors WHERE name = 'search'") or [(0,)]
            newest = lone.query("SELECT coalesce(max(n), 0) FROM batches")[0][0]
            return bool(newest and position[0][0] == newest)

        eventually(goes_on, 15, why="after the cure")
        print(f"dropped: said so after {said}; went on {time.monotonic() - cured:.1f} s after the cure")
