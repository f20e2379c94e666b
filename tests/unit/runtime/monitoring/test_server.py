"""The server of probes and scrapes: what it answers, and that nobody can make it wait."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from service.errors import Fatal
from service.runtime.monitoring.server import Answer, HealthServer
from tests.support.waiting import eventually

BIG = b"x" * 5_000_000


@pytest.fixture
def server() -> Iterator[HealthServer]:
    def broken() -> Answer:
        raise ValueError("a secret")

    routes = {
        "/livez": lambda: Answer(200, "application/json", b"{}"),
        "/readyz": lambda: Answer(503, "application/json", b'{"ready": false}'),
        "/metrics": lambda: Answer(200, "text/plain", BIG),
        "/broken": broken,
    }
    with contextlib.closing(HealthServer("127.0.0.1", 0, routes)) as server:
        yield server


def ask(server: HealthServer, method: str, path: str) -> httpx.Response:
    return httpx.request(method, f"http://127.0.0.1:{server.port}{path}", timeout=2)


def connect(server: HealthServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def test_it_answers_at_its_paths_and_nowhere_else(server: HealthServer) -> None:
    statuses = {
        path: ask(server, "GET", path).status_code for path in ("/livez", "/readyz", "/livez?verbose", "/metrics")
    }

    assert statuses == {"/livez": 200, "/readyz": 503, "/livez?verbose": 200, "/metrics": 200}
    for path in ("/", "/livez/", "/livezz", "/favicon.ico", "//livez"):
        assert ask(server, "GET", path).status_code == 404
    assert ask(server, "GET", "/metrics").content == BIG


def test_head_has_no_body_and_other_methods_are_refused(server: HealthServer) -> None:
    head, post = ask(server, "HEAD", "/readyz"), ask(server, "POST", "/livez")

    assert (head.status_code, head.content, head.headers["content-length"]) == (503, b"", "16")
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD")


def test_what_is_no_request_is_told_so(server: HealthServer) -> None:
    for sent, status in (
        (b"hello\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nx: " + b"y" * 9000, b"431"),
    ):
        with connect(server) as connection:
            connection.sendall(sent)
            assert connection.recv(100).split()[1] == status


def test_an_answer_that_cannot_be_made_shows_nothing_of_why(server: HealthServer) -> None:
    answer = ask(server, "GET", "/broken")

    assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")


def test_slow_and_silent_clients_keep_nobody_waiting(server: HealthServer) -> None:
    with contextlib.ExitStack() as slow:
        for number in range(100):
            connection = slow.enter_context(connect(server))
            if number % 2:
                connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" if number % 4 == 1 else b"GET /li")
            began = time.monotonic()
            with connect(server) as prober:
                prober.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
                assert prober.recv(12) == b"HTTP/1.1 200"
            assert time.monotonic() - began < 1


def test_a_client_that_says_nothing_is_sent_away_and_nothing_is_left_of_it(server: HealthServer) -> None:
    clock = [0.0]
    server._clock = lambda: clock[0]
    with connect(server) as connection:
        eventually(lambda: len(server._clients) == 1)
        clock[0] = 6.0

        assert connection.recv(10) == b""
        eventually(lambda: not server._clients)


def test_it_says_where_it_cannot_listen_and_leaves_no_thread(server: HealthServer) -> None:
    with pytest.raises(Fatal, match=f"cannot listen for metrics on 127.0.0.1:{server.port}"):
        HealthServer("127.0.0.1", server.port, {})
    server.close()

    assert [thread for thread in threading.enumerate() if thread.name == "health-server"] == []
