"""What a check says of a scan whose label several returns claim: those of them that ingestion would give it to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.access.within import state_within
from service.application.commands.accepting import Accepting, Concerned, InputMessage
from service.domain.journey import State
from service.domain.labels import Retailers, Windows
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser, SubjectKind
from service.wire.inbound import label as name_of
from tests.unit.application.access.test_bounds import bounds
from tests.unit.application.journal.labels.kept import LabelJournal, came, created, moment, scan

PARSER = Parser(CarrierTables.load())
NOWHERE: list[InputMessage] = []


class Claimants:
    """`Subjects` of a journal in memory: the returns that claim a label."""

    def __init__(self, journal: LabelJournal) -> None:
        self._journal = journal

    def states(self, bounds: Bounds, kind: SubjectKind, subject: str, limit: int) -> Sequence[tuple[str, State]]:
        assert kind is SubjectKind.LABEL
        tables = self._journal.tables
        void = {no for (label, no), claimed in tables.claims.items() if name_of(*label) == subject and claimed.is_void}
        claim = {no for label, no in tables.claims if name_of(*label) == subject} | {tables.labels[subject]}
        names = [name for name, number in tables.returns.items() if number in claim - void]
        found = [(name, state_within(bounds, self._journal.rows(name)[-1].entry.state)) for name in names]
        return [(name, state) for name, state in found if state is not None][:limit]

    def windows(self, return_ids: Sequence[str]) -> dict[str, Windows]:
        return {
            name: {
                (each.label, each.bound): each.window
                for each in self._journal.past(name)
                if each.label is not None and each.window is not None
            }
            for name in return_ids
        }


ACME, ZENITH, BOTH, ANY = ("acme",), ("zenith",), ("acme", "zenith"), ()


@pytest.fixture
def journal() -> LabelJournal:
    """An acme return, one of zenith that names its label while it has it, and one that begins it anew from day 40 on."""
    journal = LabelJournal()
    journal.take(created("R-1", moment(9)))
    journal.take(*(scan(f"s-{'+'.join(its)}", moment(45), retailers=its) for its in (ACME, ZENITH, BOTH, ANY)))
    journal.sweep()
    for return_id, day in (("R-2", 41), ("R-3", 21)):
        journal.take(created(return_id, moment(day), "zenith"))
        journal.sweep()
    return journal


def concerned(journal: LabelJournal, said: dict[str, Any], limit: int = 10, bound: Bounds = UNBOUND) -> list[Concerned]:
    (arrival,) = came(said)
    return Accepting(PARSER, {}, NOWHERE.extend, Claimants(journal)).concerned(bound, arrival.inbound, limit)


@pytest.mark.parametrize(
    ("retailers", "until_40", "from_40"),
    (
        (ANY, ["R-1"], ["R-2", "R-3"]),
        (BOTH, ["R-1"], ["R-2", "R-3"]),
        (ACME, ["R-1"], ["R-1"]),
        (ZENITH, ["R-3"], ["R-2", "R-3"]),
    ),
)
@pytest.mark.parametrize("day", (0, 8, 9, 20, 21, 22, 40, 41, 42, 45))
@pytest.mark.parametrize("micros", (-1, 0))
def test_a_scan_concerns_those_in_whose_window_it_falls(
    journal: LabelJournal, retailers: Retailers, until_40: list[str], from_40: list[str], day: int, micros: int
) -> None:
    at = moment(day, micros)
    said = scan("now", at, retailers=retailers)

    found = concerned(journal, said)

    journal.take(said)
    journal.sweep()
    expected = from_40 if at >= moment(40) else until_40
    assert [name for name in journal.tables.returns if "now" in {each.id for each in journal.past(name)}] == expected
    assert found == [Concerned(return_id, None, None, None) for return_id in expected]


@pytest.mark.parametrize(("day", "expected"), ((7, "R-1"), (15, "R-1"), (38, "R-1"), (39, "R-2"), (50, "R-2")))
def test_of_a_number_that_begins_anew_a_scan_is_the_first_ones_until_then(day: int, expected: str) -> None:
    """The history of the newest says nothing of those before it."""
    journal = LabelJournal()
    for return_id, begun in (("R-1", 9), ("R-2", 40)):
        journal.take(created(return_id, moment(begun)))
        journal.sweep()
    said = scan("now", moment(day))

    found = concerned(journal, said)

    journal.take(said)
    journal.sweep()
    assert [name for name in ("R-1", "R-2") if "now" in {each.id for each in journal.past(name)}] == [expected]
    assert [each.return_id for each in found] == [expected]


def test_of_those_that_claim_a_label_so_many_are_looked_at(journal: LabelJournal) -> None:
    assert concerned(journal, scan("now", moment(45)), limit=2) == [Concerned("R-2", None, None, None)]


def test_a_token_learns_of_those_within_its_bounds_alone(journal: LabelJournal) -> None:
    zenith = bounds("zenith")

    everybodys, acmes = scan("now", moment(39)), scan("now", moment(39), retailers=ACME)

    assert concerned(journal, everybodys, bound=bounds("acme")) == [Concerned("R-1", None, None, None)]
    assert concerned(journal, everybodys, bound=zenith) == concerned(journal, acmes, bound=zenith) == []
