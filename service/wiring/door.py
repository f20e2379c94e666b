"""How much `serve` bears of strangers, from the settings and from what the system lets a process open."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

from service import logs
from service.web.server.connections import ConnectionLimits

if TYPE_CHECKING:
    from service.config import Settings

_FILES_BESIDE: Final = 256  # the database, the brokers, logs, what libraries open


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Those of the settings; fewer connections where the process may not open so many files, which is said."""
    wanted = settings.http_connections + settings.database_pool_size + _FILES_BESIDE
    possible = settings.http_connections - max(0, wanted - _files(wanted))
    if possible < settings.http_connections:
        possible = max(1, possible)
        remedy = "raise the limit of open files (ulimit -n, LimitNOFILE), or lower RETURNS_HTTP_CONNECTIONS"
        logs.get("serve").warning("fewer_connections", possible=possible, remedy=remedy)
    return ConnectionLimits(
        connections=possible,
        of_a_client=settings.http_connections_per_client,
        head_seconds=settings.http_header_seconds,
        body_seconds=settings.http_body_seconds,
    )


def _files(wanted: int) -> int:
    """How many files the process may have open; as many as wanted, where it may decide that by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):
        return soft
    return most
