"""HTTP, as much of it as a publisher needs: a connection a thread, kept open."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

_MOST_BYTES: Final = 4 * 1024 * 1024  # of an answer
_WITHOUT_A_WORD: Final = 1.0  # seconds to wait where an answer names none


class Answer(NamedTuple):
    """`retry_after` in seconds, as the server says or by default."""

    status: int
    body: bytes
    retry_after: float


class Client:
    """Asks one server, at `url`, a path below it included. A context manager; safe from any thread."""

    def __init__(self, url: str, seconds: float) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname or "", parts.port
        self._path, self._seconds = parts.path, seconds
        self._mine, self._all = threading.local(), list[http.client.HTTPConnection]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._all:
            connection.close()

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """None where no answer came: it is not known what became of the request."""
        return self._ask("POST", path, headers, body)

    def get(self, path: str) -> Answer | None:
        """Likewise."""
        return self._ask("GET", path, {}, None)

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer | None:
        connection = self._connection()
        try:
            connection.request(method, self._path + path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read(_MOST_BYTES)
            if answer.read(1):  # the rest of it is nothing that we asked for
                connection.close()
            return Answer(answer.status, content, _seconds(answer.getheader("retry-after")))
        except (OSError, http.client.HTTPException):
            connection.close()
            return None

    def _connection(self) -> http.client.HTTPConnection:
        known: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if known is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            known = self._mine.connection = kind(self._host, self._port, timeout=self._seconds)
            self._all.append(known)
        return known


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdecimal() and len(text) < 8 else _WITHOUT_A_WORD
