"""Recompute every return from its own history and compare with what is stored.

Two independent readings: the events replayed one by one must give each row's verdict, reason, changes and state as
they were recorded; and the timeline of the last row must be the function of the set of the return's events. What is
kept for readers, search tables and figures, is held against the history as far as it has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from service.domain.events import Event, key_digest
from service.domain.journey import NEW, Change, State, re_evaluate, record
from service.domain.milestones import Milestone, Reason
from service.domain.timeline import decide, gather


class StoredRow(NamedTuple):
    """A row of the history as it is stored."""

    seq: int
    event: Event
    verdict: str
    reason: str | None
    changes: Sequence[Change]
    state: State


class StoredReturn(NamedTuple):
    """A return and its history in the order of recording, and the state before it."""

    return_no: int
    return_id: str | None  # None: its row is missing
    rows: Sequence[StoredRow]
    begins: State = NEW


class Histories(Protocol):
    """Every return of the journal, and what else must hold of it."""

    def returns(self) -> Iterator[StoredReturn]:
        """Every return that has a history, or should."""

    def strays(self) -> Iterator[str]:
        """A sentence for each event that is parked although its return is known, or a delivery that a member lacks."""

    def misread(self) -> Iterator[str]:
        """A sentence for each return that lists show otherwise than its history has it, and each wrong figure."""


class Checked(NamedTuple):
    """How much was compared."""

    returns: int
    events: int


def verify(histories: Histories, differences: list[str], limit: int = 100) -> Checked:
    """Compare everything; adds a sentence for each difference, at most `limit` of them."""
    returns = events = 0
    for stored in histories.returns():
        returns += 1
        events += len(stored.rows)
        _extend(differences, (f"{stored.return_id or stored.return_no}: {what}" for what in check(stored)), limit)
    _extend(differences, histories.strays(), limit)
    _extend(differences, histories.misread(), limit)
    return Checked(returns, events)


def _extend(differences: list[str], more: Iterable[str], limit: int) -> None:
    differences += list(more)[: max(0, limit - len(differences))]


def check(stored: StoredReturn) -> Iterator[str]:
    """What is wrong with one return."""
    if stored.return_id is None:
        yield "has a history and no return"
    if not stored.rows:
        yield "has no history"
        return
    state, past = stored.begins, list[Event]()
    for number, row in enumerate(stored.rows, start=1):
        if row.seq != number:
            yield f"row {number} is missing"
            return
        known = any((e.source, e.id) == (row.event.source, row.event.id) for e in past)
        entry = re_evaluate(state, row.event) if known else record(state, row.event, past)
        past.append(row.event)
        if entry is None:
            yield f"row {number} repeats an event"
            return
        # A label in use by another return, which a creation tells, is no matter of this return's events.
        in_use = row.reason == Reason.TRACKING_NUMBER_IN_USE and row.event.milestone is Milestone.RC
        reason = row.reason if in_use else entry.reason
        for what, there, expected in (
            ("verdict", row.verdict, entry.verdict),
            ("reason", row.reason, reason),
            ("changes", tuple(row.changes), entry.changes),
            ("state", row.state, entry.state),
        ):
            if there != expected:
                yield f"row {number}: {what} is not what the events say"
                return
        state = entry.state
    yield from _against_the_set(state, past)


def _against_the_set(state: State, events: Sequence[Event]) -> Iterator[str]:
    voidable = {(e.source, e.id) for e in events if e.milestone is not Milestone.RC and e.voids is None}
    named = {e.voids for e in events if e.voids is not None}
    known = {(e.source, e.id) for e in events}
    voided = {key_digest(*target) for target in named if target in voidable or target not in known}
    if decide(gather(events, voided)) != state.timeline:
        yield "the timeline is not that of the set of events"
