"""How often a client, and anybody, may ask for a number: token buckets in the memory of this process.

A bucket holds `burst` tokens and gets `per_minute` of them a minute; a request takes one of its client's and one of its
number's. Several web processes each keep their own, so together they let through as many times more. A bucket that is
full again says nothing and is forgotten; of very many, those that were asked longest ago go first.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

_MOST_BUCKETS: Final = 100_000
_IPV6_SITE: Final = 64  # bits; a household, or one machine of a data centre, has that many addresses to ask from


class Rate(NamedTuple):
    """What a bucket allows."""

    per_minute: float
    burst: int


class Limiter:
    """Buckets of one rate, by key. Safe to use from many threads."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # tokens, as of when

    def wait(self, key: Hashable, *, take: bool = True) -> int:
        """Take a token, or only look whether there is one: 0, or the whole seconds until there is."""
        now, per_second = self._monotonic(), self._rate.per_minute / 60
        with self._lock:
            tokens, as_of = self._buckets.pop(key, (float(self._rate.burst), now))
            tokens = min(self._rate.burst, tokens + (now - as_of) * per_second)
            waiting = 0 if tokens >= 1 else math.ceil((1 - tokens) / per_second)
            self._buckets[key] = (tokens if waiting or not take else tokens - 1, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return waiting


def client_of(host: str | None) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return host or ""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(address), _IPV6_SITE), strict=False))
    return str(address)
