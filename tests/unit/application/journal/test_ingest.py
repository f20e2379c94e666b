"""What a batch brings, and whose a label is where more than one of it claims it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from service.application.journal import ingest
from service.application.ports import DeadLetter
from service.domain.milestones import Reason, Verdict
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.fakes import MemoryJournal, MemoryTransaction
from tests.support.journals import DELIVERED, creation, event, scan
from tests.unit.application.journal.test_append import arrivals, write

_PARSER = Parser(CarrierTables.load())


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


class Asked(MemoryTransaction):
    """That notes which labels it is asked for."""

    asked: list[tuple[str, list[str]]]

    def find_labels(self, labels: Collection[str]) -> dict[str, int]:
        self.asked.append(("find", sorted(labels)))
        return super().find_labels(labels)

    def claim_labels(self, claims: Mapping[str, int]) -> dict[str, int]:
        self.asked.append(("claim", sorted(claims)))
        return super().claim_labels(claims)


def test_labels_of_new_returns_are_claimed_in_one_question_and_only_others_looked_for() -> None:
    journal, asked = MemoryJournal([]), list[tuple[str, list[str]]]()
    write(journal, creation("R-0001"))

    @contextmanager
    def transaction(while_waiting: object = None) -> Iterator[MemoryTransaction]:
        del while_waiting
        tx = Asked(journal, journal.tables)
        tx.asked = asked
        yield tx

    journal.transaction = transaction  # type: ignore[method-assign]
    write(
        journal,
        creation("R-0001", tracking_number="TR-0009"),
        creation("R-0002"),
        creation("R-0003"),
        scan("COLLECTED", "10:00", "R-0001"),
    )

    assert asked == [
        ("claim", ["generic/TR-0002", "generic/TR-0003"]),
        ("find", ["generic/TR-0001", "generic/TR-0009"]),
        ("claim", ["generic/TR-0009"]),
    ]


DELIVERY = event(DELIVERED, "d", "18:00", connote="CN-001")


def test_what_stands_behind_a_delivery_is_placed_and_parked_like_all_else() -> None:
    journal = MemoryJournal([])

    outcome = write(journal, DELIVERY, scan("COLLECTED", "10:00", "R-0009"), creation("R-0001"))

    assert outcome == ingest.Outcome({("in", Verdict.ADVANCED): 1}, {}, {"in": 1}, deliveries=1, letters_kept=[])
    assert journal.tables.numbered == [1]


def test_what_is_parked_or_kept_already_is_a_repeat_like_what_is_recorded_and_a_letter_that_was_kept() -> None:
    journal = MemoryJournal([])
    documents = (DELIVERY, scan("COLLECTED", "10:00", "R-0009"), creation("R-0001"))
    letters = ingest.decode(_PARSER, [Record(topic, 0, 7, 0, None, b"no") for topic in ("in", "other", "other")])
    write(journal, *documents)

    with journal.transaction() as tx:
        tx.keep_dead_letters = lambda letters: list(letters[2:])  # type: ignore[method-assign]
        outcome = ingest.take_in(tx, [*arrivals(*documents), *letters])

    assert outcome.duplicates == {"in": 4, "other": 1}
    assert outcome.letters_kept == letters[2:]


def test_a_letter_names_its_publisher_where_that_can_be_read() -> None:
    documents = creation() | {"data": {}}, creation() | {"source": 7}
    records = [Record("in", 0, n, 0, None, json.dumps(each).encode()) for n, each in enumerate(documents)]

    letters = [item for item in ingest.decode(_PARSER, records) if isinstance(item, DeadLetter)]

    assert [letter.source for letter in letters] == ["/test", None]


def test_who_waits_for_the_server_is_told_while_a_batch_is_written() -> None:
    told = list[str]()

    def wait() -> bool:
        told.append("waiting")
        return True

    ingest.write(MemoryJournal([]), [], {}, while_waiting=wait)

    assert told == ["waiting"]
