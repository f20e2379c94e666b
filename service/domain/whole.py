"""A whole set of events, and the evidence in it: what `evidence.add` says in steps, for any set and in any order.

One event more costs little, however many there are: what is sorted stays sorted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from service.domain.consigned import Consigned, Consignments
from service.domain.distinct import Creations, Names, is_firm
from service.domain.events import Effect, Event, Sense, key_digest
from service.domain.evidence import (
    AHEAD,
    BACK,
    CONFLICT,
    MANY_EXPORTS,
    MAX_LABELS,
    RC,
    RDBTC,
    RDTPF,
    RE,
    RETURNING,
    REUSED,
    RT,
    SENT_BACK,
    UNCREATED,
    UNHEARD,
    UNMAPPED,
    VAIN_VOID,
    VOIDS_UNLISTED,
    Against,
    Evidence,
    Sighting,
    closing_of,
    in_rank_order,
    sighting_of,
)
from service.domain.labelled import Labels
from service.domain.labels import Label
from service.domain.lines import Line
from service.domain.milestones import Milestone, Reason, Verdict
from service.domain.rules import DEFAULT, Rules

MAX_VOIDS: Final = 16
"""So many names of voided events stand in a state; with more, the past is asked."""

_NOT_CONCERNED: Final = Verdict.INFORMATIONAL


class Whole:
    """Every event of one return, in any order. `newest` is the one that was added last."""

    def __init__(self, events: Iterable[Event] = (), rules: Rules = DEFAULT, voided: Collection[bytes] = ()) -> None:
        """`voided` are keys of events that are out of the set without a void in it."""
        self._names = Names(voided)
        self._creations = Creations()
        self._seen: dict[Milestone, Line] = {}
        self._collected, self._returning = Line(), Line()
        self._connotes = Consignments(rules)
        self._exports = Line()
        self._unmapped: dict[bytes, Reason] = {}
        self._ahead: dict[bytes, Event] = {}
        self._vain: set[bytes] = set()  # voided names, of which some events stay
        self._labels = Labels(rules)
        self._closings = Line()
        for event in events:
            self.add(event)

    @property
    def voided(self) -> set[bytes]:
        """The keys of names that are declared mistakes."""
        return self._names.voided

    def add(self, event: Event) -> None:
        """One event more; one that is there already changes nothing.

        Of those that say how windows moved the one that is added last is believed.
        """
        if event.window is not None and event.label is not None:
            self._labels.of(event.label).look(event.window, event.bound)
            return
        key, identity = event.digests
        before = self._names.take(event, key, identity)
        if before is event:
            return
        is_voided = key in self.voided
        if before is not None and not is_voided:
            self._drop(before)  # no table knew it, or as something else
        if event.is_ahead and is_firm(event):
            self._ahead[identity] = event
        if event.voids is not None:
            self._void(key_digest(*event.voids))
        elif event.milestone is RC:
            self._creations.put(event, is_voided=is_voided)
            self._labels.claim(event, is_voided=is_voided, are_voids_heard=self._creations.can_be_voided)
        elif not is_voided:
            self._put(event)
        if is_voided and is_firm(event):
            self._vain.add(key)

    def _void(self, target: bytes) -> None:
        if target in self.voided:
            return
        for event in self._names.void(target):
            self._drop(event)
        for event in self._names.of(target):
            if event.milestone is RC:
                self._creations.void(event)
                self._labels.unclaim(event, are_voids_heard=self._creations.can_be_voided)
        if any(map(is_firm, self._names.of(target))):
            self._vain.add(target)

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
        return self._stay(self._names.called(void))

    def unheard(self) -> set[tuple[str, str]]:
        """The names that voids give and no event of the return has, where the service has not said so yet."""
        names = self._names
        return {names.given[name] for name in names.given.keys() - names.unheard if not self._is_named(name)}

    def against(self, event: Event) -> Against:
        """What the other events' times have against this one, which is not voided."""
        if event.milestone is RDBTC and event.connote is not None:
            return self._connotes[event.connote].against(event)
        if event.label is not None:
            against = self._labels.of(event.label).against(event)
            if against is not None:
                return against
        if event.milestone is RDTPF and self._is_at_senders(event):
            return Reason.RETURNED_TO_SENDER
        return None

    def evidence(self) -> Evidence:
        """What can matter of them."""
        for scan, was, now in self._labels.settle():
            self._turn(scan, was, now)
        created = self._creations.first
        earliest = {milestone: sighting_of(line.first) for milestone, line in self._seen.items() if line}
        if created is not None:
            earliest[RC] = sighting_of(created)
        flags = self._voids() | self._labels.flags | self._delivered_at(earliest)
        connote = self._exports.last.connote if self._exports else None
        brought, consigned = self._connotes.found()
        flags |= consigned | (MANY_EXPORTS if len(self._exports) > 1 else 0)
        if brought is not None:
            earliest[RDBTC], connote = sighting_of(brought), brought.connote
        attributes = created.attributes if created is not None else None
        moving = [line.last.at for line in (self._seen.get(RT), self._returning) if line]
        turns = [line.last.at for line in (self._returning, self._collected, self._seen.get(RDTPF)) if line]
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
            max(turns) if self._returning else 0,
        )

    def claims(self) -> list[tuple[Label, Event]]:
        """The labels that creations name which stand, each with the earliest of those, in the order of these."""
        return self._labels.claims()

    def unclaimed(self) -> list[tuple[Label, Event]]:
        """The labels that no creation names but such as are void, each with the earliest of these."""
        return self._labels.unclaimed()

    @property
    def closed_at(self) -> int | None:
        """When it was closed, if nobody opened it again."""
        last = self._closings.last if self._closings else None
        return last.at if last is not None and last.sense is Sense.CLOSES else None

    def _voids(self) -> int:
        flags = VOIDS_UNLISTED if len(self.voided) > MAX_VOIDS else 0
        for because in set(self._unmapped.values()):
            flags |= UNMAPPED[because]
        if any(not self.is_out(event) for event in self._ahead.values()):
            flags |= AHEAD
        is_reused = self._names.is_one_reused(are_creations_out=self._creations.can_be_voided)
        flags |= (REUSED if is_reused else 0) | (CONFLICT if self._creations.contradict else 0)
        is_unheard = not all(map(self._is_named, self._names.unheard))
        flags |= (UNHEARD if is_unheard else 0) | (UNCREATED if self._creations.is_one_out else 0)
        return flags | (VAIN_VOID if any(self._stay(self._names.of(target)) for target in self._vain) else 0)

    def _stay(self, named: Iterable[Event]) -> bool:
        """Whether there are some that are the return's, and none of these is out."""
        its = list(filter(self._is_its, named))
        return bool(its) and not any(map(self.is_out, its))

    def _is_named(self, name: bytes) -> bool:
        """Whether an event of the return has the name."""
        return any(map(self._is_its, self._names.of(name)))

    def _is_its(self, event: Event) -> bool:
        """Whether it is the return's, by the window of its label; void or not."""
        return event.label is None or self._labels.of(event.label).against(event) is not _NOT_CONCERNED

    def _delivered_at(self, earliest: dict[Milestone, Sighting]) -> int:
        """Put the delivery at the first-mile destination in its place; flags of those at the sender's."""
        if not self._returning:
            return 0
        is_back = not self._collected or self._collected.last.place < self._returning.last.place
        delivered, flags = self._seen.get(RDTPF), RETURNING | (BACK if is_back else 0)
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

    def _put(self, event: Event) -> None:
        now = None if event.label is None else self._labels.of(event.label).put(event)
        if now is _NOT_CONCERNED:
            self._names.leave(event)
        else:
            self._turn(event, _NOT_CONCERNED, now)

    def _drop(self, event: Event) -> None:
        self._turn(event, None if event.label is None else self._labels.of(event.label).drop(event), _NOT_CONCERNED)

    def _turn(self, event: Event, was: Against, now: Against) -> None:
        """What its label's claims have against it is another thing now."""
        if now is _NOT_CONCERNED:
            self._names.leave(event)
            self._ahead.pop(event.identity, None)
        elif was is _NOT_CONCERNED:
            self._names.stand(event)
            if event.is_ahead:
                self._ahead[event.identity] = event
        if (now is None) is (was is None):
            return
        for line in self._lines(event):
            (line.put if now is None else line.drop)(event)
        if event.unmapped_because is not None and now is None:
            self._unmapped[event.identity] = event.unmapped_because
        elif event.unmapped_because is not None:
            self._unmapped.pop(event.identity, None)

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
            yield self._connotes.changing(event.connote)


def gather(events: Iterable[Event], voided: Collection[bytes] = (), rules: Rules = DEFAULT) -> Evidence:
    """The evidence in a set of events, without those whose key is in `voided`, creations aside."""
    return Whole(events, rules, voided).evidence()
