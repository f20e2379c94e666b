"""Which servers the running test may reach: one that asks for none reaches none.

The ways to them are replaced once a run, not once a test: what thousands of tests do is cheap.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

import psycopg
import pytest

from deploy.local.process import PORTS

ANY: Final = frozenset({"kafka", "postgres"})
_PORTS: Final = {*PORTS, 9092}
_allowed = set(ANY)


def allow(servers: frozenset[str]) -> None:
    """From now on these may be reached, and no others."""
    _allowed.clear()
    _allowed.update(servers)


def guard(patch: pytest.MonkeyPatch) -> None:
    """Has every way to a server ask, until the patch is undone."""
    connect = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]

    def connect_if_allowed(cls: type[psycopg.Connection], *arguments: Any, **options: Any) -> Any:
        if "postgres" not in _allowed:
            pytest.fail("this test connects to PostgreSQL: ask for the fixture `database`")
        return connect(cls, *arguments, **options)

    patch.setattr(psycopg.Connection, "connect", classmethod(connect_if_allowed))
    patch.setattr(psycopg, "connect", psycopg.Connection.connect)
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _loopback_only(getattr(socket.socket, name)))


def _loopback_only(connect: Callable[..., Any]) -> Callable[..., Any]:
    """A test's own HTTP server may be talked to; it is not where brokers are (see deploy.local.process.PORTS)."""

    def checked(self: socket.socket, address: Any) -> Any:
        inet = "kafka" not in _allowed and self.family in {socket.AF_INET, socket.AF_INET6}
        if inet and (address[0] not in {"127.0.0.1", "::1", "localhost"} or address[1] in _PORTS):
            pytest.fail(f"this test connects to {address[0]}:{address[1]}: ask for the fixtures it needs")
        return connect(self, address)

    return checked
