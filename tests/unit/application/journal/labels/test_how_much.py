"""How much one sweep records where labels are contested, and that the rest is not forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock

import pytest

from service.application.journal.labels import spreading
from service.application.journal.sweep import sweep
from service.domain.milestones import Milestone
from tests.support.journals import VOID, event
from tests.unit.application.journal.labels.kept import LabelJournal, created, moment, scan
from tests.unit.application.journal.labels.test_windows_told import placed

SCANS = [scan(f"s{n}", moment(45, n)) for n in range(5)]
FIRST, SHARES, LATER = created("R-1", moment(1)), created("R-1b", moment(2)), created("R-2", moment(40))


@pytest.mark.parametrize(
    ("swept", "taken", "limit", "found"),
    (
        # Scans that wait, each for one return.
        ([FIRST, LATER], [SCANS], 2, [2, 2, 1, 0]),
        ([FIRST, LATER], [SCANS], 4, [4, 1, 0]),
        # With a window that is told, which no topic had: one at least in any case.
        ([], [SCANS, [FIRST, LATER]], 1, [1, 1, 1, 1, 1, 0]),
        ([], [SCANS, [FIRST, LATER]], 3, [2, 3, 0]),
        # Scans that another one has.
        ([FIRST, *SCANS], [[SHARES]], 2, [0, 2, 2, 1, 0]),
        ([FIRST, *SCANS], [[SHARES]], 5, [0, 5, 0]),
    ),
)
def test_so_many_events_are_recorded_at_a_time(
    swept: Sequence[dict[str, Any]], taken: Sequence[Sequence[dict[str, Any]]], limit: int, found: list[int]
) -> None:
    journal = LabelJournal()
    journal.take(*swept)
    journal.sweep()
    for batch in taken:
        journal.take(*batch)

    assert placed(journal, limit) == found
    assert journal.tables.parked == {}
    whose = "R-1b" if SHARES in taken[-1] else "R-2"
    assert [each.id for each in journal.past(whose) if each.milestone is Milestone.RT] == [f"s{n}" for n in range(5)]


def test_void_claims_are_looked_at_as_well_and_count() -> None:
    journal, numbers = LabelJournal(), [f"TR-{n}" for n in range(3)]
    for number in numbers:
        theirs = created(f"A-{number}", moment(8), "zenith", number, id=f"theirs-{number}")
        ours = created(f"A-{number}", moment(9), "acme", f"OWN-{number}", id=f"ours-{number}")
        void = {"return_id": f"A-{number}", "source": "/test", "id": theirs["id"]}
        journal.take(theirs, ours, event(VOID, f"v-{number}", "20:00", **void, by="ops", reason="no"))
        journal.take(created(f"B-{number}", moment(8), "zenith", number))

    with mock.patch.object(spreading, "CLAIMS_A_SWEEP", 3):
        sweep(journal)

    # Two labels have four claims, two of them void.
    assert journal.tables.turn is not None
    assert journal.tables.turn[1] == ("generic", "TR-1")
