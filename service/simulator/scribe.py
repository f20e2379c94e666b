"""Writes down what happens in a story: a fact, and the event that a reader of it must understand."""

from __future__ import annotations

from random import Random
from typing import Any, Final, TypeVar

from service.domain.events import Event, Sense
from service.domain.milestones import Milestone
from service.simulator import cast, clocks
from service.simulator.facts import Fact, Oddity, Parcel
from service.wire import models

T = TypeVar("T")
FINAL_MILE_SOURCE: Final = "urn:final-mile:linehaul"


class Scribe:
    """Writes facts to the end of a list, with ids and choices from the seeded generator."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def scan(
        self,
        facts: list[Fact],
        parcel: Parcel,
        at: int,
        code: str,
        place: cast.Location | None,
        signed_by: str | None = None,
        oddity: Oddity | None = None,
    ) -> None:
        """A carrier's, which means what its code means."""
        carrier, tracking = parcel.carrier, parcel.tracking_number
        data: dict[str, Any] = {"carrier": carrier.name, "tracking_number": tracking, "code": code}
        if place is not None:
            data["location"] = place
        if signed_by is not None:
            data["signed_by"] = signed_by
        time: str | None = clocks.with_offset(at, parcel.clock(place))
        if parcel.country.code in carrier.local_times:
            local = clocks.without_offset(at, parcel.country.zone)
            if local is not None:
                data["local_time"], time = local, None
        sense, milestone, effect = carrier.means(code)
        event = Event(carrier.source, self.new_id(), at * 1_000_000, sense, milestone, place, effect=effect)
        key = f"{carrier.name}/{tracking}"
        facts.append(
            Fact(1, key, parcel.return_id, models.CARRIER_SCANNED, time, data, event, is_scan=True, oddity=oddity)
        )

    def hub_event(
        self,
        facts: list[Fact],
        parcel: Parcel,
        at: int,
        event_type: str,
        milestone: Milestone,
        more: dict[str, Any],
        *,
        place: cast.Location | None = None,
        connote: str | None = None,
        is_scan: bool = False,
        oddity: Oddity | None = None,
    ) -> None:
        """What the hub of the parcel's country says of it."""
        hub, return_id = parcel.country.hub, parcel.return_id
        event = Event(
            f"urn:omnirps:hub:{hub}", self.new_id(), at * 1_000_000, Sense.ASSERTS, milestone, place, connote=connote
        )
        data = {"return_id": return_id, "hub": hub, **more}
        time = clocks.with_offset(at, parcel.country.zone)
        facts.append(Fact(2, return_id, return_id, event_type, time, data, event, is_scan, oddity))

    def void(self, facts: list[Fact], parcel: Parcel, at: int, wrong: Event) -> None:
        """The same hub takes an event back."""
        data = {
            "return_id": parcel.return_id,
            "source": wrong.source,
            "id": wrong.id,
            "by": f"operator-{self._rng.getrandbits(6)}",
            "reason": "another parcel was scanned by this number",
        }
        event = Event(wrong.source, self.new_id(), at * 1_000_000, Sense.VOIDS, voids=(wrong.source, wrong.id))
        time = clocks.with_offset(at, parcel.country.zone)
        facts.append(Fact(2, parcel.return_id, parcel.return_id, models.EVENT_VOIDED, time, data, event))

    def delivery(self, facts: list[Fact], connote: str, retailer: cast.Retailer, at: int) -> None:
        """Of a connote, at the retailer's door."""
        dock = retailer.warehouse
        data = {
            "connote": connote,
            "carrier": self.pick(cast.FINAL_MILE),
            "location": dock,
            "signed_by": self.pick(cast.SIGNATURES),
        }
        event = Event(
            FINAL_MILE_SOURCE, self.new_id(), at * 1_000_000, Sense.ASSERTS, Milestone.RDBTC, dock, connote=connote
        )
        time = clocks.with_offset(at, retailer.zone)
        facts.append(Fact(3, connote, connote, models.CONNOTE_DELIVERED, time, data, event))

    def new_id(self) -> str:
        """A version 4 UUID; the standard library's class takes five times as long."""
        digits = f"{self._rng.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def between(self, low: int, high: int) -> int:
        """Mostly sooner than later."""
        chance = self._rng.random()
        return low + int(chance * chance * (high - low))

    def pick(self, choices: tuple[T, ...]) -> T:
        """One of them."""
        return choices[int(self._rng.random() * len(choices))]
