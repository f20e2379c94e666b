"""Where an event happened, of what its publisher says of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from service.wire.models import CARRIER_SCANNED, CONNOTE_DELIVERED, HUB_DEPOT_SCANNED

_WITH_LOCATION: Final = frozenset({CARRIER_SCANNED, HUB_DEPOT_SCANNED, CONNOTE_DELIVERED})


def location_of(event_type: str, data: Mapping[str, Any]) -> Mapping[str, str] | None:
    """The location in a valid event's data: its known members that say something; None where there are none.

    Only of types that have one: elsewhere a member of that name is unknown, so ignored.
    """
    location = data.get("location") if event_type in _WITH_LOCATION else None
    return _location(location.get("name"), location.get("code"), location.get("country")) if location else None


@lru_cache(4096)
def _location(name: str | None, code: str | None, country: str | None) -> Mapping[str, str] | None:
    """One object for all events at a place: a worker remembers some hundred thousand of them."""
    members = {"name": name, "code": code, "country": country}
    return {member: said for member, said in members.items() if said} or None
