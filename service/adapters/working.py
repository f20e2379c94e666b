"""A connection that does something else while PostgreSQL is at work."""

from __future__ import annotations

import select
from collections.abc import Callable, Generator
from typing import Any, Final

from psycopg import Connection
from psycopg.waiting import Ready, Wait

_EVENTS: Final = {Wait.R: select.POLLIN, Wait.W: select.POLLOUT, Wait.RW: select.POLLIN | select.POLLOUT}


class WorkingConnection(Connection[tuple[Any, ...]]):
    """Calls `meanwhile` as long as the server has not answered; it does a little, and says whether it did anything.

    In one thread: no lock is handed to and fro, and the answer is never kept waiting for longer than that little takes.
    """

    meanwhile: Callable[[], bool] | None = None

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **named: Any) -> Any:
        """psycopg's, of which this does the part that would otherwise be spent asleep."""
        if self.meanwhile is None:
            return super().wait(gen, *arguments, **named)
        try:
            wanted = next(gen)
            while (ready := self._worked_until_ready(wanted)) is not None:
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value
        return super().wait(_resumed(gen, wanted), *arguments, **named)

    def _worked_until_ready(self, wanted: Any) -> Any:
        """What the socket is ready for; None if it is not, and there is nothing left to do meanwhile."""
        poller = select.poll()
        poller.register(self.pgconn.socket, _EVENTS[wanted])
        while not (events := poller.poll(0)):
            if self.meanwhile is None or not self.meanwhile():
                return None
        mask = events[0][1]
        # An error or a hang-up is read, so that libpq tells of it.
        return (Ready.W if mask & select.POLLOUT else 0) | (Ready.R if mask & ~select.POLLOUT else 0)


def _resumed(gen: Generator[Any, Any, Any], wanted: Any) -> Generator[Any, Any, Any]:
    """The generator from where it stands: what it asked for last is asked for first."""
    while True:
        ready = yield wanted
        try:
            wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value
