"""API tokens: made here, stored as hashes, found by hash."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

from psycopg import Connection

from service.adapters.postgres.access.command_log import note_command
from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.application.access.audit import Action
from service.application.access.bounds import UNBOUND, Bounds
from service.application.access.callers import Caller, Who

PREFIX: Final = "rts_"  # tells people and secret scanners what it is
# What is read of a token, for `caller`, and which tokens are valid.
CALLER: Final[Mapping[str, str]] = {
    "caller": "tokens.token_no, tokens.label, coalesce(tokens.publisher, 'token-' || tokens.token_no), tokens.scopes, "
    "tokens.retailers, tokens.carriers, tokens.hubs, tokens.rate",
    "valid": "tokens.revoked_at IS NULL AND (tokens.expires_at IS NULL OR tokens.expires_at > now())",
}
_RANDOM_BYTES: Final = 32
_MOST_HASHES: Final = 100_000
_QUERIES: Final = load_queries("tokens.sql", CALLER)


def digest(token: str) -> bytes:
    """What is stored of a token. It is random, not chosen by a person: a fast hash without salt is enough."""
    return sha256(token.encode()).digest()


class NewToken(NamedTuple):
    """A token to be.

    `publisher`: in whose name it sends events; without one they come from the token itself, by its number. `expires`: after
    how long it ends. `rate`: requests a minute, where it is not that of every token.
    """

    scopes: Iterable[str]
    label: str = ""
    publisher: str = ""
    bounds: Bounds = UNBOUND
    expires: timedelta | None = None
    rate: int | None = None


def create_token(connection: Connection, scopes: Iterable[str], label: str = "", publisher: str = "") -> str:
    """`make_token` of one that is not bound."""
    return make_token(connection, NewToken(scopes, label, publisher))


def make_token(connection: Connection, new: NewToken) -> str:
    """Make a token, store its hash and answer with the token: the only time it is seen. That it was made is noted."""
    token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    bounds = {kind: sorted(getattr(new.bounds, kind)) or None for kind in ("retailers", "carriers", "hubs")}
    row: dict[str, Any] = {**new._asdict(), **bounds, "hash": digest(token), "publisher": new.publisher or None}
    with translated(), connection.transaction():
        (number,) = _row(connection.execute(_QUERIES["create_token"], {**row, "scopes": sorted(new.scopes)}).fetchone())
        note_command(connection, Action.TOKEN_CREATED, str(number))
    return token


class Token(NamedTuple):
    """What is known of a token; of its last use to the minute."""

    caller: Caller
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None


def list_tokens(connection: Connection) -> list[Token]:
    """All tokens that were ever made, in that order."""
    with translated():
        return [Token(caller(row[:-4]), *row[-4:]) for row in connection.execute(_QUERIES["tokens"])]


def revoke_token(connection: Connection, number: int) -> bool:
    """End a token, and the sessions at the desk that began with it; False if there is none of this number."""
    with translated(), connection.transaction():
        if connection.execute(_QUERIES["revoke_token"], (number,)).fetchone() is None:
            return False
        note_command(connection, Action.TOKEN_REVOKED, str(number))
    return True


def find_caller(connection: Connection, token: str) -> Caller | None:
    """Whose valid token it is; None for an unknown, revoked or expired one.

    The look-up compares hashes, so how long it takes tells nothing of how much of a guess is right.
    """
    with translated():
        row = connection.execute(_QUERIES["caller_of"], (digest(token),)).fetchone()
    return None if row is None else caller(row)


def valid_hashes(connection: Connection) -> frozenset[bytes]:
    """What is stored of all valid tokens; of very many, the newest."""
    with translated():
        return frozenset(bytes(found) for (found,) in connection.execute(_QUERIES["valid_hashes"], (_MOST_HASHES,)))


def note_use(connection: Connection, used: Mapping[int, datetime]) -> None:
    """Keep when these tokens were used last, by their numbers."""
    connection.execute(_QUERIES["note_use"], {"numbers": list(used), "times": list(used.values())})


def caller(row: tuple[Any, ...]) -> Caller:
    """Whoever the columns of CALLER tell of."""
    number, label, publisher, scopes, retailers, carriers, hubs, rate = row
    bounds = Bounds(frozenset(retailers or ()), frozenset(carriers or ()), frozenset(hubs or ()))
    return Caller(Who(number, label), publisher, frozenset(scopes), bounds, rate)


def _row(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:
        raise ValueError("an INSERT that returns gives a row")
    return row
