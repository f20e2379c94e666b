"""Who may ask: bearer tokens and the scopes that they carry."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.application.access import Scope
from service.application.tracking import Reading
from service.web.problems import Problem

_MOST_CHARACTERS = 256  # no token is longer; a longer one is not worth a look-up

# The token of a request, None without one; `require` looks at it.
bearer = HTTPBearer(
    auto_error=False, bearerFormat="rts_...", description="A token made with `returns-status token create`."
)


def reading(request: Request) -> Reading:
    """The store of this application."""
    found: Reading = request.app.state.reading
    return found


def require(scope: Scope) -> Callable[..., None]:
    """A dependency that lets a request pass if its token carries the scope."""

    def check(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        store: Annotated[Reading, Depends(reading)],
    ) -> None:
        if credentials is None:
            raise _unauthorized("Send a token: `Authorization: Bearer ...`.", "Bearer")
        token = credentials.credentials
        scopes = store.scopes_of(token) if len(token) <= _MOST_CHARACTERS else None
        if scopes is None:
            raise _unauthorized("The token is not valid.", 'Bearer error="invalid_token"')
        if scope not in scopes:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "scope-missing",
                f"The token lacks the scope `{scope}`.",
                {"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )

    return check


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, {"www-authenticate": challenge})
