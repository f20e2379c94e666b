"""`verify` tells what is kept of labels' claims otherwise than histories have it, with what mends it; and holds rows to its rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from service.application.journal.verify import Checked, StoredReturn, StoredRow, check, verify
from service.application.label_ports import Claimed
from service.domain.events import Event
from service.domain.evidence import UNKNOWN_CODE
from service.domain.journey import NEW, State, re_evaluate, record, replay
from service.domain.rules import DEFAULT, Rules
from service.domain.whole import Whole
from tests.unit.application.journal.labels import test_mending as mending
from tests.unit.application.journal.labels.kept import LABEL, LabelJournal, created, moment, scan
from tests.unit.domain.histories import happened, not_understood, story

REMEDY = "run `returns-status reassess --claims`"


class Histories(mending.Histories):
    """A journal in which nothing strays and lists are right."""

    def strays(self) -> Iterator[str]:
        return iter(())

    def misread(self) -> Iterator[str]:
        return iter(())


def told(journal: LabelJournal) -> list[str]:
    differences = list[str]()
    assert verify(Histories(journal), differences).returns == len(list(Histories(journal).returns()))
    return differences


def lacking() -> LabelJournal:
    """R-1 and R-2 claim a label, and R-2 lacks a scan of it."""
    journal = LabelJournal()
    for document in (created("R-1", moment(8)), created("R-2", moment(9)), scan("both", moment(12))):
        journal.take(document)
        journal.sweep()
    assert told(journal) == []
    journal.tables.history[journal.tables.returns["R-2"]].pop()
    return journal


def test_claims_that_are_kept_as_histories_have_them_are_no_difference() -> None:
    assert told(mending.contested()) == []


@pytest.mark.parametrize(
    ("damage", "what"),
    (
        (mending.claim(retailer="zenith"), "its claim of label generic/TR-1 is kept with another retailer than its creations say"),
        (mending.window(None), "its window of label generic/TR-1 is kept otherwise than its history has it"),
    ),
)  # fmt: skip
def test_a_claim_that_is_kept_otherwise_is_told_with_what_mends_it(damage: mending.Damage, what: str) -> None:
    journal = mending.contested()

    damage(journal, (LABEL, journal.tables.returns["R-1"]))

    assert told(journal) == [f"R-1: {what}: {REMEDY}"]


def test_a_claim_of_a_return_that_is_gone_is_told() -> None:
    journal = mending.contested()
    journal.tables.claims[LABEL, 4711] = Claimed(moment(3), "acme", None)

    assert told(journal) == [
        f"4711: is kept as a claimant of label generic/TR-1, which no creation of it names: {REMEDY}"
    ]


def test_a_scan_that_a_claimant_lacks_is_told_with_what_mends_it() -> None:
    assert told(lacking()) == [f"R-2: lacks scan both of /test of its label generic/TR-1: {REMEDY}"]


def test_where_a_claim_is_wrong_nothing_is_said_of_whom_scans_of_its_label_concern() -> None:
    journal = lacking()

    mending.claim(closed_at=moment(20))(journal, (LABEL, journal.tables.returns["R-1"]))

    what = "its claim of label generic/TR-1 is kept with another closing than its history says"
    assert told(journal) == [f"R-1: {what}: {REMEDY}"]


def stored(events: list[Event], rules: Rules = DEFAULT, begins: State = NEW) -> list[StoredRow]:
    """The rows that these come to; what comes once more is understood by then."""
    state, whole, known, rows = begins, Whole(rules=rules), set[bytes](), list[StoredRow]()
    for each in events:
        whole.add(each)
        entry = (re_evaluate if each.identity in known else record)(state, each, whole, rules)
        assert entry is not None
        known.add(each.identity)
        state = entry.state
        rows.append(
            StoredRow(state.seq, each, entry.verdict, entry.reason, entry.changes, state, entry.raised, entry.settled)
        )
    return rows


def test_rows_are_held_to_the_rules_that_are_set() -> None:
    rules, collected = Rules(connote_days=7), happened("RT", 2, id="scan")
    rows = stored([*story("RC@1"), not_understood(collected), *story("DS@3"), collected], rules)

    assert list(check(StoredReturn(1, "TK1", rows), rules, set())) == []


def test_a_reason_that_a_history_begins_with_and_no_event_of_it_gives_is_found() -> None:
    known = replay(story("RC@1"))
    begins = replace(known, seq=0, seen=b"", evidence=replace(known.evidence, flags=UNKNOWN_CODE))
    kept = StoredReturn(1, "TK1", stored(story("RC@1"), begins=begins), begins)

    assert list(check(kept, DEFAULT, set())) == ["the exceptions are not those of the set of events"]


def test_an_empty_journal_is_compared_at_once() -> None:
    differences = list[str]()

    assert (verify(Histories(LabelJournal()), differences), differences) == (Checked(0, 0), [])
