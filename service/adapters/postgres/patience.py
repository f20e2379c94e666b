"""Waiting for locks during a migration: never for long at a time, again and again, and it says for what.

Whoever waits for a lock on a table makes every query behind it wait as well. So a step gives up after a few seconds,
lets the others through, and tries again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection, sql

from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.working import WorkingConnection

LOCK_TIMEOUT: Final = "4s"
_GIVE_UP_SECONDS: Final = 600.0
_FIRST_LOOK_SECONDS: Final = 1.0
_LONGEST_REST_SECONDS: Final = 30.0
_Q: Final = load_queries("migrating.sql")
_T = TypeVar("_T")


class Patience:
    """Runs the steps of one migrator's session, and tells whom they wait for, which it asks over a second one."""

    def __init__(
        self, connection: WorkingConnection, watch: Callable[[], Connection[Any]], say: Callable[[str], object]
    ) -> None:
        self._connection, self._watch, self._say = connection, watch, say
        self._watching: Connection[Any] | None = None
        self._what, self._try = "", 1
        self._look_at, self._nap = 0.0, 0.0

    def close(self) -> None:
        """Let go of the second session."""
        if self._watching is not None:
            self._watching.close()

    def run(self, what: str, step: Callable[[], _T], *, lock_timeout: str, statement_timeout: str) -> _T:
        """The step's result; where it waited for a lock too long, it is done again from its beginning."""
        give_up_at = time.monotonic() + _GIVE_UP_SECONDS
        self._what, self._try = what, 1
        while True:
            self.set(lock_timeout, statement_timeout)
            try:
                return self._watched(step)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(min(_LONGEST_REST_SECONDS, 0.5 * 2.0 ** min(self._try - 1, 10)))
                self._try += 1

    def set(self, lock_timeout: str, statement_timeout: str) -> None:
        """The time-outs of what comes next."""
        for name, value in (("lock_timeout", lock_timeout), ("statement_timeout", statement_timeout)):
            self._connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))

    def _watched(self, step: Callable[[], _T]) -> _T:
        self._look_at, self._nap = time.monotonic() + _FIRST_LOOK_SECONDS, 0.001
        with self._connection.working(self._pass_time):
            return step()

    def _pass_time(self) -> bool:
        """Called again and again while the server has not answered, until it was looked once what for."""
        time.sleep(self._nap)
        self._nap = min(0.05, self._nap * 2)
        if time.monotonic() < self._look_at:
            return True
        self._look()
        return False

    def _look(self) -> None:
        try:
            if self._watching is None:
                self._watching = self._watch()
            asked = (self._connection.info.backend_pid,)
            row = self._watching.execute(_Q["waits_for"], asked).fetchone()
        except Exception:  # noqa: BLE001 - it is only to tell; the step itself finds out what is wrong
            return
        if row is not None:
            lock = f"a lock on {row[0]}" if row[0] else "transactions that began before"
            holder = f", held by {row[1]}" if row[1] else ""
            self._say(f"{self._what}: waiting for {lock}{holder}, try {self._try}")
