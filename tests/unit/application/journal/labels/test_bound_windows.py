"""What histories say of windows for scans that count for some retailers only, under which names, and how often."""

from __future__ import annotations

import msgspec
import pytest

from service.domain.labels import FOREVER, Window, bound_of
from service.domain.milestones import Milestone
from service.wire.rows.claimed import event_data
from tests.unit.application.journal.labels.kept import LABEL, LabelJournal, created, moment, scan

ACME, ZENITH, BOTH = ("acme",), ("zenith",), ("acme", "zenith")
OF_BOTH, OF_ZENITH = bound_of(BOTH), bound_of(ZENITH)
ENDS = Window(moment(40))
LATER = Window(is_first=False)


def told(journal: LabelJournal, return_id: str) -> list[tuple[str, str, Window | None]]:
    """The name of each row that tells of a window, for which retailers' scans, and the window."""
    events = [event for event in journal.past(return_id) if event.window is not None]
    return [(event.id.removeprefix(f"{LABEL[0]}/{LABEL[1]}@"), event.bound, event.window) for event in events]


@pytest.fixture
def journal() -> LabelJournal:
    """An acme return, and scans a month later, bound and not; then one of zenith names its label."""
    journal = LabelJournal()
    journal.take(created("R-1", moment(9)))
    journal.take(*(scan(f"s-{'+'.join(its)}", moment(45), retailers=its) for its in (ACME, ZENITH, BOTH, ())))
    journal.sweep()
    journal.take(created("R-2", moment(41), "zenith"))
    journal.sweep()
    return journal


def test_a_list_of_retailers_has_windows_of_its_own_where_more_than_one_of_theirs_claim(journal: LabelJournal) -> None:
    # For acme's scans alone the label is acme's as before, and for zenith's there is no claim but the second.
    assert told(journal, "R-1") == [("5", "", ENDS), (f"5/{OF_BOTH}", OF_BOTH, ENDS)]
    assert told(journal, "R-2") == [(f"2/{OF_BOTH}", OF_BOTH, LATER)]
    numbers = journal.tables.returns
    assert {key[1:]: window for key, window in journal.tables.bound_scans.items()} == {
        (ACME, numbers["R-1"]): None,
        (BOTH, numbers["R-1"]): ENDS,
        (BOTH, numbers["R-2"]): LATER,
        (ZENITH, numbers["R-2"]): None,
    }


def test_which_scans_it_is_about_is_said_and_for_which_retailers_they_count_is_not(journal: LabelJournal) -> None:
    rows = [row.arrival.inbound for row in journal.rows("R-1") if row.entry.event.window is not None]

    assert [msgspec.json.decode(each.data) for each in rows] == [
        event_data("R-1", LABEL, ENDS),
        event_data("R-1", LABEL, ENDS) | {"bound": OF_BOTH},
    ]


def test_whose_a_scan_is_follows_from_the_retailers_that_it_counts_for(journal: LabelJournal) -> None:
    assert {event.id for event in journal.past("R-2") if event.milestone is Milestone.RT} == {
        "s-",
        "s-zenith",
        "s-acme+zenith",
    }
    assert journal.rows("R-1")[-1].entry.state.timeline.counts[Milestone.RT].id == "s-acme"
    assert journal.tables.parked == {}


def test_what_is_told_is_told_once(journal: LabelJournal) -> None:
    before = [told(journal, return_id) for return_id in ("R-1", "R-2")]

    journal.take(scan("again", moment(46), retailers=BOTH), scan("more", moment(46), retailers=ACME))
    journal.sweep()

    assert [told(journal, return_id) for return_id in ("R-1", "R-2")] == before


def test_what_moves_again_is_told_again_under_another_name(journal: LabelJournal) -> None:
    journal.take(created("R-3", moment(21), "zenith"))
    journal.sweep()

    ends = Window(moment(40), is_shared=True)
    assert told(journal, "R-1")[2:] == [("7", "", ends), (f"7/{OF_BOTH}", OF_BOTH, ends)]
    also = Window(is_shared=True, is_first=False)
    assert told(journal, "R-2")[1:] == [
        ("6", "", also),
        (f"6/{OF_BOTH}", OF_BOTH, also),
        (f"6/{OF_ZENITH}", OF_ZENITH, also),
    ]
    # While acme's window lasts, what counts for acme too is acme's.
    gapped = Window(FOREVER, ((moment(20), moment(40)),), is_shared=True, is_first=False)
    assert told(journal, "R-3") == [
        ("2", "", gapped),
        (f"2/{OF_BOTH}", OF_BOTH, gapped),
        (f"2/{OF_ZENITH}", OF_ZENITH, Window(is_shared=True)),
    ]
