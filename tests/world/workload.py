"""What publishers say in a history: a seed's returns, with all that goes wrong with them, and what each message means.

The meaning is written down here, by hand, beside the bytes: nothing of the service reads the bytes for the oracle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from service.domain.events import Attributes, Effect, Event, Sense, Words
from service.domain.milestones import Milestone, Reason, Route
from tests.world.scheduler import EPOCH, Plan

RETURNS, SCANS, HUB, DELIVERIES = INPUTS = ("returns", "scans", "hub-events", "deliveries")
HEADERS: Final = (("content-type", b"application/cloudevents+json"),)
LATER_CODE: Final = "X9"  # a code that no table knows until the carrier's is mended; it means collected
_CODES: Final = {
    "COLLECTED": (Milestone.RT, Effect.COLLECTED),
    "IN_TRANSIT": (Milestone.RT, None),
    "DELIVERED": (Milestone.RDTPF, None),
    "RETURNING": (None, Effect.RETURNING),
}
_RETAILERS: Final = {"/acme": ("acme",), "/zenith": ("zenith",), "/both": ("acme", "zenith")}
PUBLISHERS: Final = "\n".join(
    f"[{name}]\ntopics = {list(INPUTS)}\nsources = {sources}\nvoids = 'any'\n{bounds}"
    for name, sources, bounds in (
        ("everybody", ["/portal", "/carrier", "/hub", "/ops", "/final"], ""),
        *((source[1:], [source], f"retailers = {list(retailers)}\n") for source, retailers in _RETAILERS.items()),
    )
)
"""Who may say what: some carriers' scans count for some retailers only."""
_START: Final = int(EPOCH) - 40 * 86_400


@dataclass(frozen=True, slots=True)
class Said:
    """One message: where it goes, and what it means. Without an `event` it is no event, and stays none.

    `until_replay`: yesterday's version of the service takes it for invalid, today's does not. `is_refused`: PostgreSQL
    refuses one of its values.
    """

    number: int
    topic: str
    key: bytes
    value: bytes
    kind: str
    subject: str
    event: Event | None
    until_replay: bool = False
    is_refused: bool = False
    in_txn: int = 0  # the publisher's transaction that it is part of; negative: which is aborted

    @property
    def name(self) -> tuple[str, str]:
        assert self.event is not None
        return self.event.source, self.event.id

    def __str__(self) -> str:
        if self.event is None:
            return f"#{self.number} no event"
        what = self.event.milestone or self.event.sense
        return f"#{self.number} {what} {self.event.id} of {self.kind} {self.subject}"


class Workload:
    """The messages of a seed, in the order in which they are published."""

    def __init__(self, plan: Plan) -> None:
        self._random = Random(plan.seed * 2 + 7)
        self._reuse = Random(plan.seed * 2 + 8)  # of its own, so that the rest of a seed stays what it is
        self._odd = Random(f"odd {plan.seed}")  # likewise
        self._bound = Random(f"retailers {plan.seed}")  # likewise
        self._is_bound = self._bound.random() < 0.3
        self._count = self._garbled = 0
        self.said: list[Said] = []
        self._make()
        if plan.kept is not None:
            self.said = [each for each in self.said if each.number in plan.kept]

    def _make(self) -> None:
        random = self._random
        made = list[Said]()
        connotes = [f"CN-{n:03}" for n in range(random.randint(1, 2))]
        labels = [f"TN-{n:03}" for n in range(4)]
        for number in range(random.randint(2, 4)):
            # Now and then a label is used again, soon or much later, or by another retailer.
            label = labels[number % random.choice((4, 4, 3, 2, 1))]
            made += self._return(f"R-{number:03}", label, connotes, random.choice((0, 0, 0, 36, 80)))
        for connote in connotes:
            # Now and then it is an earlier consignment's, or one that comes much later.
            for days in random.choice(((6,), (6,), (), (0, 6), (6, 150), (0,), (0, 150))):
                made.append(self._delivery(connote, len(made), days))
        made = self._ahead(self._reused(made))
        # Mostly in the order in which it happened, with a part out of it.
        made.sort(key=lambda each: each.event.at if each.event else 0)
        for _ in range(random.choice((0, 2, 10))):
            made.insert(random.randrange(len(made)), made.pop(random.randrange(len(made))))
        for _ in range(random.choice((0, 1, 4))):
            made.insert(random.randrange(len(made) + 1), made[random.randrange(len(made))])  # published twice
        for _ in range(random.choice((0, 0, 1, 2))):
            made.insert(random.randrange(len(made) + 1), self._garbage())
        self.said = self._in_transactions(made)

    def _reused(self, made: list[Said]) -> list[Said]:
        """Now and then an id names two events of one return, label or connote."""
        random = self._reuse
        for _ in range(random.choice((0, 0, 1, 2))):
            one = random.choice(made)
            others = [n for n, each in enumerate(made) if each.subject == one.subject and each is not one]
            if one.event is None or not others:
                continue
            number = random.choice(others)
            envelope = json.loads(made[number].value) | {"source": one.event.source, "id": one.event.id}
            event = made[number].event
            assert event is not None
            event = replace(event, source=one.event.source, id=one.event.id, retailers=one.event.retailers)
            made[number] = replace(made[number], value=json.dumps(envelope).encode(), event=event)
        return made

    def _ahead(self, made: list[Said]) -> list[Said]:
        """Now and then a clock is ahead: of when the world begins by more than one of its jumps, by less than is invalid."""
        if self._odd.random() < 0.25:
            number = self._odd.randrange(len(made))
            at = (int(EPOCH) + self._odd.randint(28, 44) * 3600) * 1_000_000
            each = made[number]
            assert each.event is not None
            value = json.dumps(json.loads(each.value) | {"time": _time(at)}).encode()
            made[number] = replace(each, value=value, event=replace(each.event, at=at, is_ahead=True))
        return made

    def _in_transactions(self, made: list[Said]) -> list[Said]:
        random, said, txn = self._random, list[Said](), 0
        uses = random.random() < 0.4
        while made:
            size = random.randint(1, 3)
            part, made = made[:size], made[size:]
            sort = 0
            if uses and random.random() < 0.5:
                txn += 1
                sort = txn if random.random() < 0.7 else -txn
            for each in part:
                self._count += 1
                said.append(_numbered(each, self._count, sort))
                if sort < 0:  # its publisher tries again
                    made.append(each)
        return said

    def _said(self, topic: str, kind: str, subject: str, type_: str, event: Event, data: dict[str, Any]) -> Said:
        envelope = {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": type_,
            "time": _time(event.at),
            "datacontenttype": "application/json",
            "data": data,
        }
        until_replay, is_refused = self._random.random() < 0.03, self._random.random() < 0.02
        value = json.dumps(envelope).encode()
        event = replace(event, words=Words(type_, json.dumps(data, sort_keys=True).encode()))
        return Said(0, topic, subject.encode(), value, kind, subject, event, until_replay, is_refused)

    def _return(self, return_id: str, label: str, connotes: list[str], before: int) -> Iterator[Said]:
        random = self._random
        at = (_START - 86_400 * before + random.randrange(0, 86_400 * 5)) * 1_000_000
        retailer = random.choice(("acme", "acme", "acme", "zenith"))
        route = Route.OMNIRPS if random.random() < 0.85 else Route.FIRST_MILE_ONLY
        ids = iter(f"{return_id}-{n}" for n in range(100))

        def next_at() -> int:
            nonlocal at
            at += random.randrange(1, 40_000) * 1_000_000
            return at

        creations = list[Said]()
        for copies in range(random.choice((1, 1, 1, 2))):
            label_ = label if copies == 0 or random.random() < 0.7 else f"TN-9{return_id[-2:]}"
            said_route = route
            if copies and self._odd.random() < 0.4:  # they contradict each other
                retailer, said_route = self._odd.choice((("zenith", route), (retailer, self._odd.choice(tuple(Route)))))
                if self._odd.random() < 0.6:  # by a label that others may claim, too
                    label_ = f"TN-8{self._odd.randrange(3):02}"
            attributes = Attributes(retailer, said_route, "generic", label_)
            event = Event("/portal", next(ids), next_at(), Sense.ASSERTS, Milestone.RC, None, attributes)
            data = {
                "return_id": return_id,
                "retailer": retailer,
                "route": said_route.value,
                "carrier": "generic",
                "tracking_number": label_,
            }
            created = self._said(RETURNS, "return", return_id, "com.omnirps.return.created.v1", event, data)
            yield created
            creations.append(created)
        if said_route is not route or len({json.loads(each.value)["data"]["retailer"] for each in creations}) > 1:
            yield from self._about(creations, label_, at)
        closings = random.choice((0, 0, 0, 0, 1, 2))
        for _ in range(random.choice((1, 2, 3, 5))):
            if closings and random.random() < 0.4:
                closings -= 1
                yield self._closing(return_id, next(ids), next_at())
            if random.random() < 0.05:  # of long before
                yield self._scan(label, random.choice(tuple(_CODES)), next(ids), at - 86_400_000_000 * 60)
            code = random.choice((*_CODES, LATER_CODE)) if random.random() < 0.9 else "PREADVICE"
            yield self._scan(label, code, next(ids), next_at())
        hub = list[Said]()
        for milestone, name, extra in (
            (Milestone.DS, "depot-scanned", {}),
            (Milestone.RP, "processed", {}),
            (Milestone.RE, "exported", {"connote": random.choice(connotes)}),
        ):
            if random.random() < 0.75:
                again = random.choice((1, 1, 1, 2))
                for turn in range(again):
                    repacked = {"connote": random.choice(connotes)} if turn and extra else extra
                    hub.append(self._hub(return_id, milestone, name, repacked, next(ids), next_at()))
        if random.random() < 0.2:
            hub.append(self._hub(return_id, Milestone.RR, "rejected", {"reason": "damaged"}, next(ids), next_at()))
        yield from hub
        if hub and random.random() < 0.35:
            target = random.choice(hub) if random.random() < 0.9 else created
            event = Event("/hub", next(ids), next_at(), Sense.VOIDS, voids=target.name)
            data = {"return_id": return_id, "source": target.name[0], "id": target.name[1], "by": "x", "reason": "y"}
            yield self._said(HUB, "return", return_id, "com.omnirps.event.voided.v1", event, data)

    def _about(self, created: list[Said], label: str, at: int) -> Iterator[Said]:
        """Scans by the label of the last of creations that contradict each other; now and then voids of some of them."""
        odd, return_id = self._odd, created[0].subject
        for number in range(odd.choice((0, 1, 2))):
            scanned = at + odd.randrange(-200_000, 400_000) * 1_000_000
            yield self._scan(label, odd.choice(tuple(_CODES)), f"{return_id}-odd-{number}", scanned)
        for number in odd.choice(((), (), (1,), (1,), (0,), (0, 1))):
            void_at, (source, target) = at + odd.randrange(400_000) * 1_000_000, created[number].name
            event = Event("/ops", f"{return_id}-void-{number}", void_at, Sense.VOIDS, voids=(source, target))
            data = {"return_id": return_id, "source": source, "id": target, "by": "x", "reason": "y"}
            yield self._said(HUB, "return", return_id, "com.omnirps.event.voided.v1", event, data)

    def _closing(self, return_id: str, id_: str, at: int) -> Said:
        closes = self._random.random() < 0.75
        data = {"return_id": return_id, "by": "x", "reason": "lost"}
        if closes:
            event = Event("/portal", id_, at, Sense.CLOSES, because="lost")
        else:
            event = Event("/portal", id_, at, Sense.REOPENS)
        type_ = f"com.omnirps.return.{'closed' if closes else 'reopened'}.v1"
        return self._said(RETURNS, "return", return_id, type_, event, data)

    def _scan(self, label: str, code: str, id_: str, at: int) -> Said:
        if code in _CODES:
            milestone, effect = _CODES[code]
            sense = Sense.INFORMS if milestone is None else Sense.ASSERTS
            event = Event("/carrier", id_, at, sense, milestone, effect=effect, label=("generic", label))
        else:  # nobody knows it
            because = Reason.UNKNOWN_CODE
            event = Event("/carrier", id_, at, Sense.UNMAPPED, unmapped_because=because, label=("generic", label))
        if self._is_bound and (source := self._bound.choice(("", *_RETAILERS))):
            event = replace(event, source=source, retailers=_RETAILERS[source])
        data = {"carrier": "generic", "tracking_number": label, "code": code}
        return self._said(SCANS, "label", f"generic/{label}", "com.omnirps.carrier.scanned.v1", event, data)

    def _hub(self, return_id: str, milestone: Milestone, name: str, extra: dict[str, str], id_: str, at: int) -> Said:
        event = Event("/hub", id_, at, Sense.ASSERTS, milestone, connote=extra.get("connote"))
        data = {"return_id": return_id, "hub": "akl1", **extra}
        return self._said(HUB, "return", return_id, f"com.omnirps.hub.{name}.v1", event, data)

    def _delivery(self, connote: str, number: int, days: int) -> Said:
        at = (_START + 86_400 * (days + self._random.randint(-3, 6))) * 1_000_000
        event = Event("/final", f"{connote}-{number}", at, Sense.ASSERTS, Milestone.RDBTC, connote=connote)
        data = {"connote": connote}
        return self._said(DELIVERIES, "connote", connote, "com.omnirps.connote.delivered.v1", event, data)

    def _garbage(self) -> Said:
        topic = self._random.choice(INPUTS)
        self._garbled += 1
        return Said(0, topic, b"R-000", b"{%d" % self._garbled, "none", "", None)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat().replace("+00:00", "Z")


def _numbered(each: Said, number: int, in_txn: int) -> Said:
    return replace(each, number=number, in_txn=in_txn)
