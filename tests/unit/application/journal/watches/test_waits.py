"""What has waited for an hour is told of, so much at a time, in a batch that the relay finds."""

from __future__ import annotations

import pytest

from service.application.journal.watches.waits import NEW_A_LOOK, OPEN_A_LOOK, look
from tests.support.fakes import MemoryJournal, MemoryTransaction


@pytest.mark.parametrize(("waits", "numbered"), ((0, []), (1, [0]), (7, [0])))
def test_what_is_told_of_is_of_a_batch_without_events_and_where_nothing_is_there_is_none(
    waits: int, numbered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, asked, waited = MemoryJournal(), list[tuple[int, int]](), list[str]()

    def tell_waits(_: MemoryTransaction, new: int, known: int) -> int:
        asked.append((new, known))
        return waits

    def wait() -> bool:
        waited.append("for the server")
        return True

    monkeypatch.setattr(MemoryTransaction, "tell_waits", tell_waits)
    assert look(journal, wait) == waits

    assert journal.tables.numbered == numbered
    assert (asked, waited) == ([(NEW_A_LOOK, OPEN_A_LOOK)], ["for the server"])
