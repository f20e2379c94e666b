"""Which milestones count: a pure function of the evidence in the set of a return's events.

`Evidence` is the same for every order and every repetition of the events, and so is all that follows from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from service.domain.events import Attributes, Event, Published, Sense, told_place
from service.domain.evidence import (
    RC,
    RDBTC,
    RDTPF,
    RE,
    RP,
    RR,
    RT,
    Closing,
    Evidence,
    Sighting,
    against_delivery,
    in_rank_order,
    sighting_of,
)
from service.domain.milestones import FIRST_MILE, LAST, RANKS, Milestone, Reason, Route
from service.domain.rules import Rules
from service.domain.values import value


@value(frozen=True, slots=True)
class Timeline:
    """What counts of a return, in rank order, and why the rest of what was asserted does not.

    `closed` is set while the return is: nothing that counts came later.
    """

    route: Route | None
    counts: Mapping[Milestone, Sighting]
    denied: Mapping[Milestone, Reason]
    status: Milestone | None
    complete: bool
    closed: Closing | None = None


_NOTHING: Final[Mapping[Milestone, Reason]] = {}
_HELD: Final[Mapping[Milestone, Reason]] = {RE: Reason.AWAITING_PROCESSED}
_HANGING: Final = frozenset({RP, RE, RDBTC, RR})  # that may hang on what is denied, or that on them
UNKNOWN: Final = Timeline(None, {}, {}, None, complete=False)


def decide(evidence: Evidence) -> Timeline:
    """Which milestones count, by the rules of the route, and the status that follows.

    A pure function: the same evidence always gives an equal timeline. Without a creation in it the return is `UNKNOWN`,
    and nothing counts, whatever else was seen.
    """
    if evidence.attributes is None:
        return UNKNOWN  # without its creation the return is unknown, and nothing counts
    route, asserted = evidence.attributes.route, evidence.earliest
    denied = _denied_at_first_mile(asserted) if route is Route.FIRST_MILE_ONLY else _denied_at_hub(asserted)
    counts = asserted
    if denied:
        counts = {milestone: sighting for milestone, sighting in asserted.items() if milestone not in denied}
    # They stand in rank order, RR last. None where a damaged state has a creation that it says nothing of.
    status = list(counts)[-1] if counts else None
    closed = evidence.closing
    if closed is not None and (closed.reason is None or went_on(closed, counts)):
        closed = None
    return Timeline(route, counts, denied, status, is_complete(route, counts), closed)


def usual(before: Evidence, then: Timeline, event: Event, rules: Rules) -> tuple[Evidence, Timeline] | None:
    """What there is with an event that is the first of its milestone, is not, or has none.

    Nearly all are such events, and this says of them what `evidence.add` and `decide` say, in a third of their time. The event
    is new by its name, and no void names it. None: something is unusual, and it takes the long way, which a property test
    holds this to.
    """
    milestone = event.milestone
    if (
        (milestone is None and not _only_tells(event))
        or (milestone is RDBTC and not _comes_home(before, event, rules))
        or event.is_ahead
        or before.flags
        or before.labels
        or before.closing is not None
        or (then.denied and (milestone in _HANGING or milestone in then.denied))
    ):
        return None
    earliest, at, moved, attributes = before.earliest, event.at, before.moved, before.attributes
    if attributes is None:
        if milestone is not RC or then is not UNKNOWN:
            return None
    elif milestone is RC or (milestone is RE and RE in earliest):
        return (before, then) if _says_the_same(before, attributes, event) else None
    elif event.label is not None:
        carrier, number = event.label
        if number != attributes.tracking_number or carrier != attributes.carrier:
            return None
        if event.retailers and attributes.retailer not in event.retailers:
            return None
        created = earliest[RC].at
        if at < created and at < created - rules.label_lead:
            return None
    if milestone is None:
        return before, then
    if milestone is RT and at > moved:
        moved = at
    known, delivered = earliest.get(milestone), earliest.get(RDTPF)
    if delivered is not None and moved > delivered.at:
        return None
    if known is None or at < known.at:
        return _with_first(before, then, event, milestone, moved)
    if at == known.at:
        return None
    return before if moved == before.moved else before.but(earliest, 0, moved, 0), then


def _only_tells(scan: Event) -> bool:
    own = scan.window or scan.effect or scan.over or scan.found
    return scan.sense is Sense.INFORMS and scan.label is not None and not own


def _says_the_same(before: Evidence, known: Attributes, creation: Event) -> bool:
    """Whether it is a creation that says nothing that matters: one that is earlier has the same label, retailer and route."""
    said, first = creation.attributes, before.earliest[RC]
    return said is not None and said[:4] == known[:4] and creation.at > first.at


def _comes_home(before: Evidence, delivery: Event, rules: Rules) -> bool:
    exported = before.earliest.get(RE)
    return (
        exported is not None
        and delivery.connote == before.connote
        and against_delivery(delivery.at, exported.at, rules) is None
    )


def _with_first(
    before: Evidence, then: Timeline, event: Event, milestone: Milestone, moved: int
) -> tuple[Evidence, Timeline] | None:
    earliest, status, attributes = before.earliest, then.status, before.attributes or event.attributes
    # What follows from a rejection, or from a delivery before the parcel moved on, hangs on when either happened.
    if attributes is None or milestone is RR or status is RR or (milestone is RDTPF and moved > event.at):
        return None
    route, denied = attributes.route, then.denied
    if route is Route.FIRST_MILE_ONLY and milestone not in FIRST_MILE:
        return None
    sightings: dict[Milestone, Sighting] = {**earliest, milestone: sighting_of(event)}
    if milestone is RE and RP not in earliest:
        after = Timeline(route, then.counts, _HELD, status, then.complete)
        return Evidence(sightings, attributes, event.connote, 0, moved), after
    if status is None or RANKS[milestone] > RANKS[status]:
        status = milestone
    elif milestone not in earliest:
        sightings = in_rank_order(sightings)
    counts = sightings
    if denied:
        sightings = in_rank_order(sightings)
        counts = {milestone: sighting for milestone, sighting in sightings.items() if milestone not in denied}
    connote = event.connote if milestone is RE else before.connote
    after = Timeline(route, counts, denied, status, then.complete or milestone is LAST[route])
    return Evidence(sightings, attributes, connote, 0, moved), after


def went_on(closing: Closing, counts: Mapping[Milestone, Sighting]) -> bool:
    """Whether something counts that came later."""
    return any(sighting.at > closing.at for sighting in counts.values())


def _denied_at_first_mile(asserted: Collection[Milestone]) -> dict[Milestone, Reason]:
    return {milestone: Reason.ROUTE_ENDS_AT_FIRST_MILE for milestone in asserted if milestone not in FIRST_MILE}


def _denied_at_hub(asserted: Mapping[Milestone, Sighting]) -> dict[Milestone, Reason]:
    denied: dict[Milestone, Reason] = {}
    # An export needs a processing, a delivery back needs an export that counts.
    if RE in asserted and RP not in asserted:
        denied[RE] = Reason.AWAITING_PROCESSED
    exported = RE in asserted and RE not in denied
    if RDBTC in asserted and not exported:
        denied[RDBTC] = Reason.AWAITING_EXPORTED
    rejected = asserted.get(RR)
    if rejected is None:
        return denied
    # A parcel that left the hub cannot be rejected there any more; one that was rejected before does not leave.
    if exported and asserted[RE].at <= rejected.at:
        denied[RR] = Reason.ALREADY_EXPORTED
        return denied
    for milestone in (RE, RDBTC):
        if milestone in asserted:
            denied[milestone] = Reason.ALREADY_REJECTED
    if RP in asserted and asserted[RP].at > rejected.at:
        denied[RP] = Reason.ALREADY_REJECTED
    return denied


def believed(published: Published, truth: Timeline, evidence: Evidence) -> Timeline:
    """The timeline as subscribers hold it, beside the true one and its evidence.

    They were not told which event stands behind a milestone: where they hold what is true, it is the true one. A milestone
    that brought an attribute which is another one now (RC, or RE with its connote) differs, and is to be told again.
    """
    sightings = dict[Milestone, Sighting]()
    for milestone, (at, source, location) in published.counts.items():
        known = truth.counts.get(milestone)
        is_so = known is not None and (known.at, known.source) == (at, source) and _is_told(known.location, location)
        if (milestone is RC and published.attributes != evidence.attributes) or (
            milestone is RE and published.connote != evidence.connote
        ):
            is_so = False
        sightings[milestone] = known if known is not None and is_so else Sighting(at, source, "", location)
    counts = in_rank_order(sightings)
    route = published.attributes.route if published.attributes else truth.route
    is_over = route is not None and is_complete(route, counts)
    return Timeline(route, counts, {}, status_of(counts), is_over, _believed_closed(published, truth))


def _is_told(place: Mapping[str, str] | None, held: Mapping[str, str] | None) -> bool:
    """Whether subscribers hold what they are told of a place; releases before told its name, whatever it was."""
    return (told_place(place) or None) == (told_place(held) or None)


def _believed_closed(published: Published, truth: Timeline) -> Closing | None:
    if published.closed is None:
        return None
    at, reason = published.closed
    known = truth.closed
    return known if known is not None and (known.at, known.reason) == (at, reason) else Closing(at, "", "", reason)


def status_of(counts: Collection[Milestone]) -> Milestone | None:
    """The furthest milestone that counts, or RR where it does; None where nothing counts yet."""
    return max(counts, key=RANKS.__getitem__, default=None)


def is_complete(route: Route, counts: Collection[Milestone]) -> bool:
    """Whether nothing further is expected: the route's last milestone counts, or the rejection."""
    return RR in counts or LAST[route] in counts
