"""One connection of `serve`: uvicorn's protocol over llhttp, with a bound on all that a stranger may make it hold.

By itself uvicorn 0.54 waits for ever for a header, keeps whatever part of it has come, and takes as many requests as are
sent ahead; ADR 30 says why it was not replaced. What is counted stands in `connections`.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from math import inf
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.web.http.problems import MEDIA_TYPE, Problem, body_of, title
from service.web.server.connections import Connections, Reason

_MOST_FIELDS: Final = 256  # of a header
_MOST_AHEAD: Final = 8  # requests that are sent before an earlier one is answered
_LINGER_SECONDS: Final = 2.0  # so long what still comes is thrown away, for our last words to be read
_LINGER_BYTES: Final = 1024 * 1024
_SPARE_BYTES: Final = 64 * 1024  # of a body that nobody wants any more, or of chunks with nothing in them
_CROWDED: Final = "There are too many connections. Come back later."


# What of a request is being read; plain numbers, for each field of a header is looked at.
_NOTHING: Final = 0
_HEAD: Final = 1
_BODY: Final = 2


class _OverError(Exception):
    """Leaves the parser: what is left of the bytes is of no interest."""


class _Transport:
    """The socket's transport, but for its end: while the client still sends it closes gently.

    What is unread when a socket is closed makes the kernel throw away what the client has not read yet, and that is why
    it was refused.
    """

    __slots__ = (
        "_protocol", "_real", "abort", "get_extra_info", "lingers", "pause_reading", "resume_reading", "write",
    )  # fmt: skip

    def __init__(self, real: asyncio.Transport, protocol: BoundedProtocol) -> None:
        self._real, self._protocol = real, protocol
        self.lingers = False
        self.write, self.abort, self.get_extra_info = real.write, real.abort, real.get_extra_info
        self.pause_reading, self.resume_reading = real.pause_reading, real.resume_reading

    def is_closing(self) -> bool:
        return self.lingers or self._real.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self.lingers = self._protocol.is_amid_request and self._real.can_write_eof()
        self._protocol.closes(gently=self.lingers)
        if self.lingers:
            self._real.write_eof()
        else:
            self._real.close()


class BoundedProtocol(HttpToolsProtocol):
    """Of uvicorn's protocol what is not said here stays: it makes the scope, and runs the application."""

    flow: Any
    cycle: Any

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._connections, self._limits = connections, connections.limits
        self._reading = _NOTHING
        self._until = self._stalled = inf  # when the client, or the reading of an answer, has had its time
        self._head = self._fields = 0  # bytes of the header that came as fields, and their number
        self._raw = 0  # bytes since the header began, or since the body last had something in it
        self._spare = 0  # bytes that came and are of no use
        self._is_refused = self._body_came = False

    # What the server calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Transport(transport, self))  # type: ignore[arg-type]
        host = self.client[0] if self.client else ""
        refused = self._connections.admit(self, host)
        self._until = self._connections.now + self._limits.head_seconds
        if refused is not None:
            self._refuse(None, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", _CROWDED)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.left(self)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            self._throw_away(data)
            return
        self._unset_keepalive_if_required()
        before, self._body_came = self._reading, False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # no other protocol is spoken here, and the parser has stopped
        except httptools.HttpParserError:
            if not self._is_refused:
                detail = "This is no HTTP request that can be understood."
                self._refuse(None, HTTPStatus.BAD_REQUEST, "bad-request", detail)
            return
        self._look_at_raw(before, len(data))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self._connections.now + self._limits.answer_seconds

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled = inf

    # What the parser calls.

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= _MOST_AHEAD:
            self._refuse("pipelined", HTTPStatus.BAD_REQUEST, "bad-request", "Too many requests are sent ahead.")
            raise _OverError
        self._reading, self._head, self._fields, self._raw = _HEAD, 0, 0, 0
        self._until = self._connections.now + self._limits.head_seconds
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head += len(url)
        self._check_head()
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading != _HEAD:
            return  # a trailer: nobody asked for one, and it is not to be taken for a header
        self._head += len(name) + len(value) + 4
        self._fields += 1
        if self._head > self._limits.head_bytes or self._fields > _MOST_FIELDS:
            self._check_head()
        name = name.lower()
        if name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif name == b"x-forwarded-for" and self.client:
            self._connections.forwarded(self.client[0])
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._reading, self._raw, self._spare = _BODY, 0, 0
        self._until = self._connections.now + self._limits.body_seconds
        self._connections.works(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_came = True
        if self.cycle.response_complete:
            self._spare += len(body)
            if self._spare > _SPARE_BYTES:
                self._is_refused = True
                self._connections.ended("unread")
                self.transport.close()
                raise _OverError
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading, self._until = _NOTHING, inf
        super().on_message_complete()
        if self.cycle.response_complete:
            self._connections.waits(self)

    # What the answer calls.

    def on_response_complete(self) -> None:
        is_next = not self.pipeline and self._reading != _BODY
        super().on_response_complete()
        if is_next:
            self._connections.waits(self)

    # What `connections` calls.

    def look(self, now: float) -> None:
        """End what has had its time."""
        if now > self._stalled:
            self._connections.ended("unread")
            self.transport.abort()
        elif now > self._until:
            self._expire()

    def evict(self) -> None:
        """End a connection that waits for its client."""
        self.transport.abort()

    # Ends.

    @property
    def is_amid_request(self) -> bool:
        """Whether more may come of what the client is sending."""
        return self._is_refused or self._reading != _NOTHING

    def closes(self, *, gently: bool) -> None:
        """From now on the connection only ends: it has as long for that as reading an answer may take."""
        self._stalled = inf
        self._until = self._connections.now + (_LINGER_SECONDS if gently else self._limits.answer_seconds)
        self._spare = 0
        if gently:
            self.flow.resume_reading()  # to throw it away

    def _expire(self) -> None:
        if self.transport.is_closing():
            self.transport.abort()
        elif self.flow.read_paused:
            self._until = self._connections.now + self._limits.body_seconds  # it is we who wait
        elif self._reading == _NOTHING:
            self._connections.ended("too_slow")
            self.transport.close()
        else:
            part = "header" if self._reading == _HEAD else "body"
            detail = f"The {part} of the request did not come in time."
            self._refuse("too_slow", HTTPStatus.REQUEST_TIMEOUT, "request-timeout", detail)

    def _look_at_raw(self, before: int, length: int) -> None:
        """Bounds what comes without becoming a field or a part of the body: the parser keeps half a field."""
        if self._is_refused:
            return
        if self._reading == _NOTHING:
            if self._until == inf and (self.cycle is None or self.cycle.response_complete):
                self._until = self._connections.now + self._limits.head_seconds  # line feeds, before a request
            return
        if before != self._reading:
            return
        self._raw = 0 if self._body_came else self._raw + length
        if self._reading == _HEAD and self._raw > self._limits.head_bytes:
            self._too_large()
        elif self._reading == _BODY and self._raw > _SPARE_BYTES:
            self._refuse("chunks", HTTPStatus.BAD_REQUEST, "bad-request", "The chunks of the body hold nothing.")

    def _check_head(self) -> None:
        if self._head > self._limits.head_bytes or self._fields > _MOST_FIELDS:
            self._too_large()
            raise _OverError

    def _too_large(self) -> None:
        detail = f"The header is longer than {self._limits.head_bytes} bytes, or has more than {_MOST_FIELDS} fields."
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self._refuse("head_too_large", status, "header-too-large", detail)

    def _refuse(self, reason: Reason | None, status: HTTPStatus, word: str, detail: str) -> None:
        """Say why, unless an answer is being given, and let go of the connection."""
        self._is_refused = True
        if reason is not None:
            self._connections.ended(reason)
        cycle = self.cycle
        is_answering = cycle is not None and not cycle.response_complete
        if self.pipeline or (is_answering and (self._reading == _HEAD or cycle.response_started)):
            self.transport.abort()
            return
        if is_answering:  # it waits for a body that will not come
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(self._last_words(Problem(status, word, detail)))
        self.transport.close()

    def _last_words(self, problem: Problem) -> bytes:
        body = body_of(problem)
        head = (
            f"HTTP/1.1 {problem.status.value} {title(problem.status)}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n"
        )
        more = "retry-after: 5\r\n" if problem.status is HTTPStatus.SERVICE_UNAVAILABLE else ""
        dated = b"".join(name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers)
        return head.encode() + more.encode() + dated + b"connection: close\r\n\r\n" + body

    def _throw_away(self, data: bytes) -> None:
        self._spare += len(data)
        if self._spare > _LINGER_BYTES:
            self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing to warn of: anybody may ask for it."""
