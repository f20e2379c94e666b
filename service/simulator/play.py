"""Plays a world on the topics, at a rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from service.simulator.messages import Message
from service.simulator.options import Options, Topics
from service.simulator.report import Tally
from service.simulator.world import World

# Sending a little early is cheaper than sleeping before every message.
_SLACK_SECONDS: Final = 0.005
# How long a stop may go unnoticed.
_NAP_SECONDS: Final = 0.1
_LOOK_EVERY: Final = 256  # messages, where there is no time to nap


class Publish(Protocol):
    """Hands one message to Kafka; may return before Kafka has it."""

    def __call__(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> object: ...


def play(
    publish: Publish,
    options: Options,
    *,
    topics: Topics | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Tally:
    """Send the world's messages in order at `options.rate`, until all are sent or `should_stop` says so.

    `now` is the wall clock, which places the world in time, `clock` measures durations; both in seconds. What `publish` raises ends the play. Flushing is the caller's.
    """
    tally, world = Tally(), World(options, now, topics)
    begun = clock()
    for message in paced(world.messages(), options, should_stop, clock, sleep):
        publish(message.topic, message.key, message.value, list(message.headers))
        tally.count(message)
    tally.seconds, tally.skipped, tally.lost = clock() - begun, world.skipped, world.lost
    return tally


def paced(
    messages: Iterator[Message],
    options: Options,
    should_stop: Callable[[], bool],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    idle: Callable[[], object] = lambda: None,
) -> Iterator[Message]:
    """The messages, each when the rate and the world's clock have come to it; `idle` is called while none is due."""
    rate, speed = options.rate, options.speed
    begun, first = clock(), None
    for number, message in enumerate(messages):
        first = message.moment if first is None else first
        due = begun + number / rate if rate else begun
        if speed:
            due = max(due, begun + (message.moment - first) / speed)
        while (early := due - clock()) > _SLACK_SECONDS:
            if should_stop():
                return
            idle()
            sleep(min(early, _NAP_SECONDS))
        if number % _LOOK_EVERY == 0 and should_stop():
            return
        yield message
