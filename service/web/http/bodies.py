"""Bounds the bodies of requests: nobody makes this process hold what it would only refuse.

A body is looked at when it is asked for, not before: by then a token has been checked, where one is needed.
"""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.http.limits import client_of
from service.web.http.problems import LONGEST_BODY

MOST_BYTES: Final = LONGEST_BODY
CALLER: Final = "returns.caller"  # in the scope of a request whose token was found valid
# Of all bodies at a time, and of those of one client, where nobody knows who sends them.
MOST_HELD: Final = 64 * 1024 * 1024
MOST_HELD_OF_A_CLIENT: Final = 8 * 1024 * 1024
_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})
_SPARE_BYTES: Final = 64 * 1024  # so much of a body that nobody wants may still come


class _Held:
    """How much is held of the bodies of strangers, by client and in all."""

    def __init__(self) -> None:
        self._clients: Counter[str] = Counter()
        self._all = 0

    def is_room(self, client: str) -> bool:
        return self._clients[client] <= MOST_HELD_OF_A_CLIENT and self._all <= MOST_HELD

    def add(self, client: str, length: int) -> None:
        """Length is negative for what is held no more."""
        self._all += length
        self._clients[client] += length
        if not self._clients[client]:
            del self._clients[client]


class Bodies:
    """ASGI middleware: refuses what says or turns out to be longer, with 413, when it is asked for; and what is too much at
    a time of strangers, with 503.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held = _Held()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lengths = [field for field in scope["headers"] if field[0] in _LENGTHS] if scope["type"] == "http" else []
        if not lengths:
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self._held)
        try:
            await self._app(scope, body.receive, body.send)
        finally:
            body.forget()


class _Body:
    """That of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, held: _Held) -> None:
        self._scope, self._receive, self._send, self._held = scope, receive, send, held
        said = Headers(scope=scope).get("content-length", "")
        # None: it comes in chunks, and nobody knows how many.
        self._said = int(said) if said.isdecimal() and len(said) < 20 else None
        self._client = client_of(scope["client"][0] if scope.get("client") else None)
        self._received = self._of_stranger = 0
        self._is_whole = self._is_answered = False

    async def receive(self) -> Message:
        """The next part of it. Raises HTTPException."""
        if self._is_answered:
            return await self._receive()  # whether the client is still there
        if self._said is not None and self._said > MOST_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        message = await self._receive()
        length = len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        self._received += length
        if self._received > MOST_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if CALLER not in self._scope:
            self._of_stranger += length
            self._held.add(self._client, length)
            if not self._held.is_room(self._client):
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, headers={"retry-after": "5"})
        return message

    async def send(self, message: Message) -> None:
        """The answer: where much of the body is still to come, it is the last one on this connection."""
        if message["type"] == "http.response.start":
            self._is_answered = True
            if not self._is_whole and (self._said is None or self._said - self._received > _SPARE_BYTES):
                MutableHeaders(scope=message)["connection"] = "close"
        await self._send(message)

    def forget(self) -> None:
        """It is of no use any more."""
        self._held.add(self._client, -self._of_stranger)
