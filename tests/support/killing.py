"""Everything at once: a world is published while workers and relays are killed with SIGKILL and started again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from service.application.journal.publish import OutputTopics
from service.simulator.answer import Answer
from service.simulator.messages import Message
from service.simulator.options import Options, Topics
from service.simulator.world import World
from tests.support import relaying, subscribing
from tests.support.forking import Process
from tests.support.returns import stored_timelines
from tests.support.service import INPUTS, OUTPUTS, Service
from tests.support.waiting import eventually

NOW: Final = 1_795_000_000.0
CREW: Final = ("ingest", "ingest", "ingest", "relay", "relay")
# Small transactions, so that most kills hit one in the middle; short time-outs, so that others soon take over.
SETTINGS: Final = {
    "RETURNS_BATCH_SIZE": "400",
    "RETURNS_RELAY_SLICE_ROWS": "100",
    "RETURNS_RELAY_TRANSACTION_TIMEOUT_MS": "3000",
}


@dataclass(frozen=True, slots=True)
class Ordeal:
    """How many returns, how many kills, and the shortest and longest time between two kills, in seconds."""

    returns: int
    kills: int
    pauses: tuple[float, float]
    seed: int

    @property
    def seconds(self) -> float:
        """About how long the kills take."""
        return self.kills * sum(self.pauses) / 2


@dataclass(frozen=True, slots=True)
class Member:
    """A process of the crew."""

    command: str
    process: Process
    log: Path


class Crew:
    """Workers and relays; whoever is killed is replaced."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._members: list[Member] = []
        self.killed: Counter[str] = Counter()
        for command in CREW:
            self._start(command)

    def _start(self, command: str) -> None:
        process = self._service.start(command, **SETTINGS)
        self._members.append(Member(command, process, self._service.newest_log))

    def kill_one(self, rng: Random) -> None:
        """SIGKILL to a worker, or to a relay: four times in five to the one that works."""
        command = rng.choice(("ingest", "relay"))
        candidates = [member for member in self._members if member.command == command]
        leading = [member for member in candidates if '"relay_leads"' in member.log.read_text()]
        victim = rng.choice(leading if leading and rng.random() < 0.8 else candidates)
        assert victim.process.poll() is None, f"{command} ended by itself\n{self._service.log_text()}"
        victim.process.kill()
        victim.process.wait(10)
        self._members.remove(victim)
        self.killed["leading relay" if victim in leading else command] += 1
        self._start(command)

    def stop(self) -> None:
        """SIGTERM to all, together."""
        for member in self._members:
            member.process.terminate()
        for member in self._members:
            # -15: it was just starting, and had no handler yet.
            assert member.process.wait(60) in {0, -15}, member.log.read_text()[-4000:]


class Publishing(threading.Thread):
    """Publishes messages evenly over some time."""

    def __init__(self, service: Service, messages: list[Message], seconds: float) -> None:
        super().__init__(name="publishing")
        self._service, self._messages, self._seconds = service, messages, seconds
        self._failure: BaseException | None = None

    def run(self) -> None:
        pieces = max(1, int(self._seconds * 2))
        size = -(-len(self._messages) // pieces)
        began = time.monotonic()
        try:
            for number in range(pieces):
                piece = self._messages[number * size : (number + 1) * size]
                self._service.publish((m.topic, m.key, m.value, m.headers) for m in piece)
                time.sleep(max(0.0, began + (number + 1) * self._seconds / pieces - time.monotonic()))
        except BaseException as error:
            self._failure = error

    def finish(self) -> None:
        """Wait for its end; raises what went wrong in it."""
        self.join(300)
        assert not self.is_alive()
        if self._failure is not None:
            raise self._failure


def survive(service: Service, ordeal: Ordeal) -> None:
    """Go through it, then assert that nothing shows: no message lost, repeated or swapped, every timeline right."""
    print(f"SEED={ordeal.seed}")
    rng = Random(ordeal.seed)
    inputs = Topics(*(service.topics.name(name) for name in INPUTS))
    options = Options(
        returns=ordeal.returns, seed=ordeal.seed, rate=0, late=0.1, repeated=0.1, invalid=0.01, shuffle=True
    )
    messages = list(World(options, lambda: NOW, inputs).messages())
    publishing = Publishing(service, messages, ordeal.seconds)
    crew = Crew(service)

    publishing.start()
    for _ in range(ordeal.kills):
        time.sleep(rng.uniform(*ordeal.pauses))
        crew.kill_one(rng)
    publishing.finish()
    # On a slow machine it takes them longer to get through: they are not let go before they have published a good part.
    eventually(lambda: _published(service) > ordeal.returns / 2, timeout=120, every=0.5)
    crew.kill_one(rng)
    crew.stop()
    under_fire = _published(service)
    service.done("ingest", "--drain", timeout=240, **SETTINGS)
    service.done("relay", "--drain", timeout=240, **SETTINGS)

    print(f"killed: {dict(crew.killed)}; {under_fire} of {_published(service)} records published meanwhile")
    assert_nothing_shows(service, Answer(messages))


def _published(service: Service) -> int:
    return service.topics.end(service.topics.name("status_changes"))


def assert_nothing_shows(service: Service, answer: Answer) -> None:
    """The history is what the messages say, and subscribers were told the history, each thing once and in order."""
    assert stored_timelines(service.database) == answer.timelines(), "a timeline is not the function of its events"
    seen = relaying.published_on(
        service.topics.bootstrap_servers, OutputTopics(*(service.topics.name(name) for name in OUTPUTS))
    )
    folded, said = subscribing.fold(seen.changes), subscribing.answered(service.database)
    assert folded.keys() == said.keys(), "a return is missing"
    different = [(folded[return_id], held) for return_id, held in said.items() if folded[return_id] != held]
    assert not different, f"{len(different)} returns differ, such as {different[0]}"
    assert relaying.told(seen.changes) == relaying.truth(service.database), "a change is not the one in the history"
    exceptions, dead_letters = relaying.counts(service.database)
    assert dead_letters == answer.invalid, f"{dead_letters} dead letters of {answer.invalid} invalid messages"
    assert len(seen.exceptions) == exceptions, f"{len(seen.exceptions)} exceptions published of {exceptions}"
    headers = [dict(letter.headers) for letter in seen.dead]
    origins = {(each["dlq.topic"], each["dlq.partition"], each["dlq.offset"]) for each in headers}
    assert len(origins) == len(seen.dead) == dead_letters, f"{len(seen.dead)} dead letters published, of {len(origins)}"
