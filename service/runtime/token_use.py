"""When tokens were used last: noted by a thread of its own, once a minute, and never in the way of a request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from service import logs
from service.application.clocks import SYSTEM
from service.errors import ServiceError

_EVERY_SECONDS: Final = 60.0
_END_SECONDS: Final = 2.0
_MOST: Final = 100_000  # tokens of one minute; of more, it is not known of all


class TokenUse:
    """Which tokens were used since the last note. `note` keeps them, by their numbers; it may raise ServiceError."""

    def __init__(
        self,
        note: Callable[[Mapping[int, datetime]], None],
        every_seconds: float = _EVERY_SECONDS,
        now: Callable[[], datetime] = SYSTEM.now,
    ) -> None:
        self._note, self._every_seconds, self._now = note, every_seconds, now
        self._used: dict[int, datetime] = {}
        self._some, self._ended = threading.Event(), threading.Event()

    def used(self, token_no: int) -> None:
        """Tell of a use. Takes no lock and waits for nobody."""
        if token_no in self._used or len(self._used) < _MOST:
            self._used[token_no] = self._now()
            self._some.set()

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Keep notes for the length of the block; what is not kept at its end is noted then."""
        thread = threading.Thread(target=self._run, name="token-use", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._some.set()
            thread.join(_END_SECONDS)

    def write(self) -> None:
        """Note what is known now. What cannot be noted is tried again, unless the token is used once more."""
        self._some.clear()
        swapped, self._used = self._used, {}
        used = dict(swapped)  # a request that was about to write into it must not change what is noted
        if not used:
            return
        try:
            self._note(used)
        except ServiceError as error:
            logs.get("web").info("token_use_not_noted", cause=str(error))
            self._used = used | self._used

    def _run(self) -> None:
        while not self._ended.is_set():
            self._some.wait()
            self.write()
            self._ended.wait(self._every_seconds)
        self.write()
