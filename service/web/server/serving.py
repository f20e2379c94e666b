"""How the application is served: the same for `serve`, for the tests and for what it is measured beside."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from service.addresses import Network
from service.web.server.connections import ConnectionLimits, Connections
from service.web.server.protocol import BoundedProtocol

_MOST_REMEMBERED: Final = 1024  # peers


def server_config(
    app: ASGIApp, limits: ConnectionLimits | None = None, proxies: Sequence[Network] = (), **given: Any
) -> uvicorn.Config:
    """Of a server that bears strangers within these limits, and believes these proxies for whom they ask."""
    bounds = limits or ConnectionLimits()
    connections = Connections(bounds, _among(proxies))

    def protocol(**of_uvicorn: Any) -> BoundedProtocol:
        return BoundedProtocol(connections, **of_uvicorn)

    return uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type] # it is called as a class is
        ws="none",
        log_config=None,
        access_log=False,  # the application logs requests itself, without query strings
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=[str(proxy) for proxy in proxies],
        timeout_keep_alive=bounds.idle_seconds,
        **given,
    )


def _among(proxies: Sequence[Network]) -> Callable[[str], bool]:
    @lru_cache(_MOST_REMEMBERED)
    def is_proxy(host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in proxies)

    return is_proxy
