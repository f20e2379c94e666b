"""Bounds the bodies of requests: nobody makes this process hold what it would only refuse."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.http.problems import Problem, response

MOST_BYTES: Final = 512 * 1024  # an event may be half of that once it is written compactly


class Bodies:
    """ASGI middleware: answers 413 where a body says or turns out to be longer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if said.isdigit() and int(said) > MOST_BYTES:
            await response(_too_large())(scope, receive, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MOST_BYTES:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, bounded, send)


def _too_large() -> Problem:
    detail = f"The body is longer than {MOST_BYTES} bytes."
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content-too-large", detail)
