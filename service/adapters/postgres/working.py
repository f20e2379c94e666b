"""A connection that does something else while PostgreSQL is at work, and does not wait for ever for its answer."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.waiting import Ready, Wait

# Of silence, in the middle of a statement. A server that is alive answers before, if only with an error: its own
# time-outs are shorter. A frozen one never does, and its system goes on acknowledging, so that nothing in TCP tells.
DEADLINE_SECONDS: Final = 20.0
# After so much of it another connection is tried: a server that does not answer there either is not waited for.
DOUBT_SECONDS: Final = 7.0
_INTERVAL: Final = 0.1  # seconds: how often the time is looked at
# An answer may be on its way while another connection hears that it was given.
_GRACE_SECONDS: Final = 1.0

_EVENTS: Final = {Wait.R: select.POLLIN, Wait.W: select.POLLOUT, Wait.RW: select.POLLIN | select.POLLOUT}


class NoAnswer(psycopg.OperationalError):
    """The server kept silent for too long; the connection is closed, and what became of the statement is unknown."""


class WorkingConnection(Connection[tuple[Any, ...]]):
    """Calls `while_waiting` as long as the server has not answered; it does a little, and says whether it did anything.

    In one thread: no lock is handed to and fro, and the answer is never kept waiting for longer than that little takes.
    After `deadline` seconds without a sign of life it closes itself and raises NoAnswer.
    """

    while_waiting: Callable[[], bool] | None = None
    deadline: float = DEADLINE_SECONDS
    # Asks the server over another connection whether the session of this number, if one is given, is still at work.
    # None: that could not be found out.
    is_at_work: Callable[[int | None], bool | None] | None = None
    _session: int | None = None  # of a server that may take its time

    @contextmanager
    def working(self, while_waiting: Callable[[], bool] | None) -> Iterator[None]:
        """Within the block that is called while the server has not answered; None: it is waited for and nothing else."""
        before, self.while_waiting = self.while_waiting, while_waiting
        try:
            yield
        finally:
            self.while_waiting = before

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Within the block a statement may take as long as the server is at work on it.

        For those that set `statement_timeout` to 0 and look at all there is. A server that is frozen or cut off is still
        noticed, since it is asked from time to time.
        """
        before = self._session
        row = self.execute("SELECT pg_backend_pid()").fetchone()  # the server's own, whatever pooler is in between
        self._session = None if row is None else row[0]
        try:
            yield
        finally:
            self._session = before

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **named: Any) -> Any:
        """psycopg's, of which this does the part that would otherwise be spent asleep."""
        if self.while_waiting is None:
            return super().wait(self._bounded(gen), *arguments, **named)
        try:
            wanted = next(gen)
            while (ready := self._worked_until_ready(wanted)) is not None:
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value
        return super().wait(self._bounded(gen, wanted), *arguments, **named)

    def _worked_until_ready(self, wanted: Any) -> Any:
        """What the socket is ready for; None if it is not, and there is nothing left to do."""
        poller = select.poll()
        poller.register(self.pgconn.socket, _EVENTS[wanted])
        while not (events := poller.poll(0)):
            if self.while_waiting is None or not self.while_waiting():
                return None
        mask = events[0][1]
        # An error or a hang-up is read, so that libpq tells of it.
        return (Ready.W if mask & select.POLLOUT else 0) | (Ready.R if mask & ~select.POLLOUT else 0)

    def _bounded(self, gen: Generator[Any, Any, Any], wanted: Any = None) -> Generator[Any, Any, Any]:
        """The generator from where it stands: what it asked for last is asked for first; until the server is silent
        for too long.

        Silence is counted by looks that found nothing: a process that was itself frozen finds the answer first.
        """
        try:
            if wanted is None:
                wanted = next(gen)
            heard = asked = time.monotonic()
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = asked = now
                elif now - asked >= min(DOUBT_SECONDS, self.deadline):
                    heard = self._judge(heard, now, wanted)
                    asked = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value

    def _judge(self, heard: float, now: float, wanted: Any) -> float:
        """When the server is taken to have been heard last; NoAnswer where it is not to be waited for any longer."""
        is_at_work = self.is_at_work(self._session) if self.is_at_work is not None else None
        if is_at_work and self._session is not None:
            return now
        if is_at_work is False and self._is_ready_within(_GRACE_SECONDS, wanted):
            return now
        if is_at_work is False or now - heard >= self.deadline - _INTERVAL:
            self.close()  # which says goodbye without waiting
            raise NoAnswer(f"has not answered for {time.monotonic() - heard:.0f} s")
        return heard

    def _is_ready_within(self, seconds: float, wanted: Any) -> bool:
        poller = select.poll()
        poller.register(self.pgconn.socket, _EVENTS[wanted])
        return bool(poller.poll(seconds * 1000))
