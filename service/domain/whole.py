"""A whole set of events, and the evidence in it: what `evidence.add` says in steps, for any set and in any order.

One event more costs little, however many there are: what is sorted stays sorted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

from service.domain.events import Effect, Event, Sense, key_digest
from service.domain.evidence import (
    MANY_EXPORTS,
    RC,
    RDBTC,
    RDTPF,
    RE,
    RETURNING,
    RT,
    SENT_BACK,
    STRAY,
    TWO_CONNOTES,
    UNMAPPED,
    VAIN_VOID,
    VOIDS_UNLISTED,
    Against,
    Evidence,
    Sighting,
    in_rank_order,
    sighting_of,
)
from service.domain.lines import Line
from service.domain.milestones import Milestone, Reason, Verdict
from service.domain.rules import DEFAULT, Rules

MAX_VOIDS: Final = 16
"""So many names of voided events stand in a state; with more, the past is asked."""


class _Connote:
    """The exports under one connote, and its deliveries."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.exports, self.deliveries = Line(), Line()
        self._found: _Found | None = None

    def put(self, event: Event) -> None:
        if event.milestone is RE:
            self.exports.put(event)
            self._found = None
            return
        self.deliveries.put(event)
        if self._found is not None:
            self._found = self._with(self._found, event)

    def drop(self, event: Event) -> None:
        (self.exports if event.milestone is RE else self.deliveries).drop(event)
        self._found = None

    def against(self, delivery: Event) -> Against:
        """What the exports' times have against it; None: it is within the window of one."""
        at, rules = delivery.at, self._rules
        if self.exports.within(at - rules.after_export, at + rules.before_export):
            return None
        if not self.exports:
            return Reason.AWAITING_EXPORTED
        is_early = self.exports.last.at > at + rules.before_export
        return Reason.BEFORE_EXPORT if is_early else Verdict.INFORMATIONAL

    def found(self) -> _Found:
        if self._found is None:
            self._found = _Found(None, 0)
            for delivery in self.deliveries:
                self._found = self._with(self._found, delivery)
        return self._found

    def _with(self, found: _Found, delivery: Event) -> _Found:
        against = self.against(delivery)
        if against is not None:
            return found._replace(flags=found.flags | STRAY[against])
        if found.delivered is None or delivery.order < found.delivered.order:
            return found._replace(delivered=delivery)
        return found


class _Found(NamedTuple):
    """The earliest delivery within a window, and flags of those that are in none."""

    delivered: Event | None
    flags: int


class Whole:
    """Every event of one return, in any order. `newest` is the one that was added last."""

    def __init__(self, events: Iterable[Event] = (), rules: Rules = DEFAULT, voided: Collection[bytes] = ()) -> None:
        """`voided` are keys of events that are out of the set without a void in it."""
        self._rules = rules
        self.voided: set[bytes] = set(voided)
        self._named: dict[bytes, list[Event]] = {}
        self._seen: dict[Milestone, Line] = {}
        self._collected, self._returning = Line(), Line()
        self._connotes: dict[str, _Connote] = {}
        self._exports = Line()
        self._unmapped: dict[bytes, Reason] = {}
        self._vain: set[bytes] = set()
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """One event more."""
        key = event.key
        self._named.setdefault(key, []).append(event)
        if event.unmapped_because is None:
            self._unmapped.pop(key, None)  # should it be understood by now
        elif key not in self.voided:
            self._unmapped[key] = event.unmapped_because
        if event.voids is not None:
            target = key_digest(*event.voids)
            if target not in self.voided:
                self.voided.add(target)
                self._unmapped.pop(target, None)
                for voided in self._named.get(target, ()):
                    if not is_firm(voided):
                        self._drop(voided)
                self._note_vain(target)
        elif key not in self.voided or is_firm(event):
            self._put(event)
        if key in self.voided:
            self._note_vain(key)

    def names(self, voids: tuple[str, str]) -> list[Event]:
        """The events of this name."""
        return [event for event in self._named.get(key_digest(*voids), ()) if (event.source, event.id) == voids]

    def against(self, event: Event) -> Against:
        """What the other events' times have against this one, which asserts a milestone and is not voided."""
        if event.milestone is RDBTC and event.connote is not None:
            return self._connotes[event.connote].against(event)
        if event.milestone is RDTPF and self._is_at_senders(event):
            return Reason.RETURNED_TO_SENDER
        return None

    def evidence(self) -> Evidence:
        """What can matter of them."""
        earliest = {milestone: sighting_of(line.first) for milestone, line in self._seen.items() if line}
        flags = self._voids() | self._delivered_at(earliest)
        connote = self._exports.last.connote if self._exports else None
        if self._connotes:
            brought, stray = self._brought()
            flags |= stray
            if brought is not None:
                earliest[RDBTC], connote = sighting_of(brought), brought.connote
        attributes = self._seen[RC].first.attributes if self._seen.get(RC) else None
        moving = [line.last.at for line in (self._seen.get(RT), self._returning) if line]
        return Evidence(in_rank_order(earliest), attributes, connote, flags, max(moving, default=0))

    def _voids(self) -> int:
        flags = VOIDS_UNLISTED if len(self.voided) > MAX_VOIDS else 0
        for because in set(self._unmapped.values()):
            flags |= UNMAPPED[because]
        return flags | (VAIN_VOID if self._vain else 0)

    def _note_vain(self, target: bytes) -> None:
        """Whether the voids of this name found nothing but what stays."""
        events = self._named.get(target, ())
        (self._vain.add if events and all(map(is_firm, events)) else self._vain.discard)(target)

    def _delivered_at(self, earliest: dict[Milestone, Sighting]) -> int:
        """Put the delivery at the first-mile destination in its place; flags of those at the sender's."""
        if not self._returning:
            return 0
        delivered, flags = self._seen.get(RDTPF), RETURNING
        if not delivered:
            return flags
        first: Event | None = delivered.first
        for began, ended in self._ways_back():
            at_senders = delivered.after(began.order)
            if at_senders is not None and (ended is None or at_senders.order < ended.order):
                flags |= SENT_BACK
            if first is not None and began.order < first.order and (ended is None or first.order < ended.order):
                first = None if ended is None else delivered.after(ended.order)
        earliest.pop(RDTPF, None)
        if first is not None:
            earliest[RDTPF] = sighting_of(first)
        return flags

    def _ways_back(self) -> Iterator[tuple[Event, Event | None]]:
        """From when to when the parcel was on its way to the sender: a scan says so, until it is collected again."""
        began: Event | None = self._returning.first
        while began is not None:
            ended = self._collected.after(began.order)
            yield began, ended
            began = None if ended is None else self._returning.after(ended.order)

    def _is_at_senders(self, event: Event) -> bool:
        returning, collected = self._returning.before(event.order), self._collected.before(event.order)
        return returning is not None and (collected is None or collected.order < returning.order)

    def _brought(self) -> tuple[Event | None, int]:
        """The delivery that brought the return home, and what is known of exports and of the other deliveries."""
        flags = MANY_EXPORTS if len(self._exports) > 1 else 0
        brought, exported = None, 0
        for connote in self._connotes.values():
            exported += bool(connote.exports)
            found = connote.found()
            flags |= found.flags
            if found.delivered is not None and (brought is None or found.delivered.order < brought.order):
                brought = found.delivered
        return brought, flags | (TWO_CONNOTES if exported > 1 else 0)

    def _put(self, event: Event) -> None:
        for line in self._lines(event):
            line.put(event)

    def _drop(self, event: Event) -> None:
        for line in self._lines(event):
            line.drop(event)

    def _lines(self, event: Event) -> Iterator[Line | _Connote]:
        """Where an event stands."""
        if event.effect is Effect.RETURNING:
            yield self._returning
        milestone = event.milestone
        if milestone is None:
            return
        if event.effect is Effect.COLLECTED:
            yield self._collected
        if milestone is not RDBTC:
            yield self._seen.setdefault(milestone, Line())
        if milestone is RE:
            yield self._exports
        if milestone in (RE, RDBTC):
            if event.connote is None:
                raise ValueError("an export and a delivery name their connote")
            if event.connote not in self._connotes:
                self._connotes[event.connote] = _Connote(self._rules)
            yield self._connotes[event.connote]


def is_firm(event: Event) -> bool:
    """Whether it stays when its name is voided: a creation, or a void."""
    return event.milestone is RC or event.sense is Sense.VOIDS


def gather(events: Iterable[Event], voided: Collection[bytes] = (), rules: Rules = DEFAULT) -> Evidence:
    """The evidence in a set of events, without those whose key is in `voided`, creations aside."""
    return Whole(events, rules, voided).evidence()
