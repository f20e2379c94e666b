"""What the sweep makes of several returns that claim a label, whatever comes first: whose the scans are, as the contract says."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.application.journal import sweep as sweeping
from service.application.journal.labels import spreading
from service.application.journal.labels.held import windows_told, wrong_claims
from service.application.journal.labels.lacking import lacking
from service.application.label_ports import ScanPlace
from service.domain.exceptional import reasons
from service.domain.journey import State
from service.domain.milestones import Milestone, Reason
from service.domain.rules import DEFAULT
from service.domain.whole import Whole
from tests.support import oracle
from tests.support.thorough import IS_ON
from tests.unit.application.journal.labels.kept import (
    DAY,
    LabelJournal,
    LabelTransaction,
    closed,
    created,
    held_scans,
    moment,
    scan,
)
from tests.unit.domain.histories import QUICK, THOROUGH

# A day or a month apart, and a little more or less.
_TIMES = st.builds(moment, st.sampled_from((10, 11, 12, 39, 40, 41, 70)), st.integers(-1, 1))


class Told(NamedTuple):
    """A return's claim, or a scan; and what is published of it."""

    documents: list[dict[str, Any]]
    at: int
    retailer: str = ""
    closed_at: int | None = None
    code: str = ""
    bound: tuple[str, ...] = ()  # retailers for whose claims alone a scan counts


@st.composite
def told(draw: st.DrawFn) -> tuple[list[Told], list[Told]]:
    """Claims and scans of one label."""
    claims, scans = list[Told](), list[Told]()
    for number in range(draw(st.integers(1, 4))):
        at, retailer, end = draw(_TIMES), draw(st.sampled_from(("acme", "zenith"))), draw(st.none() | _TIMES)
        documents = [created(f"R-{number}", at, retailer)]
        if draw(st.booleans()):  # other labels of its own
            documents += [
                created(f"R-{number}", draw(_TIMES), retailer, f"OWN-{number}-{n}", id=f"R-{number}-own-{n}")
                for n in range(draw(st.sampled_from((1, 2, 8))))
            ]
        if end is not None:
            documents.append(closed(f"R-{number}", end))
        if draw(st.booleans()):  # another creation, later or earlier, that names it too
            again = draw(_TIMES)
            documents.append(created(f"R-{number}", again, retailer, id=f"R-{number}-again"))
            at = min(at, again)
        claims.append(Told(documents, at, retailer, end))
    for number in range(draw(st.integers(0, 4))):
        at, code = (
            draw(_TIMES) + draw(st.sampled_from((-40 * DAY, -DAY, 0, 1))),
            draw(st.sampled_from(("COLLECTED", "COLLECTED", "?"))),
        )
        bound = draw(st.sampled_from(((), (), ("acme",), ("zenith",), ("acme", "zenith"))))
        scans.append(Told([scan(f"s{number}", at, code, retailers=bound)], at, code=code, bound=bound))
    return claims, scans


def recorded(data: st.DataObject, documents: list[dict[str, Any]]) -> LabelJournal:
    """The journal after these in any order, batch by batch, with sweeps between."""
    journal, order = LabelJournal(), data.draw(st.permutations(documents))
    splits = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    sweeps = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    batch = list[dict[str, Any]]()
    for document, is_last, is_swept in zip(order, splits, sweeps, strict=True):
        batch.append(document)
        if is_last:
            journal.take(*batch)
            batch = []
            if is_swept:
                journal.sweep()
    journal.take(*batch)
    journal.sweep()
    return journal


# Each of the last two faults that it met showed once in thousands.
@pytest.mark.shared_out
@settings(THOROUGH, max_examples=5000 if IS_ON else QUICK.max_examples)
@given(st.data(), told(), st.sampled_from((1, 2, 5000)), st.sampled_from((1, 16)))
def test_in_any_order_each_return_has_the_scans_that_concern_it(
    data: st.DataObject, of_label: tuple[list[Told], list[Told]], limit: int, batches: int
) -> None:
    claims, scans = of_label
    documents = [document for each in (*claims, *scans) for document in each.documents]

    with mock.patch.multiple(sweeping, EVENTS_A_SWEEP=limit, BATCHES_A_SWEEP=batches):
        journal = recorded(data, documents)

    retailers = {claim.retailer for claim in claims}
    left = {f"s{n}" for n, each in enumerate(scans) if each.bound and not retailers.intersection(each.bound)}
    assert {arrival.inbound.event.id for arrival in journal.tables.parked.values()} == left
    numbers = [journal.tables.returns[f"R-{number}"] for number in range(len(claims))]
    as_told = [oracle.Claim(c.at, no, c.retailer, c.closed_at) for c, no in zip(claims, numbers, strict=True)]
    for claim in as_told:
        state = journal.tables.history[claim.return_no][-1].entry.state
        assert_its_own(claim, as_told, scans, state)
    assert list(lacking(held_scans(journal), DEFAULT)) == []
    for number in range(len(claims)):
        assert_kept(journal, f"R-{number}")


def assert_its_own(claim: oracle.Claim, claims: list[oracle.Claim], scans: list[Told], state: State) -> None:
    its, early, unknown = list[tuple[int, str, str]](), set[bool](), False
    for number, each in enumerate(scans):
        theirs, is_before = oracle.concerns(each.at, claims, each.bound)
        if claim.return_no in theirs and each.code == "?":
            unknown = True
        elif claim.return_no in theirs:
            early.add(is_before)
            its += [] if is_before else [(each.at, each.documents[0]["source"], f"s{number}")]
    seen, given_now = state.timeline.counts.get(Milestone.RT), reasons(state.evidence, state.timeline)
    assert (None if seen is None else (seen.at, seen.source, seen.id)) == min(its, default=None)
    assert (Reason.BEFORE_LABEL in given_now) == (True in early)
    assert (Reason.UNKNOWN_CODE in given_now) == unknown
    assert (Reason.TRACKING_NUMBER_IN_USE in given_now) == oracle.overlaps(claim, claims)


def assert_kept(journal: LabelJournal, return_id: str) -> None:
    """What is kept of its claims is what its history says."""
    past = journal.past(return_id)
    whole = Whole(past)
    with journal.transaction() as tx:
        held = tx.held_labels(journal.tables.returns[return_id], [label for label, _ in whole.claims()])
    assert list(wrong_claims(whole, windows_told(past), held)) == []


@pytest.mark.parametrize("events", (1, 3, 5000))
@pytest.mark.parametrize(("labels", "claims"), ((1, 1000), (2, 1000), (100, 1), (100, 3), (100, 1000)))
def test_however_little_a_sweep_looks_at_each_return_of_many_labels_has_its_scans(
    events: int, labels: int, claims: int
) -> None:
    journal, numbers = LabelJournal(), [f"TR-{n}" for n in range(5)]
    journal.take(*(created(f"R-1-{number}", moment(10), number=number) for number in numbers))
    journal.take(*(created(f"R-2-{number}", moment(11), number=number) for number in numbers))
    journal.take(*(scan(f"s-{at}-{number}", moment(at), number=number) for number in numbers for at in (12, 13)))
    journal.take(scan("late", moment(14), number=numbers[0]))

    with (
        mock.patch.multiple(sweeping, EVENTS_A_SWEEP=events),
        mock.patch.multiple(spreading, LABELS_A_SWEEP=labels, CLAIMS_A_SWEEP=claims),
    ):
        journal.sweep()

    assert journal.tables.parked == {}
    assert (journal.tables.turn is None) == (labels > len(numbers) and claims == 1000)
    for whose, number in itertools.product(("R-1", "R-2"), numbers):
        its = {f"s-12-{number}", f"s-13-{number}"} | ({"late"} if number == numbers[0] else set())
        assert {event.id for event in journal.past(f"{whose}-{number}") if event.window is None} >= its
    assert list(lacking(held_scans(journal), DEFAULT)) == []


def test_what_histories_have_of_a_label_with_many_claims_is_read_once_a_claim_and_turn() -> None:
    many, asked = 40, Counter[int]()
    journal, read = LabelJournal(), LabelTransaction.scan_places

    def counted(self: LabelTransaction, return_no: int, *where: Any) -> Iterator[ScanPlace]:
        asked[return_no] += 1
        return read(self, return_no, *where)

    with mock.patch.object(LabelTransaction, "scan_places", counted):
        journal.take(*(created(f"R-{n}", moment(10, n), "acme") for n in range(many)))
        journal.take(scan("s0", moment(12)))
        journal.sweep()

    assert journal.sweeps < 10
    assert max(asked.values()) <= journal.sweeps
    assert all(rows[-1].entry.state.timeline.status is Milestone.RT for rows in journal.tables.history.values())
