"""How often a client may ask, anybody for a number, and whoever has a token: buckets in the memory of this process.

A bucket holds `burst` tickets and gets `per_minute` of them a minute; a request takes one of each bucket that it is of. Several web processes each keep their own, so together they let through as many times more. A bucket that is
full again says nothing and is forgotten; of very many, those that were asked longest ago go first, and a long key stands
as its digest: so much memory it takes and no more.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import Final, NamedTuple

_MOST_BUCKETS: Final = 100_000
_LONGEST_KEY: Final = 64  # characters of a text
ALLOWANCE: Final = "returns.allowance"  # of the request's token, in its ASGI scope
_IPV6_SITE: Final = 64  # bits; a household, or one machine of a data centre, has that many addresses to ask from


class Rate(NamedTuple):
    """What a bucket allows."""

    per_minute: float
    burst: int


class Allowance(NamedTuple):
    """What a bucket says: `limit` requests a minute, so many `remaining` now, full again after `reset` seconds; `wait` is 0,
    or the whole seconds until there is one again.
    """

    limit: int
    remaining: int
    reset: int
    wait: int

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers names them, with Retry-After where there is nothing left."""
        headers = {
            "ratelimit-policy": f'"token";q={self.limit};w=60',
            "ratelimit": f'"token";r={self.remaining};t={self.reset}',
        }
        return headers | ({"retry-after": str(self.wait)} if self.wait else {})


class Limiter:
    """Buckets by key, of one rate unless a key has its own. Safe to use from many threads."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # tokens, as of when

    def wait(self, key: Hashable, *, take: bool = True) -> int:
        """Take a ticket, or only look whether there is one: 0, or the whole seconds until there is."""
        return self._taken(key, self._rate, take=take)[0]

    def allowance(self, key: Hashable, per_minute: int | None = None) -> Allowance:
        """Take a ticket, and tell what is left; `per_minute` is the key's own rate, all of which it may use at once."""
        rate = self._rate if per_minute is None else Rate(per_minute, per_minute)
        waiting, tickets = self._taken(key, rate, take=True)
        full = math.ceil((rate.burst - tickets) / (rate.per_minute / 60))
        return Allowance(math.floor(rate.per_minute), math.floor(tickets), full, waiting)

    def _taken(self, key: Hashable, rate: Rate, *, take: bool) -> tuple[int, float]:
        if isinstance(key, str) and len(key) > _LONGEST_KEY:
            key = sha256(key.encode(errors="surrogatepass")).digest()
        now, per_second = self._monotonic(), rate.per_minute / 60
        with self._lock:
            tickets, as_of = self._buckets.pop(key, (float(rate.burst), now))
            tickets = min(rate.burst, tickets + (now - as_of) * per_second)
            waiting = 0 if tickets >= 1 else math.ceil((1 - tickets) / per_second)
            tickets = tickets if waiting or not take else tickets - 1
            self._buckets[key] = (tickets, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return waiting, tickets


def client_of(host: str | None) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return (host or "")[:_LONGEST_KEY]  # a proxy may name its client as it likes
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(address), _IPV6_SITE), strict=False))
    return str(address)
