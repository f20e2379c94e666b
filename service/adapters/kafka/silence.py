"""What a Kafka client is asked to bear: how long brokers may be silent, and how soon it tries again.

By itself kafka-python 3.0.12 waits for ever in places, looks for brokers only where it last knew them, and rests for up
to 36 s between two tries at one that was away for some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from kafka.net import manager
from kafka.net.connection import KafkaConnection

# Then the client is thrown away, and a new one begins from the bootstrap addresses (ADR 17).
SILENCE_SECONDS: Final = 12.0
_LISTENED_SECONDS: Final = 5.0  # who did not look for longer than this has not listened
_RUN_MS: Final = 25_000  # longest that anything is waited for; what has a time of its own takes less

# Over what a client asks for: a broker that is back is found within a second or two.
CONNECTING: Final = {
    "reconnect_backoff_ms": 50,
    "reconnect_backoff_max_ms": 1_000,
    "socket_connection_setup_timeout_ms": 3_000,
    "socket_connection_setup_timeout_max_ms": 5_000,
}


class _Connection(KafkaConnection):  # type: ignore[misc] # kafka-python has no types
    """Notes when a broker said something; that a connection came to be says nothing, the system of a frozen one sees
    to that.
    """

    def data_received(self, data: bytes) -> None:
        self.net.heard_at = time.monotonic()
        super().data_received(data)


manager.KafkaConnection = _Connection  # there is no other way to have one's own


def bound(net: Any, of_manager: Any) -> None:
    """Have nothing that is run on the client's loop take for ever: KafkaTimeoutError after a while."""
    net.heard_at = time.monotonic()
    run = net.run

    async def in_time(what: Any, *arguments: Any) -> Any:
        return await of_manager.wait_for(of_manager.call_soon(what, *arguments), _RUN_MS)

    net.run = lambda what, *arguments: run(in_time, what, *arguments)


class Lasting:
    """For how long something has lasted, to one who looked all the while.

    A process that was frozen, or was busy elsewhere, did not look; what came meanwhile may still be unread.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._looked_at = self._since = clock()

    def seconds(self, *, is_over: bool) -> float:
        """Look often; where it is over it begins anew."""
        now = self._clock()
        if is_over or now - self._looked_at > _LISTENED_SECONDS:
            self._since = now
        self._looked_at = now
        return now - self._since


class Silence:
    """For how long no broker has said a word."""

    def __init__(self, net: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._net, self._lasts = net, Lasting(clock)
        self._heard_at = net.heard_at

    def seconds(self) -> float:
        """Ask often."""
        before, self._heard_at = self._heard_at, self._net.heard_at
        return self._lasts.seconds(is_over=self._heard_at != before)

    @property
    def is_too_long(self) -> bool:
        """Whether the client is to be replaced."""
        return self.seconds() > SILENCE_SECONDS
