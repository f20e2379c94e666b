"""What had to wait is placed once its return is known, and the sweep knows how far it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from service.application.journal.ingest import Outcome
from service.application.journal.sweep import BATCHES_A_SWEEP, EVENTS_A_SWEEP, sweep
from service.application.ports import Swept, Waiting
from service.domain.milestones import Verdict
from tests.support.fakes import MemoryJournal, MemoryTransaction
from tests.support.journals import DELIVERED, RE, RP, creation, event, scan
from tests.unit.application.journal.test_append import arrivals, write


class Slices(MemoryTransaction):
    """A transaction that finds what it is told to."""

    found: Swept | None
    asked: list[tuple[int, int]]

    def begin_sweep(self, batches: int, events: int) -> Swept | None:
        self.asked.append((batches, events))
        return self.found


def swept(journal: MemoryJournal, found: Swept | None) -> list[tuple[int, int]]:
    asked: list[tuple[int, int]] = []

    @contextmanager
    def transaction(while_waiting: object = None) -> Iterator[MemoryTransaction]:
        del while_waiting
        tx = Slices(journal, journal.tables)
        tx.found, tx.asked = found, asked
        yield tx

    journal.transaction = transaction  # type: ignore[method-assign]
    return asked


def waiting(*documents: dict[str, object]) -> Sequence[Waiting]:
    return [Waiting(1, arrival) for arrival in arrivals(*documents)]


def test_a_scan_that_came_before_its_return_is_placed() -> None:
    journal = MemoryJournal([])
    write(journal, scan("COLLECTED", "10:00", "R-0001"))
    write(journal, creation("R-0001"))

    assert sweep(journal) == Outcome({("in", Verdict.ADVANCED): 1})

    assert journal.recorded("R-0001") == ["R-0001-rc", "R-0001-COLLECTED-10:00"]
    assert journal.tables.parked == {}
    assert journal.tables.numbered == [0, 1, 1]


def test_a_delivery_is_placed_with_every_member_of_its_connote() -> None:
    journal = MemoryJournal([])
    for return_id in ("R-0001", "R-0002"):
        of = {"return_id": return_id, "hub": "akl"}
        export = event(RE, f"{return_id}-x", "12:00", connote="CN-001", **of)
        write(journal, creation(return_id), event(RP, f"{return_id}-p", "11:00", **of), export)
    write(journal, event(DELIVERED, "d", "18:00", connote="CN-001"))

    while sweep(journal) is not None:
        pass

    assert journal.recorded("R-0001")[-1] == journal.recorded("R-0002")[-1] == "d"


def test_where_there_is_nothing_to_look_at_nothing_is_done() -> None:
    journal = MemoryJournal([])
    asked = swept(journal, None)

    assert sweep(journal) is None
    assert asked == [(BATCHES_A_SWEEP, EVENTS_A_SWEEP)]
    assert (journal.tables.batches, journal.tables.swept) == (0, 0)


@pytest.mark.parametrize(("upto", "kept"), ((7, 7), (None, 0)))
def test_the_cursor_moves_only_where_the_batches_are_done(upto: int | None, kept: int) -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))
    swept(journal, Swept(upto, waiting(scan("COLLECTED", "10:00", "R-0001"))))

    outcome = sweep(journal)

    assert outcome == Outcome({("in", Verdict.ADVANCED): 1}, leaves_more=upto is None)
    assert journal.tables.swept == kept
    assert journal.recorded("R-0001") == ["R-0001-rc", "R-0001-COLLECTED-10:00"]


@pytest.mark.parametrize(("documents", "batches"), (((), 1), ((scan("COLLECTED", "10:00", "R-0001"),), 2)))
def test_a_sweep_that_recorded_something_is_a_batch(documents: tuple[dict[str, object], ...], batches: int) -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))
    swept(journal, Swept(1, waiting(*documents)))

    sweep(journal)

    assert journal.tables.batches == batches


def test_what_waited_and_was_recorded_meanwhile_is_a_repeat_by_its_topic() -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))
    swept(journal, Swept(1, waiting(creation("R-0001"))))

    assert sweep(journal) == Outcome({}, duplicates={"in": 1})

    assert journal.tables.batches == 1


def test_who_waits_for_the_server_is_told_while_it_is_swept() -> None:
    told = list[str]()

    def wait() -> bool:
        told.append("waiting")
        return True

    assert sweep(MemoryJournal([]), wait) is None

    assert told == ["waiting"]
