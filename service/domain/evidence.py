"""What of a set of events can matter to its timeline: of a fixed size, whatever the return's past.

`add` takes in one more event where that needs nothing of the past; `PastNeeded` says where it does not suffice. Then the
whole set is looked at, in `whole`. The same set gives the same evidence by either way, which property tests hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from service.domain.events import Attributes, Effect, Event, Sense
from service.domain.labels import Label
from service.domain.milestones import RANKED, RANKS, Milestone, Reason, Verdict
from service.domain.rules import Rules
from service.domain.values import value

RC, RT, RDTPF, DS, RP, RE, RDBTC = RANKED
RR: Final = Milestone.RR

# What else is known of the set, each a bit of `Evidence.flags`.
MANY_EXPORTS: Final = 1  # more than one export
TWO_CONNOTES: Final = 2  # exports under more than one connote
EARLY: Final = 4  # a delivery of a connote from before its export
UNCLAIMED: Final = 8  # a delivery of a connote under which no export stands
RETURNING: Final = 16  # a scan that says the parcel goes back to its sender
SENT_BACK: Final = 32  # a delivered scan that is one at the sender's
VOIDS_UNLISTED: Final = 64  # more voids than the state names
UNKNOWN_CODE: Final = 128  # a scan whose code the carrier's table does not know
UNKNOWN_CARRIER: Final = 256  # a scan of a carrier that has no table
VAIN_VOID: Final = 512  # a void of what cannot be voided
REUSED: Final = 1024  # a name by which more than one fact is told
CONFLICT: Final = 2048  # creations that differ in retailer or route
AHEAD: Final = 4096  # an event that lay in the future when it came
UNHEARD: Final = 8192  # a void of a name that no event had an hour later, nor has now
UNCREATED: Final = 1 << 14  # a creation that is void
BACK: Final = (
    1 << 15
)  # of the scans that say it goes back, and those that say it was collected, one of the first is the last
BEFORE_LABEL: Final = 1 << 16  # a scan from before its label was this return's
WINDOWED: Final = 1 << 17  # other returns claim a label of this one
SHARED: Final = 1 << 18  # the window of one of them overlaps

UNMAPPED: Final[Mapping[Reason | None, int]] = {
    Reason.UNKNOWN_CODE: UNKNOWN_CODE,
    Reason.UNKNOWN_CARRIER: UNKNOWN_CARRIER,
    None: 0,
}
"""What is kept of a scan that no table knows, by why it is none."""

Against = Reason | Literal[Verdict.INFORMATIONAL] | None
"""What other events' times say against one: a reason, or that it does not concern the return and so says nothing of it."""

STRAY: Final[Mapping[Against, int]] = {
    Reason.BEFORE_EXPORT: EARLY,
    Reason.AWAITING_EXPORTED: UNCLAIMED,
    Verdict.INFORMATIONAL: 0,
}
"""What is kept of a delivery that brought nothing home."""

_STRAY: Final = EARLY | UNCLAIMED


class PastNeeded(Exception):
    """What follows from an event is only to be told from all events recorded of its return."""


class ClaimsNeeded(Exception):
    """Whose a scan is is only to be told from all claims of its label."""


class Closing(NamedTuple):
    """That a return was closed, when (microseconds since 1970-01-01 UTC), by whom and why; or, without a reason, reopened."""

    at: int
    source: str
    id: str
    reason: str | None

    @property
    def order(self) -> tuple[int, str, str]:
        """The same order as `Event.order`."""
        return (self.at, self.source, self.id)


class Sighting(NamedTuple):
    """When, by whom and where a milestone was first seen; `at` in microseconds since 1970-01-01 UTC."""

    at: int
    source: str
    id: str
    location: Mapping[str, str] | None

    @property
    def order(self) -> tuple[int, str, str]:
        """The same order as `Event.order`."""
        return (self.at, self.source, self.id)


@value(frozen=True, slots=True)
class Evidence:
    """The earliest event of each milestone, with what else the set says.

    `earliest` stands in rank order, RR last; its RDTPF is the earliest that is none at the sender's, its RDBTC the earliest
    delivery within the window of an export. `connote` is the one that delivered the return, else its latest export's.
    `moved` is the latest time at which a carrier had it under way, in microseconds since 1970-01-01 UTC; 0: never. `labels`
    are those that creations named beside that of the first, so many at most. `closing` is what was said last of its end.
    `turned` is the latest time of what matters to its direction once a scan said that it goes back (such scans, collections,
    and deliveries at the first-mile destination); 0: none did. What comes later than that needs nothing of the past.
    """

    earliest: Mapping[Milestone, Sighting]
    attributes: Attributes | None
    connote: str | None
    flags: int = 0
    moved: int = 0
    labels: tuple[Label, ...] = ()
    closing: Closing | None = None
    turned: int = 0

    def but(self, earliest: Mapping[Milestone, Sighting], flags: int, moved: int, turned: int) -> Evidence:
        """The same of its creations and exports, and of its end."""
        return Evidence(earliest, self.attributes, self.connote, flags, moved, self.labels, self.closing, turned)


MAX_LABELS: Final = 8
"""So many labels of a return are told of."""

NO_EVIDENCE: Final = Evidence({}, None, None)
_new: Final = tuple.__new__  # half the time of a named tuple's own


def sighting_of(event: Event) -> Sighting:
    """What is kept of an event that is the earliest of its milestone."""
    return _new(Sighting, (event.at, event.source, event.id, event.location))


def in_rank_order(sightings: Mapping[Milestone, Sighting]) -> dict[Milestone, Sighting]:
    """The same, in the order of ranks, RR last."""
    return {milestone: sightings[milestone] for milestone in RANKS if milestone in sightings}


def needs_past(evidence: Evidence, event: Event) -> bool:
    """Whether `add` does not suffice for an event that is new and not voided."""
    milestone, flags = event.milestone, evidence.flags
    if milestone is RC:
        return _creation_needs_past(evidence, event)
    if event.label is not None:
        attributes = evidence.attributes
        if attributes is None or event.label[1] != attributes.tracking_number or event.label[0] != attributes.carrier:
            return True
        if flags & WINDOWED or evidence.labels or (event.retailers and attributes.retailer not in event.retailers):
            return True
    if event.window is not None or flags & VOIDS_UNLISTED:
        return True
    if milestone is RE:  # a second export may give the return another connote, and make a delivery its own
        return bool(flags & _STRAY) or RE in evidence.earliest or RDBTC in evidence.earliest
    if milestone is RDBTC:
        return bool(flags & MANY_EXPORTS)
    if milestone is RDTPF or event.effect is not None:
        return _turn_needs_past(evidence, event)
    return False


def _turn_needs_past(evidence: Evidence, scan: Event) -> bool:
    """Of one that matters to the parcel's direction: whether another such was later, or may have been."""
    if evidence.flags & RETURNING:
        return scan.at <= evidence.turned
    # Every collection is one of the scans that had it under way.
    return scan.effect is Effect.RETURNING and (RDTPF in evidence.earliest or scan.at <= evidence.moved)


def is_doubtful(evidence: Evidence, scan: Event, rules: Rules) -> bool:
    """Whether it takes all claims of a scan's label to tell whose it is: then it is parked, and the sweep tells."""
    if evidence.labels or (evidence.flags and evidence.flags & (WINDOWED | UNCREATED)):
        return True
    attributes = evidence.attributes
    if scan.retailers and (attributes is None or attributes.retailer not in scan.retailers):
        return True
    created = evidence.earliest.get(RC)
    return created is not None and scan.at < created.at and scan.at < created.at - rules.label_lead


def _creation_needs_past(evidence: Evidence, event: Event) -> bool:
    """Whether scans may be the return's by this creation that were not, its labels are several, or creations differ."""
    known, attributes = evidence.earliest.get(RC), evidence.attributes
    if known is None or attributes is None:
        return bool(evidence.earliest or evidence.flags)
    said, flags = event.attributes, evidence.flags
    # It contradicts the one that counts, or voids of it may be heard now.
    if said is not None and (said.label, said.retailer, said.route) != (
        attributes.label,
        attributes.retailer,
        attributes.route,
    ):
        return True
    if flags & (CONFLICT | VOIDS_UNLISTED | UNCREATED):
        return True
    return event.at <= known.at and bool(flags & (BEFORE_LABEL | WINDOWED) or evidence.labels)


def with_flag(evidence: Evidence, flag: int) -> Evidence:
    """The evidence with one more flag; the same object where it has it."""
    if evidence.flags & flag:
        return evidence
    return evidence.but(evidence.earliest, evidence.flags | flag, evidence.moved, evidence.turned)


def add(evidence: Evidence, event: Event, rules: Rules) -> tuple[Evidence, Against]:
    """The evidence with one more event of a new name, the same object if it changes nothing; and what its own time has against it."""
    milestone, flags, moved, turned = event.milestone, evidence.flags, evidence.moved, evidence.turned
    is_early = event.label is not None and event.at < evidence.earliest[RC].at - rules.label_lead
    if is_early and event.sense is not Sense.UNMAPPED:
        return _with(evidence, flags | BEFORE_LABEL, moved, turned), Reason.BEFORE_LABEL
    if milestone is None:
        if event.sense is Sense.CLOSES or event.sense is Sense.REOPENS:
            return _add_closing(evidence, event), None
        flags |= UNMAPPED[event.unmapped_because]
        if event.effect is Effect.RETURNING:
            flags, moved, turned = flags | RETURNING | BACK, max(moved, event.at), event.at
        return _with(evidence, flags, moved, turned), None
    if milestone is RDBTC:
        return _add_delivery(evidence, event, rules)
    if milestone is RT and event.at > moved:
        moved = event.at
    if flags & RETURNING and (milestone is RDTPF or event.effect is Effect.COLLECTED):
        turned = event.at
        if milestone is not RDTPF:
            flags &= ~BACK
        elif flags & BACK:
            return _with(evidence, flags | SENT_BACK, moved, turned), Reason.RETURNED_TO_SENDER
    known = evidence.earliest.get(milestone)
    if known is not None and (known.at < event.at or known.order <= event.order):
        return _with(evidence, flags, moved, turned), None
    earliest = with_sighting(evidence.earliest, milestone, sighting_of(event))
    attributes, connote = evidence.attributes, evidence.connote
    if milestone is RC:
        attributes = event.attributes
    elif milestone is RE:
        connote = event.connote
    labels, closing = evidence.labels, evidence.closing
    return Evidence(earliest, attributes, connote, flags, moved, labels, closing, turned), None


def _with(evidence: Evidence, flags: int, moved: int, turned: int) -> Evidence:
    if flags == evidence.flags and moved == evidence.moved and turned == evidence.turned:
        return evidence
    return evidence.but(evidence.earliest, flags, moved, turned)


def _add_closing(evidence: Evidence, event: Event) -> Evidence:
    if evidence.closing is not None and event.order <= evidence.closing.order:
        return evidence
    return replace(evidence, closing=closing_of(event))


def closing_of(event: Event) -> Closing:
    """What is kept of an event that says that a return is closed, or open again."""
    return Closing(event.at, event.source, event.id, event.because)


def with_sighting(
    sightings: Mapping[Milestone, Sighting], milestone: Milestone, sighting: Sighting
) -> dict[Milestone, Sighting]:
    """The sightings with this one at its place in the order of ranks."""
    new = {**sightings, milestone: sighting}
    if milestone in sightings or not sightings or RANKS[[*sightings][-1]] < RANKS[milestone]:
        return new
    return in_rank_order(new)


def _add_delivery(evidence: Evidence, event: Event, rules: Rules) -> tuple[Evidence, Against]:
    """Of a return with one export at most."""
    if event.connote is None:
        raise ValueError("a delivery names its connote")
    exported = evidence.earliest.get(RE)
    against: Against = Reason.AWAITING_EXPORTED
    if exported is not None and event.connote == evidence.connote:
        against = against_delivery(event.at, exported.at, rules)
    earliest, flags = evidence.earliest, evidence.flags
    if against is not None:
        flags |= STRAY[against]
    else:
        known = earliest.get(RDBTC)
        if known is None or event.order < known.order:
            earliest = with_sighting(earliest, RDBTC, sighting_of(event))
    if earliest is evidence.earliest and flags == evidence.flags:
        return evidence, against
    return evidence.but(earliest, flags, evidence.moved, evidence.turned), against


def against_delivery(delivered: int, exported: int, rules: Rules) -> Against:
    """What an export's time has against a delivery of its connote; None: it is within the window."""
    if delivered < exported - rules.before_export:
        return Reason.BEFORE_EXPORT
    return Verdict.INFORMATIONAL if delivered > exported + rules.after_export else None
