"""Re-evaluate scans whose carrier code no table knew when they were recorded, and today's tables know.

History is append-only: the unmapped row stays, and a second row of the same event says what it means now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

from service.application.journal.appending import Placed, append
from service.application.ports import Transaction, Waiting
from service.domain.events import Sense
from service.wire.carriers import CarrierTables

SCANS_A_BATCH: Final = 500  # workers that want to append to the same returns wait for the transaction

HistoryKey = tuple[int, int]  # a return's number and a row of its history


class Unmapped(NamedTuple):
    """How many scans of one carrier's code are unmapped."""

    carrier: str
    code: str
    scans: int


class UnmappedScan(NamedTuple):
    """An unmapped row of the history, understood by the tables of today."""

    key: HistoryKey
    scan: Waiting


class RemapTransaction(Transaction, Protocol):
    """A transaction that also finds unmapped scans."""

    def unmapped(self, carrier: str, code: str, after: HistoryKey, limit: int) -> Sequence[UnmappedScan]:
        """The next rows behind `after` that were not re-evaluated yet."""


class UnmappedScans(Protocol):
    """The journal with its unmapped scans. Every method may raise Retryable."""

    def transaction(self) -> AbstractContextManager[RemapTransaction]:
        """A transaction that commits at the end of the block, or rolls back on an exception."""

    def count_unmapped(self, carrier: str | None, code: str | None) -> list[Unmapped]:
        """What is unmapped and not re-evaluated yet, by carrier and code."""


class Remapped(NamedTuple):
    """What became of one carrier's code; `remapped` is None where today's table does not know the code either."""

    carrier: str
    code: str
    before: int
    remapped: int | None
    after: int


class Order(NamedTuple):
    """Which scans (None: all), how many at most, and whether only to look."""

    carrier: str | None = None
    code: str | None = None
    limit: int | None = None
    dry_run: bool = False


def remap(
    scans: UnmappedScans,
    tables: CarrierTables,
    order: Order,
    should_stop: Callable[[], bool] = lambda: False,
    tell: Callable[[int, int], object] = lambda _done, _total: None,
) -> list[Remapped]:
    """Re-evaluate; answers by carrier and code. `tell` hears after each batch how many of how many are done.

    A dry run answers with what would be re-evaluated. Safe to repeat, beside workers and other remaps. Raises
    Retryable: what `tell` has heard of is done and stays done.
    """
    before = scans.count_unmapped(order.carrier, order.code)
    known = [each for each in before if tables.understand(each.carrier, each.code).sense is not Sense.UNMAPPED]
    total = sum(each.scans for each in known)
    left = total if order.limit is None else min(total, order.limit)
    total, done = left, dict[tuple[str, str], int]()
    for each in known:
        if order.dry_run:
            done[each[:2]] = min(each.scans, left)
            left -= done[each[:2]]
            continue
        done[each[:2]], at = 0, (0, 0)
        while left > 0 and not should_stop():
            number, last = _remap_some(scans, each, at, min(left, SCANS_A_BATCH))
            if last is None:
                break
            at = last
            done[each[:2]] += number
            left -= number
            tell(total - left, total)
    after = before if order.dry_run else scans.count_unmapped(order.carrier, order.code)
    return _table(before, done, after)


def _remap_some(scans: UnmappedScans, what: Unmapped, after: HistoryKey, limit: int) -> tuple[int, HistoryKey | None]:
    """How many rows were added, and the place of the last scan looked at; None where there is none left."""
    with scans.transaction() as tx:
        found = tx.unmapped(what.carrier, what.code, after, limit)
        if not found:
            return 0, None
        placed = [Placed(scan.return_no, scan.arrival, recorded=True) for _, scan in found]
        rows = append(tx, placed, lambda _: None).rows
        if rows:
            tx.number_batch(len(rows))
    return len(rows), found[-1].key


def _table(before: Sequence[Unmapped], done: dict[tuple[str, str], int], after: Sequence[Unmapped]) -> list[Remapped]:
    then = {each[:2]: each.scans for each in before}
    now = {each[:2]: each.scans for each in after}
    return [Remapped(*key, then.get(key, 0), done.get(key), now.get(key, 0)) for key in sorted(then.keys() | now)]
