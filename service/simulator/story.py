"""What happens to one return: its label, its scans, its hub, and the connote it leaves under.

A story is told once, from the seeded generator, as facts in the order they happen. Whether a fact is then reported
late, twice, wrongly or not at all is none of the story's business.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from service.domain.events import Attributes, Event, Sense
from service.domain.milestones import Milestone, Route
from service.simulator import cast, clocks
from service.simulator.facts import DAY, HOUR, MINUTE, Fact, Oddity, Parcel
from service.simulator.hubs import Hubs
from service.simulator.scribe import Scribe
from service.wire import models

# Of all returns, or of those that come so far. What nature, consumers and carriers do; what publishers do wrong is in
# the options.
STRAIGHT_AT_HOME: Final = 0.5  # of returns to a retailer of the consumer's own country, a quarter of all
STRAIGHT_ABROAD: Final = 0.035
NEVER_SENT: Final = 0.025  # the consumer keeps it
LOST_ON_THE_WAY: Final = 0.015
LOST_AT_THE_DOOR: Final = 0.01  # the carrier says delivered, the hub never saw it
LABEL_PER_ITEM: Final = 0.3  # of labels with several items: one creation an item
NOT_UPLOADED: Final = 0.002  # the hub handles it, the portal never heard of it
STRAY_HUB_SCAN: Final = 0.01  # a parcel that was to go straight to the retailer turns up at a hub
SENT_BACK: Final = 0.015  # the carrier takes it back to the consumer, who mostly sends it again
SENT_AGAIN: Final = 0.7  # of those
MOVED_AFTER_DELIVERY: Final = 0.02
RETURNING_AFTER_DELIVERY: Final = 0.006
DELIVERED_TWICE: Final = 0.01

_LONG_BEFORE: Final = -1  # the batch of returns whose numbers come again

PORTAL: Final = "urn:omnireturns:portal"
API: Final = "urn:omnireturns:api"


class Label(NamedTuple):
    """What is printed on a parcel, and where it is from: a later return may have the same number."""

    country: cast.Country
    carrier: cast.Carrier
    tracking_number: str


class Storyteller:
    """Tells stories; `block` keeps the numbers of one world apart from another's. `lost` counts parcels that were."""

    def __init__(self, rng: Random, block: str) -> None:
        self._rng = rng
        self._block = block
        self._countries = tuple(cast.COUNTRIES.values())
        self._scribe = Scribe(rng)
        self._hubs = Hubs(rng, self._scribe, block)
        self.lost = 0

    def tell(self, number: int, created: int, batch: int = 0, label: Label | None = None) -> list[Fact]:
        """The facts of return `number`, created at `created` (seconds since 1970); not in order of time.

        Returns of one `batch` may share a connote. A connote's delivery is told with its first return. With `label` the
        number on the parcel is one that an earlier return had.
        """
        return self._tell(
            self._parcel(number, "TK", label), created, batch, None if label is None else Oddity.RECYCLED_NUMBER
        )

    def tell_of_before(self, number: int, created: int) -> tuple[list[Fact], Label]:
        """Those of a return long before, and its label, which return `number` will get again."""
        parcel = self._parcel(number, "TB", None)
        label = Label(parcel.country, parcel.carrier, parcel.tracking_number)
        return self._tell(parcel, created, _LONG_BEFORE, None), label

    def forget(self, before: int) -> None:
        """Let go of what no story created after `before` can need."""
        self._hubs.forget(before)

    def _tell(self, parcel: Parcel, created: int, batch: int, oddity: Oddity | None) -> list[Fact]:
        rng = self._rng
        facts: list[Fact] = []
        # Of two that have one number both are made known: nobody could tell the scans of one that is not from the other's.
        is_one_of_two = oddity is Oddity.RECYCLED_NUMBER or batch == _LONG_BEFORE
        if rng.random() >= NOT_UPLOADED or is_one_of_two:
            self._create(facts, parcel, created, oddity)
        if rng.random() < NEVER_SENT:
            self._announce(facts, parcel, created)
            return facts
        sent = self._sent(facts, parcel, created)
        arrived = None if sent is None else self._first_mile(facts, parcel, sent)
        if arrived is None:
            return facts
        if parcel.route is Route.FIRST_MILE_ONLY:
            if rng.random() < STRAY_HUB_SCAN:
                self._hubs.stray(facts, parcel, arrived + self._scribe.between(HOUR, DAY))
        elif rng.random() >= LOST_AT_THE_DOOR:
            self._hubs.handle(facts, parcel, arrived, batch)
        else:
            self.lost += 1
        return facts

    def _parcel(self, number: int, prefix: str, label: Label | None) -> Parcel:
        rng, pick = self._rng, self._scribe.pick
        country = pick(self._countries)
        retailer = pick(cast.RETAILERS)
        carrier = cast.CARRIERS[pick(country.carriers)]
        tracking = f"{carrier.name[:2].upper()}{self._block}{number * 7_919 % 10_000_000:07d}"
        if label is not None:
            country, carrier, tracking = label
        straight = STRAIGHT_AT_HOME if retailer.country == country.code else STRAIGHT_ABROAD
        route = Route.FIRST_MILE_ONLY if rng.random() < straight else Route.OMNIRPS
        items = tuple(
            {
                "sku": f"{retailer.sku}-{rng.getrandbits(16):05d}",
                "quantity": 1 if rng.random() < 0.9 else 2,
                "description": pick(cast.GOODS),
                "reason": pick(cast.RETURN_REASONS),
            }
            for _ in range(self._how_many())
        )
        return_id = f"{prefix}{self._block}{number:07d}{country.code}"
        order = f"{retailer.sku}{rng.getrandbits(24):08d}"
        return Parcel(return_id, tracking, order, route, country, carrier, retailer, items)

    def _create(self, facts: list[Fact], parcel: Parcel, created: int, oddity: Oddity | None) -> None:
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
            new_id = self._scribe.new_id()
            event = Event(source, new_id, at * 1_000_000, Sense.ASSERTS, Milestone.RC, attributes=attributes)
            # The portal keeps UTC.
            time = clocks.with_offset(at, None)
            of_it = oddity if second == 0 else None
            facts.append(
                Fact(0, parcel.return_id, parcel.return_id, models.RETURN_CREATED, time, data, event, oddity=of_it)
            )

    def _announce(self, facts: list[Fact], parcel: Parcel, created: int) -> None:
        if parcel.carrier.announced:
            at = created + self._scribe.between(20, 10 * MINUTE)
            self._scribe.scan(facts, parcel, at, self._scribe.pick(parcel.carrier.announced), None)

    def _sent(self, facts: list[Fact], parcel: Parcel, created: int) -> int | None:
        """When the carrier gets the parcel that reaches its destination; None if it went back to the consumer for good."""
        self._announce(facts, parcel, created)
        between, pick, scan = self._scribe.between, self._scribe.pick, self._scribe.scan
        at = created + between(2 * HOUR, 4 * DAY)
        if self._rng.random() >= SENT_BACK:
            return at
        carrier, here = parcel.carrier, pick(parcel.country.depots)
        scan(facts, parcel, at, pick(carrier.collected), here)
        at += between(4 * HOUR, 2 * DAY)
        scan(facts, parcel, at, pick(carrier.returning), here, oddity=Oddity.SENT_BACK)
        at += between(HOUR, DAY)
        scan(facts, parcel, at, pick(carrier.moving), here)
        at += between(2 * HOUR, 2 * DAY)
        # At the door that it came from: a delivery, and not the one that people wait for.
        scan(facts, parcel, at, pick(carrier.delivered), {"country": parcel.country.code})
        return at + between(3 * HOUR, 3 * DAY) if self._rng.random() < SENT_AGAIN else None

    def _first_mile(self, facts: list[Fact], parcel: Parcel, at: int) -> int | None:
        """The carrier's scans; when it delivered, None if it lost the parcel."""
        rng, carrier = self._rng, parcel.carrier
        between, pick, scan = self._scribe.between, self._scribe.pick, self._scribe.scan
        depots = parcel.country.depots
        here = pick(depots)
        scan(facts, parcel, at, pick(carrier.collected), here)
        for _ in range(1 + int(rng.random() * 4)):
            # Some feeds stamp leaving one depot and reaching the next with the same second.
            at += 0 if rng.random() < 0.08 else between(HOUR, 30 * HOUR)
            scan(facts, parcel, at, pick(carrier.moving), pick(depots))
        if rng.random() < LOST_ON_THE_WAY:
            self.lost += 1
            return None
        if carrier.elsewhere and rng.random() < 0.06:
            at += between(HOUR, 8 * HOUR)
            scan(facts, parcel, at, pick(carrier.elsewhere), pick(depots), oddity=Oddity.DELIVERED_ELSEWHERE)
        at += between(HOUR, DAY)
        scan(facts, parcel, at, pick(carrier.delivered), self._door(parcel), pick(cast.SIGNATURES))
        self._contradict(facts, parcel, at, here)
        return at

    def _contradict(self, facts: list[Fact], parcel: Parcel, delivered: int, here: cast.Location) -> None:
        """What carriers say after they delivered."""
        rng, carrier = self._rng, parcel.carrier
        between, pick, scan = self._scribe.between, self._scribe.pick, self._scribe.scan
        if rng.random() < MOVED_AFTER_DELIVERY:
            # A depot that empties its scanners in the evening: a movement stamped after the delivery.
            late = delivered + between(MINUTE, 6 * HOUR)
            scan(facts, parcel, late, pick(carrier.moving), here, oddity=Oddity.MOVED_AFTER_DELIVERY)
        if rng.random() < DELIVERED_TWICE:
            again = delivered + between(10 * MINUTE, 2 * DAY)
            scan(facts, parcel, again, pick(carrier.delivered), here, oddity=Oddity.DELIVERED_TWICE)
        if rng.random() < RETURNING_AFTER_DELIVERY:
            back = delivered + between(HOUR, 3 * DAY)
            scan(facts, parcel, back, pick(carrier.returning), here, oddity=Oddity.RETURNING_AFTER_DELIVERY)

    @staticmethod
    def _door(parcel: Parcel) -> cast.Location:
        hub = parcel.route is Route.OMNIRPS
        return cast.HUBS[parcel.country.hub] if hub else parcel.retailer.warehouse

    def _how_many(self) -> int:
        chance = self._rng.random()
        return 1 if chance < 0.62 else 2 if chance < 0.9 else 3
