"""What is decided anew of returns that earlier rules decided: which rows their histories get, and what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.application.journal import reassess as reassessing
from service.application.journal.reassess import GivenBefore, Looked, Reassessed, reassess
from service.application.journal.sweep import sweep
from service.application.label_ports import Claimed, HeldLabel
from service.application.ports import HistoryRow, Waiting
from service.domain.events import Sense
from service.domain.evidence import CONFLICT, Evidence
from service.domain.journey import Entry
from service.domain.labels import Label, Window
from service.domain.milestones import Reason
from service.domain.rules import DEFAULT, VERSION, Rules
from service.domain.timeline import decide
from service.wire.record import Record
from service.wire.rows.reassessed import REASSESSED, SOURCE
from service.wire.stored import to_micros
from tests.support.fakes import MemoryJournal, MemoryTransaction
from tests.support.journals import CLOSED, DELIVERED, DS, RE, RP, RR, VOID, creation, event, scan
from tests.unit.application.journal.test_append import arrivals, write

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
UNKNOWN = scan("NO_SUCH_CODE", "10:00")
LABEL = ("generic", "TR-1001")


class Transaction(MemoryTransaction):
    """`ReassessTransaction`."""

    to: Journal

    def looked(self, mark: int, after: int, limit: int) -> Sequence[Looked]:
        self.to.asked.append((mark, after, limit))
        names = sorted((number, return_id) for return_id, number in self.tables.returns.items() if number > after)
        return [self._looked(number, return_id, mark) for number, return_id in names[:limit]]

    def _looked(self, number: int, return_id: str, mark: int) -> Looked:
        marks = [row.entry.state.rules for row in self.tables.history[number]]
        return Looked(number, return_id, any(each != mark for each in marks), marks[-1] != mark)

    def given(self, return_no: int) -> Sequence[GivenBefore]:
        entries = (row.entry for row in self.tables.history[return_no])
        return [GivenBefore(each.verdict, each.reason, each.raised, each.settled) for each in entries]

    def scans(self, return_no: int) -> Sequence[Waiting]:
        labels = self.tables.labels
        understood = arrivals(*self.to.understood)
        return [Waiting(return_no, each) for each in understood if labels[each.inbound.subject] == return_no]

    def touch_claims(self, return_no: int, labels: Collection[Label]) -> bool:
        self.to.touched.append((return_no, list(labels)))
        return return_no in self.to.claimed

    def held_labels(self, return_no: int, labels: Collection[Label]) -> Sequence[HeldLabel]:
        raise NotImplementedError("what is held otherwise is mended elsewhere")

    def mend_claims(self, return_no: int, claims: Mapping[Label, tuple[Claimed, Window | None]]) -> None:
        raise NotImplementedError("what is held otherwise is mended elsewhere")

    def number_batch(self, events: int) -> None:
        super().number_batch(events)
        self.to.numbered.append(events)


class Journal(MemoryJournal):
    """With returns that something was recorded of, by rules of before."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        super().__init__([])
        self.asked: list[tuple[int, int, int]] = []
        self.touched: list[tuple[int, list[Label]]] = []
        self.numbered: list[int] = []
        self.understood: list[dict[str, Any]] = []
        self.claimed = set[int]()
        self.rules = DEFAULT
        write(self, *documents)

    @contextmanager
    def transaction(self, while_waiting: object = None) -> Iterator[Transaction]:
        del while_waiting
        tx = Transaction(self, self.tables)
        tx.to, tx.rules = self, self.rules
        yield tx

    def age(self, evidence: Evidence | None = None, return_no: int = 1, **entry: Any) -> None:
        """Let all rows of a return be of before, and the last one say this."""
        rows = self.tables.history[return_no]
        for place, row in enumerate(rows):
            state = replace(row.entry.state, rules=VERSION - 1)
            if place == len(rows) - 1 and evidence is not None:
                state = replace(state, evidence=evidence, timeline=decide(evidence))
            changed = entry if place == len(rows) - 1 else {}
            rows[place] = HistoryRow(row.return_no, replace(row.entry, state=state, **changed), row.arrival)

    def last(self, return_no: int = 1) -> Entry:
        return self.tables.history[return_no][-1].entry


def evidence(journal: Journal) -> Evidence:
    return journal.last().state.evidence


def run(journal: Journal, **options: Any) -> tuple[Reassessed, list[str]]:
    said = list[str]()
    journal.numbered.clear()
    return reassess(journal, NOW, say=said.append, **{"dry_run": False, **options}), said


def test_what_earlier_rules_did_not_see_is_a_row_of_the_history_and_a_line_for_people() -> None:
    journal = Journal(creation(), UNKNOWN)
    journal.age(replace(evidence(journal), flags=0))

    done, said = run(journal)

    entry = journal.last()
    assert (done, said) == (Reassessed(1, 1, 1, 0), ["R-1001: unknown_code opened"])
    assert (entry.event.source, entry.event.sense) == (SOURCE, Sense.INFORMS)
    assert (entry.verdict, entry.raised) == ("informational", ("unknown_code",))
    assert entry.event.id == f"R-1001/{VERSION}/{to_micros(NOW)}"
    assert entry.event.at == to_micros(NOW)
    assert entry.event.words.data == f'{{"return_id":"R-1001","rules":{VERSION}}}'.encode()
    assert entry.event.words.type == REASSESSED
    arrival = journal.tables.history[1][-1].arrival
    assert (arrival.inbound.kind, arrival.inbound.subject, arrival.inbound.type) == ("return", "R-1001", REASSESSED)
    assert arrival.inbound.data == entry.event.words.data
    assert arrival.record == Record("", 0, 0, int(NOW.timestamp() * 1000), None, None)
    assert journal.numbered == [1]


def test_what_moves_is_told_change_by_change() -> None:
    journal = Journal(creation(), scan("COLLECTED", "10:00"))
    known = evidence(journal)
    journal.age(replace(known, earliest={"RC": known.earliest["RC"]}))  # type: ignore[dict-item,index]

    done, said = run(journal)

    assert (done.changes, said) == (1, ["R-1001: reached RT"])
    assert journal.last().state.timeline.status == "RT"
    assert run(journal) == (Reassessed(1, 0, 0, 0), [])


def test_a_connote_that_is_another_one_is_told_although_no_milestone_moves() -> None:
    of = {"return_id": "R-1001", "hub": "akl1"}
    journal = Journal(creation(), event(RP, "p", "10:00", **of), event(RE, "x", "11:00", connote="CN1", **of))
    journal.age(replace(evidence(journal), connote="CN0"))

    done, said = run(journal)

    assert (done.changes, said) == (1, ["R-1001: detailed RE"])


def test_a_connote_of_an_export_that_does_not_count_moves_nothing_and_is_said_to_people() -> None:
    journal = Journal(creation(), event(RE, "x", "11:00", connote="CN1", return_id="R-1001", hub="akl1"))
    journal.age(replace(evidence(journal), connote="CN0"))

    done, said = run(journal)

    assert (done.moved, done.changes, said) == (1, 0, ["R-1001: no milestone moves"])


def test_where_nothing_differs_nothing_is_written() -> None:
    journal = Journal(creation(), UNKNOWN)
    journal.age()

    assert run(journal) == (Reassessed(1, 1, 0, 0), [])
    assert journal.last().event.source == "/test"
    assert journal.numbered == []


def test_a_return_that_today_s_rules_decided_wholly_is_not_looked_into() -> None:
    journal = Journal(creation(), UNKNOWN)

    assert run(journal) == (Reassessed(1, 0, 0, 0), [])
    assert journal.touched == []


def test_one_that_today_s_rules_decided_since_is_looked_into_and_counts_as_up_to_date() -> None:
    journal = Journal(creation(), UNKNOWN)
    journal.age(reason=Reason.TRACKING_NUMBER_IN_USE, verdict="informational")
    write(journal, event(DS, "ds", "13:00", return_id="R-1001", hub="akl1"))

    done, said = run(journal)

    assert (done.returns, done.outdated, done.moved) == (1, 0, 1)
    assert said == ["R-1001: unknown_code opened, tracking_number_in_use resolved"]


def test_an_exception_that_a_row_gave_and_that_is_none_is_over() -> None:
    journal = Journal(creation())
    journal.age(reason=Reason.TRACKING_NUMBER_IN_USE)

    done, said = run(journal)

    assert (done, said) == (Reassessed(1, 1, 1, 0), ["R-1001: tracking_number_in_use resolved"])
    assert journal.last().settled == (Reason.TRACKING_NUMBER_IN_USE,)
    assert b'"over":["tracking_number_in_use"]' in journal.last().event.words.data
    assert run(journal) == (Reassessed(1, 0, 0, 0), [])


def test_one_that_a_later_row_settled_is_over_already() -> None:
    journal = Journal(creation())
    journal.age(reason=Reason.TRACKING_NUMBER_IN_USE)
    write(journal, event(DS, "ds", "13:00", return_id="R-1001", hub="akl1"))
    journal.age(settled=(Reason.TRACKING_NUMBER_IN_USE,))

    assert run(journal)[1] == []


def test_a_row_may_settle_what_none_before_it_gave() -> None:
    journal = Journal(creation())
    journal.age(settled=(Reason.TRACKING_NUMBER_IN_USE,))

    assert run(journal) == (Reassessed(1, 1, 0, 0), [])


def test_a_reason_of_a_row_that_counts_is_no_exception() -> None:
    journal = Journal(creation())
    journal.age(reason=Reason.LABEL_CLAIMED, verdict="informational")

    assert run(journal)[1] == []


def test_one_that_is_so_and_that_no_row_told_is_opened() -> None:
    of = {"return_id": "R-1001", "hub": "akl1"}
    journal = Journal(
        creation(), event(RP, "p", "10:00", **of), event(RR, "r", "20:00", **of, reason="worn"),
        event(RE, "x", "11:00", connote="CN1", **of),
    )  # fmt: skip
    journal.age(raised=())

    done, said = run(journal)

    assert (done.moved, said) == (1, ["R-1001: already_exported opened"])
    assert b'"found":["already_exported"]' in journal.last().event.words.data
    assert run(journal)[1] == []


def test_one_that_a_row_raised_is_told_already() -> None:
    journal = Journal(creation())
    journal.age(raised=(Reason.ID_REUSED,))

    assert run(journal)[1] == ["R-1001: id_reused resolved"]


def turned_back(*others: dict[str, Any]) -> Journal:
    """A return whose parcel turned back, of which earlier rules kept that something was said."""
    returning = scan("RETURNING", "11:00")
    journal = Journal(*others, creation(), scan("COLLECTED", "10:00"), returning)
    ours = journal.tables.returns["R-1001"]
    _, collected, told = journal.tables.history[ours]
    state = replace(told.entry.state, evidence=collected.entry.state.evidence)
    entry = replace(told.entry, event=replace(told.entry.event, effect=None), state=state)
    journal.tables.history[ours][2] = HistoryRow(ours, entry, told.arrival)
    journal.age(return_no=ours)
    write(journal, scan("DELIVERED", "12:00"))
    assert journal.last(ours).state.timeline.status == "RDTPF"
    return journal


def test_a_parcel_that_turned_back_is_told_to_have_done_so() -> None:
    journal = turned_back()
    journal.understood = [scan("IN_TRANSIT", "11:30"), scan("RETURNING", "11:00")]

    done, said = run(journal)

    assert (done.moved, said) == (1, ["R-1001: revoked RDTPF, returned_to_sender opened"])
    assert journal.recorded("R-1001")[-1] == "R-1001-RETURNING-11:00"
    assert len(journal.recorded("R-1001")) == 5
    assert run(journal)[1] == []


def test_what_moves_of_returns_before_one_that_turned_back_is_told_too() -> None:
    journal = turned_back(creation("R-0001"))
    journal.age(reason=Reason.TRACKING_NUMBER_IN_USE)
    journal.understood = [scan("RETURNING", "11:00")]

    done, said = run(journal)

    assert (done.moved, sorted(said)) == (
        2,
        ["R-0001: tracking_number_in_use resolved", "R-1001: revoked RDTPF, returned_to_sender opened"],
    )


def test_a_return_is_looked_at_by_the_rules_that_are_set() -> None:
    of = {"return_id": "R-1001", "hub": "akl1"}
    home = event(DELIVERED, "d", "10:00", connote="CN1") | {"time": "2026-11-24T10:00:00Z"}
    journal = Journal(creation(), event(RP, "p", "10:00", **of), event(RE, "x", "11:00", connote="CN1", **of), home)
    sweep(journal)
    assert journal.last().state.timeline.status == "RDBTC"
    journal.rules = Rules(connote_days=2)

    done, said = run(journal)

    assert (done, said) == (Reassessed(1, 1, 1, 1), ["R-1001: revoked RDBTC"])
    assert journal.last().state.rules == journal.rules.mark


def test_what_says_nothing_of_the_direction_is_not_told_again() -> None:
    journal = turned_back()
    journal.understood = [scan("COLLECTED", "10:00")]

    assert run(journal)[1] == []


def test_claims_of_labels_that_another_return_had_first_are_kept_and_the_sweep_is_to_find_them() -> None:
    journal = Journal(creation("R-2002", tracking_number="TR-1001"), creation())
    journal.tables.claims.clear()
    journal.age(return_no=journal.tables.returns["R-1001"])

    assert run(journal) == (Reassessed(2, 1, 0, 0), [])

    ours = journal.tables.returns["R-1001"]
    assert list(journal.tables.claims) == [(LABEL, ours)]
    claimed = journal.tables.claims[LABEL, ours]
    assert (claimed.at, claimed.retailer, claimed.closed_at) == (journal.last(ours).event.at, "acme", None)
    assert journal.numbered == [0]
    assert journal.touched == [(ours, [LABEL])]


def test_a_claim_of_its_own_is_not_kept_and_one_that_is_kept_is_looked_at_again() -> None:
    journal = Journal(creation())
    journal.age()

    run(journal)
    assert (journal.tables.claims, journal.numbered) == ({}, [])

    journal.claimed = {1}
    run(journal)
    assert (journal.tables.claims, journal.numbered) == ({}, [0])


def test_a_claim_of_a_label_that_is_nobody_s_is_not_kept() -> None:
    journal = Journal(creation())
    journal.tables.labels.clear()
    journal.age()

    run(journal)

    assert (journal.tables.claims, journal.numbered) == ({}, [])


def test_of_several_returns_one_whose_claim_is_kept_is_enough_for_the_sweep_to_look() -> None:
    journal = Journal(creation(), creation("R-2002"))
    journal.age()
    journal.age(return_no=2)
    journal.claimed = {1}

    run(journal)

    assert journal.numbered == [0]


def test_a_claim_says_when_its_return_was_closed() -> None:
    closed = event(CLOSED, "c", "15:00", return_id="R-1001", by="ops", reason="lost")
    journal = Journal(creation("R-2002", tracking_number="TR-1001"), creation(), closed)
    ours = journal.tables.returns["R-1001"]
    journal.tables.claims.clear()
    journal.age(return_no=ours)

    run(journal)

    assert journal.tables.claims[LABEL, ours].closed_at == to_micros(datetime(2026, 11, 20, 15, tzinfo=UTC))


def test_a_claim_of_a_creation_that_is_void_is_kept_as_one() -> None:
    other = creation(tracking_number="TR-7", retailer="zenith") | {"id": "other"}
    void = event(VOID, "v", "16:00", return_id="R-1001", source="/test", id="other", by="ops", reason="wrong")
    journal = Journal(creation(), other, void)
    journal.tables.claims.clear()
    journal.age()

    run(journal)

    at = to_micros(datetime(2026, 11, 20, 9, tzinfo=UTC))
    assert journal.tables.claims == {(("generic", "TR-7"), 1): Claimed(at, "zenith", None, is_void=True)}
    assert journal.numbered == [0]


def test_void_claims_of_several_returns_are_kept() -> None:
    documents = list[dict[str, Any]]()
    for number in ("R-1", "R-2"):
        other = creation(number, tracking_number=f"OTHER-{number}", retailer="zenith") | {"id": f"other-{number}"}
        of = {"return_id": number, "source": "/test", "id": f"other-{number}", "by": "ops", "reason": "wrong"}
        documents += [creation(number), other, event(VOID, f"v-{number}", "16:00", **of)]
    journal = Journal(*documents)
    journal.tables.claims.clear()
    journal.age(return_no=1)
    journal.age(return_no=2)

    run(journal)

    assert {label[1] for label, _ in journal.tables.claims} == {"OTHER-R-1", "OTHER-R-2"}


def test_to_look_only_says_the_same_and_writes_nothing() -> None:
    journal = Journal(creation("R-2002", tracking_number="TR-1001"), creation(), UNKNOWN)
    journal.tables.claims.clear()
    journal.age(replace(evidence(journal), flags=CONFLICT))

    looked, said = run(journal, dry_run=True)

    assert (looked.moved, said) == (1, ["R-1001: creation_conflict resolved"])
    assert (journal.tables.claims, journal.touched, journal.numbered) == ({}, [], [])
    assert journal.last().event.source == "/test"


def test_returns_are_taken_some_at_a_time_in_their_order_until_it_is_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reassessing, "RETURNS_A_BATCH", 2)
    names = ("R-1", "R-2", "R-3", "R-4", "R-5")
    journal = Journal(*(creation(name) for name in names))
    for number in range(1, 6):
        journal.age(return_no=number, reason=Reason.TRACKING_NUMBER_IN_USE)
    told, stops = list[str](), iter((False, False, True))

    done, said = run(journal, tell=told.append, should_stop=lambda: next(stops))

    assert (done.returns, done.outdated, done.moved) == (4, 4, 4)
    assert [line.partition(":")[0] for line in said] == ["R-1", "R-2", "R-3", "R-4"]
    assert told == ["2 returns looked at, 2 moved", "4 returns looked at, 4 moved"]
    assert journal.asked == [(VERSION, 0, 2), (VERSION, 2, 2)]
    assert journal.numbered == [2, 2]

    done, _ = run(journal)
    assert (done.returns, done.moved) == (5, 1)


def test_to_be_told_nothing_is_fine() -> None:
    journal = Journal(creation())
    journal.age(reason=Reason.TRACKING_NUMBER_IN_USE)

    assert reassess(journal, NOW + timedelta(days=1), dry_run=False, say=lambda _: None).moved == 1
