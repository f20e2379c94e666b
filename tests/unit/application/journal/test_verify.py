"""`verify` finds nothing wrong with what was recorded, and everything that was done to it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.application.journal.labels.lacking import HeldScans
from service.application.journal.verify import Checked, StoredReturn, StoredRow, check, verify
from service.domain.changes import Change
from service.domain.events import Event, Sense
from service.domain.evidence import Sighting
from service.domain.milestones import Kind, Milestone, Reason, Verdict
from service.domain.rules import DEFAULT, EARLIEST
from service.domain.timeline import UNKNOWN, decide
from tests.unit.domain.histories import (
    ACME,
    DOMESTIC,
    QUICK,
    THOROUGH,
    Arrival,
    Played,
    happened,
    in_order,
    not_understood,
    play,
    recordings,
    reloaded,
    story,
    void,
)

Rows = Sequence[StoredRow]


def stored_rows(played: Played) -> list[StoredRow]:
    entries = [step.entry for step in played.steps]
    return [
        StoredRow(e.state.seq, e.event, e.verdict, e.reason, e.changes, reloaded(e.state), e.raised, e.settled)
        for e in entries
    ]


def complaints(rows: Rows, return_id: str | None = "TK1") -> list[str]:
    return list(check(StoredReturn(1, return_id, rows), DEFAULT, set()))


@THOROUGH
@given(recordings())
def test_a_recorded_history_has_no_difference(played: Played) -> None:
    assume(played.steps)

    assert complaints(stored_rows(played)) == []


Damage = Callable[[StoredRow], StoredRow]


def in_row(**values: Any) -> Damage:
    return lambda row: row._replace(**values)


def in_state(**values: Any) -> Damage:
    return lambda row: row._replace(state=replace(row.state, **values))


def in_evidence(**values: Any) -> Damage:
    def damage(row: StoredRow) -> StoredRow:
        evidence = replace(row.state.evidence, **values)
        return row._replace(state=replace(row.state, evidence=evidence, timeline=decide(evidence)))

    return damage


def in_changes(field: str, *values: Any) -> Damage:
    """Another value in the last change, the first of `values` that it has not already."""

    def damage(row: StoredRow) -> StoredRow:
        *others, last = row.changes
        value = next(value for value in values if value != getattr(last, field))
        return row._replace(changes=(*others, replace(last, **{field: value})))

    return damage


SOME_CHANGE: Final = Change(1, Kind.REACHED, Milestone.RC, 1, None, ("s", "x"), Milestone.RC, None, complete=False)


def _otherwise(seen: bytes) -> bytes:
    return seen[:-1] + bytes([seen[-1] ^ 1])


ANYWHERE: Final[dict[str, Damage]] = {
    "another verdict": lambda row: row._replace(verdict="held" if row.verdict != "held" else "advanced"),
    "no verdict": in_row(verdict=""),
    "a verdict with another status": lambda row: row._replace(verdict=f"{row.verdict} with status RC"),
    "another reason": lambda row: row._replace(reason="voided" if row.reason != "voided" else "unknown_code"),
    "a later version": lambda row: row._replace(state=replace(row.state, version=row.state.version + 1)),
    "a version that did not move": lambda row: row._replace(state=replace(row.state, version=row.state.version - 1)),
    "a state of another row": lambda row: row._replace(state=replace(row.state, seq=row.state.seq + 1)),
    "an event forgotten": lambda row: row._replace(state=replace(row.state, seen=row.state.seen[:-8])),
    "another event seen": lambda row: row._replace(state=replace(row.state, seen=_otherwise(row.state.seen))),
    "an event voided": lambda row: row._replace(state=replace(row.state, voided=row.state.voided | {b"01234567"})),
    "an earlier milestone in the state": in_evidence(earliest={Milestone.RC: Sighting(-1, "s", "x", None)}),
    "no milestone in the state": in_evidence(earliest={}),
    "a delivery in the state": in_evidence(earliest={Milestone.RDBTC: Sighting(0, "s", "x", None)}),
    "another flag in the state": lambda row: in_evidence(flags=row.state.evidence.flags ^ 1)(row),
    "a later scan in the state": lambda row: in_evidence(moved=row.state.evidence.moved + 1)(row),
    "an exception too many": lambda row: row._replace(raised=(*row.raised, Reason.OTHER_CONNOTE)),
    "an exception settled too many": lambda row: row._replace(settled=(*row.settled, Reason.OTHER_CONNOTE)),
    "another connote in the state": in_evidence(connote="CN-Z"),
    "other attributes in the state": in_evidence(attributes=ACME._replace(retailer="somebody else")),
    "a timeline that does not follow": in_state(timeline=replace(UNKNOWN, status=Milestone.DS)),
    "another event's id": lambda row: row._replace(event=replace(row.event, id="another")),
    "another event's source": lambda row: row._replace(event=replace(row.event, source="another")),
    "a change too many": lambda row: row._replace(changes=(*row.changes, SOME_CHANGE)),
}
WHERE_SOMETHING_CHANGED: Final[dict[str, Damage]] = {
    "no change": in_row(changes=()),
    "a change lost": lambda row: row._replace(changes=row.changes[1:]),
    "a change of another kind": in_changes("kind", *Kind),
    "a change of another milestone": in_changes("milestone", *Milestone),
    "a change of another version": in_changes("version", 98, 99),
    "a change at another time": in_changes("occurred_at", 98, 99),
    "a change elsewhere": in_changes("location", {"name": "elsewhere"}),
    "a change by another": in_changes("cause", ("another", "one")),
    "a change to another status": in_changes("status", *Milestone),
    "a change from another status": in_changes("previous_status", *Milestone),
    "a change with another end": in_changes("complete", True, False),
}


@QUICK
@given(st.data(), recordings(), st.sampled_from(list(ANYWHERE)))
def test_damage_to_any_row_is_found(data: st.DataObject, played: Played, what: str) -> None:
    rows = stored_rows(played)
    assume(rows)
    at = data.draw(st.integers(0, len(rows) - 1))

    rows[at] = ANYWHERE[what](rows[at])

    assert complaints(rows) != []


def rich_history() -> list[StoredRow]:
    """Every verdict and every kind of change once at least."""
    scan = happened("RT", 2, id="scan")
    events = [
        *story("RC@1"),
        not_understood(scan),
        *story("DS@4 DS@3 RE@7 RDBTC@9 RP@5 RR@8 RR@6"),
        Event("carrier", "attempt", 3, Sense.INFORMS),
        void(("s", "RR@6")),
        *story("RE@6/CN-B RP@4"),
        void(("s", "RDBTC@9")),
        *story("RE@9/CN-C"),
        Event("portal", "end", 10, Sense.CLOSES, because="lost"),
        Event("portal", "again", 11, Sense.REOPENS),
    ]
    return stored_rows(play([*in_order(events), Arrival(scan, remap=True)]))


def test_the_rich_history_has_every_verdict_and_kind_and_no_difference() -> None:
    rows = rich_history()

    assert {row.verdict for row in rows} == set(Verdict)
    assert {change.kind for row in rows for change in row.changes} == set(Kind)
    assert complaints(rows) == []


@pytest.mark.parametrize("what", (*ANYWHERE, *WHERE_SOMETHING_CHANGED))
def test_damage_to_each_row_of_a_rich_history_is_found(what: str) -> None:
    damage = ANYWHERE.get(what) or WHERE_SOMETHING_CHANGED[what]
    rows = rich_history()
    for at, row in enumerate(rows):
        if what in ANYWHERE or row.changes:
            damaged = [*rows[:at], damage(row), *rows[at + 1 :]]

            assert complaints(damaged) != [], f"row {at + 1}"


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_that_the_events_do_not_give_is_found(reason: Reason) -> None:
    rows = rich_history()
    for at, row in enumerate(rows):
        if reason != row.reason:
            damaged = [*rows[:at], row._replace(reason=reason), *rows[at + 1 :]]

            assert complaints(damaged) != [], f"row {at + 1}"


def test_a_label_in_use_was_a_creation_s_own_reason_by_the_rules_of_before() -> None:
    first, *others = stored_rows(play(in_order(story("RC@1"))))
    before = first._replace(reason=Reason.TRACKING_NUMBER_IN_USE, state=replace(first.state, rules=2))

    assert complaints([before, *others]) == []


@pytest.mark.parametrize(
    "values",
    (
        pytest.param({"at": 0}, id="its time"),
        pytest.param({"location": {"name": "elsewhere"}}, id="its place"),
        pytest.param({"milestone": Milestone.DS}, id="its milestone"),
        pytest.param({"attributes": DOMESTIC, "connote": "CN-Z"}, id="what else it says"),
        pytest.param({"sense": Sense.INFORMS, "milestone": None}, id="its sense"),
    ),
)
@pytest.mark.parametrize("at", range(4))
def test_damage_to_an_event_that_counts_is_found(at: int, values: dict[str, Any]) -> None:
    rows = stored_rows(play(in_order(story("RC@1 RP@5 RE@6 RDBTC@7"))))
    if rows[at].event.milestone is Milestone.RP and "attributes" in values:
        return  # a processing says nothing else

    rows[at] = rows[at]._replace(event=replace(rows[at].event, **values))

    assert complaints(rows) != []


def renumbered(rows: Rows) -> list[StoredRow]:
    return [row._replace(seq=n, state=replace(row.state, seq=n)) for n, row in enumerate(rows, start=1)]


@QUICK
@given(st.data(), recordings(), st.booleans())
def test_a_missing_row_is_found(data: st.DataObject, played: Played, covered_up: bool) -> None:
    rows = stored_rows(played)
    assume(len(rows) > 1)
    del rows[data.draw(st.integers(0, len(rows) - 2))]  # without the last one it is what it was an event ago

    assert complaints(renumbered(rows) if covered_up else rows) != []


def test_a_missing_row_is_named() -> None:
    first, _, *others = rich_history()

    assert complaints([first, *others]) == ["row 2 is missing"]


@QUICK
@given(st.data(), recordings(), st.booleans())
def test_rows_in_each_other_s_place_are_found(data: st.DataObject, played: Played, covered_up: bool) -> None:
    rows = stored_rows(played)
    assume(len(rows) > 1)
    one = data.draw(st.integers(0, len(rows) - 2))
    other = data.draw(st.integers(one + 1, len(rows) - 1))
    rows[one], rows[other] = rows[other], rows[one]

    assert complaints(renumbered(rows) if covered_up else rows) != []


@QUICK
@given(st.data(), recordings(), st.booleans())
def test_a_row_twice_is_found(data: st.DataObject, played: Played, covered_up: bool) -> None:
    rows = stored_rows(played)
    assume(rows)
    rows.insert(data.draw(st.integers(0, len(rows))), data.draw(st.sampled_from(rows)))

    assert complaints(renumbered(rows) if covered_up else rows) != []


def test_a_function_that_forgets_an_event_is_found_by_the_set_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rich_history()
    monkeypatch.setattr("service.application.journal.verify.decide", lambda _: UNKNOWN)

    assert complaints(rows) == ["the timeline is not that of the set of events"]


def test_a_history_without_its_return_and_a_return_without_its_history_are_found() -> None:
    assert complaints(rich_history(), return_id=None) == ["has a history and no return"]
    assert complaints([]) == ["has no history"]


class FakeHistories:
    def __init__(self, *returns: StoredReturn, strays: Sequence[str] = (), misread: Sequence[str] = ()) -> None:
        self._returns, self._strays, self._misread = returns, strays, misread

    rules = DEFAULT

    def returns(self) -> Iterator[StoredReturn]:
        return iter(self._returns)

    def contested(self) -> Iterator[HeldScans]:
        return iter(())

    def strays(self) -> Iterator[str]:
        return iter(self._strays)

    def misread(self) -> Iterator[str]:
        return iter(self._misread)


def by_earlier_rules(rows: Rows) -> list[StoredRow]:
    return [row._replace(state=replace(row.state, rules=EARLIEST), verdict="whatever it was") for row in rows]


def test_a_row_that_earlier_rules_decided_is_held_to_what_it_says_itself() -> None:
    rows = by_earlier_rules(rich_history())

    assert complaints(rows) == []
    assert complaints([*rows[:3], rows[3]._replace(changes=()), *rows[4:]]) != []
    assert complaints([rows[0], rows[1], rows[2]._replace(seq=4), *rows[3:]]) == ["row 3 is missing"]
    moved = replace(rows[2].state, version=rows[2].state.version + 1)
    assert complaints([*rows[:2], rows[2]._replace(state=moved), *rows[3:]]) != []


def test_what_today_s_rules_see_otherwise_is_told_with_the_remedy() -> None:
    rows = by_earlier_rules(stored_rows(play(in_order(story("RC@1 RP@5 RE@6 RDBTC@7")))))
    day = 86_400_000_000
    late = replace(rows[3].event, at=6 - 60 * day)

    assert complaints([*rows[:3], rows[3]._replace(event=late)]) == [
        "was decided by other rules, and today's say something else: run `returns-status reassess`"
    ]


def test_verify_names_the_return_and_counts_what_it_compared() -> None:
    rows = rich_history()
    histories = FakeHistories(StoredReturn(1, "TK1", rows), StoredReturn(2, "TK2", []), StoredReturn(3, None, rows))
    differences: list[str] = []

    checked = verify(histories, differences)

    assert checked == Checked(returns=3, events=2 * len(rows))
    assert differences == ["TK2: has no history", "3: has a history and no return"]


def test_verify_tells_strays_and_stops_telling_at_the_limit() -> None:
    histories = FakeHistories(StoredReturn(1, "TK1", []), strays=["one", "two"], misread=["three"])
    differences: list[str] = []

    verify(histories, differences, limit=2)

    assert differences == ["TK1: has no history", "one"]


def test_verify_tells_a_hundred_differences_where_nobody_says_how_many() -> None:
    strays, differences = [f"stray {n}" for n in range(101)], list[str]()

    verify(FakeHistories(strays=strays), differences)

    assert differences == strays[:100]


@pytest.mark.parametrize(
    ("damage", "what"),
    (
        (in_row(verdict="held"), "row 2: verdict is not what the events say"),
        (in_row(reason=Reason.VOIDED), "row 2: reason is not what the events say"),
        (in_row(changes=()), "row 2: changes is not what the events say"),
        (in_row(raised=(Reason.ID_REUSED,)), "row 2: exceptions is not what the events say"),
        (in_state(version=9), "row 2: state is not what the events say"),
        (in_state(rules=EARLIEST, seq=7), "row 2: its numbers do not follow upon those before it"),
        (in_state(rules=EARLIEST, version=9), "row 2: its changes are not those of its version"),
        (lambda row: in_state(rules=EARLIEST)(row)._replace(changes=()), "row 2: its version moved without a change"),
        (
            lambda row: in_changes("milestone", Milestone.DS)(in_state(rules=EARLIEST)(row)),
            "row 2: its changes do not lead to its state",
        ),
    ),
)
def test_what_is_wrong_with_a_row_is_told_in_words(damage: Damage, what: str) -> None:
    created, moved = stored_rows(play(in_order(story("RC@1 RT@2"))))

    assert complaints([created, damage(moved)])[0] == what
