"""One thread of control at a time, and a seed that decides who moves next.

Every actor (a process of the service, a person, a server's own work) runs in a greenlet. Models call `step` at the
beginning of each of their calls: there another actor may go on, this one may be killed, or stand still for longer than
any time-out. Time is simulated: it passes by a little with each step, and leaps when everybody waits.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final

import greenlet

STEP_SECONDS: Final = 0.0004
EPOCH: Final = 1_795_600_000.0  # the world begins in November 2026
_FOREVER: Final = float("inf")


class Killed(BaseException):
    """The process is gone: nothing that it does from here on has an effect."""


class WorldError(Exception):
    """Something that must not happen has happened; the text says what."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided about a history: which faults at which of their opportunities, who moves, which events.

    `choices` are draws in their order; past their end every draw is 0, unless `is_open`: then the seed goes on drawing.
    """

    seed: int
    faults: Mapping[tuple[str, int], float] = field(default_factory=dict)
    choices: Sequence[int] = ()
    is_open: bool = True
    kept: frozenset[int] | None = None  # the events that are published; None: all


class Choices:
    """Where every decision comes from; remembers what it decided. 0 is always the plainest thing to do."""

    def __init__(self, plan: Plan) -> None:
        self._given, self._is_open = plan.choices, plan.is_open
        self._random = Random(plan.seed * 2 + 1)
        self.taken: list[int] = []

    def draw(self, options: int, switch: float) -> int:
        """One of so many options; not the first of them with the probability `switch`."""
        if options <= 1:
            return 0
        taken = self.taken
        if len(taken) < len(self._given):
            chosen = self._given[len(taken)] % options
        elif not self._is_open:
            chosen = 0
        elif self._random.random() < switch:
            chosen = self._random.randrange(1, options)
        else:
            chosen = 0
        taken.append(chosen)
        return chosen


class Actor:
    """Somebody who acts: its name, and what it waits for."""

    __slots__ = ("can_die", "doing", "is_dead", "is_over", "let", "name", "ready", "wake_at")

    def __init__(self, name: str, *, can_die: bool) -> None:
        self.name, self.can_die = name, can_die
        self.let: greenlet.greenlet | None = None
        self.is_dead = self.is_over = False
        self.wake_at = 0.0
        self.ready: Callable[[], bool] | None = None
        self.doing = "begins"


class Scheduler:
    """Runs actors until it is told that the story is over."""

    def __init__(self, plan: Plan, *, most_steps: int = 60_000, tells: bool = False) -> None:
        self.plan = plan
        self.choices = Choices(plan)
        mood = Random(plan.seed * 2)
        # Some seeds let actors take turns at each call, others let them run for long, as real processes do.
        self.switch = mood.choice((0.05, 0.15, 0.3, 0.6))
        self.now = 0.0
        self.skew = 0.0  # of the wall clock
        self.steps = 0
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self.opportunities: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.sometimes: Counter[str] = Counter()
        self.story: list[str] = []
        self.tells = tells
        self.failure: BaseException | None = None
        self.has_changed = False  # a model sets it: there is something new to see
        self.look: Callable[[], object] = lambda: None
        self._most_steps = most_steps
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._number = count()
        self._hub = greenlet.getcurrent()
        self._is_ending = False
        self._calm = False
        self._paused = 0.0

    # for models and actors

    def spawn(self, name: str, act: Callable[[], object], *, can_die: bool = False, after: float = 0.0) -> Actor:
        """Somebody new. An exception that leaves `act` is a failure of the world; Killed is not."""
        actor = Actor(name, can_die=can_die)
        actor.wake_at = self.now + after

        def run() -> None:
            try:
                if not actor.is_dead:
                    act()
            except Killed:
                pass
            except Exception as error:
                if not self._is_ending and self.failure is None:
                    self.failure = error
            actor.is_over = True

        actor.let = greenlet.greenlet(run, self._hub)
        self.actors.append(actor)
        return actor

    def step(self, doing: str) -> None:
        """Somebody else may move now; before whoever calls does what it is about to do."""
        actor = self.current
        if actor is None or greenlet.getcurrent() is self._hub:
            return
        self.check_alive()
        actor.doing = doing
        self.steps += 1
        self.now += STEP_SECONDS
        if self._paused:
            actor.wake_at, self._paused = self.now + self._paused, 0.0
        if self.steps > self._most_steps:
            raise WorldError(f"no end after {self.steps} steps: {self.standing()}")
        if actor.can_die:
            if self.fault("kill") is not None:
                self.kill(actor)
            elif (seconds := self.fault("freeze")) is not None:
                actor.wake_at = self.now + seconds
        self._go_on(actor)
        if self.tells:
            self.tell(doing)

    def wait(self, doing: str, until: float, ready: Callable[[], bool] | None = None) -> None:
        """Let others move until then, or until it is ready."""
        actor = self.current
        if actor is None:
            raise WorldError(f"nobody waits for {doing}")
        self.check_alive()
        actor.doing, actor.ready, actor.wake_at = doing, ready, until
        self.steps += 1
        if self.steps > self._most_steps:
            raise WorldError(f"no end after {self.steps} steps: {self.standing()}")
        if actor.can_die and self.fault("kill") is not None:
            self.kill(actor)
        self._go_on(actor)

    def pause(self, seconds: float) -> None:
        """Whoever acts now stands still at its next step."""
        self._paused = seconds

    def check_alive(self) -> None:
        """Raises Killed where whoever calls is dead."""
        if self.current is not None and self.current.is_dead:
            raise Killed

    def at(self, seconds: float, do: Callable[[], object]) -> None:
        """Do something in so many seconds; it must not wait."""
        heapq.heappush(self._timers, (self.now + seconds, next(self._number), do))

    def kill(self, actor: Actor) -> None:
        """Its next call, or the one that it is in, never returns."""
        actor.is_dead = True
        actor.wake_at, actor.ready = 0.0, None

    def fault(self, kind: str) -> float | None:
        """Whether a fault of this kind is to happen at this opportunity; its parameter."""
        if self._calm:
            return None
        self.opportunities[kind] += 1
        found = self.plan.faults.get((kind, self.opportunities[kind]))
        if found is not None:
            self.injected[kind] += 1
            self.tell(f"FAULT {kind} {found:g}")
        return found

    def calm_down(self) -> None:
        """No more faults."""
        self._calm = True

    def saw(self, what: str) -> None:
        """Something that must happen sometimes, in some history."""
        self.sometimes[what] += 1

    def tell(self, what: str) -> None:
        """A line of the story."""
        if self.tells:
            name = self.current.name if self.current else "world"
            self.story.append(f"{self.now:9.3f}  {name:<10} {what}")

    def wall(self) -> float:
        """Seconds since 1970 on the clock of whoever asks."""
        return EPOCH + self.now + self.skew

    def standing(self) -> str:
        """What everybody is at."""
        return "; ".join(f"{a.name}: {a.doing}" for a in self.actors if not a.is_over)

    # the hub

    def run(self, is_over: Callable[[], bool]) -> None:
        """Until it is over. Raises what an actor or a check raised."""
        while self.failure is None and not is_over():
            self.actors = [actor for actor in self.actors if not actor.is_over]
            actor = self._pick(None)
            if actor is None:
                raise WorldError("nobody is left")
            self._resume(actor)
        if self.failure is not None:
            raise self.failure

    def end(self) -> None:
        """Let go of everybody."""
        self._is_ending = True
        for actor in self.actors:
            actor.is_dead = True
            let = actor.let
            for _ in range(100):
                if let is None or let.dead:
                    break
                self.current = actor
                let.switch()
        self.current = None

    def _resume(self, actor: Actor) -> None:
        self.current = actor
        let = actor.let
        if let is None:
            raise WorldError(f"{actor.name} has no thread")
        let.switch()

    def _go_on(self, actor: Actor) -> None:
        if self._is_ending:
            raise Killed
        if self.has_changed:
            self.has_changed = False
            try:
                self.look()
            except Exception as error:
                self.failure = self.failure or error
        chosen = None if self.failure is not None else self._pick(actor)
        if chosen is not actor:
            # By way of the hub, whose turn ends there when it is over.
            self._next = chosen
            self._hub.switch()
        self.current = actor
        actor.ready, actor.wake_at = None, 0.0
        if actor.is_dead or self._is_ending:
            raise Killed

    _next: Actor | None = None

    def _pick(self, last: Actor | None) -> Actor | None:
        if last is None and self._next is not None:
            chosen, self._next = self._next, None
            if not chosen.is_over:
                return chosen
        while True:
            now = self.now
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
            able = [
                actor
                for actor in self.actors
                if not actor.is_over and (actor.wake_at <= now or (actor.ready is not None and actor.ready()))
            ]
            if able:
                break
            wakes = [actor.wake_at for actor in self.actors if not actor.is_over]
            wakes += [timer[0] for timer in self._timers[:1]]
            next_ = min(wakes, default=_FOREVER)
            if next_ == _FOREVER:
                return None
            self.now = max(now, next_)
        if last in able:
            able.remove(last)
            able.insert(0, last)
        return able[self.choices.draw(len(able), self.switch)]
