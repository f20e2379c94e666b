"""Who tells a fact over HTTP: OmniReturns for a retailer, a carrier, a hub, whoever delivers connotes."""

from __future__ import annotations

from typing import NamedTuple

from service.application.access.bounds import Bounds
from service.application.access.scopes import Scope
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
        return Publisher("omnireturns", "create", Bounds(retailers=frozenset({fact.data["retailer"]})))
    if fact.type in (models.CARRIER_SCANNED, models.CONNOTE_DELIVERED):
        carrier: str = fact.data["carrier"]
        part = "first-mile" if fact.type == models.CARRIER_SCANNED else "final-mile"
        return Publisher(f"{part}-{carrier}", "scan", Bounds(carriers=frozenset({carrier})))
    hub = fact.event.source.rpartition(":")[2]  # what takes an event back names no hub
    return Publisher(f"hub-{hub}", "hub", Bounds(hubs=frozenset({hub})))
