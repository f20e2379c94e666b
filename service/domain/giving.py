"""Which events of a return give the reasons that a person should see: a pure function of their set, as the reasons are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from service.domain.events import Effect, Event, key_digest
from service.domain.evidence import RC, RDBTC, RDTPF, RE, RT, Evidence
from service.domain.exceptional import against_delivery_back, reasons
from service.domain.milestones import Reason
from service.domain.rules import DEFAULT, Rules
from service.domain.timeline import Timeline, decide
from service.domain.whole import Whole


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
        against = None if event.milestone is None and event.label is None else self.against(event)
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
