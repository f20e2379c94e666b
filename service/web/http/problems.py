"""Errors as problem details (RFC 9457): every error of the API is one, those of the framework too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import takewhile
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
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


def unavailable(detail: str) -> Problem:
    """A server that is needed does not answer: ask again."""
    headers = {"retry-after": _RETRY_AFTER_SECONDS}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, headers)


def title(status: HTTPStatus) -> str:
    """The name of a status."""
    return _TITLES.get(status.value, status.phrase)


def response(problem: Problem) -> JSONResponse:
    """The answer that a problem is."""
    body = {
        "type": _TYPE + problem.word,
        "title": title(problem.status),
        "status": problem.status.value,
        "detail": problem.detail,
        **problem.members,
    }
    headers = {"cache-control": "no-store", **problem.headers}
    return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)


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
    def own(_: Request, problem: Problem) -> JSONResponse:
        return response(problem)

    @app.exception_handler(HTTPException)
    def of_framework(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        word = title(status).lower().replace(" ", "-")
        detail = {
            HTTPStatus.BAD_REQUEST: "The body cannot be read: JSON in UTF-8 is expected.",
            HTTPStatus.NOT_FOUND: "There is nothing at this address.",
            HTTPStatus.METHOD_NOT_ALLOWED: "This address does not know that method.",
        }.get(status, title(status) + ".")
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["allow"] = ", ".join(_allowed(request))
        return response(Problem(status, word, detail, headers))

    @app.exception_handler(RequestValidationError)
    def of_request(_: Request, error: RequestValidationError) -> JSONResponse:
        # pydantic's messages say what is expected, not what came.
        errors = [{"field": _field(each["loc"]), "detail": each["msg"]} for each in error.errors()]
        problem = Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request is not valid: see errors.", errors=errors
        )
        return response(problem)

    @app.exception_handler(ServiceError)
    def of_service(request: Request, error: ServiceError) -> JSONResponse:
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
