"""Asks the servers how they are, for a process that would otherwise learn of it only by the next request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Final, Self

from service import logs
from service.runtime.monitoring.health import Watch

_EVERY_SECONDS: Final = 3.0

Question = Callable[[], str | None]


class Lookout:
    """Within the block each question is asked every few seconds, on a thread; its answer is what is wrong, or None.

    What has gone wrong is said as `server_away`, and that it is right again as `server_back`.
    """

    def __init__(
        self,
        process: str,
        questions: Mapping[str, Question],
        *,
        doubts: Mapping[str, int] | None = None,
        every: float = _EVERY_SECONDS,
    ) -> None:
        """`doubts` is how often in a row something must be wrong until it is said; once, if nothing is given."""
        self._log = logs.get(process)
        self._has_ended = False
        self._doubts = dict.fromkeys(questions, 0)
        self._enough = dict.fromkeys(questions, 1) | dict(doubts or {})
        # Each asks on its own thread: one that is kept waiting says nothing of the others.
        self._watches = [
            Watch(server, partial(_answer, question), every=every, then=partial(self._answered, server))
            for server, question in questions.items()
        ]

    def __enter__(self) -> Self:
        for watch in self._watches:
            watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_ended = True
        for watch in self._watches:
            watch.stop(within_seconds=0)

    def note(self, server: str, problem: str | None) -> None:
        """What came of one question."""
        doubts = self._doubts[server]
        self._doubts[server] = 0 if problem is None else doubts + 1
        if problem is not None and doubts + 1 == self._enough[server]:
            self._log.warning("server_away", server=server, problem=problem)
        elif problem is None and doubts >= self._enough[server]:
            self._log.info("server_back", server=server)

    def _answered(self, server: str, problem: str | None, _asked_at: float) -> None:
        if not self._has_ended:
            self.note(server, problem)


def _answer(question: Question) -> str | None:
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - its texts may echo values
        return type(error).__name__
