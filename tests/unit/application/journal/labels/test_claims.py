"""Which claims a creation makes or moves, and when that is found out from all of a return's creations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from service.application.journal.labels import claims
from service.application.label_ports import Claimed
from service.application.ports import Arrival, HistoryRow
from service.domain.events import Attributes, Event, Sense, Words
from service.domain.evidence import MAX_LABELS
from service.domain.journey import record, replay
from service.domain.labels import Label
from service.domain.milestones import Milestone, Route
from service.domain.rules import DEFAULT
from service.domain.whole import Whole

RETURN_NO = 7


def creation(number: int, at: int) -> Event:
    """One that names label `number`."""
    attributes = Attributes("acme", Route.OMNIRPS, "generic", f"TR-{number}")
    words = Words("rc", f"{number}/{at}".encode())
    return Event("/portal", f"{number}-{at}", at, Sense.ASSERTS, Milestone.RC, attributes=attributes, words=words)


def label(number: int) -> Label:
    return "generic", f"TR-{number}"


class Kept:
    """`ports.Transaction` that keeps what of claims is written, and knows a past."""

    rules = DEFAULT

    def __init__(self, past: list[Event]) -> None:
        self._past = past
        self.joined: Mapping[Any, Claimed] = {}
        self.exact: Mapping[Any, Claimed] = {}

    def past(self, return_nos: Collection[int]) -> dict[int, list[Event]]:
        assert [*return_nos] == [RETURN_NO]
        return {RETURN_NO: self._past}

    def join_claims(self, claims: Mapping[Any, Claimed]) -> None:
        self.joined = claims

    def set_claims(self, claims: Mapping[Any, Claimed]) -> None:
        self.exact = claims


def joined(known: list[Event], event: Event, *, is_taken: bool = True) -> Kept:
    """What is kept of the claims when this comes to what is known."""
    state = replay(known)
    entry = record(state, event, Whole([*known, event]))
    assert entry is not None
    rows = [HistoryRow(RETURN_NO, entry, cast("Arrival", None))]
    tx = Kept(known)
    taken = [(RETURN_NO, event.source, event.id)] if is_taken else []
    claims.join(cast("Any", tx), rows, rows, {RETURN_NO: state}, taken)
    return tx


@pytest.mark.parametrize("others", (1, 2, MAX_LABELS - 1))
def test_a_label_that_a_later_creation_named_is_claimed_from_the_earliest_that_does(others: int) -> None:
    known = [creation(n, 100 + n) for n in range(others + 1)]
    # Of a label beside the first the state has no time: this one came earlier, or not.
    for at, claimed in ((50, 50), (500, 101)):
        tx = joined(known, creation(1, at))

        assert tx.joined == {}
        assert tx.exact[label(1), RETURN_NO] == Claimed(claimed, "acme", None)
        assert tx.exact.keys() == {(label(n), RETURN_NO) for n in range(others + 1)}


@pytest.mark.parametrize("others", (0, 1, 3, MAX_LABELS - 2))
def test_a_label_that_none_of_few_named_is_claimed_from_this_one(others: int) -> None:
    tx = joined([creation(n, 100 + n) for n in range(others + 1)], creation(90, 500))

    assert (tx.joined, tx.exact) == ({(label(90), RETURN_NO): Claimed(500, "acme", None)}, {})


def test_of_so_many_labels_the_state_does_not_name_all() -> None:
    known = [creation(n, 100 + n) for n in range(MAX_LABELS)]

    tx = joined(known, creation(90, 500))

    assert tx.joined == {}
    assert tx.exact.keys() == {*((label(n), RETURN_NO) for n in range(MAX_LABELS)), (label(90), RETURN_NO)}


@pytest.mark.parametrize("others", (0, 1, MAX_LABELS - 1))
def test_of_the_first_label_the_time_is_known(others: int) -> None:
    known = [creation(n, 100 + n) for n in range(others + 1)]

    assert joined(known, creation(0, 50), is_taken=False).joined == {(label(0), RETURN_NO): Claimed(50, "acme", None)}
    for behind in (creation(0, 500), replace(creation(0, 100), id="at the same time")):
        later = joined(known, behind, is_taken=False)
        assert (later.joined, later.exact) == ({}, {})


def test_a_claim_that_is_void_says_too_when_its_return_was_closed() -> None:
    ours, theirs = creation(0, 100), creation(1, 200)
    theirs = replace(theirs, attributes=theirs.attributes and theirs.attributes._replace(retailer="zenith"))
    void = Event("/ops", "v", 300, Sense.VOIDS, voids=(theirs.source, theirs.id))
    closed = Event("/ops", "c", 400, Sense.CLOSES, because="lost")

    assert claims.of_whole(Whole([ours, theirs, void, closed]), RETURN_NO) == {
        (label(0), RETURN_NO): Claimed(100, "acme", 400),
        (label(1), RETURN_NO): Claimed(200, "zenith", 400, is_void=True),
    }
