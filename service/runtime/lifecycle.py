"""How a process is asked to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """A flag that loops read at each turn. Set once, it stays set."""

    def __init__(self) -> None:
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
        """Let SIGTERM and SIGINT set the flag, within the block; the handlers from before are put back.

        The second signal finds the default action again and ends the process at once: a way out for a person whose
        process does not come to an end. Only the main thread may do this.
        """
        before = {number: signal.getsignal(number) for number in SIGNALS}

        def handle(number: int, frame: FrameType | None) -> None:
            del frame
            signal.signal(number, signal.SIG_DFL)
            # Not self.set(): the signal may have interrupted a holder of the event's lock, which is no RLock.
            threading.Thread(target=self.set, name="stop", daemon=True).start()

        for number in SIGNALS:
            signal.signal(number, handle)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
