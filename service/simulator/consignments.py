"""Connotes: under which processed returns of one hub and retailer leave together."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from service.simulator import cast, clocks

DAY: Final = 86_400
EVERY: Final = 3 * DAY  # a hub ships to a retailer
PALLET: Final = 40  # returns
NEVER_DELIVERED: Final = 0.02


@dataclass(slots=True)
class Consignment:
    """One pallet; times in seconds since 1970, `delivered` is None where it is lost."""

    connote: str
    mawb: str
    flight: str | None  # None: by road
    exported: int
    delivered: int | None
    members: int = 0


class Consignments:
    """The open pallets by hub, retailer and day of export."""

    def __init__(self, rng: Random, block: str) -> None:
        self._rng = rng
        self._block = block
        self._opened = 0
        self._open: dict[tuple[int, int, str, str], Consignment] = {}
        self._flights: dict[tuple[str, str, int], tuple[str, str]] = {}

    def join(self, hub: cast.Country, retailer: cast.Retailer, processed: int, batch: int) -> tuple[Consignment, bool]:
        """The pallet that a return processed at `processed` goes on, and whether it is the first on it."""
        # Retailers' days differ, or every hub would ship everything at one moment.
        offset = (len(hub.hub + retailer.name) * 7 + len(retailer.name)) % 24 * (EVERY // 24)
        due = (processed - offset) // EVERY * EVERY + EVERY + offset
        key = (batch, due, hub.hub, retailer.name)
        known = self._open.get(key)
        if known is None or known.members >= PALLET:
            known = self._open[key] = self._begin(hub, retailer, clocks.at_work(due, hub.zone, cast.SHIFTS[hub.hub]))
        known.members += 1
        return known, known.members == 1

    def forget(self, before: int) -> None:
        """Drop the pallets, and the flights, that left before."""
        self._open = {key: pallet for key, pallet in self._open.items() if pallet.exported >= before}
        self._flights = {key: flight for key, flight in self._flights.items() if (key[2] + 1) * DAY >= before}

    def _begin(self, hub: cast.Country, retailer: cast.Retailer, exported: int) -> Consignment:
        rng = self._rng
        self._opened += 1
        connote = f"CN{hub.hub.upper()}{self._block}{self._opened:06d}"
        lost = rng.random() < NEVER_DELIVERED
        delivered = None if lost else exported + 3 * DAY + int(rng.random() * 6 * DAY)
        mawb, flight = self._flight(hub.hub, retailer.country, exported // DAY)
        return Consignment(connote, mawb, None if hub.code == retailer.country else flight, exported, delivered)

    def _flight(self, hub: str, country: str, day: int) -> tuple[str, str]:
        """The air waybill and the flight of a day, which the pallets of all retailers of a country share."""
        key = (hub, country, day)
        if key not in self._flights:
            airline, prefix = cast.AIRLINES[hub]
            rng = self._rng
            self._flights[key] = f"{prefix}-{rng.getrandbits(26):08d}", f"{airline}{rng.randrange(1, 400)}"
        return self._flights[key]
