"""What is kept of labels' claims is held against the histories that it follows from, and mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from service.application.journal.appending import Appended, Placed, StepEnded, append
from service.application.journal.labels import mending
from service.application.journal.labels.held import Wrong, windows_told, wrong_claims
from service.application.journal.labels.lacking import HeldScans, lacking
from service.application.journal.labels.mending import mend_claims
from service.application.journal.reassess import reassessed
from service.application.journal.verify import StoredReturn, StoredRow
from service.application.label_ports import Claimed, HeldLabel
from service.application.ports import Transaction
from service.domain.labels import ALONE, Label, Window
from service.domain.rules import DEFAULT
from service.domain.whole import Whole
from service.errors import Retryable
from tests.support.journals import DS, VOID, event
from tests.unit.application.journal.labels.kept import LABEL, LabelJournal, closed, created, held_scans, moment, scan

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
OTHER = ("generic", "TR-2")
VOID_OF_THEIRS = event(VOID, "v", "20:00", return_id="R-3", source="/test", id="theirs", by="ops", reason="no")


def contested() -> LabelJournal:
    """R-1, which was closed, and R-2 claim one label; a void creation of R-3 and R-4 the other one."""
    journal = LabelJournal()
    for document in (
        created("R-1", moment(8)),
        scan("a", moment(9)),
        closed("R-1", moment(12)),
        created("R-2", moment(18)),
        scan("b", moment(22)),
        created("R-3", moment(1), "zenith", OTHER[1], id="theirs"),
        created("R-3", moment(2), "acme", "TR-3", id="ours"),
        VOID_OF_THEIRS,
        created("R-4", moment(10), "zenith", OTHER[1]),
    ):
        journal.take(document)
        journal.sweep()
    return journal


class Histories:
    """`verify.Histories` of a journal as it stands now."""

    rules = DEFAULT

    def __init__(self, journal: LabelJournal) -> None:
        self._journal = journal

    def returns(self) -> Iterator[StoredReturn]:
        tables = self._journal.tables
        names = {number: return_id for return_id, number in tables.returns.items()}
        for number in sorted({*tables.history, *(number for _, number in tables.claims)}):
            entries = [row.entry for row in tables.history.get(number, ())]
            rows = [
                StoredRow(e.state.seq, e.event, e.verdict, e.reason, e.changes, e.state, e.raised, e.settled)
                for e in entries
            ]
            labels = {label for label, of in tables.claims if of == number} | {LABEL, OTHER}
            with self._journal.transaction() as tx:
                held = tx.held_labels(number, sorted(labels))
            yield StoredReturn(number, names.get(number), rows, labels=held)

    def contested(self) -> Iterator[HeldScans]:
        return held_scans(self._journal)

    def strays(self) -> Iterator[str]:
        raise NotImplementedError

    def misread(self) -> Iterator[str]:
        raise NotImplementedError


def mended(journal: LabelJournal, **options: Any) -> list[str]:
    said = list[str]()
    count = mend_claims(Histories(journal), journal, NOW, say=said.append, **{"dry_run": False, **options})
    assert count == len(said)
    return said


def kept(journal: LabelJournal) -> dict[tuple[Label, str], tuple[Claimed, Window]]:
    tables, names = journal.tables, {number: name for name, number in journal.tables.returns.items()}
    return {
        (label, names.get(number, "")): (claimed, tables.told.get((label, number), ALONE))
        for (label, number), claimed in tables.claims.items()
    }


def windows(journal: LabelJournal, return_id: str) -> list[Window]:
    """What a history says of windows."""
    return [each.window for each in journal.past(return_id) if each.window is not None]


Damage = Callable[[LabelJournal, tuple[Label, int]], object]


def claim(**values: Any) -> Damage:
    def damage(journal: LabelJournal, key: tuple[Label, int]) -> None:
        journal.tables.claims[key] = journal.tables.claims[key]._replace(**values)

    return damage


def window(told: Window | None) -> Damage:
    def damage(journal: LabelJournal, key: tuple[Label, int]) -> None:
        journal.tables.told.pop(key, None)
        if told is not None:
            journal.tables.told[key] = told

    return damage


def gone(journal: LabelJournal, key: tuple[Label, int]) -> None:
    del journal.tables.claims[key]
    journal.tables.told.pop(key, None)


@pytest.mark.parametrize(
    ("whose", "label", "damage", "what"),
    (
        ("R-1", LABEL, gone, "its claim of label generic/TR-1 is not kept"),
        ("R-2", LABEL, gone, "its claim of label generic/TR-1 is not kept"),
        ("R-3", OTHER, gone, "its claim of label generic/TR-2 is not kept"),
        ("R-2", LABEL, claim(at=moment(18, 1)), "its claim of label generic/TR-1 is kept with another time than its creations say"),
        ("R-1", LABEL, claim(retailer="zenith"), "its claim of label generic/TR-1 is kept with another retailer than its creations say"),
        ("R-1", LABEL, claim(closed_at=None), "its claim of label generic/TR-1 is kept with another closing than its history says"),
        ("R-2", LABEL, claim(closed_at=moment(20)), "its claim of label generic/TR-1 is kept with another closing than its history says"),
        ("R-2", LABEL, claim(is_void=True), "its claim of label generic/TR-1 is kept as void, and is not"),
        ("R-3", OTHER, claim(is_void=False), "its claim of label generic/TR-2 is not kept as void, and is"),
        ("R-1", LABEL, window(None), "its window of label generic/TR-1 is kept otherwise than its history has it"),
        ("R-2", LABEL, window(Window(is_shared=True)), "its window of label generic/TR-1 is kept otherwise than its history has it"),
    ),
)  # fmt: skip
def test_a_claim_that_is_kept_otherwise_than_the_history_has_it_is_told_and_mended(
    whose: str, label: Label, damage: Damage, what: str
) -> None:
    journal = contested()
    before, states = (
        kept(journal),
        {name: journal.rows(name)[-1].entry.state.timeline for name in ("R-1", "R-2", "R-3", "R-4")},
    )
    assert mended(journal) == []
    rows = {name: windows(journal, name) for name in states}
    damage(journal, (label, journal.tables.returns[whose]))
    damaged = kept(journal)

    assert mended(journal, dry_run=True) == [f"{whose}: {what}"]
    assert kept(journal) == damaged
    assert mended(journal) == [f"{whose}: {what}"]

    assert journal.rows(whose)[-1].arrival == reassessed(whose, DEFAULT.mark, NOW)
    assert journal.tables.numbered[-1] == 1
    journal.sweep()
    assert kept(journal) == before
    assert {name: windows(journal, name) for name in states} == rows  # nothing of them is said once more
    assert {name: journal.rows(name)[-1].entry.state.timeline for name in states} == states
    assert mended(journal) == []


@pytest.mark.parametrize("whose", ("R-4", "a return that is gone"))
def test_a_claim_that_no_creation_names_is_told_and_stays_as_void(whose: str) -> None:
    journal = contested()
    number = journal.tables.returns.get(whose, 4711)
    journal.tables.claims[LABEL, number] = Claimed(moment(3), "acme", None)
    journal.tables.changed[LABEL, number] = journal.tables.made[LABEL, number] = 1

    said = mended(journal)

    name = whose if number != 4711 else "4711"
    assert said == [f"{name}: is kept as a claimant of label generic/TR-1, which no creation of it names"]
    assert journal.tables.claims[LABEL, number].is_void
    assert mended(journal) == []


def test_of_a_claim_that_no_creation_names_it_is_told_what_the_history_says_of_its_window() -> None:
    claimed, ends = Claimed(moment(3), "acme", None), Window(moment(40))

    (found,) = wrong_claims(Whole(), {LABEL: ends}, [HeldLabel(LABEL, claimed, ends, is_contested=True)])

    what = "is kept as a claimant of label generic/TR-1, which no creation of it names"
    assert found == Wrong(LABEL, what, claimed._replace(is_void=True), ends)


def test_a_label_that_is_the_return_s_alone_need_not_be_kept() -> None:
    journal = LabelJournal()
    journal.take(created("R-1", moment(1)))
    journal.sweep()

    assert journal.tables.claims == {}
    assert mended(journal) == []


def test_what_was_mended_already_is_not_mended_again() -> None:
    journal = contested()
    gone(journal, (LABEL, journal.tables.returns["R-2"]))
    as_looked_at = list(Histories(journal).returns())
    mended(journal)
    batches = journal.tables.batches

    class Before(Histories):
        def returns(self) -> Iterator[StoredReturn]:
            yield from as_looked_at

    said = list[str]()
    assert mend_claims(Before(journal), journal, NOW, dry_run=False, say=said.append) == 0
    assert (said, journal.tables.batches) == ([], batches)


def test_a_claim_is_not_mended_by_a_past_that_has_gone_on(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = contested()
    gone(journal, (LABEL, journal.tables.returns["R-2"]))
    damaged = kept(journal)

    def meanwhile(tx: Transaction, placed: Sequence[Placed], step: StepEnded) -> Appended:
        elsewhere = LabelJournal()
        elsewhere.tables = tx.tables  # type: ignore[attr-defined]
        elsewhere.take(event(DS, "ds", "12:00", return_id="R-2", hub="akl1"))
        tx.tables.history = elsewhere.tables.history  # type: ignore[attr-defined]
        return append(tx, placed, step)

    monkeypatch.setattr(mending, "append", meanwhile)
    with pytest.raises(Retryable, match="others appended"):
        mended(journal)
    assert kept(journal) == damaged


def test_it_tells_now_and_then_how_far_it_is_and_stops_when_it_is_told_to() -> None:
    journal = contested()
    gone(journal, (LABEL, journal.tables.returns["R-1"]))
    window(Window(is_shared=True))(journal, (LABEL, journal.tables.returns["R-2"]))
    stops, told = iter((False, True)), list[str]()

    assert len(mended(journal, should_stop=lambda: next(stops), tell=told.append)) == 1
    assert told == []

    (one,) = [each for each in Histories(journal).returns() if each.return_no == journal.tables.returns["R-2"]]

    class Many(Histories):
        others = 998

        def returns(self) -> Iterator[StoredReturn]:
            yield one
            yield from [StoredReturn(number, None, ()) for number in range(self.others)]

    many = Many(journal)
    mend_claims(many, journal, NOW, dry_run=True, say=lambda _: None, tell=told.append)
    assert told == []
    many.others = 999
    mend_claims(many, journal, NOW, dry_run=True, say=lambda _: None, tell=told.append)
    assert told == ["1,000 returns' claims looked at, 1 wrong"]


def test_the_last_word_of_a_history_on_a_window_is_believed() -> None:
    journal = contested()
    past = journal.past("R-1")

    assert windows_told(past) == {LABEL: journal.tables.told[LABEL, journal.tables.returns["R-1"]]}
    assert windows_told([]) == {}
    assert list(wrong_claims(journal.whole("R-1"), windows_told(past), [])) != []


@pytest.mark.parametrize("bound", ((), ("acme",)))
def test_a_scan_that_a_claimant_lacks_is_told_and_placed(bound: tuple[str, ...]) -> None:
    journal = LabelJournal()
    before, both = (scan(id_, moment(at), retailers=bound) for id_, at in (("before", 11), ("both", 12)))
    for document in (created("R-1", moment(8)), created("R-2", moment(9)), before, both):
        journal.take(document)
        journal.sweep()
    assert list(lacking(Histories(journal).contested(), DEFAULT)) == []
    lost = journal.tables.history[journal.tables.returns["R-2"]].pop()  # as a fault of the sweep left it once
    told = f"R-2: lacks scan both of {both['source']} of its label generic/TR-1"

    assert lost.entry.event.id == "both"
    assert [each.what for each in lacking(Histories(journal).contested(), DEFAULT)] == [told]
    assert mended(journal, dry_run=True) == [told]
    assert mended(journal) == [told]
    assert journal.tables.numbered[-1] == 0
    journal.sweep()

    assert lost.entry.event in [row.entry.event for row in journal.rows("R-2")]
    assert list(lacking(Histories(journal).contested(), DEFAULT)) == []
