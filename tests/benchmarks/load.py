"""`python -m tests.benchmarks.load PORT PATHS SECONDS CONNECTIONS`: how many requests a second a server answers.

Keeps each connection busy: the next request goes out when the answer is in. Nothing is parsed but the status and the
length, so that the client takes a small part of the time that the server takes. The token is in BENCH_TOKEN.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_MOST_BYTES = 1 << 16


class _Connection:
    """One connection with one request at a time."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._received = b""
        self._began = 0.0

    def ask(self) -> None:
        self._began = time.perf_counter()
        self.socket.sendall(next(self._requests))

    def answered(self) -> float | None:
        """Seconds of the answer that is complete now; None while there is more to come. Raises on any but 200."""
        received = self.socket.recv(_MOST_BYTES)
        if not received:
            raise RuntimeError("the server hung up")
        self._received += received
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank:
            return None
        length = _LENGTH.search(head + b"\r\n")
        if not head.startswith(b"HTTP/1.1 200 ") or length is None:
            raise RuntimeError(head.decode(errors="replace"))
        if len(body) < int(length[1]):
            return None
        self._received = b""
        return time.perf_counter() - self._began


def load(port: int, requests: Iterator[bytes], seconds: float, connections: int) -> dict[str, float | list[float]]:
    """Answers a second, the seconds that each took, and the client's own CPU seconds."""
    took: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = _Connection(port, requests)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask()
        began, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            for key, _ in selector.select(1.0):
                seconds_taken = key.data.answered()
                if seconds_taken is not None:
                    took.append(seconds_taken)
                    key.data.ask()
        elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    if not took:
        raise RuntimeError("no answer at all")
    return {"per_second": len(took) / elapsed, "cpu": cpu / elapsed, "seconds": took}


def requests_for(paths: list[str], token: str) -> Iterator[bytes]:
    """GET for each path in turn, for ever."""
    head = f"host: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n"
    return itertools.cycle([f"GET {path} HTTP/1.1\r\n{head}".encode() for path in paths])


if __name__ == "__main__":
    port, file, seconds, connections = sys.argv[1:]
    paths = Path(file).read_text().split()
    result = load(int(port), requests_for(paths, os.environ["BENCH_TOKEN"]), float(seconds), int(connections))
    print(json.dumps(result))
