"""A whole set of events, and the evidence in it: what `evidence.add` says in steps, for any set and in any order.

One event more costs little, however many there are: what is sorted stays sorted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

from service.domain.distinct import Creations, Names, is_firm
from service.domain.events import Effect, Event, key_digest
from service.domain.evidence import (
    AHEAD,
    CONFLICT,
    MANY_EXPORTS,
    RC,
    RDBTC,
    RDTPF,
    RE,
    RETURNING,
    REUSED,
    RT,
    SENT_BACK,
    STRAY,
    TWO_CONNOTES,
    UNHEARD,
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
        if found.delivered is None or delivery.place < found.delivered.place:
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
        self._names = Names(voided)
        self._creations = Creations()
        self._seen: dict[Milestone, Line] = {}
        self._collected, self._returning = Line(), Line()
        self._connotes: dict[str, _Connote] = {}
        self._exports = Line()
        self._unmapped: dict[bytes, Reason] = {}
        self._ahead: dict[bytes, Event] = {}
        self._vain: set[bytes] = set()
        for event in events:
            self.add(event)

    @property
    def voided(self) -> set[bytes]:
        """The keys of names that are declared mistakes."""
        return self._names.voided

    def add(self, event: Event) -> None:
        """One event more; one that is there already changes nothing."""
        key, identity = event.key, event.identity
        before = self._names.take(event, key, identity)
        if before is event:
            return
        is_voided = key in self.voided
        if before is not None and not is_voided:
            self._drop(before)
        if event.unmapped_because is None:
            self._unmapped.pop(identity, None)  # should it be understood by now
        elif not is_voided:
            self._unmapped[identity] = event.unmapped_because
        if event.is_ahead and (not is_voided or is_firm(event)):
            self._ahead[identity] = event
        if event.voids is not None:
            self._void(key_digest(*event.voids))
        elif event.milestone is RC:
            self._creations.put(event, is_voided=is_voided)
        elif not is_voided:
            self._put(event)
        if is_voided:
            self._note_vain(key)

    def _void(self, target: bytes) -> None:
        if target in self.voided:
            return
        for event in self._names.void(target):
            self._unmapped.pop(event.identity, None)
            self._ahead.pop(event.identity, None)
            self._drop(event)
        for event in self._names.of(target):
            if event.milestone is RC:
                self._creations.void(event)
        self._note_vain(target)

    def is_repeated(self, event: Event) -> bool:
        """Whether it was there before it was added."""
        return self._names.is_repeated(event)

    def is_out(self, event: Event) -> bool:
        """Whether a void took it out of the set."""
        is_voided = event.key in self.voided
        if event.milestone is RC:
            return is_voided and self._creations.can_be_voided
        return is_voided and not is_firm(event)

    def is_vain(self, void: tuple[str, str]) -> bool:
        """Whether all that there is of the name cannot be voided."""
        named = self._names.called(void)
        return bool(named) and not any(map(self.is_out, named))

    def against(self, event: Event) -> Against:
        """What the other events' times have against this one, which asserts a milestone and is not voided."""
        if event.milestone is RDBTC and event.connote is not None:
            return self._connotes[event.connote].against(event)
        if event.milestone is RDTPF and self._is_at_senders(event):
            return Reason.RETURNED_TO_SENDER
        return None

    def evidence(self) -> Evidence:
        """What can matter of them."""
        created = self._creations.first
        earliest = {milestone: sighting_of(line.first) for milestone, line in self._seen.items() if line}
        if created is not None:
            earliest[RC] = sighting_of(created)
        flags = self._voids() | self._delivered_at(earliest)
        connote = self._exports.last.connote if self._exports else None
        if self._connotes:
            brought, stray = self._brought()
            flags |= stray
            if brought is not None:
                earliest[RDBTC], connote = sighting_of(brought), brought.connote
        attributes = created.attributes if created is not None else None
        moving = [line.last.at for line in (self._seen.get(RT), self._returning) if line]
        return Evidence(in_rank_order(earliest), attributes, connote, flags, max(moving, default=0))

    def _voids(self) -> int:
        flags = VOIDS_UNLISTED if len(self.voided) > MAX_VOIDS else 0
        for because in set(self._unmapped.values()):
            flags |= UNMAPPED[because]
        if any(not self.is_out(event) for event in self._ahead.values()):
            flags |= AHEAD
        flags |= (REUSED if self._names.reused else 0) | (CONFLICT if self._creations.contradict else 0)
        flags |= UNHEARD if self._names.has_unheard else 0
        return flags | (VAIN_VOID if any(self._stay(target) for target in self._vain) else 0)

    def _note_vain(self, target: bytes) -> None:
        """Whether the voids of this name may have found nothing but what stays."""
        events = self._names.of(target)
        (self._vain.add if events and all(map(is_firm, events)) else self._vain.discard)(target)

    def _stay(self, target: bytes) -> bool:
        return not any(map(self.is_out, self._names.of(target)))

    def _delivered_at(self, earliest: dict[Milestone, Sighting]) -> int:
        """Put the delivery at the first-mile destination in its place; flags of those at the sender's."""
        if not self._returning:
            return 0
        delivered, flags = self._seen.get(RDTPF), RETURNING
        if not delivered:
            return flags
        first: Event | None = delivered.first
        for began, ended in self._ways_back():
            at_senders = delivered.after(began.place)
            if at_senders is not None and (ended is None or at_senders.place < ended.place):
                flags |= SENT_BACK
            if first is not None and began.place < first.place and (ended is None or first.place < ended.place):
                first = None if ended is None else delivered.after(ended.place)
        earliest.pop(RDTPF, None)
        if first is not None:
            earliest[RDTPF] = sighting_of(first)
        return flags

    def _ways_back(self) -> Iterator[tuple[Event, Event | None]]:
        """From when to when the parcel was on its way to the sender: a scan says so, until it is collected again."""
        began: Event | None = self._returning.first
        while began is not None:
            ended = self._collected.after(began.place)
            yield began, ended
            began = None if ended is None else self._returning.after(ended.place)

    def _is_at_senders(self, event: Event) -> bool:
        returning, collected = self._returning.before(event.place), self._collected.before(event.place)
        return returning is not None and (collected is None or collected.place < returning.place)

    def _brought(self) -> tuple[Event | None, int]:
        """The delivery that brought the return home, and what is known of exports and of the other deliveries."""
        flags = MANY_EXPORTS if len(self._exports) > 1 else 0
        brought, exported = None, 0
        for connote in self._connotes.values():
            exported += bool(connote.exports)
            found = connote.found()
            flags |= found.flags
            if found.delivered is not None and (brought is None or found.delivered.place < brought.place):
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


def gather(events: Iterable[Event], voided: Collection[bytes] = (), rules: Rules = DEFAULT) -> Evidence:
    """The evidence in a set of events, without those whose key is in `voided`, creations aside."""
    return Whole(events, rules, voided).evidence()
