"""All connections of `serve`: how many there may be, of one client and in all, and when one has had its time.

Where there is no room, the connection that has waited longest for its client to say something goes; only where every one
of them is being answered is the newcomer turned away.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final, Literal, NamedTuple, Protocol

from service import logs
from service.web.http.limits import client_of

LOOK_SECONDS: Final = 0.1  # between two looks
_LEAST_LOOKED_AT, _LOOKS = 100, 20  # at a look, and in how many all are: to end many takes a while, for everybody
_TELL_SECONDS: Final = 10.0  # what was cut off or turned away is logged at most so often

# Why a connection was ended before its time; a closed set, for it is a key of a log line.
Reason = Literal["crowded", "crowded_client", "evicted", "head_too_large", "too_slow", "pipelined", "chunks", "unread"]


class ConnectionLimits(NamedTuple):
    """What one web process bears. Bytes, and seconds."""

    connections: int = 2000
    of_a_client: int = 200
    head_bytes: int = 32 * 1024
    head_seconds: float = 10.0  # for the request line and header, from the connection or the first byte on
    body_seconds: float = 30.0  # from the header to the last byte
    answer_seconds: float = 30.0  # in which a client that reads nothing of its answer is given up
    idle_seconds: int = 5  # between two requests


class Connection(Protocol):
    """What is counted, and looked at now and then."""

    def look(self, now: float) -> None:
        """End what has had its time."""

    def evict(self) -> None:
        """End a connection that waits for its client."""


class _Client:
    """The connections of one."""

    __slots__ = ("count", "waiting")

    def __init__(self) -> None:
        self.count = 0
        self.waiting: OrderedDict[Connection, None] = OrderedDict()


class Connections:
    """Used on one event loop only. `is_proxy` says of whose address many clients come: it is bound by the whole alone."""

    def __init__(self, limits: ConnectionLimits, is_proxy: Callable[[str], bool]) -> None:
        self.limits = limits
        self.now = 0.0  # of the loop's clock, as of the last look
        self._is_proxy = is_proxy
        self._clients: dict[str, _Client] = {}
        self._of: OrderedDict[Connection, str] = OrderedDict()  # those that were looked at last come last
        self._waiting: OrderedDict[Connection, None] = OrderedDict()  # longest first
        self._ended: Counter[str] = Counter()
        self._told_at = float("-inf")
        self._looking: asyncio.TimerHandle | None = None
        self._has_warned = False

    def admit(self, connection: Connection, host: str) -> Reason | None:
        """Count a new connection, which waits for its client; or say why there is no room for it.

        It is counted in any case, until it has `left`.
        """
        loop = asyncio.get_running_loop()
        if self._looking is None:
            self.now = loop.time()
            self._looking = loop.call_later(LOOK_SECONDS, self._look, loop)
        name = client_of(host)
        client = self._clients.setdefault(name, _Client())
        refused: Reason | None = None
        if client.count >= self.limits.of_a_client and not self._is_proxy(host):
            refused = self._make_room(client.waiting, "crowded_client")
        elif len(self._of) >= self.limits.connections:
            refused = self._make_room(self._waiting, "crowded")
        client.count += 1
        self._of[connection] = name
        if refused is None:
            self.waits(connection)
        return refused

    def waits(self, connection: Connection) -> None:
        """It is its client's turn."""
        if (name := self._of.get(connection)) is not None:
            self._waiting[connection] = self._clients[name].waiting[connection] = None

    def works(self, connection: Connection) -> None:
        """It is being answered."""
        if connection in self._waiting:
            del self._waiting[connection]
            del self._clients[self._of[connection]].waiting[connection]

    def left(self, connection: Connection) -> None:
        """It has ended."""
        name = self._of.get(connection)
        if name is None:
            return
        self.works(connection)
        del self._of[connection]
        client = self._clients[name]
        client.count -= 1
        if not client.count:
            del self._clients[name]

    def ended(self, reason: Reason) -> None:
        """One was ended by us, for the log."""
        self._ended[reason] += 1

    def forwarded(self, host: str) -> None:
        """Somebody who is no named proxy says for whom it asks: worth a warning, once."""
        if not self._has_warned and not self._is_proxy(host):
            self._has_warned = True
            remedy = "if it is your proxy, name it in RETURNS_HTTP_TRUSTED_PROXIES; all behind it count as one client"
            logs.get("serve").warning("forwarded_by_unknown_proxy", peer=client_of(host), remedy=remedy)

    def _make_room(self, waiting: OrderedDict[Connection, None], reason: Reason) -> Reason | None:
        if not waiting:
            self.ended(reason)
            return reason
        oldest = next(iter(waiting))
        self.left(oldest)
        self.ended("evicted")
        oldest.evict()
        return None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time()
        for connection in list(islice(self._of, max(_LEAST_LOOKED_AT, len(self._of) // _LOOKS))):
            self._of.move_to_end(connection)
            connection.look(self.now)
        if self._ended and self.now - self._told_at >= _TELL_SECONDS:
            logs.get("serve").warning("connections_ended", open=len(self._of), **self._ended)
            self._ended.clear()
            self._told_at = self.now
        going_on = bool(self._of) or bool(self._ended)
        self._looking = loop.call_later(LOOK_SECONDS, self._look, loop) if going_on else None
