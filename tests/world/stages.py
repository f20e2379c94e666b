"""Where a port's contract is played: on the model, or on the real server; with several sessions at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import psycopg

from tests.support.waiting import eventually
from tests.world import glue
from tests.world.kafka import Kafka
from tests.world.postgres import Server
from tests.world.scheduler import Plan, Scheduler
from tests.world.workload import INPUTS

_LONG_SECONDS = 30.0


class Stage(Protocol):
    """Lets parts play together, and has them wait for each other."""

    url: str

    def together(self, *parts: Callable[[], object]) -> None:
        """Each at the same time as the others; raises what one of them raises."""

    def tell(self, word: str) -> None:
        """The others may go on that wait to hear it."""

    def hear(self, word: str) -> None:
        """Wait until it is told."""

    def await_a_wait(self) -> None:
        """Until some session waits for another one."""


class ModelStage:
    """On the model."""

    url = ""

    def __init__(self, server: Server) -> None:
        self._server, self._world = server, server.world
        self._told: set[str] = set()

    def together(self, *parts: Callable[[], object]) -> None:
        over = list[int]()

        def played(number: int, part: Callable[[], object]) -> Callable[[], None]:
            def play() -> None:
                part()
                over.append(number)

            return play

        for number, part in enumerate(parts):
            self._world.spawn(f"part-{number}", played(number, part))
        self._world.run(lambda: len(over) == len(parts))

    def tell(self, word: str) -> None:
        self._told.add(word)

    def hear(self, word: str) -> None:
        self._world.wait(f"hears {word}", self._world.now + _LONG_SECONDS, lambda: word in self._told)
        assert word in self._told

    def await_a_wait(self) -> None:
        def somebody_waits() -> bool:
            return any(session.waits for session in self._server.sessions)

        self._world.wait("lets others wait", self._world.now + _LONG_SECONDS, somebody_waits)
        assert somebody_waits()


@contextmanager
def on_the_model() -> Iterator[ModelStage]:
    """A world without faults, in which nobody moves but the parts that are played."""
    with glue.installed():
        world = Scheduler(Plan(1))
        server = Server(world)
        with glue.at_hand(world, server, Kafka(world, INPUTS, glue.OUTPUTS, 1)):
            try:
                yield ModelStage(server)
            finally:
                world.end()


class RealStage:
    """On a real server, in threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._told: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def together(self, *parts: Callable[[], object]) -> None:
        errors = list[BaseException]()

        def play(part: Callable[[], object]) -> None:
            try:
                part()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=play, args=(part,), daemon=True) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_LONG_SECONDS)
        if errors:
            raise errors[0]
        assert not any(thread.is_alive() for thread in threads)

    def tell(self, word: str) -> None:
        self._event(word).set()

    def hear(self, word: str) -> None:
        assert self._event(word).wait(_LONG_SECONDS)

    def _event(self, word: str) -> threading.Event:
        with self._lock:
            return self._told.setdefault(word, threading.Event())

    def await_a_wait(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            eventually(lambda: connection.execute(query).fetchone() is not None, timeout=_LONG_SECONDS)
