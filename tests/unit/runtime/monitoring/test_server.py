"""The server of probes and scrapes: what it answers, and that nobody can make it wait."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
import time
from collections.abc import Iterator
from email.message import Message
from http.client import HTTPConnection
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from service.errors import Fatal
from service.runtime.monitoring import server as serving
from service.runtime.monitoring.server import Answer, HealthServer
from tests.support.waiting import eventually

BIG = b"x" * 5_000_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HealthServer]:
    monkeypatch.setattr(serving, "_LOOK_SECONDS", 0.02)  # so that it closes as soon

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


class Reply(NamedTuple):
    status_code: int
    headers: Message
    content: bytes


def ask(server: HealthServer, method: str, path: str) -> Reply:
    with contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())


def connect(server: HealthServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def say(server: HealthServer, said: bytes) -> bytes:
    """All that comes back."""
    with connect(server) as connection:
        connection.sendall(said)
        return b"".join(iter(lambda: connection.recv(65536), b""))


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


@pytest.mark.parametrize(
    ("said", "status", "more", "length", "body"),
    (
        ("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "503 Service Unavailable", "", 16, '{"ready": false}'),
        ("HEAD /readyz HTTP/1.0\r\n\r\n", "503 Service Unavailable", "", 16, ""),
        ("GET /livez HTTP/1.1\nHost: x\nAccept: */*\n\n", "200 OK", "", 2, "{}"),
        ("GET /nowhere HTTP/1.1\r\n\r\n", "404 Not Found", "", 10, "Not Found\n"),
        ("HEAD /nowhere HTTP/1.1\r\n\r\n", "404 Not Found", "", 10, ""),
        ("HEAD /broken HTTP/1.1\r\n\r\n", "500 Internal Server Error", "", 22, ""),
        (
            "POST /livez HTTP/1.1\r\n\r\n",
            "405 Method Not Allowed",
            "Allow: GET, HEAD\r\n",
            19,
            "Method Not Allowed\n",
        ),
        ("GET /livez HTTP/2\r\n\r\n", "400 Bad Request", "", 12, "Bad Request\n"),
        ("GET /livez\r\n\r\n", "400 Bad Request", "", 12, "Bad Request\n"),
    ),
)
def test_an_answer_says_what_it_is_and_ends_the_connection(
    server: HealthServer, said: str, status: str, more: str, length: int, body: str
) -> None:
    kind = "application/json" if status[:3] in {"200", "503"} else "text/plain; charset=utf-8"

    with capture_logs():  # the console's tracebacks take their time
        answer = say(server, said.encode())

    assert answer.decode() == (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n"
        f"X-Content-Type-Options: nosniff\r\n{more}Connection: close\r\n\r\n{body}"
    )


def test_a_request_may_come_in_pieces(server: HealthServer) -> None:
    with connect(server) as connection:
        for piece in (b"GET /li", b"vez HTTP/1.1\r\nHost: x\r\n"):
            connection.sendall(piece)
            eventually(lambda: [c for c in server._clients.values() if c.heard.endswith(piece)])  # noqa: B023 - at once
        connection.sendall(b"\r\n")

        assert connection.recv(12) == b"HTTP/1.1 200"


def test_of_a_request_eight_kibibytes_are_looked_at(server: HealthServer) -> None:
    head = b"GET /livez HTTP/1.1\r\nx: "
    longest = head + b"y" * (8192 - len(head) - 4) + b"\r\n\r\n"
    assert say(server, longest).startswith(b"HTTP/1.1 200")

    with connect(server) as connection:
        connection.sendall(head + b"y" * (8192 - len(head)))
        eventually(lambda: [len(client.heard) for client in server._clients.values()] == [8192])
        connection.sendall(b"\r\n\r\n")

        assert connection.recv(12) == b"HTTP/1.1 431"


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
    with capture_logs() as lines:
        answer = ask(server, "GET", "/broken")

    assert (answer.status_code, answer.content) == (500, b"Internal Server Error\n")
    (line,) = lines
    assert (line["event"], line["log_level"], line["part"]) == ("health_answer_failed", "error", "health")
    assert isinstance(line["exc_info"], ValueError)


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
            assert time.monotonic() - began < 4  # one that has to wait for another waits for longer


def test_a_client_whose_way_is_narrow_keeps_nobody_waiting(server: HealthServer) -> None:
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        eventually(lambda: server._clients)
        next(iter(server._clients)).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        slow.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")  # and reads nothing of it

        assert ask(server, "GET", "/livez").status_code == 200


def test_when_one_too_many_comes_the_one_that_has_been_here_longest_goes(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_CLIENTS", 3)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(3)]
        eventually(lambda: len(server._clients) == 3)

        clients.append(stack.enter_context(connect(server)))

        assert clients.pop(0).recv(10) == b""
        for client in clients:
            client.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"


def test_clients_that_break_off_keep_nobody_from_an_answer(server: HealthServer) -> None:
    for said in (b"", b"GET /li", b"GET /metrics HTTP/1.1\r\n\r\n"):
        for is_reset in (True, False):
            with connect(server) as connection:
                connection.sendall(said)
                eventually(lambda: len(server._clients) == 1)
                if is_reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            eventually(lambda: not server._clients)

    assert ask(server, "GET", "/livez").status_code == 200


def test_a_connection_that_cannot_be_taken_is_taken_a_moment_later(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, failures = socket.socket.accept, [OSError(errno.EMFILE, "Too many open files")]

    def accept_later(listener: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", accept_later)

    assert ask(server, "GET", "/livez").status_code == 200
    assert not failures


def test_it_listens_by_ipv6_too(server: HealthServer) -> None:
    del server  # it is here so that the other one closes as soon
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")

    with (
        contextlib.closing(HealthServer("::1", 0, {})) as other,
        socket.create_connection(("::1", other.port), timeout=5) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 404"


def test_closed_it_lets_go_of_its_clients_and_of_its_port(server: HealthServer) -> None:
    port = server.port
    with connect(server) as connection:
        eventually(lambda: server._clients)

        server.close()

        assert connection.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_its_thread_keeps_no_process_alive(server: HealthServer) -> None:
    assert server.port
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "health-server"] == [True]


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
