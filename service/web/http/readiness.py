"""Whether requests can be answered: asked at most every other second, by one thread of its own, for all who want to know."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_FRESH_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 3.0


class Known:
    """For an answer that is there already."""

    def __init__(self, problems: Callable[[], list[str]]) -> None:
        self._problems = problems

    async def problems(self) -> list[str]:
        return self._problems()


class Readiness:
    """Used on one event loop only. A question that is not answered in time keeps no thread but its own."""

    def __init__(self, ask: Callable[[], list[str]]) -> None:
        self._ask = ask
        self._asking: asyncio.Future[list[str]] | None = None
        self._began = 0.0
        self._found: list[str] = []
        self._found_at = float("-inf")

    async def problems(self) -> list[str]:
        """What is wrong, as of two seconds ago at most; within three seconds."""
        now = time.monotonic()
        if now - self._found_at < _FRESH_SECONDS:
            return self._found
        if self._asking is None:
            self._asking, self._began = asyncio.get_running_loop().create_future(), now
            threading.Thread(target=self._look, args=(self._asking,), name="readiness", daemon=True).start()
        try:
            left = max(0.0, self._began + _PATIENCE_SECONDS - now)
            return await asyncio.wait_for(asyncio.shield(self._asking), left)
        except TimeoutError:
            return [f"the database does not answer, for {time.monotonic() - self._began:.0f} s"]

    def _look(self, asking: asyncio.Future[list[str]]) -> None:
        try:
            found = self._ask()
        except Exception as error:  # noqa: BLE001 - what cannot be told is not well
            found = [f"cannot be told: {type(error).__name__}"]
        with suppress(RuntimeError):  # the loop has ended
            asking.get_loop().call_soon_threadsafe(self._tell, asking, found)

    def _tell(self, asking: asyncio.Future[list[str]], found: list[str]) -> None:
        self._found, self._found_at, self._asking = found, time.monotonic(), None
        if not asking.done():
            asking.set_result(found)
