from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from service.application.reading.public import Revision
from service.web.public.live import Watch


class Reading:
    """Where everything is at its first version."""

    def revisions(self, watched: Sequence[tuple[str, ...]]) -> list[Revision | None]:
        return [Revision(1, 1) for _ in watched]


async def heard(stream: AsyncIterator[bytes]) -> bytes | None:
    """The next of the stream; None at its end."""
    return await anext(stream, None)


def test_streams_that_were_let_in_at_once_are_no_more_than_there_is_room_for() -> None:
    reading: Any = Reading()

    async def watch() -> list[list[bytes | None]]:
        watch = Watch(reading, lambda: False, most=2, most_of_a_client=1)
        # All were told that there is room before the first of them began.
        assert all(watch.has_room(client) for client in "aabc")
        streams = [watch.stream(client, ("R-1",), Revision(0, 0)) for client in "aabc"]
        told = [[await heard(stream)] for stream in streams]
        for stream, so_far in zip(streams, told, strict=True):
            so_far.append(await heard(stream))
        return told

    first, again, second, crowded = asyncio.run(watch())

    event = b"event: moved\ndata: 1\nid: 1.1\n\n"
    assert first == second == [b"retry: 3000\n\n", event]
    assert again == crowded == [b"retry: 30000\n\n", None]
