"""What an append does where another worker was first: only those returns are read again, and each event counts once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from service.application.journal import appending, ingest
from service.application.ports import Arrival, DeadLetter, HistoryRow
from service.domain.events import Sense
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.fakes import MemoryJournal, MemoryTransaction
from tests.support.journals import CLOSED, RE, RP, creation, event, scan

_PARSER = Parser(CarrierTables.load())
_offsets = count()


class Contested(MemoryTransaction):
    """A transaction that finds, when it appends, what another worker committed since it read: round by round."""

    others: list[list[dict[str, Any]]]
    loads: list[set[int]]

    def load(self, return_nos: Any) -> Any:
        self.loads.append(set(return_nos))
        return super().load(return_nos)

    def append(self, rows: Sequence[HistoryRow]) -> bool:
        return not self.others and super().append(rows)

    def append_contested(self, rows: Sequence[HistoryRow]) -> set[int]:
        if self.others:
            elsewhere = MemoryJournal([])
            elsewhere.tables = self.tables
            write(elsewhere, *self.others.pop(0))
            self.tables.history = elsewhere.tables.history
        lost = set[int]()
        for row in rows:
            if row.return_no not in lost and row.entry.state.seq == len(self.past([row.return_no])[row.return_no]) + 1:
                self.tables.history.setdefault(row.return_no, []).append(row)
            else:
                lost.add(row.return_no)
        return lost


def arrivals(*documents: dict[str, Any]) -> list[Arrival]:
    records = [
        Record("in", 0, next(_offsets), 1_795_600_000_000, None, json.dumps(each).encode()) for each in documents
    ]
    return [item for item in ingest.decode(_PARSER, records) if isinstance(item, Arrival)]


def write(journal: MemoryJournal, *documents: dict[str, Any]) -> ingest.Outcome:
    return ingest.write(journal, arrivals(*documents), {})


def contested(
    *documents: dict[str, Any], others: Sequence[Sequence[dict[str, Any]]]
) -> tuple[MemoryJournal, ingest.Outcome, list[set[int]]]:
    """One batch, while others commit theirs; two returns are known."""
    journal = MemoryJournal([])
    write(journal, creation("R-0001"), creation("R-0002"))
    loads: list[set[int]] = []

    @contextmanager
    def transaction(while_waiting: object = None) -> Iterator[MemoryTransaction]:
        del while_waiting
        tx = Contested(journal, journal.tables)
        tx.others, tx.loads = [list(each) for each in others], loads
        yield tx

    journal.transaction = transaction  # type: ignore[method-assign]
    return journal, write(journal, *documents), loads


def test_only_returns_where_another_was_first_are_decided_anew() -> None:
    journal, outcome, loads = contested(
        scan("COLLECTED", "10:00", "R-0001"),
        scan("COLLECTED", "10:00", "R-0002"),
        others=[[scan("IN_TRANSIT", "11:00", "R-0002")]],
    )

    assert journal.recorded("R-0001") == ["R-0001-rc", "R-0001-COLLECTED-10:00"]
    assert journal.recorded("R-0002") == ["R-0002-rc", "R-0002-IN_TRANSIT-11:00", "R-0002-COLLECTED-10:00"]
    assert (outcome.recorded, outcome.conflicts, dict(outcome.duplicates)) == (2, 1, {})
    assert loads == [{1, 2}, {2}]


def test_what_another_recorded_first_is_a_repeat() -> None:
    same = scan("COLLECTED", "10:00", "R-0002")

    journal, outcome, _ = contested(same, scan("DELIVERED", "12:00", "R-0002"), others=[[same]])

    assert journal.recorded("R-0002") == ["R-0002-rc", "R-0002-COLLECTED-10:00", "R-0002-DELIVERED-12:00"]
    assert (outcome.recorded, outcome.conflicts, dict(outcome.duplicates)) == (1, 1, {"in": 1})


def test_a_repeat_beside_a_collision_counts_once_wherever_it_is() -> None:
    journal, outcome, _ = contested(
        creation("R-0001"),  # a repeat, of a return where nobody else was
        scan("COLLECTED", "10:00", "R-0001"),
        creation("R-0002"),  # a repeat, of a return that is decided anew
        scan("COLLECTED", "10:00", "R-0002"),
        others=[[scan("IN_TRANSIT", "11:00", "R-0002")]],
    )

    assert dict(outcome.duplicates) == {"in": 2}
    assert outcome.recorded == 2
    assert len(journal.recorded("R-0001")) == 2
    assert len(journal.recorded("R-0002")) == 3


def test_where_all_that_is_left_after_a_collision_are_repeats_nothing_more_is_appended() -> None:
    same = scan("COLLECTED", "10:00", "R-0002")

    journal, outcome, loads = contested(same, others=[[same]])

    assert (outcome.recorded, outcome.conflicts, dict(outcome.duplicates)) == (0, 1, {"in": 1})
    assert len(journal.recorded("R-0002")) == 2
    assert loads == [{2}, {2}]


def test_two_collisions_in_a_row_are_two_conflicts() -> None:
    journal, outcome, loads = contested(
        scan("COLLECTED", "10:00", "R-0001"),
        scan("COLLECTED", "10:00", "R-0002"),
        others=[[scan("IN_TRANSIT", "11:00", "R-0001"), scan("IN_TRANSIT", "11:00", "R-0002")],
                [scan("IN_TRANSIT", "11:30", "R-0002")]],
    )  # fmt: skip

    assert (outcome.recorded, outcome.conflicts, dict(outcome.duplicates)) == (2, 3, {})
    assert loads == [{1, 2}, {1, 2}, {2}]
    assert journal.recorded("R-0002")[-1] == "R-0002-COLLECTED-10:00"
    assert len(journal.recorded("R-0002")) == 4


def test_a_batch_of_repeats_appends_nothing_and_collides_with_nobody() -> None:
    journal, outcome, _ = contested(
        creation("R-0001"), creation("R-0002"), others=[[scan("COLLECTED", "10:00", "R-0001")]]
    )

    assert (outcome.recorded, outcome.conflicts, dict(outcome.duplicates)) == (0, 0, {"in": 2})
    assert len(journal.recorded("R-0001")) == 1


def test_the_steps_are_told_in_their_order() -> None:
    told: list[str] = []
    journal = MemoryJournal([])

    ingest.write(journal, arrivals(creation("R-0001")), {}, told.append)

    assert told == ["load", "decide", "write", "commit"]


def test_an_export_joins_its_connote_and_nothing_else_does() -> None:
    journal = MemoryJournal([])

    write(
        journal,
        creation("R-0001"),
        event(RP, "p", "11:00", return_id="R-0001", hub="akl"),
        event(RE, "x", "12:00", return_id="R-0001", hub="akl", connote="CN-001"),
    )

    assert set(journal.tables.members) == {("CN-001", journal.tables.returns["R-0001"])}


def test_an_outcome_is_counted_by_topic_and_verdict() -> None:
    journal = MemoryJournal([])

    outcome = write(
        journal,
        creation("R-0001"),
        creation("R-0002"),
        scan("COLLECTED", "10:00", "R-0001"),
        scan("COLLECTED", "10:00", "R-0007"),
        creation("R-0001"),
    )

    assert Counter({str(verdict): n for (_, verdict), n in outcome.verdicts.items()}) == {"advanced": 3}
    assert {topic for topic, _ in outcome.verdicts} == {"in"}
    assert (dict(outcome.parked), dict(outcome.duplicates), outcome.deliveries) == ({"in": 1}, {"in": 1}, 0)
    assert outcome.recorded == 3


def test_what_is_no_event_is_kept_as_it_came_with_the_words_for_it() -> None:
    journal = MemoryJournal([])
    bad = Record("in", 0, 7, 1_795_600_000_000, b"key", b"not JSON")

    outcome = ingest.write(journal, ingest.decode(_PARSER, [bad]), {})

    (letter,) = journal.tables.letters
    assert (letter.record, letter.reason) == (bad, "not_json")
    assert letter.error.startswith("not JSON")
    assert list(outcome.letters_kept) == [letter]
    assert dict(outcome.duplicates) == {}


def test_a_letter_that_was_kept_before_is_a_repeat_of_its_topic() -> None:
    journal = MemoryJournal([])
    items = ingest.decode(_PARSER, [Record(topic, 0, 7, 0, None, b"no") for topic in ("in", "in", "other")])

    with journal.transaction() as tx:
        known = [item for item in items if isinstance(item, DeadLetter)]
        tx.keep_dead_letters = lambda letters: [letter for letter in letters if letter is not known[0]]  # type: ignore[method-assign]
        outcome = ingest.take_in(tx, items)

    assert dict(outcome.duplicates) == {"in": 1}
    assert list(outcome.letters_kept) == known[1:]


def test_a_batch_without_letters_keeps_none() -> None:
    journal = MemoryJournal([])
    asked: list[str] = []

    def told(name: str) -> Callable[[Any], list[Any]]:
        def ask(_: Any) -> list[Any]:
            asked.append(name)
            return []

        return ask

    with journal.transaction() as tx:
        for name in ("number_returns", "keep_dead_letters", "park", "keep_deliveries", "claim_labels"):
            setattr(tx, name, told(name))
        ingest.take_in(tx, arrivals())

    assert asked == []


def test_a_scan_that_was_not_understood_is_decided_anew_as_what_it_is_now() -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))
    (arrival,) = arrivals(scan("COLLECTED", "10:00", "R-0001"))

    with journal.transaction() as tx:
        placed = [appending.Placed(1, arrival, recorded=True), appending.Placed(1, arrival, recorded=True)]
        rows, repeats, *_ = appending.decide(tx, placed, tx.load({1}))

    assert [row.entry.verdict for row in rows] == ["advanced"]
    assert [item.arrival for item in repeats] == [arrival]


def test_labels_of_new_returns_and_of_known_ones_are_found_in_one_batch() -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))

    write(journal, creation("R-0002"), scan("COLLECTED", "10:00", "R-0001"), scan("COLLECTED", "10:00", "R-0002"))

    assert journal.recorded("R-0001")[-1] == "R-0001-COLLECTED-10:00"
    assert journal.recorded("R-0002") == ["R-0002-rc", "R-0002-COLLECTED-10:00"]


def test_a_creation_of_a_known_name_with_another_label_is_no_duplicate_and_claims_it() -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))

    outcome = write(journal, creation("R-0001", tracking_number="TR-0077"), creation("R-0001"))

    assert dict(outcome.duplicates) == {"in": 1}
    assert journal.recorded("R-0001") == ["R-0001-rc", "R-0001-rc"]
    assert journal.tables.labels["generic/TR-0077"] == 1


def test_a_batch_that_places_nothing_says_so_and_is_a_batch() -> None:
    journal = MemoryJournal([])

    outcome = write(journal, scan("COLLECTED", "10:00", "R-0009"))

    assert (outcome.recorded, outcome.conflicts, outcome.deliveries, dict(outcome.duplicates)) == (0, 0, 0, {})
    assert journal.tables.batches == 1
    assert ingest.Outcome({}).recorded == 0


def test_a_creation_whose_label_is_new_is_not_told_of_a_scan_of_another() -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001"))

    # The label of R-0002 is claimed, those of the scans are looked up: both are known afterwards.
    write(journal, scan("COLLECTED", "10:00", "R-0009"), creation("R-0002"), scan("COLLECTED", "11:00", "R-0002"))

    assert journal.recorded("R-0002") == ["R-0002-rc", "R-0002-COLLECTED-11:00"]
    assert [subject for _, subject, _ in journal.tables.parked] == ["generic/TR-0009"]


class Behind(Contested):
    """One whose memory of the returns is from before others closed one of them, and were told of it earlier."""

    def load(self, return_nos: Any) -> Any:
        found = dict(super().load(return_nos))
        if self.others:
            elsewhere = MemoryJournal([])
            elsewhere.tables = self.tables
            write(elsewhere, *self.others.pop(0))
            self.tables.history, self.tables.claims = elsewhere.tables.history, elsewhere.tables.claims
        return found

    def append(self, _: Sequence[HistoryRow]) -> bool:
        return False


def test_of_a_return_that_others_moved_the_claims_are_kept_as_they_are_then() -> None:
    journal = MemoryJournal([])
    write(journal, creation("R-0001", time="10:00"))
    earlier = creation("R-0001", time="09:00") | {"id": "earlier"}
    tx = Behind(journal, journal.tables)
    closed = event(CLOSED, "closed", "12:00", return_id="R-0001", by="me", reason="lost")
    tx.others, tx.loads = [[earlier, closed]], []

    outcome = ingest.take_in(tx, arrivals(earlier))

    assert outcome.duplicates == Counter({"in": 1})
    (claimed,) = tx.tables.claims.values()
    at = tx.past([1])[1]
    assert claimed.closed_at == next(each.at for each in at if each.sense is Sense.CLOSES)
    assert claimed.at == min(each.at for each in at)
