"""A TCP proxy in front of PostgreSQL that cuts the connection around a COMMIT, where a test wants it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

Cut = Literal["before", "after"]


class CommitCutter:
    """Forwards bytes. Once armed, the next COMMIT is cut off: "before" the server gets it, or "after" the server has
    answered it, with that answer kept from the client.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
        self.url = urlunsplit(parts._replace(netloc=netloc))
        self._armed: list[Cut] = []
        self.cuts = 0
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self._threads[0].start()

    def arm(self, *cuts: Cut) -> None:
        """Cut the next COMMITs like this, one after the other."""
        self._armed += cuts

    @property
    def is_armed(self) -> bool:
        return bool(self._armed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            _close(each)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._open |= {client, server}
            # One thread for both directions of a connection's cut: they share what was seen.
            pair = _Pair(self, client, server)
            for run in (pair.upward, pair.downward):
                thread = threading.Thread(target=run, name="proxy")
                self._threads.append(thread)
                thread.start()

    def take(self) -> Cut:
        self.cuts += 1
        return self._armed.pop(0)


class _Pair:
    def __init__(self, cutter: CommitCutter, client: socket.socket, server: socket.socket) -> None:
        self._cutter, self._client, self._server = cutter, client, server
        self._swallow = threading.Event()

    def upward(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(65536):
                if self._cutter.is_armed and _is_commit(data):
                    if self._cutter.take() == "before":
                        break
                    self._swallow.set()
                self._server.sendall(data)
        if not self._swallow.is_set():
            self._end()

    def downward(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                if self._swallow.is_set():
                    break  # the server has committed: this is its answer
                self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        _close(self._client)
        _close(self._server)


def _is_commit(data: bytes) -> bool:
    # A simple or an extended query with nothing but this word in it.
    return b"COMMIT\0" in data


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class Middlebox:
    """A TCP proxy that forwards bytes until told to drop them; it goes on acknowledging them, as some firewalls do.

    What was connected while it dropped stays dead after the cure. `target` may be changed for connections to come.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._drops = False
        self._pipes: list[_Pipe] = []
        self._threads = [threading.Thread(target=self._accept, name="middlebox")]
        self._threads[0].start()

    @classmethod
    def before(cls, url: str) -> tuple[Middlebox, str]:
        """One in front of the server of a URL, and the URL that leads through it."""
        parts = urlsplit(url)
        box = cls(parts.hostname or "127.0.0.1", parts.port or 5432)
        return box, urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{box.port}"))

    def drop(self) -> None:
        """From now on nothing comes through, in neither direction."""
        self._drops = True
        for pipe in self._pipes:
            pipe.is_dead = True

    def cure(self) -> None:
        """New connections work again."""
        self._drops = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pipe in self._pipes:
            pipe.end()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target, 5)
            except OSError:
                _close(client)
                continue
            pipe = _Pipe(client, server, is_dead=self._drops)
            self._pipes.append(pipe)
            for ends in ((client, server), (server, client)):
                thread = threading.Thread(target=pipe.carry, args=ends, name="middlebox")
                self._threads.append(thread)
                thread.start()


class _Pipe:
    def __init__(self, client: socket.socket, server: socket.socket, *, is_dead: bool) -> None:
        self._ends = (client, server)
        self.is_dead = is_dead

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.is_dead:
                    sink.sendall(data)
        if not self.is_dead:
            self.end()

    def end(self) -> None:
        for each in self._ends:
            _close(each)
