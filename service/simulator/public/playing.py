"""Plays a world through the public ways in: each publisher sends what it has gathered, some at a time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from service.simulator.messages import Message, Nature
from service.simulator.options import Options
from service.simulator.play import paced
from service.simulator.public.calls import MOST_OF_A_BATCH, MOST_OF_A_POST, Call, batch, posted, single
from service.simulator.public.native import OpenFeed
from service.simulator.public.publishers import Publisher, publisher_of
from service.simulator.public.sending import Sending
from service.simulator.report import Tally
from service.simulator.world import World

_GATHERED_SECONDS: Final = 0.4  # a publisher's events wait so long for company
_GATHERED: Final = 500  # events of all of them
_AT_A_TIME: Final = 4  # requests

TAKEN: Final = "taken, though it is no event"


class Outbox:
    """What is to be sent, by who sends it; told to `tally` when it is answered. Not for several threads."""

    def __init__(
        self, sending: Sending, feeds: Mapping[str, OpenFeed], tally: Tally, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`feeds` are those of carriers that post in words of their own, by carrier."""
        self._sending, self._feeds, self._tally, self._clock = sending, feeds, tally, clock
        self._pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="publisher")
        self._batches: dict[Publisher, list[Message]] = defaultdict(list)
        self._posts: dict[str, list[Message]] = defaultdict(list)  # by carrier
        self._others: list[Call] = []
        self._held, self._flushed_at = 0, clock()

    def put(self, message: Message) -> None:
        """Keep it for a moment; send what was kept when there is enough of it."""
        carrier: str = message.fact.data["carrier"] if message.is_carriers else ""
        if message.nature is Nature.INVALID:
            self._others.append(single(message))
        elif carrier in self._feeds:
            self._posts[carrier].append(message)
        elif message.is_binary:
            self._others.append(single(message))
        else:
            self._batches[publisher_of(message.fact)].append(message)
        self._held += 1
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Send what was kept for long enough, or is enough."""
        if self._held >= _GATHERED or self._clock() - self._flushed_at >= _GATHERED_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send all that was kept, and wait for what is answered."""
        calls = [*self._calls()]
        self._batches.clear()
        self._posts.clear()
        self._others.clear()
        for call, found in zip(calls, self._pool.map(self._sending.send, calls), strict=True):
            for message, refusal in zip(call.messages, found or (), strict=found is not None):
                self._count(message, call.way, refusal)
        self._held, self._flushed_at = 0, self._clock()

    def close(self) -> None:
        """Begin no further request."""
        self._pool.shutdown(cancel_futures=True)

    def _calls(self) -> Iterator[Call]:
        yield from self._others
        for publisher, messages in self._batches.items():
            for some in _pieces(messages, MOST_OF_A_BATCH):
                yield batch(publisher, some)
        for carrier, messages in self._posts.items():
            for some in _pieces(messages, MOST_OF_A_POST):
                yield posted(carrier, self._feeds[carrier], some)

    def _count(self, message: Message, way: str, refusal: str | None) -> None:
        self._tally.count(message, way)
        is_event = message.nature is not Nature.INVALID
        if is_event != (refusal is None):
            self._tally.refused[refusal or TAKEN] += 1


def _pieces(messages: list[Message], most: int) -> Iterator[list[Message]]:
    return (messages[begins : begins + most] for begins in range(0, len(messages), most))


def play_publicly(
    sending: Sending,
    feeds: Mapping[str, OpenFeed],
    options: Options,
    should_stop: Callable[[], bool],
    now: Callable[[], float] = time.time,
) -> Tally:
    """Send the world's messages, in order, at `options.rate`, until all are answered or `should_stop` says so.

    What happened is told with the time at which it happened, so creations go to /v1/events as well: `POST /v1/returns` makes
    a return as of now. What is no event is to be refused, and is counted as such; all else that is refused is in the tally.
    Raises what `sending` raises.
    """
    tally, world = Tally(), World(options, now)
    outbox, begun = Outbox(sending, feeds, tally), time.monotonic()
    try:
        messages = paced(world.messages(), options, should_stop, time.monotonic, time.sleep, outbox.flush_if_due)
        for message in messages:
            outbox.put(message)
        outbox.flush()
    finally:
        outbox.close()
    tally.seconds, tally.skipped, tally.lost = time.monotonic() - begun, world.skipped, world.lost
    tally.waits = sending.waits
    return tally
