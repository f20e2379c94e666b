"""A return's state, and what one more event does to it.

`record(state, event)` answers with the entry that the history gets: the verdict, the changes that subscribers are
told, and the state after it. The state remembers only what most later decisions need, so that it can stand in every
history row; where that does not suffice, `PastNeeded` asks for the whole set of the return's events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from service.domain.changes import Change, Told, changes
from service.domain.events import Event, Published, Sense, has_digest, key_digest
from service.domain.evidence import (
    AHEAD,
    NO_EVIDENCE,
    RDBTC,
    VOIDS_UNLISTED,
    Against,
    ClaimsNeeded,
    Evidence,
    PastNeeded,
    add,
    is_doubtful,
    needs_past,
    with_flag,
)
from service.domain.exceptional import HELD_REASONS, against_delivery_back, moved_reasons, reasons
from service.domain.milestones import Kind, Reason, Verdict
from service.domain.rules import DEFAULT, VERSION, Rules
from service.domain.timeline import UNKNOWN, Timeline, believed, decide, usual
from service.domain.values import value
from service.domain.whole import MAX_VOIDS, Whole

_FURTHER: Final = Verdict.ADVANCED, Kind.REACHED
_BEHIND: Final = Verdict.BACKFILLED, Kind.BACKFILLED
_AGAIN: Final = Verdict.REPEATED, Kind.RETIMED
_RE_EVALUATED: Final = "\0re-evaluated"  # NUL cannot occur in an event's id


@value(frozen=True, slots=True)
class State:
    """A return after `seq` history rows and `version` changes.

    `seen` holds the digests of the names and of the identities of the recorded events, end to end (of those recorded before
    2026-11 of the names alone); `voided` those of names that a void names, come or not, unless there are too many of them
    (VOIDS_UNLISTED). `timeline` follows from `evidence`, and that from the events by the `rules` of this mark.
    """

    seq: int
    version: int
    evidence: Evidence
    seen: bytes
    voided: frozenset[bytes]
    timeline: Timeline
    rules: int = VERSION


@value(frozen=True, slots=True)
class Entry:
    """What the history records of one event.

    `reason` is the event's own. `raised` are those that the return has since now and that are not this event's, `settled`
    those that nothing gives any more.
    """

    event: Event
    verdict: Verdict
    reason: Reason | None
    changes: tuple[Change, ...]
    state: State
    raised: tuple[Reason, ...] = ()
    settled: tuple[Reason, ...] = ()


NEW: Final = State(0, 0, NO_EVIDENCE, b"", frozenset(), UNKNOWN)


def record(
    state: State, event: Event, whole: Whole | None = None, rules: Rules = DEFAULT, *, is_open: bool = False
) -> Entry | None:
    """The entry for `event` on top of `state`; None for a duplicate, which changes nothing.

    `state` is the return's after everything that was recorded of it: `NEW`, or that of the entry before. `whole` is of
    every event recorded of the return, and of this one. Raises PastNeeded where it is needed and not given; and of a scan,
    where it `is_open` whether it is this return's, ClaimsNeeded where that is in doubt.

    >>> from service.domain.events import Attributes
    >>> from service.domain.evidence import RC
    >>> from service.domain.milestones import Milestone, Route
    >>> label = Attributes("acme", Route.OMNIRPS, "generic", "GX-1")
    >>> created = record(NEW, Event("/portal", "1", 10, Sense.ASSERTS, RC, attributes=label))
    >>> scanned = record(created.state, Event("/carrier", "7", 20, Sense.ASSERTS, Milestone.RT))
    >>> scanned.verdict.value, [(change.version, change.kind.value) for change in scanned.changes]
    ('advanced', [(2, 'reached')])
    """
    (key, identity), seen = event.digests, state.seen
    is_named = key in seen and has_digest(seen, key)
    mark, before = VERSION if rules is DEFAULT else rules.mark, state.evidence
    is_by_these = not state.seq if before.attributes is None else state.rules == mark
    if is_by_these and not is_named and not state.voided:
        short = usual(before, state.timeline, event, rules)
        if short is not None:
            return _usual_entry(state, event, short, seen + key + identity, mark)
    if is_open and is_doubtful(before, event, rules):
        raise ClaimsNeeded
    if identity in seen and has_digest(seen, identity):
        return None
    seen += key + identity
    if not is_named:
        if event.published is not None:
            return _record_published(state, event, event.published, seen)
        return _record(state, event, key, seen, whole, rules)
    # Another event of a name that is there, or the same, recorded when only names were kept.
    whole = _needed(whole)
    if whole.is_repeated(event):
        return None
    return _record_whole(state, event, seen, whole, mark)


def re_evaluate(state: State, event: Event, whole: Whole | None = None, rules: Rules = DEFAULT) -> Entry | None:
    """The entry for an event that was recorded as unmapped and is understood now; None if there is nothing to add.

    `event` is the one that was recorded, as today's tables understand it. None where they do not know its code either, and
    where it was re-evaluated before. Raises PastNeeded as `record` does.
    """
    name, marker = replace(event, id=event.id + _RE_EVALUATED).digests
    if event.sense is Sense.UNMAPPED or has_digest(state.seen, marker):
        return None
    seen = state.seen + name + marker
    return _record_whole(state, event, seen, _needed(whole), rules.mark)  # others may be unmapped still


def replay(events: Iterable[Event], rules: Rules = DEFAULT) -> State:
    """The state after these events, from the beginning."""
    state, whole = NEW, Whole(rules=rules)
    for event in events:
        whole.add(event)
        entry = record(state, event, whole, rules)
        state = entry.state if entry else state
    return state


def continued(published: Published) -> State:
    """The state that a return begins with which subscribers know and this journal does not, before its first row."""
    return replace(NEW, version=published.version, timeline=believed(published, UNKNOWN, NO_EVIDENCE))


def _record(state: State, event: Event, key: bytes, seen: bytes, whole: Whole | None, rules: Rules) -> Entry:
    mark, before, against = rules.mark, state.evidence, None
    target = None if event.voids is None else key_digest(*event.voids)
    named = target is not None and (target == key or has_digest(state.seen, target))  # what is recorded, or itself
    # What it knows was found by other rules, or one of two events is void, or more is to be known.
    # Before its creation nothing says which scans will have been the return's.
    if (
        (state.seq and (state.rules != mark or before.attributes is None))
        or named
        or event.unheard is not None
        or key in state.voided
        or needs_past(before, event)
    ):
        return _record_whole(state, event, seen, _needed(whole), mark)
    voided, evidence = state.voided, before
    if event.voids is None:
        evidence, against = add(before, event, rules)
    else:
        voided, evidence = _with_void(state, event.voids)
    evidence = with_flag(evidence, AHEAD) if event.is_ahead else evidence
    is_same = evidence.earliest is before.earliest and evidence.closing is before.closing
    after = state.timeline if is_same else decide(evidence)
    return _entry(state, event, _Decided(evidence, after, voided, seen, mark, against, False, True))


def _usual_entry(state: State, event: Event, found: tuple[Evidence, Timeline], seen: bytes, mark: int) -> Entry:
    (evidence, after), then, milestone, version = found, state.timeline, event.milestone, state.version
    moved: tuple[Change, ...] = ()
    verdict = Verdict.REPEATED if milestone is not None else Verdict.INFORMATIONAL
    reason = None if milestone is None or after is then else after.denied.get(milestone)
    if reason is not None:
        verdict = Verdict.HELD
    elif after is not then and milestone is not None:
        status, previous, cause = after.status, then.status, (event.source, event.id)
        verdict, kind = _FURTHER if status is not previous else _AGAIN if milestone in then.counts else _BEHIND
        version += 1
        moved = (Change(version, kind, milestone, event.at, event.location, cause, status, previous, after.complete),)
    new = State(state.seq + 1, version, evidence, seen, state.voided, after, mark)
    return Entry(event, verdict, reason, moved, new)


def _record_whole(state: State, event: Event, seen: bytes, whole: Whole, mark: int) -> Entry:
    """By the whole set of events, whatever the state knows of them."""
    evidence = whole.evidence()
    voided = frozenset() if evidence.flags & VOIDS_UNLISTED else frozenset(whole.voided)
    is_voided = whole.is_out(event)
    against: Against = None
    if event.voids is not None:
        against = Reason.NOT_VOIDABLE if whole.is_vain(event.voids) else None
    elif (event.milestone is not None or event.label is not None) and event.window is None and not is_voided:
        against = whole.against(event)
    after = decide(evidence)
    if after == state.timeline:
        after = state.timeline
    return _entry(state, event, _Decided(evidence, after, voided, seen, mark, against, is_voided, is_plain=False))


def _needed(whole: Whole | None) -> Whole:
    if whole is None:
        raise PastNeeded
    return whole


def _with_void(state: State, voids: tuple[str, str]) -> tuple[frozenset[bytes], Evidence]:
    """The names of voided events with one more, which no event has yet."""
    evidence, voided = state.evidence, state.voided
    if not evidence.flags & VOIDS_UNLISTED:
        voided = voided | {key_digest(*voids)}
    if len(voided) <= MAX_VOIDS:
        return voided, evidence
    return frozenset(), with_flag(evidence, VOIDS_UNLISTED)


def _record_published(state: State, event: Event, published: Published, seen: bytes) -> Entry:
    """The changes that lead from what subscribers hold to what is true; versions go on from theirs."""
    held = believed(published, state.timeline, state.evidence)
    moved = changes(
        Told(held, published.version, state.evidence.connote, state.evidence.attributes, published.labels),
        event,
        state.evidence,
        state.timeline,
        is_plain=False,
    )
    told = published.version + len(moved), state.evidence, seen, state.voided, state.timeline, state.rules
    return Entry(event, Verdict.INFORMATIONAL, None, moved, State(state.seq + 1, *told))


@value(frozen=True, slots=True)
class _Decided:
    """What was found of an event: the evidence and the timeline with it, and what is against it by itself."""

    evidence: Evidence
    after: Timeline
    voided: frozenset[bytes]
    seen: bytes
    rules: int
    against: Against
    is_voided: bool
    is_plain: bool


def _entry(state: State, event: Event, decided: _Decided) -> Entry:
    """The entry with the changes from `state` to what holds after the event."""
    evidence, after, (verdict, reason) = decided.evidence, decided.after, _judge(event, decided, state.timeline)
    moved: tuple[Change, ...] = ()
    raised: tuple[Reason, ...] = ()
    settled: tuple[Reason, ...] = ()
    before, then = state.evidence, state.timeline
    if evidence is not before:
        told = Told(then, state.version, before.connote, before.attributes, before.labels)
        moved = changes(told, event, evidence, after, is_plain=decided.is_plain)
        raised, settled = moved_reasons((before, then), (evidence, after), reason)
        if verdict is Verdict.UNMAPPED and reason is not None and reason not in (*settled, *reasons(evidence, after)):
            settled = (*settled, reason)  # no scan of the return's, by its label's window or its label
    if event.over or event.found:
        given = reasons(evidence, after)
        raised = (*raised, *(reason for reason in event.found if reason in given and reason not in raised))
        settled = (*settled, *(reason for reason in event.over if reason not in (*given, *settled)))
    version = state.version + len(moved)
    new = State(state.seq + 1, version, evidence, decided.seen, decided.voided, after, decided.rules)
    return Entry(event, verdict, reason, moved, new, raised, settled)


def _judge(event: Event, decided: _Decided, before: Timeline) -> tuple[Verdict, Reason | None]:
    milestone, after = event.milestone, decided.after
    if decided.is_voided:
        return Verdict.REFUSED, Reason.VOIDED
    if event.sense is Sense.UNMAPPED:
        return Verdict.UNMAPPED, event.unmapped_because
    if decided.against is Reason.BEFORE_LABEL:
        return Verdict.REFUSED, decided.against
    if milestone is None:
        if decided.against is Reason.NOT_VOIDABLE:
            return Verdict.REFUSED, decided.against
        return Verdict.INFORMATIONAL, None if event.window is None else Reason.LABEL_CLAIMED
    if decided.against is Verdict.INFORMATIONAL:
        return Verdict.INFORMATIONAL, None
    reason: Reason | None = decided.against
    if reason is None:
        reason = after.denied.get(milestone)
    elif milestone is RDBTC:
        reason = against_delivery_back(reason, after)
    if reason is not None:
        return (Verdict.HELD if reason in HELD_REASONS else Verdict.REFUSED), reason
    if after.status is not before.status:
        return Verdict.ADVANCED, None
    return (Verdict.REPEATED if milestone in before.counts else Verdict.BACKFILLED), None
