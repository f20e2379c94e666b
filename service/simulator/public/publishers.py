"""Who tells a fact over HTTP: OmniReturns for a retailer, a carrier, a hub, whoever delivers connotes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from service.application.access.bounds import Bounds
from service.application.access.scopes import Scope
from service.simulator import cast
from service.simulator.facts import Fact
from service.wire import models


class Publisher(NamedTuple):
    """In whose name events are sent, and what its token allows and is bound to."""

    name: str
    scope: Scope
    bounds: Bounds


def publisher_of(fact: Fact) -> Publisher:
    """Who says it."""
    if fact.type == models.RETURN_CREATED:
        return _omnireturns(fact.data["retailer"])
    if fact.type in (models.CARRIER_SCANNED, models.CONNOTE_DELIVERED):
        return _carrier("first" if fact.type == models.CARRIER_SCANNED else "final", fact.data["carrier"])
    return _hub(fact.event.source.rpartition(":")[2])  # what takes an event back names no hub


def everybody() -> Iterator[Publisher]:
    """All that there are."""
    yield from (_omnireturns(retailer.name) for retailer in cast.RETAILERS)
    yield from (_carrier("first", name) for name in cast.CARRIERS)
    yield from (_carrier("final", name) for name in cast.FINAL_MILE)
    yield from (_hub(name) for name in cast.HUBS)


def _omnireturns(retailer: str) -> Publisher:
    return Publisher("omnireturns", "create", Bounds(retailers=frozenset({retailer})))


def _carrier(mile: str, name: str) -> Publisher:
    return Publisher(f"{mile}-mile-{name}", "scan", Bounds(carriers=frozenset({name})))


def _hub(name: str) -> Publisher:
    return Publisher(f"hub-{name}", "hub", Bounds(hubs=frozenset({name})))
