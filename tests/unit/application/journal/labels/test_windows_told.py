"""What a return's history says of a label that another return claims, when, how often, and what it does not say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from unittest import mock

import msgspec
import pytest

from service.application.journal import sweep as sweeping
from service.application.journal.labels import spreading
from service.application.journal.sweep import sweep
from service.application.label_ports import Claimed
from service.application.ports import HistoryRow, WhileWaiting
from service.domain.labels import Label, Window
from service.domain.milestones import Milestone
from service.errors import Retryable
from service.wire.inbound import Inbound, SubjectKind
from service.wire.record import Record
from service.wire.rows.claimed import LABEL_CLAIMED, SOURCE
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


def told(journal: LabelJournal, return_id: str) -> list[Window]:
    """The windows that a history tells of, in its order."""
    return [each.window for each in journal.past(return_id) if each.window is not None]


def swept(*batches: Sequence[dict[str, object]]) -> LabelJournal:
    """The journal after each batch was taken in and swept."""
    journal = LabelJournal()
    for batch in batches:
        journal.take(*batch)
        journal.sweep()
    return journal


def test_a_history_says_of_another_s_claim_when_it_was_and_not_whose() -> None:
    journal = swept([created("R-1", moment(1))], [created("R-2", moment(40, 1), "zenith")])

    row = journal.rows("R-1")[-1]
    entry, said = row.entry, row.entry.event
    assert (entry.verdict, entry.reason) == ("informational", "label_claimed")
    assert (said.source, said.id, said.at, said.sense) == (SOURCE, "generic/TR-1@2", moment(40, 1), "informs")
    assert (said.label, said.window) == (LABEL, Window(moment(39, 1), is_shared=False, is_first=True))
    assert said.words.type == LABEL_CLAIMED
    assert msgspec.json.decode(row.arrival.inbound.data) == {
        "return_id": "R-1",
        "carrier": "generic",
        "tracking_number": "TR-1",
        "until": "2026-07-06T20:26:40.000001Z",
        "except": [],
        "shared": False,
        "first": True,
    }
    assert row.arrival.inbound == Inbound(SubjectKind.RETURN, "R-1", said, LABEL_CLAIMED, said.words.data)
    assert row.arrival.record == Record("", 0, 0, moment(40) // 1000, None, None)
    assert "zenith" not in row.arrival.inbound.data.decode()


def test_it_is_said_once_and_again_only_when_something_of_it_is_another() -> None:
    journal = swept([created("R-1", moment(1))], [created("R-2", moment(40))])
    assert (told(journal, "R-1"), told(journal, "R-2")) == ([Window(moment(39))], [])

    journal.take(created("R-1", moment(1), id="again"))
    journal.sweep()
    journal.take(created("R-3", moment(80)))
    journal.sweep()

    assert told(journal, "R-1") == [Window(moment(39))]
    assert told(journal, "R-2") == [Window(moment(79), is_first=False)]
    assert told(journal, "R-3") == []
    returns = journal.tables.returns
    assert journal.tables.told == {
        (LABEL, returns["R-1"]): Window(moment(39)),
        (LABEL, returns["R-2"]): Window(moment(79), is_first=False),
    }


def test_who_is_the_next_claimant_is_said_only_to_whom_it_matters() -> None:
    alone = swept([created("R-2", moment(40))], [created("R-1", moment(1)), closed("R-1", moment(5))])
    early = swept(
        [created("R-2", moment(40)), scan("early", moment(3))],
        [created("R-1", moment(1)), closed("R-1", moment(5))],
    )

    # Known first, it is told of its claim in any case.
    assert told(alone, "R-2") == told(early, "R-2") == [Window(is_first=False)]
    assert early.rows("R-2")[-1].entry.settled == ("before_label",)
    assert early.rows("R-1")[-1].entry.state.timeline.status is Milestone.RT

    # A third one, earlier than both, moves who is first.
    for journal, is_told in ((alone, False), (early, False)):
        before = told(journal, "R-1")
        journal.take(created("R-0", moment(-40)))
        journal.sweep()
        assert (told(journal, "R-1") != before) is is_told
    waits = swept([created("R-1", moment(1))], [created("R-2", moment(2)), scan("early", moment(-5))])
    waits.take(created("R-0", moment(-40)))
    waits.sweep()
    assert told(waits, "R-1")[-1] == Window(is_shared=True, is_first=False)
    assert waits.rows("R-1")[-1].entry.settled == ("before_label",)


def test_a_claim_of_the_return_that_was_known_first_is_written_down_as_its_creations_have_it() -> None:
    journal = swept([created("R-1", moment(3)), created("R-1", moment(2), id="earlier")])
    assert journal.tables.claims == {}

    journal.take(created("R-2", moment(40), "zenith"))
    journal.sweep()

    returns = journal.tables.returns
    assert journal.tables.claims == {
        (LABEL, returns["R-1"]): Claimed(moment(2), "acme", None),
        (LABEL, returns["R-2"]): Claimed(moment(40), "zenith", None),
    }


def test_a_claim_that_is_kept_moves_with_an_earlier_creation_although_nobody_else_claims_the_label() -> None:
    journal = swept([created("R-1", moment(18))], [closed("R-1", moment(20))], [created("R-1", moment(1), id="again")])

    assert journal.tables.claims == {(LABEL, journal.tables.returns["R-1"]): Claimed(moment(1), "acme", moment(20))}

    journal.take(created("R-1", moment(5), id="later"))
    assert journal.tables.claims == {(LABEL, journal.tables.returns["R-1"]): Claimed(moment(1), "acme", moment(20))}


def test_of_returns_that_are_closed_in_one_batch_each_claim_says_when() -> None:
    journal = swept([created("R-1", moment(3)), created("R-2", moment(4))])

    journal.take(closed("R-1", moment(5)), closed("R-2", moment(6)))
    journal.sweep()

    returns = journal.tables.returns
    ends = {number: journal.tables.claims[LABEL, returns[number]].closed_at for number in ("R-1", "R-2")}
    assert ends == {"R-1": moment(5), "R-2": moment(6)}


class Ordered(LabelTransaction):
    """That notes in which order it is written to."""

    order: list[str]

    def take_turn(self) -> None:
        self.order.append("turn")

    def join_claims(self, claims: Mapping[tuple[Label, int], Claimed]) -> None:
        self.order.append("claims")
        super().join_claims(claims)

    def append(self, rows: Sequence[HistoryRow]) -> bool:
        self.order.append("append")
        return super().append(rows)

    def append_contested(self, rows: Sequence[HistoryRow]) -> set[int]:
        assert super().append(rows)
        return set()


def transact(journal: LabelJournal, kind: type[Ordered]) -> list[str]:
    """Let the journal's transactions be of this kind; what happens in them."""
    order = list[str]()

    @contextmanager
    def transaction(while_waiting: WhileWaiting | None = None) -> Iterator[LabelTransaction]:
        del while_waiting
        tx = kind(journal, journal.tables)
        tx.order = order
        yield tx

    journal.transaction = transaction  # type: ignore[method-assign]
    return order


def test_the_sweep_has_the_turn_before_it_writes_a_claim_and_takes_none_where_no_label_is_contested() -> None:
    journal = swept([created("R-1", moment(3))])
    journal.take(created("R-2", moment(40)))
    order = transact(journal, Ordered)

    sweep(journal)
    assert order == ["turn", "claims", "turn", "append"]

    order.clear()
    journal.take(created("R-9", moment(1), number="TR-9"))
    while sweep(journal) is not None:
        pass
    assert "claims" not in order


class Contested(Ordered):
    """Somebody else appended to all of the returns, once."""

    def append(self, rows: Sequence[HistoryRow]) -> bool:
        del rows
        return False

    def append_contested(self, rows: Sequence[HistoryRow]) -> set[int]:
        self.order.append("contested")
        if self.order.count("contested") == 1:
            return {row.return_no for row in rows}
        return super().append_contested(rows)


def test_where_others_append_to_a_return_whose_window_moves_it_is_done_again() -> None:
    journal = swept([created("R-1", moment(3))])
    journal.take(created("R-2", moment(40)))
    transact(journal, Contested)

    with pytest.raises(Retryable, match="others appended"):
        sweep(journal)


def test_where_they_append_to_one_whose_window_stays_the_scan_is_decided_on_what_they_left() -> None:
    journal = swept([created("R-1", moment(3))], [created("R-2", moment(40))])
    journal.take(scan("s", moment(41)))
    transact(journal, Contested)

    outcome = sweep(journal)

    assert outcome is not None
    assert (outcome.conflicts, outcome.recorded) == (1, 1)
    assert journal.past("R-2")[-1].id == "s"


def test_so_many_events_are_placed_at_a_time_and_the_rest_by_the_next_sweeps() -> None:
    journal = swept([created("R-1", moment(1))], [created("R-2", moment(2))])
    journal.take(*(scan(f"s{n}", moment(3, n)) for n in range(5)))

    assert placed(journal, 4) == [4, 4, 2, 0]
    assert journal.tables.parked == {}
    assert [each.id for each in journal.past("R-1") if each.window is None][1:] == [f"s{n}" for n in range(5)]


@pytest.mark.parametrize(("limit", "found"), ((4, [4, 4, 4, 0]), (5, [6, 6, 0]), (6, [6, 6, 0]), (7, [8, 4, 0])))
def test_so_many_are_placed_of_several_labels_together(limit: int, found: list[int]) -> None:
    numbers = [f"TR-{n}" for n in range(3)]
    journal = swept(*([created(f"{which}-{n}", moment(1), number=n) for n in numbers] for which in "AB"))
    journal.take(*(scan(f"{n}-{each}", moment(3, each), number=n) for n in numbers for each in range(2)))

    assert placed(journal, limit) == found
    assert journal.tables.parked == {}
    for which, number in itertools.product("AB", numbers):
        its = [each.id for each in journal.past(f"{which}-{number}") if each.milestone is Milestone.RT]
        assert its == [f"{number}-0", f"{number}-1"]


def placed(journal: LabelJournal, limit: int) -> list[int]:
    """How many events each of the sweeps recorded."""
    found = list[int]()
    with mock.patch.object(sweeping, "EVENTS_A_SWEEP", limit):
        while (outcome := sweep(journal)) is not None:
            found.append(outcome.recorded)
    return found


@pytest.mark.parametrize(("labels", "claims"), ((2, 1000), (100, 4), (100, 3)))
def test_so_many_labels_and_claims_are_looked_at_and_the_turn_is_kept(labels: int, claims: int) -> None:
    journal, turns = LabelJournal(), list[str | None]()
    for which in "AB":
        journal.take(*(created(f"{which}-{n}", moment(1), number=f"TR-{n}") for n in range(5)))

    with mock.patch.multiple(spreading, LABELS_A_SWEEP=labels, CLAIMS_A_SWEEP=claims):
        while sweep(journal) is not None:
            turn = journal.tables.turn
            turns.append(None if turn is None else turn[1][1])

    # Of two labels at a time the windows are told, and then there is nothing left of them.
    assert turns[:5] == [None, "TR-1", "TR-1", "TR-3", "TR-3"]
    assert all(len(told(journal, f"{which}-{n}")) == 1 for which in "AB" for n in range(5))


@pytest.mark.parametrize("limit", (3, 4))
def test_many_labels_are_looked_at_some_at_a_time(limit: int) -> None:
    journal = LabelJournal()
    for n in range(3):
        journal.take(created(f"A-{n}", moment(1), number=f"TR-{n}"))
    journal.sweep()
    journal.take(*(created(f"B-{n}", moment(2), number=f"TR-{n}") for n in range(3)))
    found = list[int]()

    with mock.patch.object(sweeping, "EVENTS_A_SWEEP", limit):
        for _ in range(6):
            sweep(journal)
            found.append(sum(len(told(journal, f"{which}-{n}")) for which in "AB" for n in range(3)))

    assert found == [4, 6, 6, 6, 6, 6]
    assert sweep(journal) is None
    assert all(len(told(journal, f"{which}-{n}")) == 1 for which in "AB" for n in range(3))


def test_a_label_that_a_void_creation_named_gives_its_scans_to_whoever_claims_it() -> None:
    void = event(VOID, "v", "20:00", return_id="R-3", source="/test", id="theirs", by="ops", reason="no")
    theirs = created("R-3", moment(1), "zenith", id="theirs")
    ours = created("R-3", moment(2), "acme", "TR-3", id="ours")
    journal = swept([theirs, ours], [scan("s", moment(3))], [created("R-4", moment(2), "zenith")])
    assert journal.rows("R-3")[-1].entry.state.timeline.status is Milestone.RT

    journal.take(void)
    journal.sweep()

    assert journal.tables.claims[LABEL, journal.tables.returns["R-3"]].is_void
    assert journal.rows("R-3")[-1].entry.state.timeline.status is Milestone.RC
    assert journal.rows("R-4")[-1].entry.state.timeline.status is Milestone.RT
    assert told(journal, "R-4")[-1] == Window()


def test_a_scan_that_came_while_a_void_had_the_only_claim_is_placed_once_somebody_claims_the_label() -> None:
    void = event(VOID, "v", "20:00", return_id="R-3", source="/test", id="theirs", by="ops", reason="no")
    theirs = created("R-3", moment(1), "zenith", id="theirs")
    ours = created("R-3", moment(2), "acme", "TR-3", id="ours")
    journal = swept([theirs, ours], [void], [scan("s", moment(3))])
    assert [each.id for each in journal.past("R-3")][-1] == "v"
    assert len(journal.tables.parked) == 1

    journal.take(created("R-4", moment(2), "zenith"))
    journal.sweep()

    assert journal.tables.parked == {}
    assert journal.rows("R-4")[-1].entry.state.timeline.status is Milestone.RT


def test_of_a_window_that_ends_scans_go_over_to_the_next_and_stay_where_they_were_as_nothing() -> None:
    journal = swept(
        [created("R-1", moment(1)), scan("old", moment(2)), scan("new", moment(45))], [created("R-2", moment(40))]
    )

    assert [each.id for each in journal.past("R-2") if each.window is None] == ["R-2-rc", "new"]
    assert journal.rows("R-1")[-1].entry.state.timeline.counts[Milestone.RT].id == "old"
    assert "new" in [each.id for each in journal.past("R-1")]
    assert journal.rows("R-2")[-1].entry.state.timeline.counts[Milestone.RT].id == "new"
    assert told(journal, "R-1") == [Window(moment(39))]
