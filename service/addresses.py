"""How servers are reached: addresses of PostgreSQL as libpq reads them, and of proxies in front of us."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SCHEMES: Final = ("postgresql://", "postgres://")
_WANTED: Final = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
_FORM: Final = "must be a URL like postgresql://user:password@host:port/database"


def wrong_with(url: str) -> str | None:
    """What is wrong with a database URL, in words that repeat nothing of it; None if nothing is.

    Several hosts stand in a row, host:port,host:port, and `target_session_attrs` says which of them will do.
    """
    scheme = next((each for each in _SCHEMES if url.startswith(each)), None)
    if scheme is None:
        return _FORM
    rest, _, query = url.removeprefix(scheme).partition("?")
    authority = rest.partition("/")[0]
    if authority.count("@") > 1:
        return "an @ in the user's name or password must be written %40"
    user, _, hosts = authority.rpartition("@")
    if any(bracket in user for bracket in "[]"):
        return _FORM
    if not all(_is_host(each) for each in hosts.split(",")):
        return f"{_FORM}, several hosts as host:port,host:port"
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        return f"{_FORM}?option=value&option=value"
    if not all(port.isdecimal() and 0 < int(port) < 65536 for port in options.get("port", "1").split(",")):
        return "port must be numbers, several separated by commas"
    if options.get("target_session_attrs", "any") not in _WANTED:
        return f"target_session_attrs must be one of {', '.join(_WANTED)}"
    return None


def _is_host(text: str) -> bool:
    """Whether it is [host][:port]; an address of IPv6 stands in brackets."""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not (address and bracket) or (rest and not rest.startswith(":")):
            return False
        host, colon, port = address, rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
    if any(character in unquote(host) for character in "[] "):
        return False
    return not colon or not port or (port.isdecimal() and 0 < int(port) < 65536)


def is_address(url: str) -> bool:
    """Whether pages can be found under it: http or https, a host, and no more than a port and a path."""
    try:
        scheme, netloc, _, query, fragment = urlsplit(url)
        host, port = urlsplit(url).hostname, urlsplit(url).port
    except ValueError:
        return False
    return scheme in {"http", "https"} and bool(host) and port != 0 and "@" not in netloc and not (query or fragment)


def networks_in(text: str | None) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas. Raises ValueError; everybody is no network."""
    try:
        found = tuple(ipaddress.ip_network(each.strip()) for each in (text or "").split(",") if each.strip())
    except ValueError:
        found = None
    if found is None or any(network.prefixlen == 0 for network in found):
        raise ValueError(
            "must be addresses or networks, separated by commas; whoever asks cannot be trusted to say who asks"
        )
    return found
