"""Watches over the turns of a process, and over its end: what hangs is told, and does not hang for ever.

Two threads see to it. One of Python's tells, while it can run; behind it stands faulthandler's, which needs no lock
of Python's, and ends the process even where C code holds it.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Final

from service.application.clocks import SYSTEM

SLOW_SECONDS: Final = 25.0  # a turn that takes longer is told: above every deadline that a server has (ADR 17)
_LOOK_SECONDS: Final = 0.5
_MARGIN_SECONDS: Final = 2.0  # for Python's thread, before faulthandler's acts
_PACKAGE: Final = Path(__file__).parents[2]
EXIT_STUCK: Final = 1

Tell = Callable[..., object]


class Watchdog:
    """Told of each turn by `beat`; until the first one, nothing is watched.

    `tell` takes a key and values, as a logger does; `end` ends the process with a status.
    """

    def __init__(
        self,
        tell: Tell | None = None,
        *,
        slow_seconds: float = SLOW_SECONDS,
        clock: Callable[[], float] = SYSTEM.monotonic,
        end: Callable[[int], object] = os._exit,
        arm: Callable[[float], object] = lambda seconds: faulthandler.dump_traceback_later(seconds, exit=True),
    ) -> None:
        self._tell = _log if tell is None else tell
        self._slow_seconds = slow_seconds
        self._stuck_seconds = inf
        self._clock, self._end, self._arm = clock, end, arm
        self._beaten_at: float | None = None
        self._told_of: float | None = None  # the beat after which nothing came
        self._must_end_at: float | None = None
        self._asked_at = 0.0
        self._looked_at = clock()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def beat(self) -> None:
        """A turn begins. Costs next to nothing; safe from any thread."""
        self._beaten_at = self._clock()

    @property
    def seconds_since_turn(self) -> float | None:
        """For how long the turn that is under way has been so; None before the first."""
        beaten_at = self._beaten_at
        return None if beaten_at is None else max(0.0, self._clock() - beaten_at)

    def start(self, stuck_seconds: float) -> None:
        """Watch from now on; a turn that takes longer than that ends the process."""
        self._stuck_seconds, self._looked_at = stuck_seconds, self._clock()
        self._spawn()

    def must_end(self, within_seconds: float) -> None:
        """The process was asked to stop: in so many seconds it ends, whatever it hangs in. The first call counts."""
        if self._must_end_at is not None:
            return
        self._asked_at = self._clock()
        self._looked_at = self._asked_at
        self._must_end_at = self._asked_at + within_seconds
        self._arm(within_seconds + _MARGIN_SECONDS)
        self._spawn()

    def look(self) -> None:
        """What the thread does from time to time."""
        now = self._clock()
        if self._beaten_at is not None and now - self._looked_at > _LOOK_SECONDS * 10:
            # Nobody looked for a while: the whole process was frozen, and no turn is to be blamed.
            self._beaten_at = now
        self._looked_at = now
        if self._must_end_at is not None:
            if now >= self._must_end_at:
                self._finish("stop_takes_too_long", now - self._asked_at)
            return
        seconds = self.seconds_since_turn or 0.0
        if seconds > self._stuck_seconds:
            self._finish("stuck", seconds)
        elif seconds > self._slow_seconds and self._told_of != self._beaten_at:
            self._told_of = self._beaten_at
            self._tell("no_progress", seconds=round(seconds, 1), waits_in=waits_in())
            _dump()
        if self._stuck_seconds != inf:
            # From here on: it is armed anew for as long as this thread can run.
            self._arm(max(0.0, self._stuck_seconds - seconds) + _MARGIN_SECONDS + 10 * _LOOK_SECONDS)

    def _finish(self, key: str, seconds: float) -> None:
        try:
            self._tell(key, seconds=round(seconds, 1), waits_in=waits_in())
            _dump()
        finally:
            self._end(EXIT_STUCK)

    def _spawn(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            self.look()


def waits_in() -> list[str]:
    """Where the main thread is, as far as it is in the service: the innermost last."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - what it is there for
    places: list[str] = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_PACKAGE):
            places.append(f"{path.relative_to(_PACKAGE)}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return places[:8][::-1]


def _dump() -> None:
    try:
        faulthandler.dump_traceback(all_threads=True)
    except (OSError, ValueError, AttributeError, RuntimeError):  # stderr is closed, or no file
        return


def _log(key: str, **values: object) -> None:
    from service import logs

    logs.get("watchdog").error(key, **values)
