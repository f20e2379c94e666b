"""A small HTTP server for probes and scrapes: one thread, no waiting for anybody.

A client that is slow, or silent, holds a socket for some seconds, never the thread; there are so many sockets at most,
and each brings so many bytes at most.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final, NamedTuple

from service import logs
from service.application.clocks import SYSTEM
from service.errors import Fatal

_CLIENTS: Final = 64  # at a time; the one that has been here longest goes when another comes
_REQUEST_BYTES: Final = 8 * 1024  # all of a request that is looked at
_CLIENT_SECONDS: Final = 5.0  # from its connection to the last byte of its answer
_LOOK_SECONDS: Final = 0.5
_PIECE: Final = 64 * 1024


class Answer(NamedTuple):
    """What to send."""

    status: int
    content_type: str
    body: bytes


_Routes = Mapping[str, Callable[[], Answer]]


class _Client:
    """One connection: first what it says, then what it is told."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.connection, self.until = connection, until
        self.heard = b""
        self.to_say = memoryview(b"")
        self.is_heard = False


class HealthServer:
    """Answers GET and HEAD at these paths; each connection takes one request."""

    def __init__(self, host: str, port: int, routes: _Routes, *, clock: Callable[[], float] = SYSTEM.monotonic) -> None:
        """Listens at once. Raises Fatal where that is not possible."""
        self._routes, self._clock = routes, clock
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._listener = socket.create_server((host, port), family=family, backlog=128)
        except OSError as error:
            raise Fatal(f"cannot listen for metrics on {host}:{port}: {error.strerror}") from error
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._clients: dict[socket.socket, _Client] = {}  # in the order in which they came
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health-server", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Stop, and let go of the port."""
        self._stop.set()
        self._thread.join(2 * _LOOK_SECONDS + 1)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for key, _ in self._selector.select(_LOOK_SECONDS):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif (client := self._clients.get(key.fileobj)) is not None:  # type: ignore[call-overload] # a socket
                        self._serve(client)
                now = self._clock()
                for client in [each for each in self._clients.values() if now > each.until]:
                    self._drop(client)
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()
            self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            while len(self._clients) >= _CLIENTS:
                self._drop(next(iter(self._clients.values())))
            self._clients[connection] = _Client(connection, self._clock() + _CLIENT_SECONDS)
            self._selector.register(connection, selectors.EVENT_READ)

    def _serve(self, client: _Client) -> None:
        try:
            if client.is_heard:
                self._say(client)
            else:
                self._listen(client)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(client)

    def _listen(self, client: _Client) -> None:
        piece = client.connection.recv(_REQUEST_BYTES)
        client.heard += piece
        if b"\r\n\r\n" in client.heard or b"\n\n" in client.heard or len(client.heard) > _REQUEST_BYTES:
            client.to_say, client.is_heard = memoryview(self._reply(client.heard)), True
            self._selector.modify(client.connection, selectors.EVENT_WRITE)
            self._say(client)
        elif not piece:
            self._drop(client)

    def _say(self, client: _Client) -> None:
        sent = client.connection.send(client.to_say[:_PIECE])
        client.to_say = client.to_say[sent:]
        if not client.to_say:
            with suppress(OSError):
                client.connection.shutdown(socket.SHUT_WR)
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        self._clients.pop(client.connection, None)
        with suppress(KeyError, ValueError):
            self._selector.unregister(client.connection)
        client.connection.close()

    def _reply(self, heard: bytes) -> bytes:
        if len(heard) > _REQUEST_BYTES:
            return _written(_plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        words = heard.split(b"\n", 1)[0].decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _written(_plain(HTTPStatus.BAD_REQUEST))
        method, target, _ = words
        route = self._routes.get(target.partition("?")[0])
        if route is None:
            return _written(_plain(HTTPStatus.NOT_FOUND), head=method == "HEAD")
        if method not in {"GET", "HEAD"}:
            return _written(_plain(HTTPStatus.METHOD_NOT_ALLOWED), "Allow: GET, HEAD\r\n")
        try:
            answer = route()
        except Exception as error:  # noqa: BLE001 - the next one is to be answered all the same
            logs.get("health").error("health_answer_failed", exc_info=error)
            answer = _plain(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _written(answer, head=method == "HEAD")


def _plain(status: HTTPStatus) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode())


def _written(answer: Answer, more: str = "", *, head: bool = False) -> bytes:
    lines = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{more}Connection: close\r\n\r\n"
    )
    return lines.encode() + (b"" if head else answer.body)
