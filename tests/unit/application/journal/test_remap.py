"""Scans of codes that no table knew are understood by the tables of today: each once, and no more than was asked for."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from service.application.journal import ingest
from service.application.journal.remap import (
    SCANS_A_BATCH,
    HistoryKey,
    Order,
    Remapped,
    Unmapped,
    UnmappedScan,
    remap,
)
from service.application.ports import Arrival, Waiting
from service.domain.milestones import Verdict
from service.wire.carriers import CarrierTables, parse_table
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.fakes import MemoryJournal, MemoryTransaction
from tests.support.journals import SCAN, as_bytes, creation, event

# What knew no code, and what knows one and asserts something, or nothing, by it.
CARRIERS = ("new", "other")
BEFORE = CarrierTables([parse_table(name, 'name = "New"\nzone = "UTC"\n', "x") for name in CARRIERS])
TABLE = 'name = "New"\n[collected]\nC = "collected"\n[informational]\nI = "informational"\n'
TODAY = CarrierTables([parse_table(name, TABLE, "x") for name in CARRIERS])


class Transaction(MemoryTransaction):
    """`RemapTransaction`: the rows that are unmapped and were not evaluated again."""

    batches: list[int]
    limits: list[int]

    def unmapped(self, carrier: str, code: str, after: HistoryKey, limit: int) -> Sequence[UnmappedScan]:
        self.limits.append(limit)
        return [found for found in waiting(self.tables.history, carrier, code) if found.key > after][:limit]

    def number_batch(self, events: int) -> None:
        self.batches.append(events)


def waiting(history: dict[int, list[Any]], carrier: str | None, code: str | None) -> list[UnmappedScan]:
    found = []
    for return_no, rows in sorted(history.items()):
        done = {row.entry.event.key for row in rows if row.entry.verdict is not Verdict.UNMAPPED}
        for seq, row in enumerate(rows, start=1):
            event_, was = row.entry.event, row.arrival
            if row.entry.verdict is not Verdict.UNMAPPED or event_.key in done:
                continue
            understood = Parser(TODAY).parse(Record("in", 0, 0, 1_795_600_000_000, None, was.record.value))
            if carrier in (None, understood.subject.split("/")[0]) and code in (None, understood.code):
                found.append(UnmappedScan((return_no, seq), Waiting(return_no, Arrival(understood, was.record))))
    return found


class Scans:
    """`UnmappedScans` of a journal in memory, whose scans no table knew."""

    def __init__(self, *codes: str) -> None:
        self.journal = MemoryJournal()
        self.batches: list[int] = []
        self.limits: list[int] = []
        label = {"carrier": "new", "tracking_number": "N-1"}
        self.take(
            creation(**label),
            *(event(SCAN, f"s-{n}", f"{10 + n // 60}:{n % 60:02}", code=code, **label) for n, code in enumerate(codes)),
        )

    def take(self, *documents: dict[str, Any]) -> None:
        """As the tables of before understand it."""
        records = [Record("in", 0, n, 1_795_600_000_000, None, as_bytes(each)) for n, each in enumerate(documents)]
        ingest.write(self.journal, ingest.decode(Parser(BEFORE), records), {})

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        tx = Transaction(self.journal, copy.deepcopy(self.journal.tables))
        tx.batches, tx.limits = self.batches, self.limits
        yield tx
        self.journal.tables = tx.tables

    def count_unmapped(self, carrier: str | None, code: str | None) -> list[Unmapped]:
        found = waiting(self.journal.tables.history, carrier, code)
        scanned = [each.scan.arrival.inbound for each in found]
        counts = Counter((each.subject.split("/")[0], each.code or "") for each in scanned)
        return [Unmapped(*key, number) for key, number in sorted(counts.items())]

    def verdicts(self) -> list[str]:
        return [row.entry.verdict.value for row in self.journal.tables.history[1]]


def test_a_scan_that_is_understood_now_gets_a_second_row_and_one_that_is_not_stays() -> None:
    scans, heard = Scans("C", "?", "I"), list[tuple[int, int]]()

    found = remap(scans, TODAY, Order(), tell=lambda done, total: heard.append((done, total)))

    assert found == [Remapped("new", "?", 1, None, 1), Remapped("new", "C", 1, 1, 0), Remapped("new", "I", 1, 1, 0)]
    assert scans.verdicts() == ["advanced", *["unmapped"] * 3, "advanced", "informational"]
    assert heard == [(1, 2), (2, 2)]
    assert scans.batches == [1, 1]
    assert remap(scans, TODAY, Order()) == [Remapped("new", "?", 1, None, 1)]
    assert scans.batches == [1, 1]


def test_where_no_table_knows_more_nothing_is_done() -> None:
    scans = Scans("C", "C")

    assert remap(scans, BEFORE, Order()) == [Remapped("new", "C", 2, None, 2)]
    assert scans.limits == []


@pytest.mark.parametrize("dry_run", (False, True))
@pytest.mark.parametrize(("limit", "done"), ((None, (3, 1)), (9, (3, 1)), (3, (3, 0)), (2, (2, 0)), (0, (0, 0))))
def test_no_more_scans_are_looked_at_than_was_asked(limit: int | None, done: tuple[int, int], dry_run: bool) -> None:
    scans, heard = Scans("C", "I", "C", "C"), list[tuple[int, int]]()

    found = remap(scans, TODAY, Order(limit=limit, dry_run=dry_run), tell=lambda *told: heard.append(told))

    left = (3, 1) if dry_run else (3 - done[0], 1 - done[1])
    expected = [Remapped("new", "C", 3, done[0], left[0]), Remapped("new", "I", 1, done[1], left[1])]
    # Of a code of which nothing is left there is a row all the same.
    assert found == expected
    assert scans.verdicts().count("unmapped") == 4
    assert len(scans.verdicts()) == 5 + (0 if dry_run else sum(done))
    assert heard == ([] if dry_run else [(sum(done[: n + 1]), sum(done)) for n in range(2) if done[n]])


def test_only_the_scans_of_the_order_are_looked_at() -> None:
    scans = Scans("C", "I")

    assert remap(scans, TODAY, Order("new", "I")) == [Remapped("new", "I", 1, 1, 0)]
    assert remap(scans, TODAY, Order(carrier="other")) == []
    assert scans.verdicts() == ["advanced", "unmapped", "unmapped", "informational"]


def test_a_code_that_came_meanwhile_is_told_with_none_before() -> None:
    scans = Scans("C")

    def meanwhile(_done: int, _total: int) -> None:
        scans.take(event(SCAN, "late", "23:00", code="NEW", carrier="new", tracking_number="N-1"))

    assert remap(scans, TODAY, Order(), tell=meanwhile) == [
        Remapped("new", "C", 1, 1, 0),
        Remapped("new", "NEW", 0, None, 1),
    ]


def test_so_many_are_done_at_a_time_and_it_stops_when_asked() -> None:
    scans, heard = Scans(*["C"] * (SCANS_A_BATCH + 5)), list[tuple[int, int]]()

    (found,) = remap(scans, TODAY, Order(), lambda: bool(heard), lambda *told: heard.append(told))

    assert found == Remapped("new", "C", SCANS_A_BATCH + 5, SCANS_A_BATCH, 5)
    assert heard == [(SCANS_A_BATCH, SCANS_A_BATCH + 5)]
    (rest,) = remap(scans, TODAY, Order())
    assert rest == Remapped("new", "C", 5, 5, 0)
    assert (scans.batches, scans.limits) == ([SCANS_A_BATCH, 5], [SCANS_A_BATCH, 5])


def test_what_is_done_in_several_batches_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.application.journal.remap.SCANS_A_BATCH", 2)
    scans = Scans(*["C"] * 5)

    assert remap(scans, TODAY, Order()) == [Remapped("new", "C", 5, 5, 0)]
    assert scans.batches == [2, 2, 1]


def test_what_comes_while_it_is_only_looked_is_not_told_as_left() -> None:
    class Busy(Scans):
        def count_unmapped(self, carrier: str | None, code: str | None) -> list[Unmapped]:
            found = super().count_unmapped(carrier, code)
            self.take(event(SCAN, "late", "23:00", code="C", carrier="new", tracking_number="N-1"))
            return found

    assert remap(Busy("C"), TODAY, Order(dry_run=True)) == [Remapped("new", "C", 1, 1, 1)]


def test_a_code_that_two_carriers_have_is_that_of_the_order_s_carrier() -> None:
    scans, label = Scans("C", "C"), {"carrier": "other", "tracking_number": "O-1"}
    scans.take(creation("R-2002", **label), event(SCAN, "theirs", "10:00", code="C", **label))

    assert remap(scans, TODAY, Order("other")) == [Remapped("other", "C", 1, 1, 0)]
    assert scans.count_unmapped(None, None) == [Unmapped("new", "C", 2)]


def test_scans_that_somebody_else_evaluated_meanwhile_add_no_batch() -> None:
    """They are found, and by the time they are decided their return has them."""
    scans = Scans("C")
    stale = waiting(scans.journal.tables.history, None, None)
    remap(scans, TODAY, Order())

    class Stale(Transaction):
        def unmapped(self, carrier: str, code: str, after: HistoryKey, limit: int) -> Sequence[UnmappedScan]:
            del carrier, code, limit
            return [each for each in stale if each.key > after]

    class Late(Scans):
        @contextmanager
        def transaction(self) -> Iterator[Transaction]:
            tx = Stale(scans.journal, copy.deepcopy(scans.journal.tables))
            tx.batches, tx.limits = self.batches, self.limits
            yield tx

    late = Late("C")

    assert remap(late, TODAY, Order()) == [Remapped("new", "C", 1, 0, 1)]
    assert late.batches == []
