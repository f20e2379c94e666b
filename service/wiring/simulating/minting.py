"""Tokens for publishers that come and go: made as `token create` makes them, short-lived, and ended when they are done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final, NamedTuple, Self

from service import logs
from service.adapters.postgres.access.tokens import NewToken, find_caller, make_token, revoke_token
from service.adapters.postgres.database import connect
from service.adapters.postgres.working import WorkingConnection
from service.errors import Fatal, ServiceError
from service.simulator.public.publishers import Publisher

LASTS: Final = timedelta(hours=1)
_USED_SECONDS: Final = LASTS.total_seconds() / 2
_LABEL: Final = "simulator"


class _Token(NamedTuple):
    number: int
    token: str
    made_at: float


class Minting:
    """A context manager; at its end every token that it made is revoked. Safe from any thread."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._clock = url, clock
        self._current: dict[Publisher, _Token] = {}
        self._former: list[_Token] = []  # may still be on the way
        self._lock = threading.Lock()

    def token(self, publisher: Publisher) -> str:
        """The publisher's, a new one where the old one has been used for long. Raises ServiceError."""
        with self._lock:
            known, now = self._current.get(publisher), self._clock()
            if known is None or now - known.made_at > _USED_SECONDS:
                with connect(self._url, "returns-simulator") as connection:
                    made = self._current[publisher] = _made(connection, publisher, now)
                self._former = [old for old in self._former if now - old.made_at < LASTS.total_seconds()]
                self._former += [] if known is None else [known]
                return made.token
            return known.token

    def prepare(self, publishers: Iterable[Publisher]) -> None:
        """Make the tokens of these, all at once. Raises ServiceError."""
        with self._lock, connect(self._url, "returns-simulator") as connection:
            for publisher in publishers:
                if publisher not in self._current:
                    self._current[publisher] = _made(connection, publisher, self._clock())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        tokens = [*self._former, *self._current.values()]
        if not tokens:
            return
        try:
            with connect(self._url, "returns-simulator") as connection:
                for token in tokens:
                    revoke_token(connection, token.number)
        except ServiceError as error:
            # They end by themselves; what was played is not undone by it.
            logs.get("simulate").warning("tokens_not_revoked", tokens=len(tokens), cause=str(error))


def _made(connection: WorkingConnection, publisher: Publisher, now: float) -> _Token:
    new = NewToken((publisher.scope,), _LABEL, publisher.name, publisher.bounds, LASTS)
    token = make_token(connection, new)
    caller = find_caller(connection, token)
    if caller is None or caller.who.token_no is None:
        raise Fatal("a token that was just made is not there")
    return _Token(caller.who.token_no, token, now)
