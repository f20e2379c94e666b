"""Returns to which odd things happen, each by chance and several to one return: numbers given again, parcels sent back, ids
used twice, voids of all kinds. The same seed makes the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

_PORTAL, _CARRIER, _HUB, _FINAL, _DESK = "/omnireturns", "/carriers/generic", "/hubs/akl1", "/final-mile/dhl", "/desk"
_START: Final = datetime(2023, 1, 1, tzinfo=UTC)
_LAST_REUSE: Final = _START + timedelta(days=700)
_SLOT: Final = timedelta(days=4)  # returns exported within one of these travel under few connotes
# Subscribers hold what is true of each: a place without a code they would be told without its name.
_PLACES: Final = ({"code": "NZAKL1", "country": "NZ"}, {"name": "Auckland", "code": "NZAKL2", "country": "NZ"}, None)

SHARE: Final = 0.05
"""How likely each oddity is to happen to a return."""


class Said(NamedTuple):
    """A message: the topic by its setting's name, the key, the event."""

    topic: str
    key: str
    event: dict[str, Any]


@dataclass
class Parcel:
    """A return, what is said of it, and what a later one may take from it."""

    return_id: str
    retailer: str
    route: str
    number: str
    at: datetime
    carrier: str = "generic"
    one_id: bool = False  # the integration gives all scans of a parcel its number as their id
    scans: list[dict[str, Any]] = field(default_factory=list)
    hub: list[dict[str, Any]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    export: tuple[str, datetime] | None = None
    closed_at: datetime | None = None


class World:
    """Makes up returns until there are enough. `now`: what is ahead of its receipt is half a day behind it."""

    def __init__(self, seed: int, returns: int, now: datetime) -> None:
        self._chance, self._returns, self._now = Random(seed), returns, now
        self._said: list[Said] = []
        self._parcels: list[Parcel] = []
        self._connotes: dict[tuple[int, int], str] = {}
        self._deliveries: dict[str, dict[str, Any]] = {}  # the first of each connote
        self._count = 0
        self.counted: dict[str, int] = {}  # how often each oddity happened

    def messages(self) -> list[Said]:
        """Each once, in the order in which they were made up."""
        while len(self._parcels) < self._returns:
            parcel = self._parcel()
            self._parcels.append(parcel)
            self._create(parcel, parcel.at)
            self._journey(parcel)
            for name, happen in _ODDITIES.items():
                if self._is_likely(SHARE):
                    self.counted[name] = self.counted.get(name, 0) + 1
                    happen(self, parcel)
        return self._said

    # What publishers say

    def say(
        self, topic: str, key: str, type_: str, source: str, id_: str, at: datetime, /, **data: Any
    ) -> dict[str, Any]:
        """Publish an event."""
        event = {
            "specversion": "1.0",
            "id": id_,
            "source": source,
            "type": f"com.omnirps.{type_}.v1",
            "time": at.isoformat().replace("+00:00", "Z"),
            "data": {name: value for name, value in data.items() if value is not None},
        }
        self._said.append(Said(topic, key, event))
        return event

    def _create(self, p: Parcel, at: datetime, id_: str | None = None, **other: str) -> None:
        data = {"retailer": p.retailer, "route": p.route, "carrier": p.carrier, "tracking_number": p.number, **other}
        id_ = id_ or self._id("rc")
        said = self.say("returns", p.return_id, "return.created", _PORTAL, id_, at, return_id=p.return_id, **data)
        p.created.append(said)

    def _scan(self, p: Parcel, code: str, at: datetime, number: str = "", **data: Any) -> dict[str, Any]:
        number = number or p.number
        place = self._chance.choice(_PLACES)
        id_ = p.number if p.one_id else self._id("scan")
        known = {"location": place, "code": code, "carrier": p.carrier, "tracking_number": number}
        said = self.say("scans", f"{p.carrier}/{number}", "carrier.scanned", _CARRIER, id_, at, **known, **data)
        p.scans.append(said)
        return said

    def _at_hub(self, p: Parcel, what: str, at: datetime, **data: Any) -> dict[str, Any]:
        said = self.say(
            "hub_events",
            p.return_id,
            f"hub.{what}",
            _HUB,
            self._id(what),
            at,
            return_id=p.return_id,
            hub="akl1",
            **data,
        )
        p.hub.append(said)
        return said

    def _void(self, p: Parcel, event: Mapping[str, Any], id_: str | None = None, **other: str) -> None:
        target = {"source": event["source"], "id": event["id"], **other}
        at = datetime.fromisoformat(event["time"]) + timedelta(hours=5)
        data = {"return_id": p.return_id, **target, "by": "me", "reason": "wrong parcel"}
        self.say("hub_events", p.return_id, "event.voided", _DESK, id_ or self._id("void"), at, **data)

    # What happens

    def _parcel(self) -> Parcel:
        n = len(self._parcels)
        p = Parcel(
            f"R-{n:05}",
            self._chance.choice(("acme", "zenith", "nadir")),
            "first_mile_only" if self._is_likely(0.2) else "omnirps",
            f"T{n:05}",
            _START + self._days(0, 400),
        )
        reuses = (self._recycled, self._one_box, self._one_box_of_two, self._after_closed, self._unknown_carrier)
        for reuse in reuses:
            if self._is_likely(SHARE):
                reuse(p)
                break
        if self._is_likely(SHARE):
            self._counts("one id for all scans")
            p.one_id = True
        return p

    def _earlier(self) -> Parcel | None:
        found = [each for each in self._parcels[-40:] if each.at < _LAST_REUSE]
        return self._chance.choice(found) if found else None

    def _takes(self, p: Parcel, earlier: Parcel, at: datetime) -> None:
        p.carrier, p.number, p.at = earlier.carrier, earlier.number, at

    def _recycled(self, p: Parcel) -> None:
        if earlier := self._earlier():
            self._counts("label recycled")
            self._takes(p, earlier, earlier.at + self._days(40, 300))

    def _one_box(self, p: Parcel) -> None:
        if earlier := self._earlier():
            self._counts("one box")
            self._takes(p, earlier, earlier.at + self._days(0.5, 8))
            p.retailer = earlier.retailer

    def _one_box_of_two(self, p: Parcel) -> None:
        if earlier := self._earlier():
            self._counts("one box of two retailers")
            self._takes(p, earlier, earlier.at + self._days(0.5, 8))
            p.retailer = "nadir" if earlier.retailer == "acme" else "acme"

    def _after_closed(self, p: Parcel) -> None:
        if earlier := self._earlier():
            self._counts("label used after its return was closed")
            closed = earlier.at + self._days(3, 15)
            self._close(earlier, closed)
            self._takes(p, earlier, closed + self._days(0.2, 12))

    def _unknown_carrier(self, p: Parcel) -> None:
        self._counts("carrier that no table knows")
        p.carrier = "acme-post"

    def _journey(self, p: Parcel) -> None:
        """As it should be, from the consumer to the retailer; some are not that far yet, some steps are never told."""
        at, left = p.at, 99 if self._is_likely(0.75) else self._chance.randrange(9)
        steps: list[Callable[[datetime], object]] = [
            lambda at: self._scan(p, "COLLECTED", at),
            lambda at: self._scan(p, "IN_TRANSIT", at),
            lambda at: self._scan(p, "IN_TRANSIT", at),
            lambda at: self._scan(p, "DELIVERED", at),
        ]
        if p.route == "omnirps":
            steps += [
                lambda at: self._at_hub(p, "depot-scanned", at),
                lambda at: self._at_hub(p, "processed", at),
                lambda at: self._at_hub(p, "processed", at),  # once for each line of the order
                lambda at: self._export(p, at),
            ]
        for step in steps[:left]:
            at += self._days(0.1, 2)
            if not self._is_likely(0.04):
                step(at)

    def _export(self, p: Parcel, at: datetime) -> None:
        connote = self._connote(at)
        p.export = p.export or (connote, at)
        self._at_hub(p, "exported", at, connote=connote)

    def _connote(self, at: datetime) -> str:
        """The connote of the day: it may have been another consignment's months before."""
        slot = int((at - _START) / _SLOT), self._chance.randrange(1 + self._returns // 1000)
        if slot not in self._connotes:
            earlier = sorted({each for at, each in self._connotes.items() if 10 <= slot[0] - at[0] < 60})
            is_again = bool(earlier) and self._is_likely(SHARE)
            if is_again:
                self._counts("connote used again")
            self._connotes[slot] = self._chance.choice(earlier) if is_again else f"CN-{slot[0]}-{slot[1]}"
            self._bring(self._connotes[slot], _START + (slot[0] + 1) * _SLOT)
        return self._connotes[slot]

    def _bring(self, connote: str, after: datetime) -> None:
        at = after + self._days(1, 10)
        delivery = self._delivery(connote, at)
        if not self._is_likely(SHARE):
            return
        self._counts("delivery of a connote void for all")
        target = {"source": delivery["source"], "id": delivery["id"], "by": "me", "reason": "not there"}
        self.say(
            "hub_events",
            connote,
            "event.voided",
            _DESK,
            self._id("void"),
            at + self._days(0.1, 1),
            connote=connote,
            **target,
        )
        if self._is_likely(0.5):
            self._delivery(connote, at + self._days(1, 4))

    def _delivery(self, connote: str, at: datetime) -> dict[str, Any]:
        data = {"connote": connote, "location": self._chance.choice(_PLACES)}
        id_ = self._id("delivered")
        said = self.say("deliveries", connote, "connote.delivered", _FINAL, id_, at, **data)
        return self._deliveries.setdefault(connote, said) and said

    def _close(self, p: Parcel, at: datetime) -> None:
        p.closed_at = at
        data = {"return_id": p.return_id, "by": "me", "reason": self._chance.choice(("lost", "abandoned"))}
        self.say("returns", p.return_id, "return.closed", _PORTAL, self._id("closed"), at, **data)

    # Chance

    def _is_likely(self, share: float) -> bool:
        return self._chance.random() < share

    def _days(self, least: float, most: float) -> timedelta:
        """Whole seconds, so that two things hardly ever happen at once."""
        return timedelta(seconds=self._chance.randrange(int(least * 86_400), int(most * 86_400)))

    def _id(self, what: str) -> str:
        self._count += 1
        return f"{what}-{self._count}"

    def _counts(self, name: str) -> None:
        self.counted[name] = self.counted.get(name, 0) + 1

    # Oddities that happen to a return whose label was its own

    def delivered_long_before(self, p: Parcel) -> None:
        self._scan(p, "DELIVERED", p.at - self._days(60, 300))

    def scanned_before_created(self, p: Parcel) -> None:
        self._scan(p, "COLLECTED", p.at - self._days(3, 6))
        self._scan(p, "DELIVERED", p.at - self._days(1.2, 2.5))
        if self._is_likely(0.5):  # the remedy
            id_ = p.created[0]["id"] if self._is_likely(0.5) else None
            self._create(p, p.at - self._days(7, 8), id_)

    def city_filled_in(self, p: Parcel) -> None:
        if p.scans:
            scan = self._chance.choice(p.scans)
            data = {**scan["data"], "location": {"name": "Wellington", "code": "NZWLG1", "country": "NZ"}}
            again = scan | {"data": data}
            self._said.append(Said("scans", f"{data['carrier']}/{data['tracking_number']}", again))

    def sent_back(self, p: Parcel) -> None:
        at = p.at + self._days(0.5, 4)
        self._scan(p, "RETURNING", at)
        self._scan(p, "DELIVERED", at := at + self._days(0.5, 2))
        if self._is_likely(0.5):
            self._scan(p, "COLLECTED", at := at + self._days(0.5, 3))
            self._scan(p, "DELIVERED", at + self._days(0.5, 3))

    def returns_after_delivered(self, p: Parcel) -> None:
        self._scan(p, self._chance.choice(("RETURNING", "IN_TRANSIT")), p.at + self._days(8, 12))

    def rejected(self, p: Parcel) -> None:
        at = p.export[1] if p.export else p.at + self._days(6, 9)
        self._at_hub(p, "rejected", at + self._days(0.01, 1) * self._chance.choice((1, -1)), reason="not as described")

    def exported_twice(self, p: Parcel) -> None:
        at = (p.export[1] if p.export else p.at) + self._days(4, 20)
        self._export(p, at)

    def connote_without_members(self, p: Parcel) -> None:
        self._delivery(f"CN-NONE-{p.return_id}", p.at)

    def void_of_nothing(self, p: Parcel) -> None:
        event = self._chance.choice([*p.scans, *p.hub, *p.created])
        wrong = self._chance.choice(({"source": event["source"].upper()}, {"id": event["id"].upper() + "X"}))
        self._void(p, event, **wrong)

    def void(self, p: Parcel) -> None:
        events = [*p.scans, *(each for each in p.hub if "exported" not in each["type"])]
        if events:
            self._void(p, self._chance.choice(events))

    def creation_void(self, p: Parcel) -> None:
        self._void(p, p.created[0])

    def creations_conflict(self, p: Parcel) -> None:
        other = {"retailer": "nadir" if p.retailer == "acme" else "acme"}
        if self._is_likely(0.5):
            other = {"route": "omnirps" if p.route == "first_mile_only" else "first_mile_only"}
        self._create(p, p.at + self._days(0.01, 1) * self._chance.choice((1, -1)), **other)
        if self._is_likely(0.5):  # the way out
            self._void(p, self._chance.choice((p.created[0], p.created[-1])))

    def voids_name_each_other(self, p: Parcel) -> None:
        one, two = self._id("void"), self._id("void")
        for this, that in ((one, two), (two, one)):
            self._void(p, p.created[0], this, source=_DESK, id=that)

    def name_of_creation_and_scan(self, p: Parcel) -> None:
        scan = self._scan(p, "COLLECTED", p.at + self._days(0.1, 1))
        name = {"source": _PORTAL, "id": p.created[0]["id"]}
        scan.update(name)
        if self._is_likely(0.7):
            self._void(p, scan)

    def delivery_void_for_one(self, p: Parcel) -> None:
        if p.export is not None:
            self._void(p, self._deliveries[p.export[0]])

    def two_labels(self, p: Parcel) -> None:
        """The second creation is later than any other of the return."""
        number = f"{p.number}-{p.return_id}"
        self._create(p, p.at + self._days(1.5, 3), tracking_number=number)
        self._scan(p, "COLLECTED", p.at + self._days(0.2, 3), number)
        if self._is_likely(0.5):
            self._scan(p, "DELIVERED", p.at + self._days(3, 6), number)

    def clock_ahead(self, p: Parcel) -> None:
        at = self._now + timedelta(hours=12) - self._days(0, 0.2)
        if p.route == "omnirps" and self._is_likely(0.3):
            self._at_hub(p, "depot-scanned", at)
        else:
            self._scan(p, "IN_TRANSIT", at)

    def nobody_knows_it(self, p: Parcel) -> None:
        """A parcel without any creation."""
        stranger = Parcel(
            f"{p.return_id}-X",
            p.retailer,
            p.route,
            f"{p.number}-X",
            p.at,
            self._chance.choice(("generic", "acme-post")),
        )
        self._scan(stranger, "COLLECTED", p.at)
        self._at_hub(stranger, "depot-scanned", p.at + self._days(1, 2))

    def closed(self, p: Parcel) -> None:
        self._close(p, p.at + self._days(1, 30))

    def closed_and_reopened(self, p: Parcel) -> None:
        at = p.at + self._days(1, 10)
        self._close(p, at)
        at += self._days(1, 4)
        data = {"return_id": p.return_id, "by": "me", "reason": "found"}
        self.say("returns", p.return_id, "return.reopened", _PORTAL, self._id("reopened"), at, **data)
        if self._is_likely(0.3):
            self._close(p, at + self._days(1, 4))

    def unknown_code(self, p: Parcel) -> None:
        self._scan(p, "LOST_IN_SPACE", p.at + self._days(0, 5))


_ODDITIES: Final[Mapping[str, Callable[[World, Parcel], None]]] = {
    name.replace("_", " "): happen
    for name, happen in vars(World).items()
    if not name.startswith("_") and name not in {"messages", "say"}
}


def shuffled(messages: list[Said], seed: int) -> Iterator[Said]:
    """Over the whole stream, some of them twice."""
    chance = Random(seed)
    sent = [*messages, *(message for message in messages if chance.random() < SHARE)]
    chance.shuffle(sent)
    yield from sent
