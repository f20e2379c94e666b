"""What happens to one return: its label, its scans, its hub, and the connote it leaves under.

A story is told once, from the seeded generator, as facts in the order they happen. Whether a fact is then reported
late, twice, wrongly or not at all is none of the story's business.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from service.domain.events import Attributes, Effect, Event, Sense
from service.domain.milestones import Milestone, Route
from service.simulator import cast, clocks
from service.simulator.consignments import Consignments
from service.simulator.facts import Fact, Oddity, Parcel
from service.wire import models

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400

# Of all returns, or of those that come so far. What nature, consumers and hubs do; what publishers do wrong is in
# the options.
STRAIGHT_AT_HOME: Final = 0.5  # of returns to a retailer of the consumer's own country, a quarter of all
STRAIGHT_ABROAD: Final = 0.035
NEVER_SENT: Final = 0.025  # the consumer keeps it
LOST_ON_THE_WAY: Final = 0.015
LOST_AT_THE_DOOR: Final = 0.01  # the carrier says delivered, the hub never saw it
STUCK_AT_THE_HUB: Final = 0.01
REJECTED: Final = 0.03
NO_DEPOT_SCAN: Final = 0.12
LABEL_PER_ITEM: Final = 0.3  # of labels with several items: one creation an item
NOT_UPLOADED: Final = 0.002  # the hub handles it, the portal never heard of it
MISTAKEN_SCAN: Final = 0.003  # the hub scanned another parcel by this number, and takes it back
STRAY_HUB_SCAN: Final = 0.01  # a parcel that was to go straight to the retailer turns up at a hub

PORTAL: Final = "urn:omnireturns:portal"
API: Final = "urn:omnireturns:api"


class Storyteller:
    """Tells stories; `block` keeps the numbers of one world apart from another's."""

    def __init__(self, rng: Random, block: str) -> None:
        self._rng = rng
        self._block = block
        self._countries = tuple(cast.COUNTRIES.values())
        self._consignments = Consignments(rng, block)

    def tell(self, number: int, created: int, batch: int = 0) -> list[Fact]:
        """The facts of return `number`, created at `created` (seconds since 1970); not in order of time.

        Returns of one `batch` may share a connote. A connote's delivery is told with its first return.
        """
        rng = self._rng
        parcel = self._parcel(number)
        facts: list[Fact] = []
        if rng.random() >= NOT_UPLOADED:
            self._create(facts, parcel, created)
        if rng.random() < NEVER_SENT:
            self._announce(facts, parcel, created)
            return facts
        arrived = self._first_mile(facts, parcel, created)
        if arrived is None:
            return facts
        if parcel.route is Route.FIRST_MILE_ONLY:
            if rng.random() < STRAY_HUB_SCAN:
                self._depot_scan(facts, parcel, arrived + self._between(HOUR, DAY))
                facts[-1] = facts[-1]._replace(oddity=Oddity.AT_A_HUB_BY_MISTAKE)
        elif rng.random() >= LOST_AT_THE_DOOR:
            self._hub(facts, parcel, arrived, batch)
        return facts

    def forget(self, before: int) -> None:
        """Let go of what no story created after `before` can need."""
        self._consignments.forget(before)

    def _parcel(self, number: int) -> Parcel:
        rng = self._rng
        country = self._pick(self._countries)
        retailer = self._pick(cast.RETAILERS)
        carrier = cast.CARRIERS[self._pick(country.carriers)]
        straight = STRAIGHT_AT_HOME if retailer.country == country.code else STRAIGHT_ABROAD
        route = Route.FIRST_MILE_ONLY if rng.random() < straight else Route.OMNIRPS
        items = tuple(
            {
                "sku": f"{retailer.sku}-{rng.getrandbits(16):05d}",
                "quantity": 1 if rng.random() < 0.9 else 2,
                "description": self._pick(cast.GOODS),
                "reason": self._pick(cast.RETURN_REASONS),
            }
            for _ in range(self._how_many())
        )
        return_id = f"TK{self._block}{number:07d}{country.code}"
        tracking = f"{carrier.name[:2].upper()}{self._block}{number * 7_919 % 10_000_000:07d}"
        order = f"{retailer.sku}{rng.getrandbits(24):08d}"
        return Parcel(return_id, tracking, order, route, country, carrier, retailer, items)

    def _create(self, facts: list[Fact], parcel: Parcel, created: int) -> None:
        items = parcel.items
        source = PORTAL if self._rng.random() < 0.7 else API
        attributes = Attributes(
            parcel.retailer.name, parcel.route, parcel.carrier.name, parcel.tracking_number, parcel.order_number
        )
        split = len(items) > 1 and self._rng.random() < LABEL_PER_ITEM
        for second, part in enumerate([[item] for item in items] if split else [list(items)]):
            data = {
                "return_id": parcel.return_id,
                "retailer": parcel.retailer.name,
                "route": parcel.route.value,
                "carrier": parcel.carrier.name,
                "tracking_number": parcel.tracking_number,
                "order_number": parcel.order_number,
                "origin_country": parcel.country.code,
                "destination_country": parcel.retailer.country,
                "items": part,
            }
            at = created + second
            event = Event(source, self._id(), at * 1_000_000, Sense.ASSERTS, Milestone.RC, attributes=attributes)
            # The portal keeps UTC.
            time = clocks.with_offset(at, None)
            facts.append(Fact(0, parcel.return_id, parcel.return_id, models.RETURN_CREATED, time, data, event))

    def _announce(self, facts: list[Fact], parcel: Parcel, created: int) -> None:
        if parcel.carrier.announced:
            at = created + self._between(20, 10 * MINUTE)
            self._scan(facts, parcel, at, self._pick(parcel.carrier.announced), Sense.INFORMS, None, None)

    def _first_mile(self, facts: list[Fact], parcel: Parcel, created: int) -> int | None:
        """The carrier's scans; when it delivered, None if it lost the parcel."""
        rng, carrier = self._rng, parcel.carrier
        self._announce(facts, parcel, created)
        at = created + self._between(2 * HOUR, 4 * DAY)
        depots = parcel.country.depots
        here = self._pick(depots)
        self._scan(facts, parcel, at, self._pick(carrier.collected), Sense.ASSERTS, Milestone.RT, here)
        for _ in range(1 + int(rng.random() * 4)):
            # Some feeds stamp leaving one depot and reaching the next with the same second.
            at += 0 if rng.random() < 0.08 else self._between(HOUR, 30 * HOUR)
            self._scan(facts, parcel, at, self._pick(carrier.moving), Sense.ASSERTS, Milestone.RT, self._pick(depots))
        if rng.random() < LOST_ON_THE_WAY:
            return None
        if carrier.elsewhere and rng.random() < 0.06:
            at += self._between(HOUR, 8 * HOUR)
            self._scan(facts, parcel, at, self._pick(carrier.elsewhere), Sense.INFORMS, None, self._pick(depots))
            facts[-1] = facts[-1]._replace(oddity=Oddity.DELIVERED_ELSEWHERE)
        at += self._between(HOUR, DAY)
        door = self._door(parcel)
        code = self._pick(carrier.delivered)
        self._scan(facts, parcel, at, code, Sense.ASSERTS, Milestone.RDTPF, door, self._pick(cast.SIGNATURES))
        if rng.random() < 0.02:
            # A depot that empties its scanners in the evening: a movement stamped after the delivery.
            late = at + self._between(MINUTE, 6 * HOUR)
            self._scan(facts, parcel, late, self._pick(carrier.moving), Sense.ASSERTS, Milestone.RT, here)
            facts[-1] = facts[-1]._replace(oddity=Oddity.MOVED_AFTER_DELIVERY)
        return at

    def _door(self, parcel: Parcel) -> cast.Location:
        hub = parcel.route is Route.OMNIRPS
        return cast.HUBS[parcel.country.hub] if hub else parcel.retailer.warehouse

    def _hub(self, facts: list[Fact], parcel: Parcel, arrived: int, batch: int) -> None:
        rng = self._rng
        at = arrived + self._between(20 * MINUTE, 2 * DAY)
        if rng.random() < MISTAKEN_SCAN:
            self._mistake(facts, parcel, arrived - self._between(10 * MINUTE, 2 * HOUR))
        if rng.random() >= NO_DEPOT_SCAN:
            self._depot_scan(facts, parcel, at)
        if rng.random() < STUCK_AT_THE_HUB:
            return
        at += self._between(HOUR, 3 * DAY)
        rejected = rng.random() < REJECTED
        # One event a line item; a rejection comes before the first or between two.
        confirmed = parcel.items[: int(rng.random() * len(parcel.items))] if rejected else parcel.items
        for item in confirmed:
            at += self._between(5, MINUTE)
            known = {"sku": item["sku"], "quantity": item["quantity"], "condition": self._pick(cast.CONDITIONS)}
            number = f"{parcel.country.code}{parcel.return_id[2:13]}"
            more = {"items": [known], "omnirps_tracking_number": number}
            self._hub_event(facts, parcel, at, models.HUB_PROCESSED, Milestone.RP, more, is_scan=True)
        if rejected:
            at += self._between(MINUTE, HOUR)
            reason = {"reason": self._pick(cast.REJECT_REASONS)}
            self._hub_event(facts, parcel, at, models.HUB_REJECTED, Milestone.RR, reason)
        else:
            self._export(facts, parcel, at, batch)

    def _export(self, facts: list[Fact], parcel: Parcel, processed: int, batch: int) -> None:
        consignment, is_new = self._consignments.join(parcel.country.hub, parcel.retailer.name, processed, batch)
        connote = consignment.connote
        more = {
            "connote": connote,
            "mawb": consignment.mawb,
            "destination_country": parcel.retailer.country,
        }
        at = consignment.exported + consignment.members  # they are scanned onto the pallet one by one
        self._hub_event(facts, parcel, at, models.HUB_EXPORTED, Milestone.RE, more, connote=connote)
        if not is_new or consignment.delivered is None:
            return
        dock, at = parcel.retailer.warehouse, consignment.delivered
        data = {
            "connote": connote,
            "carrier": self._pick(cast.FINAL_MILE),
            "location": dock,
            "signed_by": self._pick(cast.SIGNATURES),
        }
        event = Event(
            "urn:final-mile:linehaul", self._id(), at * 1_000_000, Sense.ASSERTS, Milestone.RDBTC, dock, connote=connote
        )
        time = clocks.with_offset(at, parcel.retailer.zone)
        facts.append(Fact(3, connote, connote, models.CONNOTE_DELIVERED, time, data, event))

    def _depot_scan(self, facts: list[Fact], parcel: Parcel, at: int) -> None:
        place = cast.HUBS[parcel.country.hub]
        more = {"location": place}
        self._hub_event(facts, parcel, at, models.HUB_DEPOT_SCANNED, Milestone.DS, more, place=place, is_scan=True)

    def _mistake(self, facts: list[Fact], parcel: Parcel, at: int) -> None:
        self._depot_scan(facts, parcel, at)
        wrong = facts[-1].event
        facts[-1] = facts[-1]._replace(is_scan=False, oddity=Oddity.MISTAKEN_SCAN)
        data = {
            "return_id": parcel.return_id,
            "source": wrong.source,
            "id": wrong.id,
            "by": f"operator-{self._rng.getrandbits(6)}",
            "reason": "another parcel was scanned by this number",
        }
        at += self._between(5 * MINUTE, 8 * HOUR)
        voids = (wrong.source, wrong.id)
        event = Event(wrong.source, self._id(), at * 1_000_000, Sense.VOIDS, voids=voids)
        time = clocks.with_offset(at, parcel.country.zone)
        facts.append(Fact(2, parcel.return_id, parcel.return_id, models.EVENT_VOIDED, time, data, event))

    def _hub_event(
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
    ) -> None:
        hub, return_id = parcel.country.hub, parcel.return_id
        event = Event(
            f"urn:omnirps:hub:{hub}", self._id(), at * 1_000_000, Sense.ASSERTS, milestone, place, connote=connote
        )
        data = {"return_id": return_id, "hub": hub, **more}
        time = clocks.with_offset(at, parcel.country.zone)
        facts.append(Fact(2, return_id, return_id, event_type, time, data, event, is_scan))

    def _scan(
        self,
        facts: list[Fact],
        parcel: Parcel,
        at: int,
        code: str,
        sense: Sense,
        milestone: Milestone | None,
        place: cast.Location | None,
        signed_by: str | None = None,
    ) -> None:
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
        effect = Effect.COLLECTED if code in carrier.collected else None
        event = Event(carrier.source, self._id(), at * 1_000_000, sense, milestone, place, effect=effect)
        key = f"{carrier.name}/{tracking}"
        facts.append(Fact(1, key, parcel.return_id, models.CARRIER_SCANNED, time, data, event, is_scan=True))

    def _id(self) -> str:
        """A version 4 UUID; the standard library's class takes five times as long."""
        digits = f"{self._rng.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def _between(self, low: int, high: int) -> int:
        """Mostly sooner than later."""
        chance = self._rng.random()
        return low + int(chance * chance * (high - low))

    def _how_many(self) -> int:
        chance = self._rng.random()
        return 1 if chance < 0.62 else 2 if chance < 0.9 else 3

    def _pick(self, choices: Any) -> Any:
        return choices[int(self._rng.random() * len(choices))]
