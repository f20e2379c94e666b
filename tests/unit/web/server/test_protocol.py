"""A server with strangers at the door: each test is one of them, on a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from service.web.server.connections import ConnectionLimits
from tests.support.loglines import logged
from tests.support.waiting import PATIENCE, eventually
from tests.support.web import served

pytestmark = pytest.mark.slow  # a server of its own for each, and what waits for time to pass

LIMITS = ConnectionLimits(
    connections=20, of_a_client=10, head_seconds=0.5, body_seconds=0.5, answer_seconds=0.5, idle_seconds=1
)
_AT_MOST = 6.0 * PATIENCE  # seconds, far above each limit
HOST = b"host: here\r\n"


class App:
    """Says how much it was sent, unless it was told otherwise by the path."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(scope["type"])
        self.begun.append(scope["path"])
        size, more = 0, scope["path"] not in {"/unread", "/large"}
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more = size + len(message["body"]), message["more_body"]
        if scope["path"] == "/slow":
            await asyncio.sleep(1.5)
        body = b"x" * 50_000_000 if scope["path"] == "/large" else str(size).encode()
        head = [(b"content-length", str(len(body)).encode())]
        head += [(b"x-client", scope["client"][0].encode()), (b"x-fields", str(len(scope["headers"])).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def port(app: App) -> Iterator[int]:
    with served(app, limits=LIMITS) as client:
        yield client.base_url.port or 0


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=_AT_MOST) as stranger:
        yield stranger


def heard(stranger: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    said = b""
    while piece := stranger.recv(65536):
        said += piece
    return said


def said(port: int, request: bytes) -> bytes:
    with connected(port) as stranger:
        stranger.sendall(request)
        return heard(stranger)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def get(path: str, *fields: bytes) -> bytes:
    return b"GET " + path.encode() + b" HTTP/1.1\r\n" + HOST + b"".join(fields) + b"\r\n"


LAST = b"connection: close\r\n"


def test_a_header_that_never_ends_is_refused_at_32_kib(port: int, app: App) -> None:
    # It was kept whatever its length, and at 100 MB the process answered nobody any more.
    with connected(port) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"x-endless: ")
        sent = 0
        with suppress(OSError):
            while sent < 50_000_000:
                stranger.sendall(b"x" * 8192)
                sent += 8192

    assert sent < 8_000_000
    assert app.begun == []


@pytest.mark.parametrize("pieces", (1, 40))
def test_a_header_that_is_too_long_is_told_so_however_it_comes(port: int, app: App, pieces: int) -> None:
    request = get("/", b"x-long: " + b"x" * 33_000 + b"\r\n")
    with connected(port) as stranger:
        for start in range(0, len(request), -(-len(request) // pieces)):
            stranger.sendall(request[start : start + -(-len(request) // pieces)])
        answer = heard(stranger)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert status(answer) == 431
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["type"] == "urn:returns-status:problem:header-too-large"
    assert app.begun == []


def test_a_header_that_is_just_not_too_long_is_answered(port: int) -> None:
    assert status(said(port, get("/", b"x-long: " + b"x" * 32_000 + b"\r\n", LAST))) == 200
    assert status(said(port, get("/", *(b"x-%d: 1\r\n" % number for number in range(250)), LAST))) == 200


def test_too_many_fields_are_refused(port: int) -> None:
    assert status(said(port, get("/", *(b"x-%d: 1\r\n" % number for number in range(300))))) == 431


@pytest.mark.parametrize(
    ("request_", "answered"),
    (
        (b"", False),
        (b"\r\n", False),
        (b"GET / HT", True),
        (b"GET / HTTP/1.1\r\n" + HOST + b"x: 1\r\n", True),
        (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 5\r\n\r\nab", True),
        (b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n", True),
    ),
)
def test_whoever_does_not_go_on_is_let_go(port: int, request_: bytes, *, answered: bool) -> None:
    began = time.monotonic()

    answer = said(port, request_)

    assert (status(answer) == 408) if answered else (answer == b"")
    assert time.monotonic() - began < _AT_MOST


@pytest.mark.parametrize("piece", (b"x", b"\r\n"))
def test_whoever_goes_on_forever_a_little_at_a_time_is_let_go(port: int, piece: bytes) -> None:
    with connected(port) as stranger:
        if piece == b"x":
            stranger.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"x: ")

        def is_over() -> bool:
            try:
                stranger.sendall(piece)
            except OSError:
                return True
            return False

        eventually(is_over, _AT_MOST, every=0.1)


def test_line_feeds_after_an_answer_keep_no_connection(port: int) -> None:
    with connected(port) as stranger:
        stranger.sendall(get("/") + b"\r\n")

        assert status(heard(stranger)) == 200


def test_trailers_are_no_headers_and_do_not_go_on_forever(port: int) -> None:
    chunked = b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n" + LAST + b"\r\n1\r\na\r\n0\r\n"
    answer = said(port, chunked + b"authorization: Bearer x\r\n\r\n")

    assert status(answer) == 200
    assert b"x-fields: 3\r\n" in answer
    assert status(said(port, chunked + b"x: " + b"x" * 70_000)) in {400, 408}


def test_only_so_many_requests_are_taken_ahead(port: int, app: App) -> None:
    with connected(port) as stranger:
        stranger.sendall(get("/slow") + get("/") * 5000)
        with suppress(OSError):
            heard(stranger)

    assert len(app.begun) <= 9


def test_some_requests_ahead_are_answered_in_order(port: int, app: App) -> None:
    answers = said(port, get("/a") + get("/slow") + get("/b") + get("/c", LAST))

    assert answers.count(b"HTTP/1.1 200 OK") == 4
    assert app.begun == ["/a", "/slow", "/b", "/c"]


def test_an_answer_that_nobody_reads_is_given_up(port: int) -> None:
    with connected(port) as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stranger.sendall(get("/large"))

        with pytest.raises(ConnectionError):
            eventually(lambda: stranger.sendall(b"x"), _AT_MOST, every=0.1)


def test_a_body_that_nobody_wants_is_not_read_and_the_answer_is_heard(port: int) -> None:
    with connected(port) as stranger:
        stranger.sendall(b"POST /unread HTTP/1.1\r\n" + HOST + b"content-length: 100000000\r\n\r\n" + b"x" * 200_000)

        assert b"HTTP/1.1 200 OK" in heard(stranger)


def test_a_client_has_so_many_connections_and_the_one_that_waited_longest_goes(port: int) -> None:
    strangers = [socket.create_connection(("127.0.0.1", port), timeout=_AT_MOST) for _ in range(LIMITS.of_a_client)]
    with connected(port) as late:
        late.sendall(get("/", LAST))

        assert status(heard(late)) == 200

    strangers[-1].sendall(get("/", LAST))
    assert status(heard(strangers[-1])) == 200
    with suppress(ConnectionError):
        assert strangers[0].recv(1) == b""
    for stranger in strangers:
        stranger.close()


def test_a_client_all_of_whose_connections_are_being_answered_gets_no_more(port: int, app: App) -> None:
    strangers = [socket.create_connection(("127.0.0.1", port), timeout=_AT_MOST) for _ in range(LIMITS.of_a_client)]
    for stranger in strangers:
        stranger.sendall(get("/slow", LAST))
    eventually(lambda: len(app.begun) == LIMITS.of_a_client)
    with logged() as lines:
        answer = said(port, get("/"))

        assert (status(answer), b"retry-after: 5\r\n" in answer) == (503, True)
        assert [status(heard(stranger)) for stranger in strangers] == [200] * LIMITS.of_a_client
        eventually(lambda: "connections_ended" in lines.getvalue())
    assert "crowded_client" in lines.getvalue()
    for stranger in strangers:
        stranger.close()


def test_behind_a_named_proxy_there_may_be_more_and_it_says_who_asks(app: App) -> None:
    with served(app, limits=LIMITS, proxies=[ip_network("127.0.0.1")]) as client:
        port = client.base_url.port or 0
        strangers = [
            socket.create_connection(("127.0.0.1", port), timeout=_AT_MOST) for _ in range(LIMITS.of_a_client + 5)
        ]
        for stranger in strangers:
            stranger.sendall(get("/slow", LAST, b"x-forwarded-for: 9.9.9.9, 192.0.2.7\r\n"))
        answers = [heard(stranger) for stranger in strangers]
        for stranger in strangers:
            stranger.close()

    assert {status(answer) for answer in answers} == {200}
    assert all(b"x-client: 192.0.2.7\r\n" in answer for answer in answers)


def test_who_is_no_named_proxy_speaks_for_itself_and_that_is_told_once(port: int) -> None:
    with logged() as lines:
        answers = [said(port, get("/", LAST, b"x-forwarded-for: 192.0.2.7\r\n")) for _ in range(3)]

    assert all(b"x-client: 127.0.0.1\r\n" in answer for answer in answers)
    assert lines.getvalue().count("forwarded_by_unknown_proxy") == 1


@pytest.mark.parametrize("nonsense", (b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET  HTTP/9\r\n\r\n", b"A" * 100_000))
def test_nonsense_is_refused_and_not_logged_each_time(port: int, app: App, nonsense: bytes) -> None:
    with logged() as lines:
        answer = said(port, nonsense)

    assert status(answer) in {400, 431}
    assert (app.begun, lines.getvalue()) == ([], "")


def test_another_protocol_is_not_spoken(port: int) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: websocket\r\n"

    answer = said(port, get("/", upgrade))

    assert (status(answer), b"connection: close" in answer) == (200, True)


def test_a_client_that_asks_again_and_again_is_answered_on_one_connection(app: App) -> None:
    with served(app, limits=LIMITS) as client:
        answers: list[Any] = [client.post("/", content=b"x" * (50_000 * (number % 3))) for number in range(30)]

    assert [int(answer.text) for answer in answers] == [50_000 * (number % 3) for number in range(30)]
