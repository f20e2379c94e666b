"""What one event more adds to what is known, and where that does not suffice: at every bound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.events import Effect, Event, Sense
from service.domain.evidence import (
    BACK,
    BEFORE_LABEL,
    CONFLICT,
    EARLY,
    NO_EVIDENCE,
    REUSED,
    SHARED,
    UNCLAIMED,
    UNCREATED,
    VOIDS_UNLISTED,
    WINDOWED,
    Against,
    Evidence,
    add,
    against_delivery,
    is_doubtful,
    needs_past,
)
from service.domain.journey import replay
from service.domain.labels import Retailers
from service.domain.milestones import Milestone, Reason, Verdict
from service.domain.rules import DEFAULT
from service.domain.whole import gather
from tests.unit.domain.histories import ACME, DAY, OTHER, happened, story

CREATED = replay([happened("RC", 9 * DAY)]).evidence
LABEL = ("omniparcel", "OP2")
LEAD = DEFAULT.label_lead


def known(text: str = "", flags: int = 0) -> Evidence:
    """What is known of a return that was created, and of what else happened to it."""
    evidence = gather(story(f"RC@1 {text}"))
    return replace(evidence, flags=evidence.flags | flags)


def scan(at: int, retailers: Retailers = ()) -> Event:
    return replace(happened("RT", at), label=ACME.label, retailers=retailers)


def creation(at: int) -> Event:
    return happened("RC", at, id="again")


@pytest.mark.parametrize("flag", (CONFLICT, VOIDS_UNLISTED, UNCREATED))
def test_a_creation_that_says_the_same_asks_the_past_where_creations_differ_or_voids_of_them_may_be_heard(
    flag: int,
) -> None:
    assert needs_past(replace(CREATED, flags=flag), creation(10 * DAY))
    assert not needs_past(replace(CREATED, flags=REUSED), creation(10 * DAY))


@pytest.mark.parametrize("at", (9 * DAY - 1, 9 * DAY, 9 * DAY + 1))
@pytest.mark.parametrize(
    ("evidence", "may_move"),
    (
        pytest.param(CREATED, False, id="nothing else is known"),
        pytest.param(replace(CREATED, flags=BEFORE_LABEL), True, id="a scan is before the label"),
        pytest.param(replace(CREATED, flags=WINDOWED), True, id="others claim the label"),
        pytest.param(replace(CREATED, labels=(LABEL,)), True, id="it has several labels"),
        pytest.param(replace(CREATED, flags=SHARED), False, id="something else is known"),
    ),
)
def test_an_earlier_creation_asks_the_past_where_scans_may_be_the_returns_by_it(
    evidence: Evidence, may_move: bool, at: int
) -> None:
    assert needs_past(evidence, creation(at)) is (may_move and at <= 9 * DAY)


@pytest.mark.parametrize(
    ("evidence", "is_asked"),
    (
        (NO_EVIDENCE, False),
        (replace(NO_EVIDENCE, flags=REUSED), True),
        (replace(NO_EVIDENCE, earliest=replay(story("RC@1 RT@2")).evidence.earliest), True),
    ),
)
def test_the_first_creation_asks_the_past_where_anything_was_recorded_before_it(
    evidence: Evidence, is_asked: bool
) -> None:
    assert needs_past(evidence, creation(1)) is is_asked


@pytest.mark.parametrize(
    ("evidence", "event", "is_asked"),
    (
        pytest.param(known(), scan(2), False, id="of its label"),
        pytest.param(known(), replace(scan(2), label=("generic", "OP1")), True, id="of another carrier's"),
        pytest.param(known(), replace(scan(2), label=LABEL), True, id="of another number"),
        pytest.param(NO_EVIDENCE, scan(2), True, id="of a return that was not created"),
        pytest.param(known(flags=WINDOWED), scan(2), True, id="others claim the label"),
        pytest.param(replace(known(), labels=(LABEL,)), scan(2), True, id="it has several labels"),
        pytest.param(known(), scan(2, retailers=("acme",)), False, id="for its retailer's claims"),
        pytest.param(known(), scan(2, retailers=("zenith",)), True, id="for another retailer's claims"),
        pytest.param(known(), happened("RE", 2), False, id="the first export"),
        pytest.param(known("RE@1"), happened("RE", 2), True, id="a second export"),
        pytest.param(known(flags=EARLY), happened("RE", 2), True, id="an export after a delivery before any"),
        pytest.param(
            known(flags=UNCLAIMED), happened("RE", 2), True, id="an export after a delivery of another connote"
        ),
        pytest.param(known(flags=REUSED), happened("RE", 2), False, id="an export where something else is known"),
    ),
)
def test_whether_the_past_is_asked(evidence: Evidence, event: Event, is_asked: bool) -> None:
    assert needs_past(evidence, event) is is_asked


@pytest.mark.parametrize(
    ("evidence", "event", "is_in_doubt"),
    (
        pytest.param(CREATED, scan(9 * DAY), False, id="of the same time"),
        pytest.param(CREATED, scan(9 * DAY - LEAD), False, id="as much earlier as may be"),
        pytest.param(CREATED, scan(9 * DAY - LEAD - 1), True, id="too early"),
        pytest.param(replace(CREATED, flags=REUSED), scan(9 * DAY), False, id="something else is known"),
        pytest.param(replace(CREATED, flags=WINDOWED), scan(9 * DAY), True, id="others claim the label"),
        pytest.param(replace(CREATED, flags=UNCREATED), scan(9 * DAY), True, id="a creation is void"),
        pytest.param(replace(CREATED, labels=(LABEL,)), scan(9 * DAY), True, id="it has several labels"),
        pytest.param(CREATED, scan(9 * DAY, retailers=("acme",)), False, id="for its retailer's claims"),
        pytest.param(CREATED, scan(9 * DAY, retailers=("zenith",)), True, id="for another retailer's claims"),
        pytest.param(NO_EVIDENCE, scan(1, retailers=("acme",)), True, id="for a retailer's, of no return's label"),
        pytest.param(NO_EVIDENCE, scan(1), False, id="of a return that was not created"),
    ),
)
def test_whether_all_claims_of_the_label_are_to_be_looked_at(
    evidence: Evidence, event: Event, is_in_doubt: bool
) -> None:
    assert is_doubtful(evidence, event, DEFAULT) is is_in_doubt


@pytest.mark.parametrize(
    ("late", "against"),
    (
        (-DEFAULT.before_export - 1, Reason.BEFORE_EXPORT),
        (-DEFAULT.before_export, None),
        (DEFAULT.after_export, None),
        (DEFAULT.after_export + 1, Verdict.INFORMATIONAL),
    ),
)
def test_what_an_exports_time_has_against_a_delivery(late: int, against: Against) -> None:
    assert against_delivery(500 * DAY + late, 500 * DAY, DEFAULT) is against


@pytest.mark.parametrize("order", ((7, 8), (8, 7)))
def test_of_two_deliveries_the_earlier_one_stands(order: tuple[int, int]) -> None:
    evidence = known("RP@2 RE@3")
    for at in order:
        evidence, against = add(evidence, happened("RDBTC", at), DEFAULT)
        assert against is None

    assert evidence.earliest[Milestone.RDBTC].at == 7


def test_what_is_delivered_after_it_was_collected_again_is_not_at_the_senders() -> None:
    back = Event("s", "back", 2, Sense.INFORMS, effect=Effect.RETURNING)
    evidence = known()
    for event in (back, replace(happened("RT", 3), effect=Effect.COLLECTED)):
        evidence, _ = add(evidence, event, DEFAULT)

    assert add(replace(evidence, flags=evidence.flags | BACK), happened("RDTPF", 4), DEFAULT)[1] == "returned_to_sender"
    evidence, against = add(evidence, happened("RDTPF", 4), DEFAULT)
    assert against is None
    assert evidence.earliest[Milestone.RDTPF].at == 4


def test_creations_that_name_another_retailer_ask_the_past() -> None:
    assert needs_past(CREATED, happened("RC", 10 * DAY, attributes=OTHER))
