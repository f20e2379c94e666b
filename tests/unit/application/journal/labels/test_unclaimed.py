"""Scans of a label whose claims are all void wait again, wherever they are, and are there once for whoever claims it next."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from service.domain.milestones import Milestone
from tests.support.journals import VOID, event
from tests.unit.application.journal.labels.kept import LabelJournal, created, moment, scan

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
    scans = [scan(f"s{n}", moment(9 + n)) for n in range(5)]
    journal = taken(THEIRS, OURS, *scans, VOIDED)

    assert waiting(journal) == {f"s{n}" for n in range(5)}
    before = journal.sweeps
    journal.sweep()
    assert journal.sweeps == before


@pytest.mark.parametrize("number", ("TR-0", "TR-2"))
def test_what_waits_again_is_of_a_batch_that_has_a_number_whatever_label_is_looked_at_beside(number: str) -> None:
    journal = taken(
        THEIRS, OURS, PLAIN, created("R-7", moment(8), number=number), created("R-8", moment(9), number=number)
    )
    journal.take(VOIDED, scan("beside", moment(9), number=number))

    journal.sweep()

    assert waiting(journal) == {"a"}
    assert journal.tables.parked_in[next(iter(journal.tables.parked))] <= journal.tables.batches
