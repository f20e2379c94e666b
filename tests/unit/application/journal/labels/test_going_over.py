"""Which scans go over to whom as claims come and move, and whose histories are read for that."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from unittest import mock

from service.application.journal import sweep as sweeping
from service.application.journal.appending import Placed, append
from service.application.label_ports import Claimed, ScanPlace
from service.domain.journey import State
from service.domain.labels import BEGINNING, FOREVER, Label, Window
from service.domain.milestones import Milestone, Verdict
from tests.support.journals import VOID, event
from tests.unit.application.journal.labels.kept import (
    LABEL,
    LabelJournal,
    LabelTransaction,
    closed,
    created,
    moment,
    scan,
)
from tests.unit.application.journal.labels.test_windows_told import swept, told
from tests.unit.application.journal.test_append import arrivals

THEIRS = created("R-1", moment(1), "zenith", id="theirs")
OURS = created("R-1", moment(2), "acme", "TR-9", id="ours")
VOIDED = event(VOID, "v", "20:00", return_id="R-1", source="/test", id="theirs", by="ops", reason="no")


def scans(journal: LabelJournal, *returns: str) -> list[list[str]]:
    """The scans in each history."""
    return [[each.id for each in journal.past(name) if each.milestone is Milestone.RT] for name in returns]


def test_a_claim_that_moves_out_of_the_way_gives_its_scans_to_those_whose_windows_go_on() -> None:
    journal = swept(
        [created("R-1", moment(10))], [created("R-2", moment(12))], [created("R-3", moment(50))], [scan("s", moment(55))]
    )  # fmt: skip
    assert scans(journal, "R-1", "R-2", "R-3") == [[], [], ["s"]]

    # Between the two it leaves their windows as they would be without it.
    journal.take(created("R-3", moment(11), id="earlier"))
    journal.sweep()

    assert scans(journal, "R-1", "R-2", "R-3") == [["s"], ["s"], ["s"]]


def test_where_a_claim_moves_a_scan_may_be_with_one_that_was_not_the_first() -> None:
    # Another retailer's claim ended the window of the first, and had nothing of what was the second's.
    journal = swept(
        [created("R-1", moment(10))],
        [created("R-2", moment(20))],
        [created("R-3", moment(45), "zenith")],
        [scan("s", moment(47))],
    )
    assert scans(journal, "R-1", "R-2", "R-3") == [[], ["s"], []]

    journal.take(created("R-3", moment(11), "zenith", id="earlier"))
    journal.sweep()

    assert scans(journal, "R-1", "R-2", "R-3") == [["s"], ["s"], []]


def test_a_claim_that_ends_in_the_sweep_that_gave_it_a_scan_is_as_one_that_moved() -> None:
    # The closing waits for its return; with that a scan comes, which is another one's once the closing is recorded.
    journal = swept([created("R-1", moment(10)), created("R-3", moment(41), "zenith"), closed("R-2", moment(10))])
    journal.take(created("R-2", moment(40)), scan("s", moment(70)))

    with mock.patch.object(sweeping, "EVENTS_A_SWEEP", 1):
        journal.sweep()

    assert scans(journal, "R-1", "R-2", "R-3") == [[], ["s"], ["s"]]


def test_a_new_claim_gets_its_scans_from_whoever_s_turn_it_was() -> None:
    journal = swept([created("R-1", moment(1))], [created("R-2", moment(40))], [scan("s", moment(45))])
    assert scans(journal, "R-1", "R-2") == [[], ["s"]]

    journal.take(created("R-3", moment(41)))
    journal.sweep()

    assert scans(journal, "R-1", "R-2", "R-3") == [[], ["s"], ["s"]]


def test_of_claims_that_stay_as_they_are_only_those_are_read_whose_turn_it_was() -> None:
    journal = swept([created("R-1", moment(1))], [created("R-2", moment(2))], [scan("s", moment(3))])
    journal.take(created("R-3", moment(4)))
    places, states = list[tuple[int, int, int]](), list[list[int]]()
    read, stored = LabelTransaction.scan_places, LabelTransaction.stored_states

    def noted(
        self: LabelTransaction, return_no: int, label: Label, since: int, until: int, *bound: Any
    ) -> Iterator[ScanPlace]:
        places.append((return_no, since, until))
        return read(self, return_no, label, since, until, *bound)

    def asked(self: LabelTransaction, return_nos: Collection[int]) -> dict[int, State]:
        states.append(sorted(return_nos))
        return stored(self, return_nos)

    with mock.patch.multiple(LabelTransaction, scan_places=noted, stored_states=asked):
        journal.sweep()

    assert scans(journal, "R-1", "R-2", "R-3") == [["s"], ["s"], ["s"]]
    first, new = journal.tables.returns["R-1"], journal.tables.returns["R-3"]
    assert sorted(places) == [(first, BEGINNING, FOREVER), (new, BEGINNING, FOREVER)]
    assert states == [[new], [new]]  # for its window, and for what it lacks


def test_a_scan_that_was_evaluated_again_goes_over_once() -> None:
    journal = swept([created("R-1", moment(1)), scan("s", moment(3), "?")])
    (understood,) = arrivals(scan("s", moment(3)))
    with journal.transaction() as tx:
        append(tx, [Placed(1, understood, recorded=True)], lambda _: None)
        tx.number_batch(1)
    assert [row.entry.verdict for row in journal.rows("R-1")][1:] == [Verdict.UNMAPPED, Verdict.ADVANCED]

    journal.take(created("R-2", moment(2)))
    journal.sweep()

    assert [each.id for each in journal.past("R-2") if each.window is None] == ["R-2-rc", "s"]


def test_a_claim_of_who_was_known_first_is_written_down_with_its_closing() -> None:
    journal = swept([created("R-1", moment(8))], [closed("R-1", moment(12))])
    del journal.tables.claims[LABEL, 1]  # as it was before claims were kept

    journal.take(created("R-2", moment(18)))
    journal.sweep()

    assert journal.tables.claims == {
        (LABEL, 1): Claimed(moment(8), "acme", moment(12)),
        (LABEL, 2): Claimed(moment(18), "acme", None),
    }


def test_who_was_known_first_has_no_claim_where_its_creation_is_void() -> None:
    journal = swept([THEIRS, OURS], [VOIDED])
    del journal.tables.claims[LABEL, 1]

    journal.take(created("R-2", moment(18)))
    journal.sweep()

    assert [number for label, number in journal.tables.claims if label == LABEL] == [2]


def test_a_claim_that_is_written_down_is_of_a_batch_that_has_a_number_and_nothing_else_is() -> None:
    journal = swept([scan("s", moment(3), retailers=("zenith",))], [created("R-1", moment(2))])

    assert journal.tables.claims == {(LABEL, 1): Claimed(moment(2), "acme", None)}
    assert journal.tables.numbered == [0, 1, 0]  # the scan waits for zenith's return


def test_who_comes_first_is_passed_over_and_the_next_one_told() -> None:
    journal = swept([created("R-1", moment(1))], [created("R-2", moment(40))])
    assert (told(journal, "R-1"), told(journal, "R-2")) == ([Window(moment(39))], [])

    journal.take(created("R-0", moment(-40)), created("R-3", moment(80)))
    journal.sweep()

    assert told(journal, "R-1") == [Window(moment(39))]
    assert told(journal, "R-2") == [Window(moment(79), is_first=False)]


def test_the_time_of_what_is_said_is_that_of_the_claim_that_came() -> None:
    journal = swept([created("R-1", moment(1))], [created("R-2", moment(50))])

    journal.take(created("R-3", moment(35)))
    journal.sweep()

    assert [each.at for each in journal.past("R-1") if each.window is not None] == [moment(50), moment(35)]
