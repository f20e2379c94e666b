"""A whole set of events, and the evidence in it: what `evidence.add` says in steps, for any set and in any order.

One event more costs little, however many there are: what is sorted stays sorted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from service.domain.consigned import Consigned
from service.domain.events import Effect, Event, Sense, key_digest
from service.domain.evidence import (
    BEFORE_LABEL,
    MANY_EXPORTS,
    MAX_LABELS,
    RC,
    RDBTC,
    RDTPF,
    RE,
    RETURNING,
    RT,
    SENT_BACK,
    SHARED,
    TWO_CONNOTES,
    UNMAPPED,
    VAIN_VOID,
    VOIDS_UNLISTED,
    WINDOWED,
    Against,
    Evidence,
    Sighting,
    closing_of,
    in_rank_order,
    sighting_of,
)
from service.domain.labelled import Labelled
from service.domain.labels import ALONE, Label
from service.domain.lines import Line
from service.domain.milestones import Milestone, Reason
from service.domain.rules import DEFAULT, Rules

MAX_VOIDS: Final = 16
"""So many names of voided events stand in a state; with more, the past is asked."""


class Whole:
    """Every event of one return, in any order. `newest` is the one that was added last."""

    def __init__(self, events: Iterable[Event] = (), rules: Rules = DEFAULT, voided: Collection[bytes] = ()) -> None:
        """`voided` are keys of events that are out of the set without a void in it."""
        self._rules = rules
        self.voided: set[bytes] = set(voided)
        self._named: dict[bytes, list[Event]] = {}
        self._seen: dict[Milestone, Line] = {}
        self._collected, self._returning = Line(), Line()
        self._connotes: dict[str, Consigned] = {}
        self._exports = Line()
        self._unmapped: dict[bytes, Reason] = {}
        self._vain: set[bytes] = set()
        self._labels: dict[Label, Labelled] = {}
        self._closings = Line()
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """One event more. Of those that say how windows moved the one that is added last is believed."""
        if event.window is not None and event.label is not None:
            self._label(event.label).look(event.window)
            return
        key = event.key
        self._named.setdefault(key, []).append(event)
        if event.milestone is RC and event.attributes is not None:
            self._label(event.attributes.label).claimed(event)
        if event.unmapped_because is None and len(self._named[key]) > 1:
            self._understood(key)
        if event.voids is not None:
            target = key_digest(*event.voids)
            if target not in self.voided:
                self.voided.add(target)
                for voided in self._named.get(target, ()):
                    if not is_firm(voided):
                        self._drop(voided)
                self._note_vain(target)
        elif key not in self.voided or is_firm(event):
            self._put(event)
        if key in self.voided:
            self._note_vain(key)

    def _understood(self, key: bytes) -> None:
        """What no table knew of this name before is known now."""
        for event in self._named[key]:
            if event.unmapped_because is not None and key not in self.voided:
                self._drop(event)
        self._named[key] = [event for event in self._named[key] if event.unmapped_because is None]

    def names(self, voids: tuple[str, str]) -> list[Event]:
        """The events of this name."""
        return [event for event in self._named.get(key_digest(*voids), ()) if (event.source, event.id) == voids]

    def against(self, event: Event) -> Against:
        """What the other events' times have against this one, which asserts a milestone and is not voided."""
        if event.milestone is RDBTC and event.connote is not None:
            return self._connotes[event.connote].against(event)
        if event.label is not None:
            against = self._label(event.label).against(event)
            if against is not None:
                return against
        if event.milestone is RDTPF and self._is_at_senders(event):
            return Reason.RETURNED_TO_SENDER
        return None

    def evidence(self) -> Evidence:
        """What can matter of them."""
        self._settle()
        earliest = {milestone: sighting_of(line.first) for milestone, line in self._seen.items() if line}
        flags = self._voids() | self._windows() | self._delivered_at(earliest)
        connote = self._exports.last.connote if self._exports else None
        if self._connotes:
            brought, stray = self._brought()
            flags |= stray
            if brought is not None:
                earliest[RDBTC], connote = sighting_of(brought), brought.connote
        attributes = self._seen[RC].first.attributes if self._seen.get(RC) else None
        moving = [line.last.at for line in (self._seen.get(RT), self._returning) if line]
        closing = closing_of(self._closings.last) if self._closings else None
        labels = tuple(label for label, _ in self.claims() if attributes is None or label != attributes.label)
        return Evidence(
            in_rank_order(earliest),
            attributes,
            connote,
            flags,
            max(moving, default=0),
            labels[: MAX_LABELS - 1],
            closing,
        )

    def claims(self) -> list[tuple[Label, Event]]:
        """The labels that creations name, each with the earliest of those, in the order of these."""
        claims = [(label, each.claim) for label, each in self._labels.items() if each.claim is not None]
        return sorted(claims, key=lambda claim: (claim[1].order, claim[0]))

    @property
    def closed_at(self) -> int | None:
        """When it was closed, if nobody opened it again."""
        last = self._closings.last if self._closings else None
        return last.at if last is not None and last.sense is Sense.CLOSES else None

    def _label(self, label: Label) -> Labelled:
        found = self._labels.get(label)
        if found is None:
            found = self._labels[label] = Labelled(self._rules)
        return found

    def _settle(self) -> None:
        for labelled in self._labels.values():
            for scan, is_taken in labelled.settle():
                (self._stand if is_taken else self._leave)(scan)

    def _windows(self) -> int:
        flags = 0
        for labelled in self._labels.values():
            flags |= BEFORE_LABEL if labelled.early else 0
            flags |= WINDOWED if labelled.window != ALONE else 0
            flags |= SHARED if labelled.window.is_shared else 0
        return flags

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
        if event.label is None or self._label(event.label).put(event) is not None:
            self._stand(event)

    def _drop(self, event: Event) -> None:
        if event.label is None or self._label(event.label).drop(event):
            self._leave(event)

    def _stand(self, event: Event) -> None:
        if event.unmapped_because is not None:
            self._unmapped[event.key] = event.unmapped_because
        for line in self._lines(event):
            line.put(event)

    def _leave(self, event: Event) -> None:
        if event.unmapped_because is not None:
            self._unmapped.pop(event.key, None)
        for line in self._lines(event):
            line.drop(event)

    def _lines(self, event: Event) -> Iterator[Line | Consigned]:
        """Where an event stands."""
        if event.effect is Effect.RETURNING:
            yield self._returning
        milestone = event.milestone
        if event.sense in (Sense.CLOSES, Sense.REOPENS):
            yield self._closings
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
                self._connotes[event.connote] = Consigned(self._rules)
            yield self._connotes[event.connote]


def is_firm(event: Event) -> bool:
    """Whether it stays when its name is voided: a creation, or a void."""
    return event.milestone is RC or event.sense is Sense.VOIDS


def gather(events: Iterable[Event], voided: Collection[bytes] = (), rules: Rules = DEFAULT) -> Evidence:
    """The evidence in a set of events, without those whose key is in `voided`, creations aside."""
    return Whole(events, rules, voided).evidence()
