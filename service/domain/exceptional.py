"""Which recorded events a person should see, and what a held one waits for: decided here and nowhere else.

`reconcile.sql` and `queues.sql` say the same in SQL; tests hold them to it.
"""

from __future__ import annotations

from typing import Final

from service.domain.evidence import (
    AHEAD,
    BEFORE_LABEL,
    CONFLICT,
    EARLY,
    RDTPF,
    RE,
    REUSED,
    RR,
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
from service.domain.timeline import Timeline, went_on

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
    for flag, reason in _BY_FLAG:
        if evidence.flags & flag:
            found.add(reason)
    for flag, reason in ((EARLY, Reason.BEFORE_EXPORT), (UNCLAIMED, Reason.AWAITING_EXPORTED)):
        if evidence.flags & flag:
            found.add(against_delivery_back(reason, timeline))
    return tuple(reason for reason in Reason if reason in found)


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
