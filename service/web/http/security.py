"""Who may ask, and how often: bearer tokens, the scopes that they carry, and their rates."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final

from fastapi.requests import HTTPConnection, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from service.application.access.callers import Caller, Callers
from service.application.access.scopes import Scope
from service.errors import ServiceError
from service.web.http.bodies import CALLER
from service.web.http.limits import ALLOWANCE, Allowance, Limiter, Rate, client_of
from service.web.http.problems import Problem

TRUSTED_SECONDS: Final = 2.0  # so long a token may go on after it was revoked
_MOST_CHARACTERS: Final = 256  # no token is longer; a longer one is not worth a look-up
_MOST_TOKENS: Final = 10_000
_KNOWN_SECONDS: Final = 5.0  # so long a list of all tokens is believed

_DESCRIPTION: Final = (
    "A token made with `returns-status token create`. One that is revoked or expires stops "
    "within two seconds. Its rate stands in `RateLimit-Policy` and `RateLimit` of every answer."
)

# The token of a request, None without one; `Require` looks at it.
bearer = HTTPBearer(auto_error=False, bearerFormat="rts_...", description=_DESCRIPTION)


def digest_of(token: str) -> bytes:
    """What a token is known by, here and in the database."""
    return sha256(token.encode(errors="surrogatepass")).digest()


class Tokens:
    """What tokens allow, as of at most `TRUSTED_SECONDS` ago: who asks often is looked up seldom.

    Only valid tokens are remembered, as hashes; a new one works at once. To be used on the event loop.
    """

    def __init__(self, store: Callers, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()  # until when; oldest first

    def fresh(self, token: str) -> Caller | None:
        """Who asks, where that was looked up just now."""
        caller, until = self._known.get(digest_of(token), (None, 0.0))
        return caller if self._monotonic() < until else None

    async def caller_of(self, token: str) -> Caller | None:
        """Who asks; None if the token is not valid. Raises Retryable."""
        if len(token) > _MOST_CHARACTERS:
            return None
        digest = digest_of(token)
        caller, until = self._known.get(digest, (None, 0.0))
        if self._monotonic() < until:
            return caller
        # From before the question: the answer may be older than its arrival.
        until = self._monotonic() + TRUSTED_SECONDS
        self._known.pop(digest, None)
        caller = await run_in_threadpool(self._store.caller_of, token)
        if caller is not None:
            self._known[digest] = caller, until
            if len(self._known) > _MOST_TOKENS:
                self._known.popitem(last=False)
        return caller


class Guesses:
    """Clients whose tokens are not valid, and which tokens there are: to be used from any thread.

    `hashes` are those of all valid tokens; it is asked where somebody has failed too often, once in some seconds.
    """

    def __init__(
        self, rate: Rate, hashes: Callable[[], frozenset[bytes]], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = Limiter(rate, monotonic)
        self._hashes, self._monotonic = hashes, monotonic
        self._asking = threading.Lock()
        self._known: frozenset[bytes] = frozenset()
        self._known_at = float("-inf")

    def wait(self, client: str) -> int:
        """0, or the seconds until the client may try a token that nobody knows."""
        return self._failures.wait(client, take=False)

    def failed(self, client: str) -> None:
        """A token of the client's was not valid."""
        self._failures.wait(client)

    def is_token(self, token: str) -> bool:
        """Whether there was such a token a moment ago. What cannot be told is no."""
        now = self._monotonic()
        if now - self._known_at >= _KNOWN_SECONDS and self._asking.acquire(blocking=False):
            try:
                self._known, self._known_at = self._hashes(), now
            except ServiceError:
                self._known_at = now  # who waits is not to ask a server that is away, either
            finally:
                self._asking.release()
        return digest_of(token) in self._known


class Authenticated(HTTPBearer):
    """A dependency that lets a request pass whose token is valid, with one of these scopes if any are named; gives its caller.

    One by itself, for OpenAPI too: to resolve a dependency takes as long as a query.
    """

    def __init__(self, one_of: Iterable[Scope] = ()) -> None:
        super().__init__(
            scheme_name=bearer.scheme_name, bearerFormat="rts_...", description=_DESCRIPTION, auto_error=False
        )
        self._one_of = tuple(one_of)

    async def __call__(self, request: HTTPConnection) -> Caller:  # type: ignore[override]
        caller: Caller | None = request.scope.get(CALLER)
        if caller is None:
            credentials = await super().__call__(request)
            if credentials is None:
                raise _unauthorized("Send a token: `Authorization: Bearer ...`.", "Bearer")
            caller = await caller_of(request, credentials.credentials)
            if caller is None:
                raise _unauthorized("The token is not valid.", 'Bearer error="invalid_token"')
            request.scope[CALLER] = caller
        if self._one_of and caller.scopes.isdisjoint(self._one_of):
            raise scope_missing(self._one_of)
        return caller


class Require(Authenticated):
    """A dependency that lets a request pass if its token carries the scope."""

    def __init__(self, scope: Scope) -> None:
        super().__init__((scope,))


class TokenFirst(APIRoute):
    """A route that looks at the token before it takes anything of the body, which FastAPI does last.

    For every router with a route that has both.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        guards = [each.call for each in self.dependant.dependencies if isinstance(each.call, Authenticated)]

        async def checked(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            return await handler(request)

        return checked if guards and self.body_field is not None else handler


async def caller_of(request: HTTPConnection, token: str) -> Caller | None:
    """Who asks with this token, which is counted; None for one that is not valid.

    Raises Retryable, and the problem of a token that asks more often than its rate allows.
    """
    tokens: Tokens = request.app.state.tokens
    caller = tokens.fresh(token)
    if caller is None:
        guesses: Guesses = request.app.state.guesses
        client = client_of(request.client.host if request.client else None)
        # Who guesses waits, and nobody else who comes from there: a token that was made is no guess.
        if (waiting := guesses.wait(client)) and not await run_in_threadpool(guesses.is_token, token):
            detail = f"Too many tokens from this address were not valid. Ask again in {waiting} s."
            headers = {"retry-after": str(waiting)}
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many-failures", detail, headers)
        caller = await tokens.caller_of(token)
        if caller is None:
            guesses.failed(client)
    if caller is not None:
        allowance = counted(request, caller)
        if allowance.wait:
            detail = f"The token may make {allowance.limit} requests a minute. Ask again in {allowance.wait} s."
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", detail)
    return caller


def counted(request: HTTPConnection, caller: Caller) -> Allowance:
    """Count a request of the caller's; what is left stands in the headers of the answer, whatever that is."""
    limiter: Limiter = request.app.state.rates
    number = caller.who.token_no
    if number is not None:
        request.app.state.used(number)
    allowance = limiter.allowance(number, caller.rate)
    request.scope[ALLOWANCE] = allowance
    return allowance


def scope_missing(one_of: Sequence[Scope]) -> Problem:
    """The problem of a token that carries none of these scopes."""
    which = " or ".join(f"`{scope}`" for scope in one_of)
    challenge = f'Bearer error="insufficient_scope", scope="{" ".join(one_of)}"'
    return Problem(
        HTTPStatus.FORBIDDEN, "scope-missing", f"The token lacks the scope {which}.", {"www-authenticate": challenge}
    )


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, {"www-authenticate": challenge})
