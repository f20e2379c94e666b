"""What subscribers are told where a timeline moves: one change for each milestone, in the order in which they apply it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from service.domain.events import Attributes, Event
from service.domain.evidence import RC, RE, Evidence
from service.domain.labels import Label
from service.domain.milestones import RANKS, Kind, Milestone, Route
from service.domain.timeline import Timeline, is_complete, status_of
from service.domain.values import value


@value(frozen=True, slots=True)
class Change:
    """The timeline moved by one milestone; `status`, `previous_status` and `complete` hold once this one is applied.

    `version` counts a return's changes from 1 without gaps. `cause` is the (source, id) of the event that asserts the
    milestone now, or of the one that revoked it. `occurred_at` is in microseconds since 1970-01-01 UTC. One that is
    DETAILED tells of the status as it stands, with the event that brought something else to light as its cause.
    """

    version: int
    kind: Kind
    milestone: Milestone
    occurred_at: int
    location: Mapping[str, str] | None
    cause: tuple[str, str]
    status: Milestone | None
    previous_status: Milestone | None
    complete: bool


@value(frozen=True, slots=True)
class Told:
    """What subscribers hold before an event: the timeline, its version, the connote, and what the return is known by.

    `labels` are those beside the first, which stands in the attributes.
    """

    timeline: Timeline
    version: int
    connote: str | None
    attributes: Attributes | None
    labels: tuple[Label, ...] = ()


def changes(told: Told, event: Event, evidence: Evidence, after: Timeline, *, is_plain: bool) -> tuple[Change, ...]:
    """First what no longer counts, in falling rank, then what is new or moved, in rising rank, RR last."""
    if after.route is None:
        return ()
    moved: tuple[Change, ...] = ()
    if after is not told.timeline:
        if is_plain and (only := only_moved(event, told.timeline, after)) is not None:
            moved = (_only_change(told, after, only),)
        else:
            moved = all_changes(told, event, after, after.route)
        if after.closed != told.timeline.closed and after.status is not None:
            kind = Kind.REOPENED if after.closed is None else Kind.CLOSED
            return (*moved, _beside(kind, told.version + len(moved) + 1, event, after, after.status))
    if moved or after.status is None:
        return moved
    # Of an export that does not count nobody is told, and so not of its connote.
    is_detailed = (
        evidence.attributes != told.attributes
        or evidence.labels != told.labels
        or (RE in after.counts and evidence.connote != told.connote)
    )
    return (_beside(Kind.DETAILED, told.version + 1, event, after, after.status),) if is_detailed else ()


def _beside(kind: Kind, version: int, event: Event, after: Timeline, status: Milestone) -> Change:
    """No milestone moved, and subscribers are to know what changed beside them."""
    stands = after.counts[status]
    cause = (event.source, event.id)
    return Change(version, kind, status, stands.at, stands.location, cause, status, status, after.complete)


def all_changes(told: Told, event: Event, after: Timeline, route: Route) -> tuple[Change, ...]:
    """The general way for milestones; where one moved, `_only_change` says the same. A property test holds them together."""
    before, counts = told.timeline.counts, after.counts
    gone = [milestone for milestone in before if milestone not in counts]
    moved = [milestone for milestone, sighting in counts.items() if before.get(milestone) != sighting]
    steps = sorted(gone, key=RANKS.__getitem__, reverse=True) + moved  # the second stand in rank order already
    standing = dict(before)
    status, version = told.timeline.status, told.version
    told_now: list[Change] = []
    for milestone in steps:
        previous, version = status, version + 1
        if milestone in counts:
            sighting = standing[milestone] = counts[milestone]
            cause = (sighting.source, sighting.id)
            status = status_of(standing)
            kind = _kind(milestone, before, moved=status is not previous)
        else:
            sighting = standing.pop(milestone)
            cause = (event.source, event.id)
            status = status_of(standing)
            kind = Kind.REVOKED
        complete = is_complete(route, standing)
        told_now.append(
            Change(version, kind, milestone, sighting.at, sighting.location, cause, status, previous, complete)
        )
    return tuple(told_now)


def only_moved(event: Event, before: Timeline, after: Timeline) -> Milestone | None:
    """The event's milestone, where it can be seen at once that no other one moved; so it is with nearly every event."""
    milestone = event.milestone
    if milestone is None or before.denied or after.denied:
        return None  # with nothing denied, all that was seen counts, and goes on to count
    if milestone not in before.counts:
        return milestone if len(after.counts) == len(before.counts) + 1 and milestone in after.counts else None
    # Another creation may change the route, another export the connote and with it the delivery.
    is_alone = milestone is not RC and milestone is not RE and after.counts[milestone] is not before.counts[milestone]
    return milestone if is_alone else None


def _only_change(told: Told, after: Timeline, milestone: Milestone) -> Change:
    """The same as `all_changes`, in a third of the time."""
    sighting, previous = after.counts[milestone], told.timeline.status
    kind = _kind(milestone, told.timeline.counts, moved=after.status is not previous)
    cause = (sighting.source, sighting.id)
    return Change(
        told.version + 1,
        kind,
        milestone,
        sighting.at,
        sighting.location,
        cause,
        after.status,
        previous,
        after.complete,
    )


def _kind(milestone: Milestone, before: Collection[Milestone], *, moved: bool) -> Kind:
    if milestone in before:
        return Kind.RETIMED
    return Kind.REACHED if moved else Kind.BACKFILLED
