"""Bring what is kept of labels' claims in line with the histories that it follows from, return by return.

A row goes into the history of each return whose claims are mended, as one does where it is decided anew: so nothing of the
return was recorded unseen meanwhile. The sweep then looks at the labels, moves windows and places what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from service.application.journal.appending import Placed, append
from service.application.journal.labels.held import Wrong, windows_told, wrong_claims
from service.application.journal.labels.lacking import lacking
from service.application.journal.labels.past import past_of_one
from service.application.journal.reassess import reassessed
from service.application.journal.verify import Histories, StoredReturn
from service.application.label_ports import MendsClaims
from service.application.ports import Transaction
from service.domain.journey import NEW
from service.domain.labels import Label
from service.domain.whole import Whole
from service.errors import Retryable


class MendingTransaction(Transaction, MendsClaims, Protocol):
    """A transaction that also mends claims."""


class Journal(Protocol):
    """The journal. Every method may raise Retryable."""

    def transaction(self) -> AbstractContextManager[MendingTransaction]:
        """A transaction that commits at the end of the block, or rolls back on an exception."""


def mend_claims(
    histories: Histories,
    journal: Journal,
    now: datetime,
    *,
    dry_run: bool,
    say: Callable[[str], object],
    should_stop: Callable[[], bool] = lambda: False,
    tell: Callable[[str], object] = lambda _: None,
) -> int:
    """Mend what differs; how many claims did. `say` gets a line for each, `tell` how far it is.

    Safe to repeat, beside workers. Raises Retryable: what was said is done and stays done.
    """
    mended, suspect = 0, set[Label]()
    for looked, stored in enumerate(histories.returns(), start=1):
        if should_stop():
            break
        wrong = _wrong(stored, histories)
        suspect.update(each.label for each in wrong)
        if wrong and not dry_run:
            wrong = _mend(journal, stored, wrong, now)
        for each in wrong:
            say(f"{stored.return_id or stored.return_no}: {each.what}")
        mended += len(wrong)
        if looked % 1000 == 0:
            tell(f"{looked:,} returns' claims looked at, {mended:,} wrong")
    else:
        mended += _place_again(histories, journal, suspect, dry_run=dry_run, say=say)
    return mended


def _place_again(
    histories: Histories, journal: Journal, suspect: Collection[Label], *, dry_run: bool, say: Callable[[str], object]
) -> int:
    """Let the sweep look once more at the labels of which a return lacks scans; how many returns do.

    It looks at those that are `suspect` in any case: a claim of theirs is mended.
    """
    found = dict[tuple[int, Label], str]()
    for each in lacking(histories.contested(), histories.rules):
        if each.label not in suspect:
            found.setdefault((each.return_no, each.label), each.what)
    # One claim of a label that changed has all of it looked at.
    for label, return_no in {label: return_no for return_no, label in found}.items() if not dry_run else ():
        with journal.transaction() as tx:
            tx.touch_claims(return_no, [label])
            tx.number_batch(0)
    for what in found.values():
        say(what)
    return len(found)


def _wrong(stored: StoredReturn, histories: Histories) -> list[Wrong]:
    events = [row.event for row in stored.rows]
    return list(wrong_claims(Whole(events, histories.rules), windows_told(events), stored.labels or ()))


def _mend(journal: Journal, stored: StoredReturn, wrong: list[Wrong], now: datetime) -> list[Wrong]:
    """What was wrong still; it is not any more."""
    return_no, labels = stored.return_no, {each.label for each in wrong}
    with journal.transaction() as tx:
        before = tx.load([return_no]).get(return_no, NEW).seq
        past = past_of_one(tx, return_no)
        whole = Whole(past, tx.rules)
        labels.update(label for label, _ in (*whole.claims(), *whole.unclaimed()))
        held = tx.held_labels(return_no, labels)
        wrong = list(wrong_claims(whole, windows_told(past), held))
        if not wrong:
            return []
        tx.mend_claims(return_no, {each.label: (each.claimed, each.told) for each in wrong})
        placed = []
        if stored.return_id is not None:
            placed.append(Placed(return_no, reassessed(stored.return_id, tx.rules.mark, now)))
        rows = append(tx, placed, lambda _: None).rows
        if rows and rows[0].entry.state.seq != before + 1:
            raise Retryable("others appended to a return whose claims are mended", cause="lock")
        tx.number_batch(len(rows))
    return wrong
