"""How a process is asked to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from service.runtime.monitoring.watchdog import Watchdog

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
GRACE_SECONDS: Final = 12.0  # from the signal until the process ends, whatever it waits for; supervisors give 15


class Stop:
    """A flag that loops read at each turn. Set once, it stays set.

    With `grace_seconds` a signal also starts the time in which the process has to end; the watchdog sees to that.
    """

    def __init__(self, watchdog: Watchdog | None = None, *, grace_seconds: float | None = None) -> None:
        self.watchdog = Watchdog() if watchdog is None else watchdog
        self._grace_seconds = grace_seconds
        self._event = threading.Event()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        """Ask to stop; safe from any thread and from a signal handler."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait that long or until asked to stop, whichever comes first; answers whether asked."""
        return self._event.wait(seconds)

    @contextmanager
    def install(self) -> Iterator[Stop]:
        """Let SIGTERM, SIGINT and SIGHUP set the flag, within the block; the handlers from before are put back.

        The second signal finds the default action again and ends the process at once: a way out for a person whose
        process does not come to an end. Not so SIGHUP, which a terminal that closes may send twice; and `nohup` has it
        ignored. Only the main thread may do this.
        """
        before = {number: signal.getsignal(number) for number in SIGNALS}
        if before[signal.SIGHUP] == signal.SIG_IGN:
            del before[signal.SIGHUP]

        def handle(number: int, frame: FrameType | None) -> None:
            del frame
            if number != signal.SIGHUP:
                signal.signal(number, signal.SIG_DFL)
            # Not here: the signal may have interrupted a holder of the event's lock, which is no RLock.
            threading.Thread(target=self._asked, name="stop", daemon=True).start()

        for number in before:
            signal.signal(number, handle)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked(self) -> None:
        self.set()
        if self._grace_seconds is not None:
            self.watchdog.must_end(self._grace_seconds)
