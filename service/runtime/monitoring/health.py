"""Whether a process lives and can do its work, and its metrics: judged from outside its loop, and as of now.

Each server is asked on a thread of its own, every few seconds. What is told is made of the last answers and their age
when somebody asks for it, so it takes no server, and no loop, to tell the truth.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Generic, NamedTuple, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service import logs
from service.application.clocks import SYSTEM
from service.application.health import FRESH_SECONDS
from service.errors import Cause, Retryable, ServiceError
from service.metrics import Metrics
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.server import Answer

T = TypeVar("T")

TURN_SECONDS: Final = 10.0  # a loop that has not turned for so long cannot be said to work
_EVERY_SECONDS: Final = 2.0
_TROUBLE_SECONDS: Final = 2.0  # a deadlock, a leader that moves: mended by the next try
_JOIN_SECONDS: Final = 1.0
_JSON: Final = "application/json"
_WORDS: Final[Mapping[Cause, str]] = {
    "database": "does not answer",
    "read_only": "is read-only",
    "connections": "takes no more connections",
    "disk": "cannot write to its disk",
    "deadlock": "ended a transaction for a deadlock",
    "lock": "has a lock that somebody holds",
    "timeout": "does not answer in time",
    "kafka": "does not answer",
    "pending": "has a transaction that does not end (hanging_transaction in the log names one that it has forgotten)",
    "fenced": "another one has taken over",
    "stopping": "is stopping",
}


class Check(NamedTuple):
    """What a check says, in a few words that hold no secret; whether the process can do its work as far as that goes."""

    says: str = "ok"
    ok: bool = True


Checks = dict[str, Callable[[], Check]]


class Readiness(NamedTuple):
    """Whether the process can do its work now, and what each check says."""

    ready: bool
    checks: Mapping[str, str]

    @property
    def problems(self) -> list[str]:
        """What is not as it should be, in sentences; also what does not keep the process from its work."""
        return [f"{name}: {says}" for name, says in self.checks.items() if not says.startswith("ok")]


class Watch(Generic[T]):
    """Asks a server the same again and again. `answer` is the last one, however old."""

    def __init__(
        self,
        name: str,
        ask: Callable[[], T],
        *,
        every: float = _EVERY_SECONDS,
        fresh: float = FRESH_SECONDS,
        clock: Callable[[], float] = SYSTEM.monotonic,
        then: Callable[[T, float], object] = lambda _answer, _at: None,
        close: Callable[[], object] = lambda: None,
    ) -> None:
        """`then` is called with each answer and when it was asked for; `close` at the end. Both on the thread."""
        self._name, self._ask, self._every, self._fresh = name, ask, every, fresh
        self._clock, self._then, self._close = clock, then, close
        self._began = clock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure = "has not answered yet"
        self.retried: Callable[[Cause], object] = lambda _cause: None  # called when a server is to be asked again
        self.answer: T | None = None
        self.answered_at: float | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._thread = threading.Thread(target=self._run, name=f"health-{self._name}", daemon=True)
        self._thread.start()

    def stop(self, *, within_seconds: float = _JOIN_SECONDS) -> None:
        """Ask no more; a question that is under way is waited for that long at most."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(within_seconds)

    @property
    def is_known(self) -> bool:
        """Whether there was an answer lately."""
        return self.answered_at is not None and self._clock() - self.answered_at < self._fresh

    def check(self, name: str) -> Check:
        """Whether it answers; `name` is how a sentence begins."""
        if self.is_known:
            return Check()
        since = self._clock() - (self._began if self.answered_at is None else self.answered_at)
        return Check(f"{name} {self._failure}, for {since:.0f} s", ok=False)

    def turn(self) -> None:
        """Ask once."""
        began = self._clock()
        try:
            answer = self._ask()
            self._then(answer, began)
        except Retryable as error:
            self._failure = _WORDS[error.cause]
            self.retried(error.cause)
        except ServiceError as error:
            self._failure = f"answers with an error ({error})"
        except Exception as error:  # noqa: BLE001 - whatever it is, the next question may be answered
            self._failure = f"cannot be asked ({type(error).__name__})"
            logs.get("health").error("health_question_failed", watch=self._name, exc_info=error)
        else:
            self._failure = "does not answer"
            self.answer, self.answered_at = answer, began

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.turn()
                self._stop.wait(self._every)
        finally:
            self._close()


class Monitor:
    """What a process tells of itself. Nothing here waits for anything."""

    def __init__(
        self, metrics: Metrics, *, stall_seconds: float = 120.0, clock: Callable[[], float] = SYSTEM.monotonic
    ) -> None:
        self._metrics, self._stall_seconds, self._clock = metrics, stall_seconds, clock
        self._lock = threading.Lock()
        began = clock()
        self._checks: dict[str, Callable[[], Check]] = {"start": lambda: Check("the process starts", ok=False)}
        self._refreshers: list[Callable[[], object]] = []
        self._watches: list[Watch[Any]] = []
        self.seconds_since_turn: Callable[[], float] = lambda: clock() - began

    @contextmanager
    def watching(
        self,
        seconds_since_turn: Callable[[], float],
        checks: Mapping[str, Callable[[], Check]],
        watches: Sequence[Watch[Any]],
        refreshers: Sequence[Callable[[], object]] = (),
    ) -> Iterator[None]:
        """Within the block, tell of a loop by these checks; `refreshers` set gauges before they are shown."""
        self.seconds_since_turn = seconds_since_turn
        self._checks = {"progress": self._turns, **checks}
        self._watches, self._refreshers = list(watches), list(refreshers)
        for watch in self._watches:
            watch.retried = self.retried
            watch.start()
        try:
            yield
        finally:
            for watch in self._watches:
                watch.stop()

    def retried(self, cause: Cause) -> None:
        """Something is to be asked again. Counted like work is: a loop that waits for a frozen server tries nothing."""
        self._metrics.retries.labels(cause).inc()

    def stuck(self) -> str | None:
        """Why the process should be started anew; None: it lives."""
        seconds = self.seconds_since_turn()
        return f"no turn for {seconds:.0f} s" if seconds > self._stall_seconds else None

    def readiness(self) -> Readiness:
        """Whether it can do its work now."""
        found = {name: self._judged(check) for name, check in self._checks.items()}
        return Readiness(all(each.ok for each in found.values()), {name: each.says for name, each in found.items()})

    def problems(self) -> list[str]:
        """Why it is not ready; empty: it is."""
        readiness = self.readiness()
        return [] if readiness.ready else readiness.problems

    def refresh(self) -> None:
        """Set the gauges to what is so now."""
        with self._lock:
            for refresher in self._refreshers:
                refresher()
            self._metrics.ready.set(self.readiness().ready)
            self._metrics.turn_seconds.set(self.seconds_since_turn())

    def routes(self) -> dict[str, Callable[[], Answer]]:
        """What to answer at which path."""
        return {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._show}

    def _turns(self) -> Check:
        seconds = self.seconds_since_turn()
        return Check(f"no turn for {seconds:.0f} s", ok=False) if seconds >= TURN_SECONDS else Check()

    @staticmethod
    def _judged(check: Callable[[], Check]) -> Check:
        try:
            return check()
        except Exception as error:  # noqa: BLE001 - what cannot be told is not well
            return Check(f"cannot be told ({type(error).__name__})", ok=False)

    def _livez(self) -> Answer:
        reason = self.stuck()
        body = {"live": reason is None, **({} if reason is None else {"reason": reason})}
        return Answer(200 if reason is None else 503, _JSON, json.dumps(body).encode())

    def _readyz(self) -> Answer:
        found = self.readiness()
        body = {"ready": found.ready, "checks": dict(found.checks)}
        return Answer(200 if found.ready else 503, _JSON, json.dumps(body).encode())

    def _show(self) -> Answer:
        self.refresh()
        return Answer(200, CONTENT_TYPE_LATEST, generate_latest(self._metrics.registry))


def work(board: Board) -> Check:
    """Whether the loop's turns go well."""
    trouble, seconds = board.trouble, board.trouble_seconds()
    if trouble is None:
        return Check()
    server = {"kafka": "Kafka ", "pending": "Kafka ", "fenced": "", "stopping": ""}.get(trouble.cause, "PostgreSQL ")
    return Check(f"has tried again for {seconds:.0f} s: {server}{_WORDS[trouble.cause]}", ok=seconds < _TROUBLE_SECONDS)
