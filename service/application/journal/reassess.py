"""Bring returns up to date that were decided by earlier rules, and say what moves.

A return is decided by today's rules as soon as anything happens to it. Of one to which nothing does, a row goes into the
history that says so: its changes lead from what was held to what is true, and subscribers get them as they get all others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import msgspec

from service.application.journal.appending import Placed, append
from service.application.journal.appending import decide as decide_rows
from service.application.journal.labels.claims import of_whole
from service.application.journal.labels.past import past_of_one
from service.application.label_ports import Claimed, MendsClaims
from service.application.ports import Arrival, HistoryRow, Transaction, Waiting
from service.domain.events import Effect, Event, Sense, Words
from service.domain.evidence import Evidence
from service.domain.exceptional import is_exceptional, reasons
from service.domain.journey import State
from service.domain.labels import Label
from service.domain.milestones import Reason
from service.domain.timeline import decide
from service.domain.whole import Whole
from service.wire.inbound import Inbound, SubjectKind
from service.wire.inbound import label as label_name
from service.wire.record import Record
from service.wire.rows.reassessed import REASSESSED, SOURCE, event_data
from service.wire.stored import to_micros

RETURNS_A_BATCH: Final = 200  # workers that want to append to the same returns wait for the transaction

_encode = msgspec.json.Encoder(order="sorted").encode


class Looked(NamedTuple):
    """A return, whether a row of it was decided by other rules than today's, and whether the last one was.

    What decides a return anew because something happened to it reads its rows as they stand: of what earlier rules did not
    keep (which code turned a parcel back, who else claimed a label) it learns nothing.
    """

    return_no: int
    return_id: str
    is_of_before: bool
    is_outdated: bool


class GivenBefore(NamedTuple):
    """What a row of the history says of exceptions."""

    verdict: str
    reason: Reason | None
    raised: Sequence[Reason]
    settled: Sequence[Reason]


class ReassessTransaction(Transaction, MendsClaims, Protocol):
    """A transaction that also finds returns that other rules decided."""

    def looked(self, mark: int, after: int, limit: int) -> Sequence[Looked]:
        """The next returns by number; `mark` is that of today's rules."""

    def given(self, return_no: int) -> Sequence[GivenBefore]:
        """What its rows say of exceptions."""

    def scans(self, return_no: int) -> Sequence[Waiting]:
        """Its scans that say nothing of the parcel's direction, as today's tables understand them."""


class Journals(Protocol):
    """The journal. Every method may raise Retryable."""

    def transaction(self) -> AbstractContextManager[ReassessTransaction]:
        """A transaction that commits at the end of the block, or rolls back on an exception."""


class Reassessed(NamedTuple):
    """How many returns were looked at, how many of them other rules had decided, and what moved."""

    returns: int = 0
    outdated: int = 0
    moved: int = 0
    changes: int = 0


def reassess(
    journal: Journals,
    now: datetime,
    *,
    dry_run: bool,
    say: Callable[[str], object],
    should_stop: Callable[[], bool] = lambda: False,
    tell: Callable[[str], object] = lambda _: None,
) -> Reassessed:
    """Decide anew what earlier rules decided. `say` gets a line for each return that moves, `tell` how far it is.

    Safe to repeat, beside workers. Raises Retryable: what was said is done and stays done.
    """
    done, after = Reassessed(), 0
    while not should_stop():
        with journal.transaction() as tx:
            found = tx.looked(tx.rules.mark, after, RETURNS_A_BATCH)
            if not found:
                break
            of_before = {each.return_no: each.return_id for each in found if each.is_of_before}
            claimed = not dry_run and _claim(tx, of_before)
            placed = _placed(tx, of_before, now)
            rows = _decided(tx, placed, of_before, dry_run=dry_run)
            if claimed and not rows:
                tx.number_batch(0)  # the sweep is to find them
        after = found[-1].return_no
        for line in _lines(rows, of_before):
            say(line)
        changes = sum(len(row.entry.changes) for row in rows)
        moved = len({row.return_no for row in rows})
        done = Reassessed(
            done.returns + len(found),
            done.outdated + sum(each.is_outdated for each in found),
            done.moved + moved,
            done.changes + changes,
        )
        tell(f"{done.returns:,} returns looked at, {done.moved:,} moved")
    return done


def _decided(
    tx: ReassessTransaction, placed: Sequence[Placed], return_nos: Collection[int], *, dry_run: bool
) -> Sequence[HistoryRow]:
    """The rows that the history got, or would get."""
    if not placed:
        return ()
    if dry_run:
        return decide_rows(tx, placed, tx.load(return_nos)).rows
    rows = append(tx, placed, lambda _: None).rows
    if rows:
        tx.number_batch(len(rows))
    return rows


def _claim(tx: ReassessTransaction, return_nos: Collection[int]) -> bool:
    """Keep the claims of labels that another return had first: by earlier rules only that one's were kept. Any?

    Those that are kept already count as changed: by other settings their windows are others.
    """
    claims, gone = dict[tuple[Label, int], Claimed](), dict[tuple[Label, int], Claimed]()
    is_any = False
    for return_no in return_nos:
        whole = Whole(past_of_one(tx, return_no), tx.rules)
        is_any |= tx.touch_claims(return_no, [label for label, _ in whole.claims()])
        gone |= {name: claimed for name, claimed in of_whole(whole, return_no).items() if claimed.is_void}
        for label, creation in whole.claims():
            name = label_name(*label)
            owner = tx.find_labels([name]).get(name, return_no)
            if owner != return_no and creation.attributes is not None:
                claims[label, return_no] = Claimed(creation.at, creation.attributes.retailer, whole.closed_at)
    if claims:
        tx.join_claims(claims)
    if gone:
        tx.set_claims(gone)
    return bool(claims or gone or is_any)


def _placed(tx: ReassessTransaction, of_before: dict[int, str], now: datetime) -> list[Placed]:
    placed, states = list[Placed](), tx.load(of_before)
    for return_no, return_id in of_before.items():
        # What turned a parcel back was no more than information by earlier rules.
        scans = [scan.arrival for scan in tx.scans(return_no)]
        told = list[Arrival]()
        if any(scan.inbound.event.effect is Effect.RETURNING for scan in scans):
            told = [scan for scan in scans if scan.inbound.event.effect is not None]
            placed += [Placed(return_no, scan, recorded=True) for scan in told]
        whole = Whole([*past_of_one(tx, return_no), *(scan.inbound.event for scan in told)], tx.rules)
        evidence = whole.evidence()
        state = states[return_no]
        before = reasons(state.evidence, state.timeline)  # to what differs from these a row comes by itself
        over, found = _moved(tx.given(return_no), reasons(evidence, decide(evidence)))
        over, found = [r for r in over if r not in before], [r for r in found if r in before]
        if over or found or (not told and _differs(state, evidence)):
            placed.append(Placed(return_no, reassessed(return_id, tx.rules.mark, now, over, found)))
    return placed


def _differs(state: State, evidence: Evidence) -> bool:
    timeline = decide(evidence)
    given = reasons(evidence, timeline), evidence.connote
    return timeline != state.timeline or given != (reasons(state.evidence, state.timeline), state.evidence.connote)


def _moved(rows: Sequence[GivenBefore], given: Collection[Reason]) -> tuple[list[Reason], list[Reason]]:
    """The reasons that rows gave, that no row settled and that are none: whoever was told of them is told; and those that none gave."""
    told = dict[Reason, None]()
    for row in rows:
        if row.reason is not None and is_exceptional(row.verdict, row.reason):
            told[row.reason] = None
        told |= dict.fromkeys(row.raised)
        for reason in row.settled:
            told.pop(reason, None)
    return [reason for reason in told if reason not in given], [reason for reason in given if reason not in told]


def reassessed(
    return_id: str, mark: int, now: datetime, over: Sequence[Reason] = (), found: Sequence[Reason] = ()
) -> Arrival:
    """The row that says that a return was looked at anew, by rules of this mark.

    `over` are exceptions of before that are none, `found` those that no row told.
    """
    at, said = to_micros(now), _encode(event_data(return_id, mark, over, found))
    # Rules may be set back and forth, each time with a row of its own.
    name, words = f"{return_id}/{mark}/{at}", Words(REASSESSED, said)
    event = Event(SOURCE, name, at, Sense.INFORMS, words=words, over=tuple(over), found=tuple(found))
    inbound = Inbound(SubjectKind.RETURN, return_id, event, REASSESSED, said)
    return Arrival(inbound, Record("", 0, 0, int(now.timestamp() * 1000), None, None))


def _lines(rows: Sequence[HistoryRow], return_ids: dict[int, str]) -> list[str]:
    """What moved of each return, in words."""
    moved = dict[str, list[str]]()
    for row in rows:
        entry = row.entry
        told = [f"{change.kind.value} {change.milestone.value}" for change in entry.changes]
        told += [f"{reason.value} opened" for reason in entry.raised]
        told += [f"{reason.value} resolved" for reason in entry.settled]
        moved.setdefault(return_ids[row.return_no], []).extend(told)
    return [f"{return_id}: {', '.join(told) or 'no milestone moves'}" for return_id, told in moved.items()]
