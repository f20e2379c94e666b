"""What is true of returns, from everything that was published about all of them: the contract's rules, in plain Python.

Unlike `oracle`, which is told which events are a return's and how windows moved, this one starts from the messages and
decides that, too. It looks at the whole set at once, in no order, and shares nothing with the service.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from itertools import combinations
from typing import Any, Final, NamedTuple

Document = Mapping[str, Any]
Label = tuple[str, str]
Name = tuple[str, str]

_RISING: Final = ("RC", "RT", "RDTPF", "DS", "RP", "RE", "RDBTC")
_CREATED, _CLOSED, _REOPENED = (f"com.omnirps.return.{what}.v1" for what in ("created", "closed", "reopened"))
_SCANNED: Final = "com.omnirps.carrier.scanned.v1"
_DELIVERED: Final = "com.omnirps.connote.delivered.v1"
_VOIDED: Final = "com.omnirps.event.voided.v1"
_HUB: Final = {
    "com.omnirps.hub.depot-scanned.v1": "DS",
    "com.omnirps.hub.processed.v1": "RP",
    "com.omnirps.hub.exported.v1": "RE",
    "com.omnirps.hub.rejected.v1": "RR",
}
# Of carrier `generic`; no other carrier of these tests has a table.
_CODES: Final = {"COLLECTED": "RT", "IN_TRANSIT": "RT", "DELIVERED": "RDTPF", "RETURNING": None}
# What a type requires, or names a fact though it is optional; the rest describes.
_FACTS: Final = frozenset(
    (
        "return_id",
        "retailer",
        "route",
        "carrier",
        "tracking_number",
        "code",
        "local_time",
        "hub",
        "connote",
        "by",
        "reason",
    )
) | {"source", "id"}

_LEAD: Final = timedelta(hours=24)
_REUSE: Final = timedelta(days=30)
_BEFORE_EXPORT: Final = timedelta(hours=24)
_CONNOTE: Final = timedelta(days=120)
_AHEAD: Final = timedelta(minutes=15)


class Event:
    """One event of the set."""

    def __init__(self, document: Document) -> None:
        self.source, self.id, self.type = document["source"], document["id"], document["type"]
        self.data: Mapping[str, Any] = document["data"]
        self.at = datetime.fromisoformat(document["time"])
        self.location: Mapping[str, str] | None = self.data.get("location")
        self.words = json.dumps([self.type, document["time"], self.data], sort_keys=True)
        self.name: Name = (self.source, self.id)
        self.order = (self.at, self.source, self.id, -len(self.location or ()), self.words.encode())
        self.fact = (self.type, self.at, json.dumps({k: v for k, v in sorted(self.data.items()) if k in _FACTS}))

    @property
    def label(self) -> Label:
        """Of a creation and a scan."""
        return self.data["carrier"], self.data["tracking_number"]

    @property
    def kind(self) -> tuple[str, str]:
        """What creations of one return may contradict each other in."""
        return self.data["retailer"], self.data["route"]

    @property
    def unmapped(self) -> str | None:
        """Why no table knows what the scan means."""
        if self.type != _SCANNED:
            return None
        if self.data["carrier"] != "generic":
            return "unknown_carrier"
        return None if self.data["code"] in _CODES else "unknown_code"

    @property
    def milestone(self) -> str | None:
        """What it asserts."""
        if self.type == _SCANNED:
            return None if self.unmapped else _CODES[self.data["code"]]
        return {_CREATED: "RC", _DELIVERED: "RDBTC", **_HUB}.get(self.type)


class Claim(NamedTuple):
    """A return's claim on a label."""

    at: datetime
    return_id: str
    retailer: str
    begin: datetime
    end: datetime

    def has(self, at: datetime) -> bool:
        """Whether a time is in its window."""
        return self.begin <= at < self.end


class Truth(NamedTuple):
    """What is true of a return."""

    retailer: str
    route: str
    carrier: str
    tracking_number: str
    labels: list[Label]
    connote: str | None
    status: str
    complete: bool
    closed: tuple[str, datetime] | None  # why, and when
    timeline: dict[str, tuple[datetime, str, Mapping[str, str] | None]]  # when, by whom, where
    exceptions: set[str]


class Oracle:
    """Everything that was said, by what it is about; `received` is when."""

    def __init__(self, documents: Iterable[Document], received: datetime) -> None:
        self._received = received
        events = [Event(document) for document in documents]
        self._returns = defaultdict[str, list[Event]](list)
        self._scans = defaultdict[Label, list[Event]](list)
        self._of_connotes = defaultdict[str, list[Event]](list)  # deliveries, and voids for all members
        self._members = defaultdict[str, set[str]](set)
        for event in {(each.name, each.words): each for each in events}.values():
            if event.type == _SCANNED:
                self._scans[event.label].append(event)
            elif "return_id" in event.data:
                self._returns[event.data["return_id"]].append(event)
            else:
                self._of_connotes[event.data["connote"]].append(event)
            if event.milestone == "RE":
                self._members[event.data["connote"]].add(event.data["return_id"])

    def truths(self) -> dict[str, Truth]:
        """Of every return that is known."""
        return {
            return_id: self.of(return_id) for return_id in sorted(self._returns) if self.standing_creations(return_id)
        }

    def of(self, return_id: str) -> Truth:
        """Of one of them."""
        labels = self._labels(return_id)
        scans = {label: self._scans_of(label, return_id) for label in labels}
        is_shared = any(self._is_shared(label, return_id) for label in labels)
        return _Return(self._about(return_id), scans, self._received, is_shared=is_shared).truth()

    def parked(self) -> set[str]:
        """What waits for a creation: numbers that no creation names which stands, and returns that none was of."""
        unknown = {id_ for id_, told in self._returns.items() if not any(event.type == _CREATED for event in told)}
        return {"/".join(label) for label in self._scans if not self.claims(label)} | unknown

    def without_members(self) -> set[str]:
        """Connotes that were delivered, and nothing was exported under them."""
        return {
            connote
            for connote, told in self._of_connotes.items()
            if not self._members[connote] and any(event.type == _DELIVERED for event in told)
        }

    def claims(self, label: Label) -> list[Claim]:
        """Those of a label, the earliest first."""
        return self._claims.get(label, [])

    def voided(self, return_id: str) -> set[Name]:
        """The names that are declared mistakes for a return."""
        return {(v.data["source"], v.data["id"]) for v in self._about(return_id) if v.type == _VOIDED}

    def standing_creations(self, return_id: str) -> list[Event]:
        """A creation can be voided only while creations contradict each other."""
        creations = [event for event in self._returns[return_id] if event.type == _CREATED]
        left = [event for event in creations if event.name not in self.voided(return_id)]
        return left if left and len({event.kind for event in creations}) > 1 else creations

    def _about(self, return_id: str) -> list[Event]:
        """Creations that stand, and what names the return or a connote it was exported under; voids with them."""
        own = self._returns[return_id]
        connotes = {event.data["connote"] for event in own if event.milestone == "RE"}
        return [*own, *(event for connote in sorted(connotes) for event in self._of_connotes[connote])]

    def _labels(self, return_id: str) -> set[Label]:
        return {event.label for event in self.standing_creations(return_id)}

    @cached_property
    def _claims(self) -> dict[Label, list[Claim]]:
        found = defaultdict[Label, list[tuple[datetime, str, str, datetime | None]]](list)
        for return_id in self._returns:
            creations, voided = self.standing_creations(return_id), self.voided(return_id)
            ends = [e for e in self._returns[return_id] if e.type in (_CLOSED, _REOPENED) and e.name not in voided]
            last = max(ends, key=lambda event: event.order, default=None)
            closed = last.at if last is not None and last.type == _CLOSED else None
            for label in {event.label for event in creations}:
                first = min((each for each in creations if each.label == label), key=lambda event: event.order)
                found[label].append((first.at, return_id, first.data["retailer"], closed))
        return {label: list(_windows(sorted(claims))) for label, claims in found.items()}

    def _is_shared(self, label: Label, return_id: str) -> bool:
        pairs = combinations(self.claims(label), 2)
        return any(
            max(a.begin, b.begin) < min(a.end, b.end) for a, b in pairs if return_id in (a.return_id, b.return_id)
        )

    def _scans_of(self, label: Label, return_id: str) -> list[tuple[Event, bool]]:
        """The scans that concern the return, each with whether it is from before the label was its."""
        found = []
        for scan in self._scans[label]:
            within = [claim for claim in self.claims(label) if claim.has(scan.at)]
            later = [claim for claim in self.claims(label) if claim.at > scan.at]
            if within:
                theirs = [claim.return_id for claim in within if claim.retailer == within[0].retailer]
            else:
                theirs = [claim.return_id for claim in later[:1]]
            if return_id in theirs:
                found.append((scan, not within))
        return found


def _windows(claims: list[tuple[datetime, str, str, datetime | None]]) -> Iterator[Claim]:
    for at, return_id, retailer, closed in claims:
        anew = [
            other
            for other, whose, *_ in claims
            if whose != return_id and other > at and (other > at + _REUSE or (closed is not None and other > closed))
        ]
        end = min(anew) - _LEAD if anew else datetime.max.replace(tzinfo=at.tzinfo)
        yield Claim(at, return_id, retailer, at - _LEAD, end)


class _Return:
    """One return, once it is known which events concern it."""

    def __init__(
        self,
        about: Collection[Event],
        scans: Mapping[Label, Collection[tuple[Event, bool]]],
        received: datetime,
        *,
        is_shared: bool,
    ) -> None:
        self._received, self._is_shared = received, is_shared
        self._voids = [event for event in about if event.type == _VOIDED]
        self._consigned = {(event.data["connote"], *event.name) for event in about if event.type == _DELIVERED}
        voided = {(void.data["source"], void.data["id"]) for void in self._voids}
        creations = [event for event in about if event.type == _CREATED]
        left = [event for event in creations if event.name not in voided]
        self._created = left if left and len({event.kind for event in creations}) > 1 else creations
        firm = [*self._created, *self._voids]
        told = [event for event in about if event.type not in (_CREATED, _VOIDED)]
        exports = [e for e in told if e.milestone == "RE" and e.name not in voided]
        told = [e for e in told if e.type != _DELIVERED or not _is_too_late(e, exports)]
        every = [(scan, is_early) for label in sorted(scans) for scan, is_early in scans[label]]
        self._own = [*creations, *self._voids, *told, *(scan for scan, _ in every)]  # void or not
        every = [(scan, is_early) for scan, is_early in every if scan.name not in voided]
        self._early = [scan for scan, is_early in every if is_early]
        self._scans = [scan for scan, is_early in every if not is_early]
        told = [event for event in told if event.name not in voided]
        self._standing = [*firm, *told, *(scan for scan, _ in every)]
        self._hub = [event for event in told if event.type in _HUB]
        self._exports = exports
        self._deliveries = [event for event in told if event.type == _DELIVERED]
        self._ends = [event for event in told if event.type in (_CLOSED, _REOPENED)]

    def truth(self) -> Truth:
        """By 3.1 and 3.3."""
        first = _earliest(self._created)
        counts, against = self._milestones(first.data["route"])
        status = "RR" if "RR" in counts else [code for code in _RISING if code in counts][-1]
        delivered = _earliest(each for each in self._deliveries if self._is_within(each))
        connote = max(self._exports, key=lambda e: e.order).data["connote"] if self._exports else None
        if delivered is not None:  # whether or not it counts: nobody else brought the return anywhere
            connote = delivered.data["connote"]
        is_first_mile = first.data["route"] == "first_mile_only"
        labels: list[Label] = []
        for creation in sorted(self._created, key=lambda event: event.order):
            if creation.label not in labels:
                labels.append(creation.label)
        last = max(self._ends, key=lambda event: event.order, default=None)
        is_ended = last is not None and last.type == _CLOSED
        went_on = last is not None and any(event.at > last.at for event in counts.values())
        return Truth(
            retailer=first.data["retailer"],
            route=first.data["route"],
            carrier=first.data["carrier"],
            tracking_number=first.data["tracking_number"],
            labels=labels,
            connote=connote,
            status=status,
            complete="RDBTC" in counts or "RR" in counts or (is_first_mile and "RDTPF" in counts),
            closed=(last.data["reason"], last.at) if last is not None and is_ended and not went_on else None,
            timeline={code: (event.at, event.source, event.location) for code, event in counts.items()},
            exceptions=self._exceptions(counts, against) | ({"events_after_closed"} if is_ended and went_on else set()),
        )

    def _milestones(self, route: str) -> tuple[dict[str, Event], dict[str, str]]:
        """What counts, and the reason against what does not."""
        asserting = [*self._created, *self._hub, *self._scans, *self._deliveries]
        asserted = {}
        for code in (*_RISING, "RR"):
            valid = [e for e in asserting if e.milestone == code and not self._is_sent_back(e)]
            if code == "RDBTC":
                valid = [event for event in valid if self._is_within(event)]
            if valid:
                asserted[code] = _earliest(valid)
        if route == "first_mile_only":
            counts = {code: event for code, event in asserted.items() if code in ("RC", "RT", "RDTPF")}
            return counts, dict.fromkeys(asserted.keys() - counts.keys(), "route_ends_at_first_mile")
        against = {}
        if "RE" in asserted and "RP" not in asserted:
            against["RE"] = "awaiting_processed"
        if "RDBTC" in asserted and ("RE" in against or "RE" not in asserted):
            against["RDBTC"] = "awaiting_exported"
        if "RR" in asserted:
            rejected, exported = asserted["RR"].at, asserted.get("RE")
            if exported is not None and "RE" not in against and exported.at <= rejected:
                against["RR"] = "already_exported"
            else:
                against |= dict.fromkeys({"RE", "RDBTC"} & asserted.keys(), "already_rejected")
                if "RP" in asserted and asserted["RP"].at > rejected:
                    against["RP"] = "already_rejected"
        return {code: event for code, event in asserted.items() if code not in against}, against

    def _is_sent_back(self, scan: Event) -> bool:
        if scan.milestone != "RDTPF":
            return False
        before = [
            each
            for each in self._scans
            if not each.unmapped and each.data["code"] in ("COLLECTED", "RETURNING") and each.order < scan.order
        ]
        last = max(before, key=lambda event: event.order, default=None)
        return last is not None and last.data["code"] == "RETURNING"

    def _is_within(self, delivery: Event) -> bool:
        return any(
            export.at - _BEFORE_EXPORT <= delivery.at <= export.at + _CONNOTE
            for export in self._exports
            if export.data["connote"] == delivery.data["connote"]
        )

    def _against_delivery(self, delivery: Event, counts: Mapping[str, Event], route: str) -> str:
        """Why one outside of every window does not count: of several reasons the first of their list."""
        if route == "first_mile_only":
            return "route_ends_at_first_mile"
        if "RR" in counts:
            return "already_rejected"
        named = any(export.data["connote"] == delivery.data["connote"] for export in self._exports)
        return "before_export" if named else "awaiting_exported"

    def _exceptions(self, counts: Mapping[str, Event], against: Mapping[str, str]) -> set[str]:
        route = _earliest(self._created).data["route"]
        found = set(against.values())
        found |= {scan.unmapped or "before_label" for scan in self._early}
        found |= {scan.unmapped for scan in self._scans if scan.unmapped}
        if any(self._is_sent_back(scan) for scan in self._scans):
            found.add("returned_to_sender")
        stray = [delivery for delivery in self._deliveries if not self._is_within(delivery)]
        found |= {self._against_delivery(delivery, counts, route) for delivery in stray}
        if len({export.data["connote"] for export in self._exports}) > 1 and "RE" in counts:
            found.add("other_connote")
        moving = [scan for scan in self._scans if not scan.unmapped and scan.data["code"] != "DELIVERED"]
        if "RDTPF" in counts and any(scan.at > counts["RDTPF"].at for scan in moving):
            found.add("returning_after_delivered")
        if self._is_shared:
            found.add("tracking_number_in_use")
        return found | self._of_names()

    def _of_names(self) -> set[str]:
        found, facts = set[str](), defaultdict[Name, set[object]](set)
        for event in self._standing:
            facts[event.name].add(event.fact)
        if any(len(told) > 1 for told in facts.values()):
            found.add("id_reused")
        if len({creation.kind for creation in self._created}) > 1:
            found.add("creation_conflict")
        if any(event.at > self._received + _AHEAD for event in self._standing):
            found.add("clock_ahead")
        for void in self._voids:
            name = void.data["source"], void.data["id"]
            named = [event for event in self._own if event.name == name]
            if not named and (void.data.get("connote"), *name) not in self._consigned:
                found.add("void_without_event")
            elif not named:  # for all members of a connote, of a delivery that some of them have
                continue
            elif all(event in self._standing for event in named):
                found.add("not_voidable")
        return found


def _is_too_late(delivery: Event, exports: Iterable[Event]) -> bool:
    named = [each for each in exports if each.data["connote"] == delivery.data["connote"]]
    return bool(named) and all(delivery.at > export.at + _CONNOTE for export in named)


def _earliest(events: Iterable[Event]) -> Any:
    return min(events, key=lambda event: event.order, default=None)
