"""Which recorded events a person should see, what a held one waits for, and which events give each reason: decided here and
nowhere else.

`reconcile.sql` and `queues.sql` say the same in SQL; tests hold them to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import Final

from service.domain.events import Effect, Event, key_digest
from service.domain.evidence import (
    AHEAD,
    BEFORE_LABEL,
    CONFLICT,
    EARLY,
    RC,
    RDBTC,
    RDTPF,
    RE,
    REUSED,
    RR,
    RT,
    SENT_BACK,
    SHARED,
    TWO_CONNOTES,
    UNCLAIMED,
    UNHEARD,
    UNKNOWN_CARRIER,
    UNKNOWN_CODE,
    VAIN_VOID,
    Evidence,
)
from service.domain.milestones import Reason, Route, Verdict
from service.domain.rules import DEFAULT, Rules
from service.domain.timeline import Timeline, decide, went_on
from service.domain.whole import Whole

EXCEPTIONAL_VERDICTS: Final[tuple[Verdict, ...]] = (Verdict.HELD, Verdict.REFUSED, Verdict.UNMAPPED)
"""An event with one of these does not count, whatever its reason is."""

CIRCUMSTANCES: Final[tuple[Reason, ...]] = (
    Reason.OTHER_CONNOTE,
    Reason.RETURNING_AFTER_DELIVERED,
    Reason.ID_REUSED,
    Reason.CREATION_CONFLICT,
    Reason.CLOCK_AHEAD,
    Reason.VOID_WITHOUT_EVENT,
    Reason.TRACKING_NUMBER_IN_USE,
    Reason.EVENTS_AFTER_CLOSED,
)
"""What is to be seen beside events that count: several of them together, or one that says what can hardly be."""

QUEUED: Final = tuple(reason for reason in CIRCUMSTANCES if reason is not Reason.TRACKING_NUMBER_IN_USE)
"""Those that have a queue named as they are."""

EXCEPTIONAL_REASONS: Final[tuple[Reason, ...]] = (Reason.TRACKING_NUMBER_IN_USE,)
"""With one of these an event of before labels had windows counts, and is to be looked at all the same."""

HELD_REASONS: Final[tuple[Reason, ...]] = (Reason.AWAITING_PROCESSED, Reason.AWAITING_EXPORTED)
"""What an event is held for: another one that is expected to come. Every other reason against one refuses it."""


_BY_FLAG: Final = (
    (SENT_BACK, Reason.RETURNED_TO_SENDER),
    (UNKNOWN_CODE, Reason.UNKNOWN_CODE),
    (UNKNOWN_CARRIER, Reason.UNKNOWN_CARRIER),
    (VAIN_VOID, Reason.NOT_VOIDABLE),
    (REUSED, Reason.ID_REUSED),
    (CONFLICT, Reason.CREATION_CONFLICT),
    (AHEAD, Reason.CLOCK_AHEAD),
    (UNHEARD, Reason.VOID_WITHOUT_EVENT),
    (BEFORE_LABEL, Reason.BEFORE_LABEL),
    (SHARED, Reason.TRACKING_NUMBER_IN_USE),
)
_OF_DELIVERIES: Final = ((EARLY, Reason.BEFORE_EXPORT), (UNCLAIMED, Reason.AWAITING_EXPORTED))
_OF_FLAGS: Final = reduce(or_, (flag for flag, _ in (*_BY_FLAG, *_OF_DELIVERIES)))

_PLACES: Final = {reason: place for place, reason in enumerate(Reason)}

UNTOLD: Final = frozenset(
    {
        *(reason for _, reason in _BY_FLAG),
        *(Reason.OTHER_CONNOTE, Reason.RETURNING_AFTER_DELIVERED, Reason.EVENTS_AFTER_CLOSED, Reason.BEFORE_EXPORT),
    }
)
"""Of these a state that was found by the earliest rules says nothing, whether or not they are so."""


def reasons(evidence: Evidence, timeline: Timeline) -> tuple[Reason, ...]:
    """Every reason that the set of a return's events gives now, each once, in the order of `Reason`.

    A voided event gives none.
    """
    delivered = timeline.counts.get(RDTPF)
    is_moving = delivered is not None and evidence.moved > delivered.at
    if not (timeline.denied or is_moving or evidence.flags or evidence.closing) or timeline.route is None:
        return ()
    found = set(timeline.denied.values())
    if is_moving:
        found.add(Reason.RETURNING_AFTER_DELIVERED)
    closing = evidence.closing
    if closing is not None and closing.reason is not None and went_on(closing, timeline.counts):
        found.add(Reason.EVENTS_AFTER_CLOSED)
    if evidence.flags & TWO_CONNOTES and RE in timeline.counts:
        found.add(Reason.OTHER_CONNOTE)
    if evidence.flags & _OF_FLAGS:
        found |= _by_flags(evidence.flags, timeline)
    return tuple(found) if len(found) < 2 else tuple(sorted(found, key=_PLACES.__getitem__))


def _by_flags(flags: int, timeline: Timeline) -> set[Reason]:
    found = {reason for flag, reason in _BY_FLAG if flags & flag}
    for flag, reason in _OF_DELIVERIES:
        if flags & flag:
            found.add(against_delivery_back(reason, timeline))
    return found


def moved_reasons(
    before: tuple[Evidence, Timeline], after: tuple[Evidence, Timeline], own: Reason | None
) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """The reasons that a return has since, without an event's `own`, and those that it has no more."""
    given, gave = reasons(*after), reasons(*before)
    if given == gave:
        return (), ()
    return tuple(r for r in given if r not in gave and r is not own), tuple(r for r in gave if r not in given)


def against_delivery_back(reason: Reason, timeline: Timeline) -> Reason:
    """What is told of a delivery back to the retailer that its own time is against: what ends the journey comes first."""
    if timeline.route is Route.FIRST_MILE_ONLY:
        return Reason.ROUTE_ENDS_AT_FIRST_MILE
    return Reason.ALREADY_REJECTED if RR in timeline.counts else reason


def is_exceptional(verdict: str, reason: str | None) -> bool:
    """Whether an event with this verdict and reason is an exception: listed, published, counted in a queue.

    Takes the words as they are stored as well as members of `Verdict` and `Reason`, which are the same texts:

    >>> is_exceptional("held", "awaiting_processed")
    True
    >>> is_exceptional(Verdict.ADVANCED, Reason.TRACKING_NUMBER_IN_USE)
    True
    >>> is_exceptional("repeated", None)
    False
    >>> is_exceptional("refused", "voided")
    False
    """
    if reason == Reason.VOIDED:
        return False
    return verdict in EXCEPTIONAL_VERDICTS or reason in EXCEPTIONAL_REASONS


def giving(events: Iterable[Event], rules: Rules = DEFAULT) -> dict[Reason, list[Event]]:
    """Every reason that the set of a return's events gives now, each with the events that give it, the earliest first.

    Of a reason that follows from several together these are all that it would be none without: the creations that
    contradict each other, the events of one name, the exports under two connotes, the creation that claims a label which
    another return has too. A voided event gives none.

    >>> from service.domain.events import Attributes, Sense
    >>> from service.domain.milestones import Milestone, Route
    >>> label = Attributes("acme", Route.OMNIRPS, "generic", "GX-1")
    >>> created = Event("/portal", "1", 10, Sense.ASSERTS, RC, attributes=label)
    >>> exported = Event("/hub", "7", 20, Sense.ASSERTS, Milestone.RE, connote="C-1")
    >>> [(reason.value, [each.id for each in of]) for reason, of in giving([created, exported]).items()]
    [('awaiting_processed', ['7'])]
    """
    return _Giving(events, rules).found()


class _Giving(Whole):
    def found(self) -> dict[Reason, list[Event]]:
        evidence = self.evidence()
        timeline = decide(evidence)
        found = {reason: list[Event]() for reason in reasons(evidence, timeline)}
        if found:
            for event in sorted(self._names.every(), key=lambda each: each.place):
                for reason in dict.fromkeys(self._given_by(event, evidence, timeline)):
                    if reason in found:
                        found[reason].append(event)
        return found

    def _given_by(self, event: Event, evidence: Evidence, timeline: Timeline) -> Iterator[Reason]:
        if event.voids is not None:
            yield from self._by_void(event.voids)
        if self.is_out(event) or not self._is_its(event):
            return
        if event.is_ahead:
            yield Reason.CLOCK_AHEAD
        if self._names.is_reused(event, are_creations_out=self._creations.can_be_voided):
            yield Reason.ID_REUSED
        against = self.against(event)
        if against is not None:
            if isinstance(against, Reason):
                yield against_delivery_back(against, timeline) if event.milestone is RDBTC else against
        elif event.unmapped_because is not None:
            yield event.unmapped_because
        elif event.milestone is not None and event.milestone in timeline.denied:
            yield timeline.denied[event.milestone]
        else:
            yield from self._by_what_counts(event, evidence, timeline)

    def _by_void(self, voids: tuple[str, str]) -> Iterator[Reason]:
        name = key_digest(*voids)
        if self.is_vain(voids):
            yield Reason.NOT_VOIDABLE
        if name in self._names.unheard and not self._is_named(name):
            yield Reason.VOID_WITHOUT_EVENT

    def _by_what_counts(self, event: Event, evidence: Evidence, timeline: Timeline) -> Iterator[Reason]:
        """Of an event that nothing is against."""
        counts, milestone, closing = timeline.counts, event.milestone, evidence.closing
        if milestone is RC:
            yield Reason.CREATION_CONFLICT
            if event.attributes is not None and self._labels.is_shared_by(event.attributes.label, event):
                yield Reason.TRACKING_NUMBER_IN_USE
        if milestone is RE:
            yield Reason.OTHER_CONNOTE
        if RDTPF in counts and (milestone is RT or event.effect is Effect.RETURNING) and event.at > counts[RDTPF].at:
            yield Reason.RETURNING_AFTER_DELIVERED
        if closing is not None and milestone is not None and milestone in counts and counts[milestone].at > closing.at:
            yield Reason.EVENTS_AFTER_CLOSED
