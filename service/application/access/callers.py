"""Who asks: whose token it is, and what it allows."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from service.application.access.bounds import Bounds


class Who(NamedTuple):
    """Whose token it is. `token_no` is None for a token that nobody knows, and for whoever has none."""

    token_no: int | None
    label: str

    @property
    def name(self) -> str:
        """What people call it; a token without a label is known by its number."""
        return self.label or f"token {self.token_no}"


NOBODY = Who(None, "")


class Caller(NamedTuple):
    """Somebody with a valid token: what it allows now, to what it is bound, and in whose name it sends events.

    `rate` is how many requests a minute it may make; None: as many as any token.
    """

    who: Who
    publisher: str
    scopes: frozenset[str]
    bounds: Bounds
    rate: int | None = None


class Callers(Protocol):
    """Whose tokens are."""

    def caller_of(self, token: str) -> Caller | None:
        """Who asks with this token; None where it is unknown, revoked or expired. Raises Retryable."""
