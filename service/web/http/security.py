"""Who may ask: bearer tokens and the scopes that they carry."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from fastapi.requests import HTTPConnection
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from service.application.access.scopes import Scope, TokenScopes
from service.web.http.problems import Problem

TRUSTED_SECONDS: Final = 2.0  # so long a token may go on after it was revoked
_MOST_CHARACTERS: Final = 256  # no token is longer; a longer one is not worth a look-up
_MOST_TOKENS: Final = 10_000

_DESCRIPTION: Final = "A token made with `returns-status token create`. One that is revoked stops within two seconds."

# The token of a request, None without one; `Require` looks at it.
bearer = HTTPBearer(auto_error=False, bearerFormat="rts_...", description=_DESCRIPTION)


class Tokens:
    """What tokens allow, as of at most `TRUSTED_SECONDS` ago: who asks often is looked up seldom.

    Only valid tokens are remembered, as hashes; a new one works at once. To be used on the event loop.
    """

    def __init__(self, store: TokenScopes, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[frozenset[str], float]] = (
            OrderedDict()
        )  # scopes, until when; oldest first

    async def scopes_of(self, token: str) -> frozenset[str] | None:
        """What the token allows; None if it is not valid. Raises Retryable."""
        if len(token) > _MOST_CHARACTERS:
            return None
        digest = sha256(token.encode()).digest()
        scopes, until = self._known.get(digest, (None, 0.0))
        if self._monotonic() < until:
            return scopes
        # From before the question: the answer may be older than its arrival.
        until = self._monotonic() + TRUSTED_SECONDS
        self._known.pop(digest, None)
        scopes = await run_in_threadpool(self._store.scopes_of, token)
        if scopes is not None:
            self._known[digest] = scopes, until
            if len(self._known) > _MOST_TOKENS:
                self._known.popitem(last=False)
        return scopes


class Authenticated(HTTPBearer):
    """A dependency that lets a request pass whose token is valid, with one of these scopes if any are named; gives its scopes.

    One by itself, for OpenAPI too: to resolve a dependency takes as long as a query.
    """

    def __init__(self, one_of: Iterable[Scope] = ()) -> None:
        super().__init__(
            scheme_name=bearer.scheme_name, bearerFormat="rts_...", description=_DESCRIPTION, auto_error=False
        )
        self._one_of = tuple(one_of)

    async def __call__(self, request: HTTPConnection) -> frozenset[str]:  # type: ignore[override]
        credentials = await super().__call__(request)
        if credentials is None:
            raise _unauthorized("Send a token: `Authorization: Bearer ...`.", "Bearer")
        tokens: Tokens = request.app.state.tokens
        scopes = await tokens.scopes_of(credentials.credentials)
        if scopes is None:
            raise _unauthorized("The token is not valid.", 'Bearer error="invalid_token"')
        if self._one_of and scopes.isdisjoint(self._one_of):
            which = " or ".join(f"`{scope}`" for scope in self._one_of)
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "scope-missing",
                f"The token lacks the scope {which}.",
                {"www-authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(self._one_of)}"'},
            )
        return scopes


class Require(Authenticated):
    """A dependency that lets a request pass if its token carries the scope."""

    def __init__(self, scope: Scope) -> None:
        super().__init__((scope,))


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, {"www-authenticate": challenge})
