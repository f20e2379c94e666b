"""Scans of a label whose claims are all void wait again, wherever they are, and are there once for whoever claims it next."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from service.application.journal.labels.unclaimed import wait_again
from service.application.journal.labels.views import View
from service.application.ports import Arrival
from service.domain.milestones import Milestone
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

# A void of a creation is heard where another one contradicts it.
THEIRS = created("R-1", moment(8), "zenith", id="theirs")
OURS = created("R-1", moment(9), "acme", "TR-9", id="ours")
VOIDED = event(VOID, "v", "20:00", return_id="R-1", source="/test", id="theirs", by="ops", reason="a mistake")
PLAIN = scan("a", moment(9))
BOUND = scan("b", moment(10), retailers=("zenith",))
OTHERS = scan("o", moment(10), retailers=("acme",))


def taken(*documents: dict[str, Any]) -> LabelJournal:
    journal = LabelJournal()
    for document in documents:
        journal.take(document)
        journal.sweep()
    return journal


def waiting(journal: LabelJournal) -> set[str]:
    return {arrival.inbound.event.id for arrival in journal.tables.parked.values()}


@pytest.mark.parametrize("order", list(itertools.permutations((THEIRS, OURS, VOIDED, PLAIN, BOUND)))[::5])
def test_what_came_by_a_void_claim_waits_in_every_order(order: tuple[dict[str, Any], ...]) -> None:
    assert waiting(taken(*order)) == {"a", "b"}


def test_they_are_for_whoever_claims_the_label_next_and_of_the_void_claim_nothing_counts() -> None:
    journal = taken(THEIRS, OURS, PLAIN, BOUND, OTHERS)
    assert waiting(journal) == {"o"}
    journal.take(VOIDED)
    journal.sweep()
    assert waiting(journal) == {"a", "b", "o"}

    journal.take(created("R-2", moment(8), "zenith"))
    journal.sweep()

    assert waiting(journal) == {"o"}
    assert journal.rows("R-2")[-1].entry.state.timeline.status is Milestone.RT
    assert {row.entry.event.id for row in journal.rows("R-2")} >= {"a", "b"}
    assert journal.rows("R-1")[-1].entry.state.timeline.status is Milestone.RC


def test_while_another_return_claims_the_label_waits_only_what_counts_for_no_claim_of_it() -> None:
    journal = taken(THEIRS, OURS, created("R-2", moment(9), "acme"), PLAIN, BOUND, OTHERS, VOIDED)

    assert waiting(journal) == {"b"}
    assert {row.entry.event.id for row in journal.rows("R-2")} >= {"a", "o"}


def test_what_waits_again_is_parked_in_pieces_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.application.journal.sweep.EVENTS_A_SWEEP", 2)
    scans, pieces = [scan(f"s{n}", moment(9 + n)) for n in range(5)], list[int]()

    class Counting(LabelTransaction):
        def park(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
            pieces.append(len(arrivals))
            return super().park(arrivals)

    monkeypatch.setattr("tests.unit.application.journal.labels.kept.LabelTransaction", Counting)
    journal = taken(THEIRS, OURS, *scans)
    pieces.clear()

    journal.take(VOIDED)
    journal.sweep()

    assert (waiting(journal), pieces) == ({f"s{n}" for n in range(5)}, [2, 2, 1])
    before = journal.sweeps
    journal.sweep()
    assert journal.sweeps == before


@pytest.mark.parametrize(
    ("scans", "views", "is_any"), (((), 1, False), ((PLAIN,), 1, True), ((PLAIN,), 2, True), ((BOUND,), 1, False))
)
def test_it_is_said_whether_anything_waits_again(scans: tuple[dict[str, Any], ...], views: int, is_any: bool) -> None:
    nobodys = [View((), (), (), {}), View(("acme",), (), (), {})][:views]
    journal = taken(THEIRS, OURS, *scans)

    def waits_again() -> bool:
        with journal.transaction() as tx:
            return wait_again(tx, LABEL, [kept for kept in tx.claims(LABEL) if kept.is_void], nobodys, 5)

    journal.take(VOIDED)
    assert waits_again() is is_any
    journal.sweep()
    # Nothing changed since.
    assert waits_again() is False


@pytest.mark.parametrize("number", ("TR-0", "TR-2"))
def test_what_waits_again_is_of_a_batch_that_has_a_number_whatever_label_is_looked_at_beside(number: str) -> None:
    journal = taken(
        THEIRS, OURS, PLAIN, created("R-7", moment(8), number=number), created("R-8", moment(9), number=number)
    )
    journal.take(VOIDED, scan("beside", moment(9), number=number))

    journal.sweep()

    assert waiting(journal) == {"a"}
    assert journal.tables.parked_in[next(iter(journal.tables.parked))] <= journal.tables.batches


def test_what_waits_again_is_of_a_batch_that_has_a_number_though_nothing_is_recorded() -> None:
    beside = [created(name, moment(at), number="TR-2") for name, at in (("R-7", 8), ("R-8", 9))]
    journal = taken(THEIRS, OURS, PLAIN, *beside)
    before = len(journal.tables.numbered)

    # A closing has the other label looked at, and moves nothing.
    journal.take(VOIDED, closed("R-8", moment(60)))
    journal.sweep()

    assert waiting(journal) == {"a"}
    assert journal.tables.numbered[before:] == [2, 0]
    assert journal.tables.parked_in[next(iter(journal.tables.parked))] == journal.tables.batches
