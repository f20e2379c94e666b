"""Who may do what over HTTP: the scopes that a token carries."""

from __future__ import annotations

from typing import Final, Literal

Scope = Literal["read", "create", "scan", "hub", "ops"]

SCOPES: Final[dict[str, str]] = {
    "read": "ask for returns and their histories",
    "create": "create returns",
    "scan": "send a carrier's scans and deliveries of connotes",
    "hub": "record scans and decisions of a hub",
    "ops": "see and acknowledge exceptions, replay dead letters, void events",
}


def parse_scopes(text: str) -> frozenset[str]:
    """The scopes in a list separated by commas. Raises ValueError, naming the allowed ones."""
    scopes = frozenset(scope.strip() for scope in text.split(","))
    unknown = sorted(scopes - SCOPES.keys())
    if unknown:
        raise ValueError(f"no scope {', '.join(map(repr, unknown))}; there are {', '.join(SCOPES)}")
    return scopes
