"""Plays one history: from a plan to what came of it."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from service.errors import Fatal, Refused
from service.runtime.lifecycle import Stop
from tests.world import glue
from tests.world.checks import Checks, must
from tests.world.glue import Hands
from tests.world.kafka import Kafka, Txn
from tests.world.postgres import Server
from tests.world.scheduler import Actor, Killed, Plan, Scheduler, WorldError
from tests.world.workload import HEADERS, INPUTS, Said, Workload

# Each kind of fault: among so many opportunities the one is drawn at which it happens, and its parameter from these.
POINTS: Final[dict[str, tuple[int, tuple[float, ...]]]] = {
    "kill": (1500, (0.5, 5, 20)),
    "freeze": (1500, (0.5, 5, 15, 40, 70)),
    "zombie": (40, (10, 12, 20, 70)),
    "cut": (600, (1,)),
    "statement_timeout": (600, (1,)),
    "commit_lost_done": (60, (1,)),
    "commit_lost_undone": (60, (1,)),
    "commit_late": (60, (0.01, 0.3, 3, 20)),
    "end_txn_late": (12, (0.05, 0.5, 5, 11)),
    "end_txn_lost": (12, (1,)),
    "end_txn_undone": (12, (1,)),
    "produce_lost": (30, (1,)),
    "zombie_relay": (15, (6, 8, 15)),
    "hesitate": (4, (0.5, 5, 15)),
    "marker_late": (20, (0.05, 0.5, 5)),
    "poll_breaks": (120, (1,)),
    "rebalance": (250, (1,)),
    "server_crash": (25, (0.5, 5)),
    "server_loses": (25, (1, 2, 3, 6, 10)),
    "read_only": (25, (0.5, 5)),
    "no_connections": (25, (0.5, 5)),
    "kafka_away": (25, (0.5, 5, 15)),
    "retention": (25, (0, 1, 2, 3)),
    "log_cut": (25, (0, 1, 2, 3)),
    "topic_anew": (25, (0, 1, 2, 3)),
    "clock_jump": (25, (-3600, -5, 5, 90_000)),
}
_NEMESIS: Final = (
    "server_crash",
    "server_loses",
    "read_only",
    "no_connections",
    "kafka_away",
    "retention",
    "log_cut",
    "topic_anew",
    "clock_jump",
)
_END_SECONDS: Final = 900.0


@dataclass
class Outcome:
    """What came of a history."""

    plan: Plan
    failure: str | None
    steps: int
    seconds: float  # simulated
    injected: Counter[str]
    sometimes: Counter[str]
    choices: tuple[int, ...]
    said: tuple[Said, ...]
    story: list[str] = field(default_factory=list)


def plan(seed: int) -> Plan:
    """What a seed says: a few kinds of faults, and some of each."""
    random = Random(seed)
    kinds = random.sample(sorted(POINTS), random.randint(1, 6))
    faults: dict[tuple[str, int], float] = {}
    for _ in range(random.choice((0, 1, 2, 3, 5, 8))):
        kind = random.choice(kinds)
        most, parameters = POINTS[kind]
        faults[kind, random.randint(1, max(1, int(most * random.random())))] = random.choice(parameters)
    if random.random() < 0.15:
        # One stands still in the middle of a batch, and meanwhile what it reads becomes another thing.
        faults["zombie", random.randint(1, 10)] = random.choice((12.0, 15.0, 20.0))
        kind, topic = random.choice(("topic_anew", "topic_anew", "log_cut", "retention")), random.randrange(4)
        faults[kind, random.randint(2, 16)] = float(topic)
    elif random.random() < 0.1:
        # A relay stands still before it commits, and its successor just before it fences.
        faults["zombie_relay", random.randint(2, 8)] = random.choice((6.0, 7.0, 8.0))
        faults["hesitate", 2] = random.choice((2.0, 5.0, 9.0))
    return Plan(seed, faults)


def play(plan: Plan, *, tells: bool = False) -> Outcome:
    """Play it to its end, or to the first thing that must not be."""
    return _Play(plan, tells=tells).played()


class _Play:
    def __init__(self, plan: Plan, *, tells: bool) -> None:
        glue.expected_silence()
        self._plan = plan
        mood = Random(plan.seed * 2 + 9)
        self.world = Scheduler(plan, tells=tells)
        self.server = Server(self.world)
        self.kafka = Kafka(self.world, INPUTS, glue.OUTPUTS, mood.choice((1, 2, 2, 3)))
        self.said = Workload(plan).said
        self.checks = Checks(self.world, self.server, self.kafka, self.said)
        self.server.on_commit = self.checks.committed
        refused = {each.name for each in self.said if each.is_refused}
        self.server.refuses = lambda row: (row["source"], row["id"]) in refused
        self.world.look = self.checks.look
        self._workers = mood.choice((1, 2, 2, 3))
        self._relays = mood.choice((1, 2, 2))
        self._projectors = mood.choice((1, 1, 2))
        self._scatters = mood.random() < 0.4  # keys go to any partition, so that workers meet at every return
        self._remaps, self._replays, self._verifies = (mood.random() < p for p in (0.5, 0.5, 0.3))
        self._drains_alone, self._hurries = mood.random() < 0.3, mood.random() < 0.5
        self._slowness = mood.choice((1, 1, 1, 4))  # of publishers
        self._stops: list[Stop] = []
        self._has_published = self._is_over = self._is_ending = False

    def played(self) -> Outcome:
        tells = self.world.tells
        failure: str | None = None
        with glue.at_hand(self.world, self.server, self.kafka) as hands:
            try:
                self._begin(hands)
                self.world.run(lambda: self._is_over)
            except WorldError as error:
                failure = str(error)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
                self.world.story += traceback.format_exception(error) if tells else []
            finally:
                self.world.end()
        if failure:
            self.world.tell(f"FAILS: {failure}")
        world = self.world
        return Outcome(
            self._plan,
            failure,
            world.steps,
            world.now,
            world.injected,
            world.sometimes,
            tuple(world.choices.taken),
            tuple(self.said),
            world.story,
        )

    def _begin(self, hands: Hands) -> None:
        hands.not_yet = frozenset(each.value for each in self.said if each.until_replay)
        spawn = self.world.spawn
        for number in range(self._workers):
            self._serve(f"ingest-{number + 1}", lambda stop: hands.ingest(stop).run())
        for number in range(self._relays):
            self._serve(f"relay-{number + 1}", lambda stop: hands.relay(stop).run())
        for number in range(self._projectors):
            self._serve(f"project-{number + 1}", lambda stop: hands.projector(stop).run())
        spawn("publisher", self._publish)
        spawn("nemesis", self._do_harm)
        if self._remaps:
            spawn("remap", lambda: hands.repeat(hands.remap), can_die=True, after=self.draw_seconds())
        if self._replays:
            spawn("replay-1", lambda: hands.repeat(hands.replay), can_die=True, after=self.draw_seconds())
            spawn("replay-2", lambda: hands.repeat(hands.replay), can_die=True, after=self.draw_seconds())
        if self._verifies:
            spawn("verify", lambda: hands.repeat(lambda: self._verify(hands)), after=self.draw_seconds())
        spawn("end", lambda: self._end(hands))

    def draw_seconds(self) -> float:
        return (3.0, 1.0, 6.0, 10.0)[self.world.choices.draw(4, 0.7)]

    def _serve(self, name: str, work: Callable[[Stop], object], after: float = 0.0) -> None:
        """A process with a supervisor, which starts it again whenever it ends."""
        actor: list[Actor] = []

        def run() -> None:
            stop = glue.here().stop()
            self._stops.append(stop)
            try:
                work(stop)
            except Killed:
                self.world.tell("is killed")
                for session in [each for each in self.server.sessions if each.owner is actor[0]]:
                    session.break_off()
                if not self._is_ending:
                    self._again(name, work)
                raise
            except Fatal as error:
                self.world.tell(f"ends itself: {error}")
                self.world.saw("a process ended itself")
                self._again(name, work)

        actor.append(self.world.spawn(name, run, can_die=True, after=after))

    def _again(self, name: str, work: Callable[[Stop], object]) -> None:
        if not self._is_ending:
            self._serve(name, work, after=self.draw_seconds())

    # actors

    def _publish(self) -> None:
        world, kafka = self.world, self.kafka
        txn: Txn | None = None
        sort = 0
        for said in self.said:
            if txn is not None and said.in_txn != sort:
                self._end_txn(txn, sort)
                txn = None
            sort = said.in_txn
            pause = (0.02, 0.0, 0.2, 1.5)[world.choices.draw(4, 0.4)]
            world.wait("publishes", world.now + pause * self._slowness)
            while not kafka.is_up:
                world.wait("waits for Kafka", world.now + 0.5)
            if sort and txn is None:
                txn = Txn(100 + abs(sort), 0, world.now)
            number = kafka.number_of(said.key)
            if self._scatters:
                number = world.choices.draw(kafka.partitions, 0.7)
            offset = kafka.publish(said.topic, number, said.key, said.value, HEADERS, txn)
            world.tell(f"publishes {said} at {said.topic}/{number}@{offset}")
        if txn is not None:
            self._end_txn(txn, sort)
        self._has_published = True

    def _end_txn(self, txn: Txn, sort: int) -> None:
        for log in txn.logs:
            self.world.wait("ends its transaction", self.world.now + (0.01, 0.5, 3.0)[self.world.choices.draw(3, 0.4)])
            self.kafka.mark(txn, log, commit=sort > 0)
            self.world.tell(f"{'commits' if sort > 0 else 'aborts'} in {log.topic} {log.number}")

    def _do_harm(self) -> None:
        world = self.world
        while not self._is_ending:
            world.wait("waits", world.now + 0.7)
            for kind in _NEMESIS:
                parameter = world.fault(kind)
                if parameter is not None:
                    self._harm(kind, parameter)

    def _harm(self, kind: str, parameter: float) -> None:
        world, server, kafka = self.world, self.server, self.kafka
        if kind == "server_crash":
            server.stop()
            world.wait("waits", world.now + parameter)
            server.start()
        elif kind == "server_loses":
            server.lose(int(parameter))
        elif kind in {"read_only", "no_connections"}:
            name = "is_read_only" if kind == "read_only" else "is_full"
            setattr(server, name, True)
            world.wait("waits", world.now + parameter)
            setattr(server, name, False)
        elif kind == "kafka_away":
            kafka.is_up = False
            world.wait("waits", world.now + parameter)
            kafka.is_up = True
        elif kind == "clock_jump":
            world.skew += parameter
            world.saw("a clock jumped")
        else:
            topic = INPUTS[int(parameter)]
            if kind == "topic_anew":
                kafka.make_anew(topic)
            else:
                do: Callable[[str, int], Any] = kafka.retain if kind == "retention" else kafka.cut
                do(topic, world.choices.draw(kafka.partitions, 0.5))

    def _verify(self, hands: Hands) -> None:
        differences = hands.verify_histories()
        must(not differences, f"verify in between: {differences[:3]}")

    def _end(self, hands: Hands) -> None:
        """Once all is said: no more faults, and what was begun is brought to its end."""
        world = self.world
        while not self._has_published:
            world.wait("waits for the end", world.now + 0.1)
        if not self._hurries:
            world.wait("waits for the end", world.now + self.draw_seconds())
        world.calm_down()
        self._is_ending = True
        if self._drains_alone:
            for actor in world.actors:
                if actor.name.startswith("ingest"):
                    world.kill(actor)
        if self._replays:
            hands.repeat(hands.replay)
        is_refused, newest = False, -1
        # What somebody still has in hand (a replay, one who slept through it all) may come after a drain.
        while newest != (newest := max(self.server.tables["batches"], default=0)):
            self._drained(hands, "ingest", lambda stop: hands.ingest(stop, drain=True).run())
            self.checks.ingested()
            try:
                self._drained(hands, "relay", lambda stop: hands.relay(stop).run(drain=True))
            except Refused as error:
                must(self.server.losses > 0, f"the relay refuses: {error}")
                world.saw("a relay refused another past")
                is_refused = True
            while self.kafka.is_busy:  # it is decided, and each partition learns of it in its own time
                world.wait("waits for markers", world.now + 0.1)
            self._drained(hands, "project", lambda stop: hands.projector(stop).run(drain=True))
        self.checks.look()
        if not is_refused:
            self.checks.is_shared_out()
            self.checks.is_published()
            if not self.server.losses:
                self.checks.is_told_right()
        differences = hands.verify()
        must(not differences, f"verify: {differences[:3]}")
        self._is_over = True

    def _drained(self, hands: Hands, what: str, work: Callable[[Stop], object]) -> None:
        """Run a drain to its end, in this actor, beside those that go on."""
        del hands
        world = self.world
        until = world.now + _END_SECONDS
        stop = _Deadline(world, until, what)
        for _ in range(50):
            try:
                work(stop)
                return
            except Refused:
                raise
            except Fatal as error:
                world.tell(f"the drain ended itself: {error}")
        raise WorldError(f"{what} does not drain")


class _Deadline(glue.WorldStop):
    """A stop that nobody sets, and that does not wait for ever."""

    def __init__(self, world: Scheduler, until: float, what: str) -> None:
        super().__init__(world)
        self._until, self._what = until, what

    def __bool__(self) -> bool:
        if self._world.now > self._until:
            raise WorldError(f"{self._what} does not come to an end: {self._world.standing()}")
        return False


def timed(seeds: range) -> tuple[int, float]:
    """How many histories took how long."""
    began = time.monotonic()
    for seed in seeds:
        play(plan(seed))
    return len(seeds), time.monotonic() - began
