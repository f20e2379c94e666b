"""Relays under fire for minutes: nothing is lost, repeated or swapped, whatever is killed, frozen or restarted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from service.errors import Retryable
from tests.support import relaying
from tests.support.filling import Filler, world
from tests.support.relaying import Order, RelayProcess, build
from tests.support.topics import Topics
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEED = int(os.environ.get("SEED", "20261123"))
Start = Callable[[Order], RelayProcess]


def make_order(bootstrap_servers: str, database_url: str, topics: Topics) -> Order:
    for name, partitions in (("changes", 6), ("current", 6), ("exceptions", 2), ("dead", 2)):
        topics.create(name, partitions)
    return Order(
        bootstrap_servers, database_url, topics.prefix, transaction_timeout_ms=3000, rows=40, patience_seconds=8.0
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[RelayProcess] = []

    def run(order: Order) -> RelayProcess:
        made.append(RelayProcess(order, tmp_path / f"relay{len(made)}.log"))
        return made[-1]

    yield run
    for process in made:
        process.kill()


class Filling(threading.Thread):
    """Fills the journal in the background, a little at a time, whatever happens to the database meanwhile."""

    def __init__(self, database_url: str, returns: int, seconds: float) -> None:
        super().__init__(name="filling")
        self._filler = Filler(database_url)
        self._records = list(world(returns, SEED, shuffle=True, invalid=0.02))
        self._pause = seconds * 20 / len(self._records)
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for begin in range(0, len(self._records), 20):
                self._write(begin)
                time.sleep(self._pause)
        except BaseException as error:
            self.failure = error
        finally:
            self._filler.close()

    def _write(self, begin: int) -> None:
        # Written twice the records are duplicates, their dead letters too: to try again is harmless.
        deadline = time.monotonic() + 60
        while True:
            try:
                self._filler.write(self._records[begin : begin + 20])
            except Retryable:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            else:
                return

    def finish(self) -> None:
        """Wait for its end; raises what went wrong in it."""
        self.join(600)
        if self.failure is not None:
            raise self.failure


def finish(order: Order, relays: list[RelayProcess]) -> None:
    """Stop the relays, publish what is left, and compare the topics with the journal."""
    for relay in relays:
        relay.process.send_signal(signal.SIGCONT)
        eventually(lambda relay=relay: relay.says("relay_starts"), 20)  # type: ignore[misc]
        relay.process.send_signal(signal.SIGTERM)
    codes = [relay.process.wait(60) for relay in relays]
    build(order).run(drain=True)
    assert codes == [0] * len(relays)
    relaying.check(order)


def test_relays_killed_and_frozen_fifty_times(database: str, topics: Topics, start: Start) -> None:
    """Three relays; twice in three times one is killed and replaced, else frozen past all time-outs and woken."""
    rng = Random(SEED)
    print(f"SEED={SEED}")
    order = make_order(topics.bootstrap_servers, database, topics)
    filling = Filling(database, 3000, 150)
    filling.start()
    relays, frozen = [start(order) for _ in range(3)], list[RelayProcess]()

    for _ in range(50):
        time.sleep(rng.uniform(0.2, 4.0))
        leader = max(relays, key=lambda relay: relay.log.stat().st_mtime)  # it writes a line a transaction
        victim = leader if rng.random() < 0.8 else rng.choice(relays)
        relays.remove(victim)
        if rng.random() < 2 / 3:
            victim.kill()
            relays.append(start(order))
        else:
            victim.process.send_signal(signal.SIGSTOP)
            frozen.append(victim)
        if len(relays) < 2 or len(frozen) > 1:
            woken = frozen.pop(0)
            woken.process.send_signal(signal.SIGCONT)
            relays.append(woken)

    filling.finish()
    finish(order, relays + frozen)


def test_servers_restarted_killed_and_frozen(private_stack: LocalStack, start: Start) -> None:
    """The broker and the database go away in all ways they can, while two relays work."""
    rng = Random(SEED)
    print(f"SEED={SEED}")
    kafka, postgres = private_stack.kafka, private_stack.postgres
    kafka.start()
    postgres.start()
    migrate(postgres.database_url)
    topics = Topics(kafka.bootstrap_servers)
    order = make_order(kafka.bootstrap_servers, postgres.database_url, topics)
    topics.admin.close()  # while its broker is away it would leave sockets behind
    filling = Filling(postgres.database_url, 2000, 120)
    filling.start()
    relays = [start(order) for _ in range(2)]

    def killed(server: object) -> None:
        server.kill()  # type: ignore[attr-defined]
        server.start()  # type: ignore[attr-defined]

    def frozen(server: object) -> None:
        server.pause()  # type: ignore[attr-defined]
        time.sleep(rng.uniform(1, 9))
        server.resume()  # type: ignore[attr-defined]

    def restarted(server: object) -> None:
        server.restart()  # type: ignore[attr-defined]

    for server in (kafka, postgres) * 2:
        for harm in (killed, frozen, restarted):
            time.sleep(rng.uniform(2, 6))
            harm(server)
    filling.finish()
    files = [len(list(Path(f"/proc/{relay.process.pid}/fd").iterdir())) for relay in relays]
    finish(order, relays)

    assert max(files) < 50, "what was thrown away was closed"
