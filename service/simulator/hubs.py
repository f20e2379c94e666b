"""What happens to a return at a hub, in its shifts, until it leaves under a connote."""

from __future__ import annotations

from random import Random
from typing import Final

from service.domain.milestones import Milestone
from service.simulator import cast, clocks
from service.simulator.consignments import Consignments
from service.simulator.facts import DAY, HOUR, MINUTE, Fact, Oddity, Parcel
from service.simulator.scribe import Scribe
from service.wire import models

STUCK_AT_THE_HUB: Final = 0.01
REJECTED: Final = 0.03
NO_DEPOT_SCAN: Final = 0.12
MISTAKEN_SCAN: Final = 0.003  # the hub scanned another parcel by this number, and takes it back


class Hubs:
    """Tells the hubs' part of stories. A connote's delivery is told with its first return."""

    def __init__(self, rng: Random, scribe: Scribe, block: str) -> None:
        self._rng, self._scribe = rng, scribe
        self._consignments = Consignments(rng, block)

    def forget(self, before: int) -> None:
        """Let go of what nothing that is processed after `before` can need."""
        self._consignments.forget(before)

    def handle(self, facts: list[Fact], parcel: Parcel, arrived: int, batch: int) -> None:
        """From the door on."""
        rng, between = self._rng, self._scribe.between
        at = self._at_work(parcel, arrived + between(20 * MINUTE, 2 * DAY))
        if rng.random() < MISTAKEN_SCAN:
            self._mistake(facts, parcel, self._at_work(parcel, arrived - between(10 * MINUTE, 2 * HOUR)))
        if rng.random() >= NO_DEPOT_SCAN:
            self._depot_scan(facts, parcel, at)
        if rng.random() < STUCK_AT_THE_HUB:
            return
        at = self._at_work(parcel, at + between(HOUR, 3 * DAY))
        rejected = rng.random() < REJECTED
        # One event a line item; a rejection comes before the first or between two.
        for item in parcel.items[: int(rng.random() * len(parcel.items))] if rejected else parcel.items:
            at += between(5, MINUTE)
            known = {
                "sku": item["sku"],
                "quantity": item["quantity"],
                "condition": self._scribe.pick(cast.CONDITIONS),
            }
            number = f"{parcel.country.code}{parcel.return_id[2:13]}"
            more = {"items": [known], "omnirps_tracking_number": number}
            self._scribe.hub_event(facts, parcel, at, models.HUB_PROCESSED, Milestone.RP, more, is_scan=True)
        if rejected:
            at = self._at_work(parcel, at + between(MINUTE, HOUR))
            reason = {"reason": self._scribe.pick(cast.REJECT_REASONS)}
            self._scribe.hub_event(facts, parcel, at, models.HUB_REJECTED, Milestone.RR, reason)
        else:
            self._export(facts, parcel, at, batch)

    def stray(self, facts: list[Fact], parcel: Parcel, at: int) -> None:
        """A parcel that was to go straight to the retailer turns up at a hub."""
        self._depot_scan(facts, parcel, self._at_work(parcel, at), Oddity.AT_A_HUB_BY_MISTAKE)

    def _export(self, facts: list[Fact], parcel: Parcel, processed: int, batch: int) -> None:
        pallet, is_new = self._consignments.join(parcel.country, parcel.retailer, processed, batch)
        more = {
            "connote": pallet.connote,
            "mawb": pallet.mawb,
            "destination_country": parcel.retailer.country,
            **({} if pallet.flight is None else {"flight": pallet.flight}),
        }
        at = pallet.exported + pallet.members  # they are scanned onto the pallet one by one
        self._scribe.hub_event(facts, parcel, at, models.HUB_EXPORTED, Milestone.RE, more, connote=pallet.connote)
        if is_new and pallet.delivered is not None:
            self._scribe.delivery(facts, pallet.connote, parcel.retailer, pallet.delivered)

    def _depot_scan(self, facts: list[Fact], parcel: Parcel, at: int, oddity: Oddity | None = None) -> None:
        place = cast.HUBS[parcel.country.hub]
        self._scribe.hub_event(
            facts,
            parcel,
            at,
            models.HUB_DEPOT_SCANNED,
            Milestone.DS,
            {"location": place},
            place=place,
            is_scan=oddity is not Oddity.MISTAKEN_SCAN,  # one that is taken back happened
            oddity=oddity,
        )

    def _mistake(self, facts: list[Fact], parcel: Parcel, at: int) -> None:
        self._depot_scan(facts, parcel, at, Oddity.MISTAKEN_SCAN)
        taken_back = at + self._scribe.between(5 * MINUTE, 8 * HOUR)
        self._scribe.void(facts, parcel, taken_back, facts[-1].event)

    @staticmethod
    def _at_work(parcel: Parcel, at: int) -> int:
        return clocks.at_work(at, parcel.country.zone, cast.SHIFTS[parcel.country.hub])
