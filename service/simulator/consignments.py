"""Connotes: under which processed returns of one hub and retailer leave together."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

DAY: Final = 86_400
EVERY: Final = 3 * DAY  # a hub ships to a retailer
PALLET: Final = 40  # returns
NEVER_DELIVERED: Final = 0.02


@dataclass(slots=True)
class Consignment:
    """One pallet; times in seconds since 1970, `delivered` is None where it is lost."""

    connote: str
    mawb: str
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

    def join(self, hub: str, retailer: str, processed: int, batch: int) -> tuple[Consignment, bool]:
        """The pallet that a return processed at `processed` goes on, and whether it is the first on it."""
        # Retailers' days differ, or every hub would ship everything at one moment.
        offset = (len(hub + retailer) * 7 + len(retailer)) % 24 * (EVERY // 24)
        exported = (processed - offset) // EVERY * EVERY + EVERY + offset
        key = (batch, exported, hub, retailer)
        known = self._open.get(key)
        if known is None or known.members >= PALLET:
            known = self._open[key] = self._begin(hub, exported)
        known.members += 1
        return known, known.members == 1

    def forget(self, before: int) -> None:
        """Drop the pallets that left before."""
        self._open = {key: pallet for key, pallet in self._open.items() if pallet.exported >= before}

    def _begin(self, hub: str, exported: int) -> Consignment:
        rng = self._rng
        self._opened += 1
        connote = f"CN{hub.upper()}{self._block}{self._opened:06d}"
        mawb = f"{rng.randrange(1, 999):03d}-{rng.getrandbits(26):08d}"
        lost = rng.random() < NEVER_DELIVERED
        delivered = None if lost else exported + 3 * DAY + int(rng.random() * 6 * DAY)
        return Consignment(connote, mawb, exported, delivered)
