"""What is decided from the whole past of returns: by the rules that are set, what is parked, and which voids are to be watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.application.journal import appending, ingest
from service.application.ports import HistoryRow
from service.application.void_ports import Names
from service.domain.journey import State
from service.domain.rules import DEFAULT, VERSION, Rules
from service.wire.times import micros
from tests.support.fakes import MemoryJournal
from tests.support.journals import DELIVERED, DS, RE, RP, VOID, creation, event, scan
from tests.unit.application.journal.test_append import Contested, arrivals, write

TWO_DAYS = Rules(connote_days=2)


class Transaction(Contested):
    """That says which voids are to be watched, and what was asked for."""

    def __init__(self, journal: MemoryJournal, rules: Rules, others: Sequence[Sequence[dict[str, Any]]]) -> None:
        super().__init__(journal, journal.tables)
        self.rules = rules
        self.others, self.loads = [list(each) for each in others], []
        self.watched = list[Names]()
        self.parkings = 0

    def watch_voids(self, names: Names) -> None:
        self.watched.append(names)

    def park(self, arrivals: Sequence[Any]) -> list[Any]:
        self.parkings += 1
        return super().park(arrivals)


def take_in(
    journal: MemoryJournal,
    *documents: dict[str, Any],
    rules: Rules = DEFAULT,
    others: Sequence[Sequence[dict[str, Any]]] = (),
) -> tuple[ingest.Outcome, Transaction]:
    tx = Transaction(journal, rules, others)
    return ingest.take_in(tx, arrivals(*documents)), tx


def known(*documents: dict[str, Any]) -> MemoryJournal:
    journal = MemoryJournal([])
    write(journal, *documents)
    return journal


def age(journal: MemoryJournal) -> None:
    """Let other rules have decided what is there."""
    for rows in journal.tables.history.values():
        last = rows[-1]
        state = replace(last.entry.state, rules=VERSION - 1)
        rows[-1] = HistoryRow(last.return_no, replace(last.entry, state=state), last.arrival)


def state(journal: MemoryJournal, return_no: int = 1) -> State:
    return journal.tables.history[return_no][-1].entry.state


def void(of: dict[str, Any] | str, return_id: str = "R-0001") -> dict[str, Any]:
    id_ = of if isinstance(of, str) else of["id"]
    said = {"source": "/test", "id": id_, "by": "me", "reason": "a mistake"}
    return event(VOID, f"void of {id_}", "19:00", return_id=return_id, **said)


def hub(type_: str, time: str, return_id: str = "R-0001", **data: Any) -> dict[str, Any]:
    return event(type_, f"{type_}-{return_id}-{time}", time, return_id=return_id, hub="akl", **data)


def early(return_id: str) -> dict[str, Any]:
    """A scan of its label from so long before its creation that it may be another return's."""
    return scan("COLLECTED", "10:00", return_id) | {"id": f"early {return_id}", "time": "2026-11-01T10:00:00Z"}


def test_what_other_rules_decided_is_decided_by_those_that_are_set() -> None:
    home = event(DELIVERED, "d", "10:00", connote="CN-1") | {"time": "2026-11-24T10:00:00Z"}
    journal = known(creation("R-0001"), hub(RP, "11:00"), hub(RE, "12:00", connote="CN-1"))
    (delivered,) = arrivals(home)
    with journal.transaction() as tx:
        appending.append(tx, [appending.Placed(1, delivered)], lambda _: None)
    assert "RDBTC" in state(journal).timeline.counts

    take_in(journal, hub(DS, "10:00"), rules=TWO_DAYS)

    assert (list(state(journal).timeline.counts), state(journal).rules) == (["RC", "DS", "RP", "RE"], TWO_DAYS.mark)


def test_a_scan_that_is_understood_now_is_decided_by_the_rules_that_are_set() -> None:
    journal = known(creation("R-0001"))
    tx = Transaction(journal, TWO_DAYS, ())
    (arrival,) = arrivals(scan("COLLECTED", "10:00", "R-0001"))

    (row,) = appending.decide(tx, [appending.Placed(1, arrival, recorded=True)], tx.load({1})).rows

    assert row.entry.state.rules == TWO_DAYS.mark


def test_the_first_event_of_a_return_may_be_a_scan() -> None:
    tx = Transaction(MemoryJournal([]), DEFAULT, ())
    (arrival,) = arrivals(scan("COLLECTED", "10:00", "R-0001"))

    (row,) = appending.decide(tx, [appending.Placed(1, arrival)], {}).rows

    assert (row.return_no, row.entry.verdict, row.entry.state.seq) == (1, "informational", 1)


def test_what_a_state_suffices_for_is_part_of_the_past_for_what_comes_behind_it() -> None:
    one, other = scan("COLLECTED", "10:00", "R-0001"), scan("IN_TRANSIT", "10:30", "R-0001")
    journal = known(creation("R-0001"), one, other)

    take_in(journal, void(one), hub(DS, "11:00"), void(other))

    assert list(state(journal).timeline.counts) == ["RC", "DS"]
    assert len(journal.recorded("R-0001")) == 6


def test_a_scan_that_may_be_another_return_s_is_parked_and_counted_as_such() -> None:
    journal = known(creation("R-0001"))

    outcome, tx = take_in(journal, early("R-0001"), hub(DS, "11:00"))

    assert (dict(outcome.parked), outcome.recorded, tx.parkings) == ({"in": 1}, 1, 1)
    assert [arrival.inbound.event.id for arrival in journal.tables.parked.values()] == ["early R-0001"]


def test_where_nothing_waits_nothing_is_parked() -> None:
    outcome, tx = take_in(MemoryJournal([]), creation("R-0001"))

    assert (dict(outcome.parked), tx.parkings) == ({}, 0)


def test_a_name_that_other_rules_found_an_event_for_is_watched_and_one_that_is_watched_is_not_again() -> None:
    journal = known(creation("R-0001"), void("nobody"))
    assert take_in(journal, void("nor anybody"), void("R-0001-rc"))[1].watched == []

    age(journal)

    assert take_in(journal, hub(DS, "11:00"))[1].watched == [{1: {("/test", "nobody"), ("/test", "nor anybody")}}]


def test_what_is_parked_and_watched_of_a_return_where_another_was_first_is_what_is_found_anew() -> None:
    journal = known(creation("R-0001"), creation("R-0002"), void("x"), void("y", "R-0002"))
    age(journal)

    outcome, tx = take_in(
        journal,
        *(hub(DS, "11:00", return_id) for return_id in ("R-0001", "R-0002")),
        *map(early, ("R-0001", "R-0002")),
        others=[[scan("IN_TRANSIT", "11:00", "R-0002")]],
    )

    assert (dict(outcome.parked), outcome.recorded, outcome.conflicts) == ({"in": 2}, 2, 1)
    parked = [arrival.inbound.event.id for arrival in journal.tables.parked.values()]
    assert sorted(parked) == ["early R-0001", "early R-0002"]
    # Who was first on the other return has it watched.
    assert tx.watched == [{1: {("/test", "x")}}]


def test_a_connote_is_joined_by_the_latest_export_under_it_and_by_no_delivery() -> None:
    journal = MemoryJournal([])
    later = hub(RE, "14:00", connote="CN-1")

    write(journal, creation("R-0001"), hub(RP, "11:00"), later, hub(RE, "12:00", connote="CN-1"))
    (delivered,) = arrivals(event(DELIVERED, "d", "18:00", connote="CN-1"))
    with journal.transaction() as tx:
        appending.append(tx, [appending.Placed(1, delivered)], lambda _: None)

    assert journal.recorded("R-0001")[-1] == "d"
    assert journal.tables.members == {("CN-1", 1): micros(later["time"])}
