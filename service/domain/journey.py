"""A return's state, and what one more event does to it.

`record(state, event)` answers with the entry that the history gets: the verdict, the changes that subscribers are
told, and the state after it. The state remembers only what later decisions need, so that it can stand in every
history row; the one question it cannot answer by itself is what remains once an event is voided (`needs_past`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from service.domain.events import KEY_DIGEST_BYTES, Event, Published, Sense, key_digest
from service.domain.exceptional import HELD_REASONS
from service.domain.milestones import RANKS, Kind, Milestone, Reason, Route, Verdict
from service.domain.timeline import (
    NO_EVIDENCE,
    RC,
    RDBTC,
    RE,
    UNKNOWN,
    Evidence,
    Timeline,
    add,
    believed,
    decide,
    gather,
    is_complete,
    status_of,
)
from service.domain.values import value

_RE_EVALUATED: Final = "\0re-evaluated"  # NUL cannot occur in an event's id


@value(frozen=True, slots=True)
class Change:
    """The timeline moved by one milestone; `status`, `previous_status` and `complete` hold once this one is applied.

    `version` counts a return's changes from 1 without gaps. `cause` is the (source, id) of the event that asserts the
    milestone now, or of the one that revoked it. `occurred_at` is in microseconds since 1970-01-01 UTC.
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
class State:
    """A return after `seq` history rows and `version` changes.

    `seen` holds the key digests of the recorded events, end to end; `voided` those that a void names, come or not.
    `timeline` follows from `evidence`.
    """

    seq: int
    version: int
    evidence: Evidence
    seen: bytes
    voided: frozenset[bytes]
    timeline: Timeline


@value(frozen=True, slots=True)
class Entry:
    """What the history records of one event."""

    event: Event
    verdict: Verdict
    reason: Reason | None
    changes: tuple[Change, ...]
    state: State


NEW: Final = State(0, 0, NO_EVIDENCE, b"", frozenset(), UNKNOWN)


def has_seen(state: State, key: bytes) -> bool:
    """Whether an event with this key digest is recorded already."""
    seen = state.seen
    at = seen.find(key)
    while at % KEY_DIGEST_BYTES and at != -1:  # a match across two digests is none
        at = seen.find(key, at + 1)
    return at != -1


def needs_past(state: State, event: Event) -> bool:
    """Whether `record` must be given the return's recorded events: only to void one of them."""
    if event.voids is None:
        return False
    return has_seen(state, key_digest(*event.voids)) and not has_seen(state, event.key)


def record(state: State, event: Event, past: Sequence[Event] = ()) -> Entry | None:
    """The entry for `event` on top of `state`; None for a duplicate, which changes nothing.

    `state` is the return's after everything that was recorded of it: `NEW`, or that of the entry before. `past` is every
    event recorded of the return, needed where `needs_past` says so; ValueError where it is needed and not given.

    >>> from service.domain.events import Attributes
    >>> label = Attributes("acme", Route.OMNIRPS, "generic", "GX-1")
    >>> created = record(NEW, Event("/portal", "1", 10, Sense.ASSERTS, RC, attributes=label))
    >>> scanned = record(created.state, Event("/carrier", "7", 20, Sense.ASSERTS, Milestone.RT))
    >>> scanned.verdict.value, [(change.version, change.kind.value) for change in scanned.changes]
    ('advanced', [(2, 'reached')])
    """
    key = event.key
    if has_seen(state, key):
        return None
    seen = state.seen + key
    if event.voids is not None:
        return _record_void(state, event, event.voids, seen, past)
    return _record(state, event, seen, is_voided=key in state.voided)


def re_evaluate(state: State, event: Event) -> Entry | None:
    """The entry for an event that was recorded as unmapped and is understood now; None if there is nothing to add.

    `event` is the one that was recorded (same source and id) as today's tables understand it. None where they do not
    know its code either, and where it was re-evaluated before.
    """
    marker = key_digest(event.source, event.id + _RE_EVALUATED)
    if event.sense is Sense.UNMAPPED or has_seen(state, marker):
        return None
    return _record(state, event, state.seen + marker, is_voided=event.key in state.voided)


def replay(events: Iterable[Event]) -> State:
    """The state after these events, from the beginning."""
    state, past = NEW, list[Event]()
    for event in events:
        entry = record(state, event, past)
        past.append(event)
        state = entry.state if entry else state
    return state


def continued(published: Published) -> State:
    """The state that a return begins with which subscribers know and this journal does not, before its first row."""
    return State(0, published.version, NO_EVIDENCE, b"", frozenset(), believed(published, UNKNOWN, NO_EVIDENCE))


def _record(state: State, event: Event, seen: bytes, *, is_voided: bool) -> Entry:
    milestone, timeline = event.milestone, state.timeline
    if milestone is not None and (milestone is RC or not is_voided):
        evidence = add(state.evidence, event)
        after = timeline if evidence is state.evidence else decide(evidence)
        verdict, reason = _judge(event, milestone, evidence, timeline, after)
        return _entry(state, event, verdict, reason, evidence, seen, state.voided, after)
    if milestone is not None:
        verdict, reason = Verdict.REFUSED, Reason.VOIDED
    elif event.sense is Sense.UNMAPPED:
        verdict, reason = Verdict.UNMAPPED, event.unmapped_because
    elif event.published is not None:
        return _record_published(state, event, event.published, seen)
    else:
        verdict, reason = Verdict.INFORMATIONAL, None
    return _entry(state, event, verdict, reason, state.evidence, seen, state.voided, timeline)


def _record_void(state: State, event: Event, voids: tuple[str, str], seen: bytes, past: Sequence[Event]) -> Entry:
    target = key_digest(*voids)
    voided = state.voided | {target}
    informational = Verdict.INFORMATIONAL, None
    if not has_seen(state, target):
        return _entry(state, event, *informational, state.evidence, seen, voided, state.timeline)
    targets = [known for known in past if (known.source, known.id) == voids]
    if not targets:
        raise ValueError("to void a recorded event, give the return's recorded events")
    if any(known.milestone is RC or known.voids is not None for known in targets):
        refused = Verdict.REFUSED, Reason.NOT_VOIDABLE
        return _entry(state, event, *refused, state.evidence, seen, state.voided, state.timeline)
    evidence = gather(past, voided)
    return _entry(state, event, *informational, evidence, seen, voided, decide(evidence))


def _record_published(state: State, event: Event, published: Published, seen: bytes) -> Entry:
    """The changes that lead from what subscribers hold to what is true; versions go on from theirs."""
    held = believed(published, state.timeline, state.evidence)
    before = State(state.seq, published.version, state.evidence, state.seen, state.voided, held)
    return _entry(before, event, Verdict.INFORMATIONAL, None, state.evidence, seen, state.voided, state.timeline)


def _entry(
    state: State,
    event: Event,
    verdict: Verdict,
    reason: Reason | None,
    evidence: Evidence,
    seen: bytes,
    voided: frozenset[bytes],
    after: Timeline,
) -> Entry:
    """The entry with the changes from `state` to what holds after the event."""
    changes = () if after is state.timeline else _changes(state, event, after)
    new = State(state.seq + 1, state.version + len(changes), evidence, seen, voided, after)
    return Entry(event, verdict, reason, changes, new)


def _judge(
    event: Event, milestone: Milestone, evidence: Evidence, before: Timeline, after: Timeline
) -> tuple[Verdict, Reason | None]:
    reason = _reason_against(event, milestone, evidence, after)
    if reason is not None:
        return (Verdict.HELD if reason in HELD_REASONS else Verdict.REFUSED), reason
    if after.status is not before.status:
        return Verdict.ADVANCED, None
    return (Verdict.REPEATED if milestone in before.counts else Verdict.BACKFILLED), None


def _reason_against(event: Event, milestone: Milestone, evidence: Evidence, after: Timeline) -> Reason | None:
    if milestone is not RDBTC or event.connote == evidence.connote:
        return after.denied.get(milestone)
    # A delivery of a connote that is not, or no longer, the return's own.
    if after.route is Route.FIRST_MILE_ONLY:
        return Reason.ROUTE_ENDS_AT_FIRST_MILE
    if Milestone.RR in after.counts:
        return Reason.ALREADY_REJECTED
    return Reason.AWAITING_EXPORTED if evidence.connote is None else Reason.OTHER_CONNOTE


def _changes(state: State, event: Event, after: Timeline) -> tuple[Change, ...]:
    """First what no longer counts, in falling rank, then what is new or moved, in rising rank, RR last."""
    if after.route is None:
        return ()
    if (only := _only_moved(event, state.timeline, after)) is not None:
        return (_only_change(state, after, only),)
    return _all_changes(state, event, after, after.route)


def _all_changes(state: State, event: Event, after: Timeline, route: Route) -> tuple[Change, ...]:
    """The general way; where one milestone moved, `_only_change` says the same. A property test holds them together."""
    before, counts = state.timeline.counts, after.counts
    gone = [milestone for milestone in before if milestone not in counts]
    moved = [milestone for milestone, sighting in counts.items() if before.get(milestone) != sighting]
    steps = sorted(gone, key=RANKS.__getitem__, reverse=True) + moved  # the second stand in rank order already
    standing = dict(before)
    status, version = state.timeline.status, state.version
    changes: list[Change] = []
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
        changes.append(
            Change(version, kind, milestone, sighting.at, sighting.location, cause, status, previous, complete)
        )
    return tuple(changes)


def _only_moved(event: Event, before: Timeline, after: Timeline) -> Milestone | None:
    """The event's milestone, where it can be seen at once that no other one moved; so it is with nearly every event."""
    milestone = event.milestone
    if milestone is None or before.denied or after.denied:
        return None  # with nothing denied, all that was seen counts, and goes on to count
    if milestone not in before.counts:
        return milestone if len(after.counts) == len(before.counts) + 1 and milestone in after.counts else None
    # Another creation may change the route, another export the connote and with it the delivery.
    is_alone = milestone is not RC and milestone is not RE and after.counts[milestone] is not before.counts[milestone]
    return milestone if is_alone else None


def _only_change(state: State, after: Timeline, milestone: Milestone) -> Change:
    """The same as `_all_changes`, in a third of the time."""
    sighting, previous = after.counts[milestone], state.timeline.status
    kind = _kind(milestone, state.timeline.counts, moved=after.status is not previous)
    cause = (sighting.source, sighting.id)
    return Change(
        state.version + 1,
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
