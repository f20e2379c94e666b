"""Recompute every return from its own history and compare with what is stored.

Two independent readings: the events replayed one by one must give each row's verdict, reason, changes and state as
they were recorded; and the timeline of the last row must be the function of the set of the return's events. A row that was
recorded by other rules than today's is held to what it says itself: its changes must lead from one state to the next. What
is kept for readers, search tables and figures, is held against the history as far as it has come; and what is kept of labels'
claims against the creations, voids and closings that they follow from. Of a label that several returns claim each scan that one
of their histories has is looked for in those of all that it concerns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from service.application.journal.labels.held import windows_told, wrong_claims
from service.application.journal.labels.lacking import HeldScans, lacking
from service.application.label_ports import HeldLabel
from service.domain.changes import Change
from service.domain.events import Event
from service.domain.exceptional import reasons
from service.domain.journey import NEW, Entry, State, re_evaluate, record
from service.domain.labels import Label
from service.domain.milestones import BESIDE, Kind, Reason
from service.domain.rules import Rules
from service.domain.timeline import decide
from service.domain.whole import Whole


class StoredRow(NamedTuple):
    """A row of the history as it is stored."""

    seq: int
    event: Event
    verdict: str
    reason: str | None
    changes: Sequence[Change]
    state: State
    raised: Sequence[Reason] = ()
    settled: Sequence[Reason] = ()


class StoredReturn(NamedTuple):
    """A return and its history in the order of recording, the state before it, and what is kept of its labels."""

    return_no: int
    return_id: str | None  # None: its row is missing
    rows: Sequence[StoredRow]
    begins: State = NEW
    labels: Sequence[HeldLabel] | None = None  # None: nobody looked


class Histories(Protocol):
    """Every return of the journal, and what else must hold of it."""

    @property
    def rules(self) -> Rules:
        """The rules by which it is decided today."""

    def returns(self) -> Iterator[StoredReturn]:
        """Every return that has a history, or should."""

    def contested(self) -> Iterator[HeldScans]:
        """The labels that several returns claim, of those that the sweep is done with."""

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
    suspect = set[Label]()  # where a claim is wrong, so is what concerns whom
    for stored in histories.returns():
        returns += 1
        events += len(stored.rows)
        _extend(
            differences,
            (f"{stored.return_id or stored.return_no}: {what}" for what in check(stored, histories.rules, suspect)),
            limit,
        )
    remedy = "run `returns-status reassess --claims`"
    found = lacking(histories.contested(), histories.rules)
    _extend(differences, (f"{each.what}: {remedy}" for each in found if each.label not in suspect), limit)
    _extend(differences, histories.strays(), limit)
    _extend(differences, histories.misread(), limit)
    return Checked(returns, events)


def _extend(differences: list[str], more: Iterable[str], limit: int) -> None:
    differences += islice(more, max(0, limit - len(differences)))


def check(stored: StoredReturn, rules: Rules, suspect: set[Label]) -> Iterator[str]:
    """What is wrong with one return; labels of which its claim is wrong are added to the `suspect`."""
    if stored.return_id is None and stored.rows:
        yield "has a history and no return"
    if not stored.rows:
        if stored.return_id is not None:
            yield "has no history"
        yield from _of_claims(stored, Whole(rules=rules), suspect)
        return
    state, whole, known = stored.begins, Whole(rules=rules), set[bytes]()
    for number, row in enumerate(stored.rows, start=1):
        if row.seq != number:
            yield f"row {number} is missing"
            return
        identity = row.event.identity
        whole.add(row.event)
        if row.state.rules != rules.mark:
            if (wrong := _wrong_by_itself(state, row)) is not None:
                yield f"row {number}: {wrong}"
                return
        else:
            entry = (re_evaluate if identity in known else record)(state, row.event, whole, rules)
            if entry is None:
                yield f"row {number} repeats an event"
                return
            if (wrong := _wrong(row, entry)) is not None:
                yield f"row {number}: {wrong} is not what the events say"
                return
        known.add(identity)
        state = row.state
    yield from _against_the_set(state, whole, rules)
    yield from _of_claims(stored, whole, suspect)


def _of_claims(stored: StoredReturn, whole: Whole, suspect: set[Label]) -> Iterator[str]:
    if stored.labels is not None:
        told = windows_told(row.event for row in stored.rows)
        for wrong in wrong_claims(whole, told, stored.labels):
            suspect.add(wrong.label)
            yield f"{wrong.what}: run `returns-status reassess --claims`"


def _wrong(row: StoredRow, entry: Entry) -> str | None:
    """What of a row is not as it was decided."""
    for what, there, expected in (
        ("verdict", row.verdict, entry.verdict),
        ("reason", row.reason, entry.reason),
        ("changes", tuple(row.changes), entry.changes),
        ("exceptions", (tuple(row.raised), tuple(row.settled)), (entry.raised, entry.settled)),
        ("state", row.state, entry.state),
    ):
        if there != expected:
            return what
    return None


def _wrong_by_itself(before: State, row: StoredRow) -> str | None:
    """What does not fit in a row that other rules decided."""
    after = row.state
    if after.seq != before.seq + 1 or after.version < before.version:
        return "its numbers do not follow upon those before it"
    if not row.changes:
        return None if after.version == before.version else "its version moved without a change"
    if row.changes[-1].version != after.version:
        return "its changes are not those of its version"
    held = set(before.timeline.counts)
    for change in row.changes:
        if change.kind not in BESIDE:
            (held.discard if change.kind is Kind.REVOKED else held.add)(change.milestone)
    # What was reconciled began from what subscribers held.
    is_told = row.event.published is not None or held == set(after.timeline.counts)
    return None if is_told else "its changes do not lead to its state"


def _against_the_set(state: State, whole: Whole, rules: Rules) -> Iterator[str]:
    evidence = whole.evidence()
    timeline = decide(evidence)
    if timeline == state.timeline:
        if state.rules == rules.mark and reasons(evidence, timeline) != reasons(state.evidence, state.timeline):
            yield "the exceptions are not those of the set of events"
    elif state.rules == rules.mark:
        yield "the timeline is not that of the set of events"
    else:
        yield "was decided by other rules, and today's say something else: run `returns-status reassess`"
