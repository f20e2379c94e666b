"""Live updates of a page by server-sent events: one look at the database a second for all who watch.

An event says that the return moved and how far it is, nothing else: the page asks again for what it shows. Its id is
`version.seq`: the return's version, and how many events are recorded of it. A client that comes back names the last id
it has seen (`Last-Event-ID`), and at once gets the event that it missed. A number that leads nowhere is silent.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool

from service import logs
from service.application.reading.public import PublicReading, Revision
from service.errors import ServiceError

_LOOK_SECONDS: Final = 1.0
_KEEP_ALIVE_SECONDS: Final = 15.0  # below the idle time-outs of common proxies
_LONGEST_SECONDS: Final = 600.0  # then the client comes back, perhaps to another process
_RETRY_MS: Final = 3000
_CROWDED_RETRY_MS: Final = 30_000
_ID: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?")


def parse_id(text: str | None) -> Revision | None:
    """The revision that an event's id names; `seq` is -1 where only a version is given, None for anything else."""
    match = _ID.fullmatch(text) if text is not None else None
    return None if match is None else Revision(int(match[1]), int(match[2]) if match[2] else -1)


class Watch:
    """Who watches what, within bounds, and the one task that looks."""

    def __init__(self, reading: PublicReading, stopping: Callable[[], bool], most: int, most_of_a_client: int) -> None:
        self._reading = reading
        self._stopping = stopping
        self._most = most
        self._most_of_a_client = most_of_a_client
        self._clients: Counter[str] = Counter()
        self._watched: Counter[tuple[str, ...]] = Counter()
        self._revisions: dict[tuple[str, ...], Revision | None] = {}
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def has_room(self, client: str) -> bool:
        return self._clients[client] < self._most_of_a_client and self._clients.total() < self._most

    async def stream(self, client: str, numbers: tuple[str, ...], seen: Revision | None) -> AsyncIterator[bytes]:
        """The events of a return from `seen` on, as bytes of the stream, until it is time to come back."""
        if not self.has_room(client):  # many were told at once that there is
            yield format_sse_event(retry=_CROWDED_RETRY_MS)
            return
        loop = asyncio.get_running_loop()
        until, alive = loop.time() + _LONGEST_SECONDS, loop.time()
        with self._watching(client, numbers):
            yield format_sse_event(retry=_RETRY_MS)
            while loop.time() < until and not self._stopping():
                revision = self._revisions.get(numbers)
                if revision is not None and not _is_seen(revision, seen):
                    seen, alive = revision, loop.time()
                    id_ = f"{revision.version}.{revision.seq}"
                    yield format_sse_event(id=id_, event="moved", data_str=str(revision.version))
                elif loop.time() - alive >= _KEEP_ALIVE_SECONDS:
                    alive = loop.time()
                    yield format_sse_event(comment="nothing new")
                await self._looked.wait()

    @contextmanager
    def _watching(self, client: str, numbers: tuple[str, ...]) -> Iterator[None]:
        self._clients[client] += 1
        self._watched[numbers] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            # Subtracting drops what comes to nothing.
            self._clients -= Counter({client: 1})
            self._watched -= Counter({numbers: 1})
            if numbers not in self._watched:
                self._revisions.pop(numbers, None)

    async def _look(self) -> None:
        """While anybody watches: where all of the watched are, once a second."""
        while self._watched:
            watched = list(self._watched)
            try:
                revisions = await run_in_threadpool(self._reading.revisions, watched)
            except ServiceError as error:
                # Who watches waits on; nobody is told of a database that comes back.
                logs.get("web").warning("look_failed", cause=str(error))
            else:
                self._revisions = {
                    numbers: revision
                    for numbers, revision in zip(watched, revisions, strict=True)
                    if numbers in self._watched
                }
            woken, self._looked = self._looked, asyncio.Event()
            woken.set()
            await asyncio.sleep(_LOOK_SECONDS)


def _is_seen(revision: Revision, seen: Revision | None) -> bool:
    if seen is None:
        return False
    return revision.version <= seen.version if seen.seq < 0 else revision == seen
