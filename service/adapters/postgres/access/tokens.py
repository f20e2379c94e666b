"""API tokens: made here, stored as hashes, found by hash."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from psycopg import Connection

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries

PREFIX: Final = "rts_"  # tells people and secret scanners what it is
_RANDOM_BYTES: Final = 32
_QUERIES: Final = load_queries("tokens.sql")


def digest(token: str) -> bytes:
    """What is stored of a token. It is random, not chosen by a person: a fast hash without salt is enough."""
    return sha256(token.encode()).digest()


def create_token(connection: Connection, scopes: Iterable[str], label: str = "", publisher: str = "") -> str:
    """Make a token with these scopes, store its hash and answer with the token: the only time it is seen.

    `publisher`: in whose name it sends events; without one they come from the token itself, by its number.
    """
    token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    with translated():
        connection.execute(_QUERIES["create_token"], (digest(token), sorted(scopes), label, publisher or None))
    return token


class Token(NamedTuple):
    """What is known of a token."""

    number: int
    label: str
    scopes: Sequence[str]
    created_at: datetime
    revoked_at: datetime | None


def list_tokens(connection: Connection) -> list[Token]:
    """All tokens that were ever made, in that order."""
    with translated():
        return [Token(*row) for row in connection.execute(_QUERIES["tokens"])]


def revoke_token(connection: Connection, number: int) -> bool:
    """End a token, and the sessions at the desk that began with it; False if there is none of this number."""
    with translated():
        return connection.execute(_QUERIES["revoke_token"], (number,)).fetchone() is not None


def scopes_of(connection: Connection, token: str) -> frozenset[str] | None:
    """The scopes of a valid token; None for an unknown or revoked one.

    The look-up compares hashes, so how long it takes tells nothing of how much of a guess is right.
    """
    with translated():
        row = connection.execute(_QUERIES["scopes_of"], (digest(token),)).fetchone()
    return None if row is None else frozenset(row[0])
