"""Whose a label is, where a batch brings more than one claim to it."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from service.application.journal import ingest
from service.domain.milestones import Reason
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.fakes import MemoryJournal
from tests.support.journals import creation, scan

_PARSER = Parser(CarrierTables.load())
_offsets = count()


def write(journal: MemoryJournal, *documents: dict[str, Any]) -> ingest.Outcome:
    """One batch."""
    records = [
        Record("in", 0, next(_offsets), 1_795_600_000_000, None, json.dumps(each).encode()) for each in documents
    ]
    return ingest.write(journal, ingest.decode(_PARSER, records), {})


def reason(journal: MemoryJournal, return_id: str, row: int = 0) -> Reason | None:
    return journal.tables.history[journal.tables.returns[return_id]][row].entry.reason


def claimants(journal: MemoryJournal) -> set[tuple[str, str]]:
    """Who claims a label beside the return that was known first: what the sweep is to look at."""
    names = {number: return_id for return_id, number in journal.tables.returns.items()}
    return {(f"{carrier}/{number}", names[return_no]) for (carrier, number), return_no in journal.tables.claims}


def test_of_two_new_returns_that_name_one_label_the_first_has_it() -> None:
    journal = MemoryJournal([])

    write(
        journal,
        creation("R-0002", tracking_number="TR-0009"),
        creation("R-0001", tracking_number="TR-0009"),
        scan("COLLECTED", "10:00", "R-0009"),
    )

    assert journal.tables.labels == {"generic/TR-0009": journal.tables.returns["R-0002"]}
    assert (reason(journal, "R-0002"), reason(journal, "R-0001")) == (None, None)
    assert claimants(journal) == {("generic/TR-0009", "R-0001")}
    assert journal.recorded("R-0002") == ["R-0002-rc", "R-0009-COLLECTED-10:00"]


def test_a_return_of_an_earlier_batch_may_be_the_first_to_name_a_label() -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))

    write(
        journal,
        creation("R-0001", tracking_number="TR-0009") | {"id": "another"},
        creation("R-0002", tracking_number="TR-0009"),
    )

    assert journal.tables.labels["generic/TR-0009"] == journal.tables.returns["R-0001"]
    assert (reason(journal, "R-0001", 1), reason(journal, "R-0002")) == (None, None)
    assert claimants(journal) == {("generic/TR-0009", "R-0002")}


def test_a_creation_of_a_known_name_that_names_another_label_has_it_before_the_next() -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))

    outcome = write(
        journal, creation("R-0001", tracking_number="TR-0009"), creation("R-0002", tracking_number="TR-0009")
    )

    assert outcome.duplicates == {}
    assert journal.tables.labels["generic/TR-0009"] == journal.tables.returns["R-0001"]
