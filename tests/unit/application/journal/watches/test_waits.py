"""What has waited for an hour is told of, so much at a time, in a batch that the relay finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.application.journal.watches.waits import NEW_A_LOOK, OPEN_A_LOOK, look
from tests.support.fakes import MemoryJournal, MemoryTransaction


class Journal(MemoryJournal):
    """A journal in which so many waits are to be told of."""

    def __init__(self, waits: int) -> None:
        super().__init__([])
        self.waits = waits
        self.asked: list[tuple[int, int]] = []
        self.waited: list[object] = []

    @contextmanager
    def transaction(self, while_waiting: object = None) -> Iterator[MemoryTransaction]:
        self.waited.append(while_waiting)
        tx = Transaction(self, self.tables)
        tx.to = self
        yield tx


class Transaction(MemoryTransaction):
    """That tells of them."""

    to: Journal

    def tell_waits(self, new: int, known: int) -> int:
        self.to.asked.append((new, known))
        return self.to.waits


@pytest.mark.parametrize(("waits", "numbered"), ((0, []), (1, [0]), (7, [0])))
def test_what_is_told_of_is_of_a_batch_without_events_and_nothing_is_of_none(waits: int, numbered: list[int]) -> None:
    journal = Journal(waits)

    def wait() -> bool:
        """While another one has the turn."""
        return True

    assert look(journal, wait) == waits

    assert journal.tables.numbered == numbered
    assert (journal.asked, journal.waited) == ([(NEW_A_LOOK, OPEN_A_LOOK)], [wait])
