"""Errors as problem details (RFC 9457): every error of the API is one, those of the framework too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import takewhile
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from service import logs
from service.errors import ReadOnly, Retryable, ServiceError

MEDIA_TYPE: Final = "application/problem+json"
_TYPE: Final = "urn:returns-status:problem:"
# RFC 9110's names, which Python took over with 3.13.
_TITLES: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
LONGEST_BODY: Final = 512 * 1024  # of a request; an event may be half of that once it is written compactly
MOST_BYTES: Final = 256 * 1024  # of an answer that says what is wrong: half of what a request may be
_RETRY_AFTER_SECONDS: Final = "5"
_PROTECTED: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Problem(Exception):
    """An error to answer with. `word` is stable, for programs; `detail` is for people."""

    def __init__(
        self, status: HTTPStatus, word: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.word = word
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(description="Where: path, query or body, then the names that lead there.")
    detail: str


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="A URN that stays the same, for programs to tell problems apart.")
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(default=None, description="With 422: each thing that is wrong.")
    left_out: dict[str, int] | None = Field(
        default=None, description="Of a list that would be very long, by its name: how many more there are."
    )


def unavailable(detail: str) -> Problem:
    """A server that is needed does not answer: ask again."""
    headers = {"retry-after": _RETRY_AFTER_SECONDS}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, headers)


def title(status: HTTPStatus) -> str:
    """The name of a status."""
    return _TITLES.get(status.value, status.phrase)


def response(problem: Problem) -> Response:
    """The answer that a problem is."""
    headers = {"cache-control": "no-store", **problem.headers}
    return Response(body_of(problem), problem.status, headers, media_type=MEDIA_TYPE)


def body_of(problem: Problem) -> bytes:
    """The problem as JSON. Of lists that would make it longer than MOST_BYTES the end is left out, and told of."""
    body = {
        "type": _TYPE + problem.word,
        "title": title(problem.status),
        "status": problem.status.value,
        "detail": problem.detail,
        **problem.members,
    }
    lists = {name: value for name, value in problem.members.items() if isinstance(value, list)}
    room = MOST_BYTES - len(_json({**body, **dict.fromkeys(lists, ()), "left_out": dict.fromkeys(lists, 10**9)}))
    left_out = {}
    for number, (name, value) in enumerate(sorted(lists.items(), key=lambda each: len(each[1]))):
        # What a short list does not need, the longer ones have.
        fitting, taken = _fitting(value, room // (len(lists) - number))
        room -= taken
        if fitting < len(value):
            body[name], left_out[name] = value[:fitting], len(value) - fitting
    return _json({**body, "left_out": left_out} if left_out else body)


def _fitting(elements: Sequence[Any], room: int) -> tuple[int, int]:
    """How many of the elements fit into so many bytes, and how many bytes they take."""
    taken = 0
    for number, element in enumerate(elements):
        size = len(_json(element)) + 1
        if taken + size > room:
            return number, taken
        taken += size
    return len(elements), taken


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI part of these errors, with 401, 403, 429 and 503, which every protected call may answer."""
    every = sorted({*statuses, *_PROTECTED})
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status.value: {"description": title(status), "content": {MEDIA_TYPE: {"schema": schema}}} for status in every
    }


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    @app.exception_handler(Problem)
    def own(_: Request, problem: Problem) -> Response:
        return response(problem)

    @app.exception_handler(HTTPException)
    def of_framework(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        word = title(status).lower().replace(" ", "-")
        detail = {
            HTTPStatus.BAD_REQUEST: "The body cannot be read: JSON in UTF-8 is expected.",
            HTTPStatus.NOT_FOUND: "There is nothing at this address.",
            HTTPStatus.METHOD_NOT_ALLOWED: "This address does not know that method.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"The body is longer than {LONGEST_BODY} bytes.",
            HTTPStatus.SERVICE_UNAVAILABLE: "There is too much to do at the moment. Ask again.",
        }.get(status, title(status) + ".")
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["allow"] = ", ".join(_allowed(request))
        return response(Problem(status, word, detail, headers))

    @app.exception_handler(RequestValidationError)
    def of_request(_: Request, error: RequestValidationError) -> Response:
        # pydantic's messages say what is expected, not what came.
        errors = [{"field": _field(each["loc"]), "detail": each["msg"]} for each in error.errors()]
        problem = Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request is not valid: see errors.", errors=errors
        )
        return response(problem)

    @app.exception_handler(ServiceError)
    def of_service(request: Request, error: ServiceError) -> Response:
        if isinstance(error, Retryable):
            request.app.state.metrics.retries.labels(error.cause).inc()
            logs.get("web").warning("request_failed", cause=str(error))
            detail = "The database does not answer. Ask again."
            if isinstance(error, ReadOnly):
                detail = "The database takes no writes at the moment; nothing was done. Ask again."
            return response(unavailable(detail))
        logs.get("web").error("request_failed", cause=str(error))
        return response(internal())


def _field(location: Sequence[str | int]) -> str:
    """Where it is, up to what nobody would call a field: a member that we do not know has the name that somebody sent."""
    return ".".join(takewhile(_NAME.fullmatch, map(str, location)))


def _allowed(request: Request) -> list[str]:
    """Every method of the address; the framework names those of the first route at it alone."""
    routes = request.app.router.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def internal() -> Problem:
    """What went wrong is nobody's business but ours."""
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something went wrong here; it has been logged.")
