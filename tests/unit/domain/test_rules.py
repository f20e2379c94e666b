"""Every rule by an example: the sentence is the test's name, the events stand in the order in which they arrive.

"RE@5/CN-B" is the export at time 5 under connote CN-B; without a name the connote is CN-A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.domain.events import Attributes, Event, Sense
from service.domain.evidence import ClaimsNeeded, PastNeeded
from service.domain.journey import NEW, Entry, State, re_evaluate, record, replay
from service.domain.milestones import ASSERTED_BY, NAMES, RANKED, Milestone, Reason
from service.domain.whole import Whole
from tests.unit.domain.histories import (
    ACME,
    DAY,
    DOMESTIC,
    OTHER,
    happened,
    in_order,
    key_of,
    not_understood,
    play,
    story,
    void,
)

ALL = "RC@1 RT@2 RDTPF@3 DS@4 RP@5 RE@6 RDBTC@7"


def last_entry(events: Sequence[Event], *, parks: bool = True) -> Entry:
    return play(in_order(events), parks=parks).steps[-1].entry


def counting(state: State) -> str:
    """As "RC@1 RT@2", in rank order."""
    return " ".join(f"{m}@{s.at}" for m, s in state.timeline.counts.items())


@pytest.mark.parametrize(
    ("events", "counts", "status", "complete"),
    (
        pytest.param("", "", None, False, id="without events nothing counts"),
        pytest.param("RT@2 DS@4 RP@5", "", None, False, id="without RC the return is unknown"),
        pytest.param("RR@2", "", None, False, id="without RC not even a rejection counts"),
        pytest.param("RE@6 RDBTC@7 RP@5", "", None, False, id="without RC an export and a delivery do not count"),
        pytest.param("RT@2 RC@3", "RC@3 RT@2", "RT", False, id="what was parked counts as soon as RC arrives"),
        pytest.param("RC@1", "RC@1", "RC", False, id="a label exists"),
        pytest.param(ALL, ALL, "RDBTC", True, id="on the route through a hub all seven count"),
        pytest.param("RC@9 RT@8 RDTPF@7 DS@6 RP@5", "RC@9 RT@8 RDTPF@7 DS@6 RP@5", "RP", False,
                     id="RT, RDTPF, DS and RP count when present, whatever their times"),
        pytest.param("RC@1 DS@4", "RC@1 DS@4", "DS", False, id="carriers miss scans: RT and RDTPF are skipped"),
        pytest.param("RC@1 RDTPF@3 RP@5", "RC@1 RDTPF@3 RP@5", "RP", False,
                     id="some hubs send no DS: a missing one is never invented"),
        pytest.param("RC@1 RP@5 RE@6 RDBTC@7", "RC@1 RP@5 RE@6 RDBTC@7", "RDBTC", True,
                     id="RDBTC completes with scans missing"),
        pytest.param("RC@1 RP@5 RE@6", "RC@1 RP@5 RE@6", "RE", False, id="RE counts if RP is present"),
        pytest.param("RC@1 RP@7 RE@6", "RC@1 RP@7 RE@6", "RE", False, id="RE counts if RP is present, even a later one"),
        pytest.param("RC@1 DS@4 RE@6", "RC@1 DS@4", "DS", False, id="RE without RP does not count"),
        pytest.param("RC@1 RP@5 RDBTC@7", "RC@1 RP@5", "RP", False, id="RDBTC without RE does not count"),
        pytest.param("RC@1 RE@6 RDBTC@7", "RC@1", "RC", False, id="RDBTC of an RE that is held does not count"),
        pytest.param("RC@1 RP@5 RE@6/CN-B RDBTC@7/CN-A", "RC@1 RP@5 RE@6", "RE", False,
                     id="RDBTC is no delivery of a connote that no RE names"),
        pytest.param("RC@1 RP@5 RE@6/CN-B RE@5/CN-A RDBTC@7/CN-A", "RC@1 RP@5 RE@5 RDBTC@7", "RDBTC", True,
                     id="RDBTC is a delivery of any connote that an RE names"),
        pytest.param("RC@1 RP@5 RDBTC@9 RE@6 RDBTC@7 RDBTC@8", "RC@1 RP@5 RE@6 RDBTC@7", "RDBTC", True,
                     id="RDBTC is the earliest delivery of the connote"),
        pytest.param("RC@1 RP@5 RE@6 RDBTC@4", "RC@1 RP@5 RE@6 RDBTC@4", "RDBTC", True,
                     id="a delivery may be a little older than the RE"),
        pytest.param("RC@1 DS@4 RR@5", "RC@1 DS@4 RR@5", "RR", True, id="RR counts, and is the status and the end"),
        pytest.param("RC@1 RR@5", "RC@1 RR@5", "RR", True, id="RR needs no other milestone of the hub"),
        pytest.param("RC@1 RP@4 RR@5", "RC@1 RP@4 RR@5", "RR", True, id="an RP before the RR still counts"),
        pytest.param("RC@1 RP@5 RR@5", "RC@1 RP@5 RR@5", "RR", True, id="an RP at the time of the RR still counts"),
        pytest.param("RC@1 RP@6 RR@5", "RC@1 RR@5", "RR", True, id="an RP with t(RP) > t(RR) does not count"),
        pytest.param("RC@1 DS@6 RT@7 RDTPF@8 RR@5", "RC@1 RT@7 RDTPF@8 DS@6 RR@5", "RR", True,
                     id="RT, RDTPF and DS count whenever they were, before a rejection or after"),
        pytest.param("RC@1 RP@4 RE@6 RR@5", "RC@1 RP@4 RR@5", "RR", True, id="an RE after the RR does not count"),
        pytest.param("RC@1 RP@4 RE@6 RDBTC@7 RR@5", "RC@1 RP@4 RR@5", "RR", True,
                     id="an RDBTC with an RE after the RR does not count"),
        pytest.param("RC@1 RP@6 RE@7 RR@5", "RC@1 RR@5", "RR", True,
                     id="neither an RP nor an RE after the RR counts"),
        pytest.param("RC@1 RP@4 RE@5 RR@6", "RC@1 RP@4 RE@5", "RE", False, id="t(RE) < t(RR): the RR is refused"),
        pytest.param("RC@1 RP@4 RE@5 RR@5", "RC@1 RP@4 RE@5", "RE", False, id="t(RE) = t(RR): the RR is refused"),
        pytest.param("RC@1 RP@7 RE@5 RR@6", "RC@1 RP@7 RE@5", "RE", False,
                     id="t(RE) <= t(RR): the RR is refused and even a later RP counts"),
        pytest.param("RC@1 RE@5 RR@6", "RC@1 RR@6", "RR", True,
                     id="an RE that does not count, for want of an RP, does not refuse the RR"),
        pytest.param("RC@1 RP@4 RE@6 RE@5/CN-B RR@5", "RC@1 RP@4 RE@5", "RE", False,
                     id="the earliest RE decides against the RR"),
        pytest.param("RC@1 RP@4 RE@6 RR@7 RR@5", "RC@1 RP@4 RR@5", "RR", True,
                     id="the earliest RR decides against the RE"),
        pytest.param("RC@1 RP@7 RP@4 RR@5", "RC@1 RP@4 RR@5", "RR", True, id="the earliest RP decides against the RR"),
    ),
)  # fmt: skip
def test_on_the_route_through_a_hub(events: str, counts: str, status: str | None, complete: bool) -> None:
    for arriving in (story(events), story(events)[::-1]):
        timeline = (state := replay(arriving)).timeline

        assert counting(state) == counts
        assert (timeline.status, timeline.complete) == (status, complete)


@pytest.mark.parametrize(
    ("events", "counts", "status", "complete"),
    (
        pytest.param("RC@1", "RC@1", "RC", False, id="only RC, RT, RDTPF count: RC"),
        pytest.param("RC@1 RT@2", "RC@1 RT@2", "RT", False, id="only RC, RT, RDTPF count: RT"),
        pytest.param("RC@1 RDTPF@3", "RC@1 RDTPF@3", "RDTPF", True, id="RDTPF completes it, RT or not"),
        pytest.param(ALL, "RC@1 RT@2 RDTPF@3", "RDTPF", True, id="hub and connote events do not count"),
        pytest.param("RC@1 RT@2 RR@3", "RC@1 RT@2", "RT", False, id="a hub cannot reject what never comes there"),
    ),
)
def test_on_the_route_of_the_first_mile_only(events: str, counts: str, status: str, complete: bool) -> None:
    for arriving in (story(events, attributes=DOMESTIC), story(events, attributes=DOMESTIC)[::-1]):
        timeline = (state := replay(arriving)).timeline

        assert counting(state) == counts
        assert (timeline.status, timeline.complete) == (status, complete)


@pytest.mark.parametrize(
    "first",
    (
        pytest.param(happened("DS", 4, source="z", id="z"), id="the smallest time"),
        pytest.param(happened("DS", 5, source="a", id="z"), id="at the same time the smallest source"),
        pytest.param(happened("DS", 5, source="b", id="a"), id="at the same time and source the smallest id"),
    ),
)
def test_the_earliest_event_is_kept(first: Event) -> None:
    second = happened("DS", 5, source="b", id="b", location={"country": "NZ"})
    for arriving in ((first, second), (second, first)):
        sighting = replay([*story("RC@1"), *arriving]).timeline.counts[Milestone.DS]

        assert (sighting.at, sighting.source, sighting.id) == first.order
        assert sighting.location == first.location


@pytest.mark.parametrize(
    ("late", "early"),
    (pytest.param(ACME, OTHER, id="attributes"), pytest.param(ACME, DOMESTIC, id="with the route")),
)
def test_the_attributes_come_from_the_earliest_creation(late: Attributes, early: Attributes) -> None:
    creations = [happened("RC", 2, attributes=late), happened("RC", 1, attributes=early)]
    for arriving in (creations, creations[::-1]):
        state = replay(arriving)

        assert state.evidence.attributes == early
        assert state.timeline.route == early.route


UNMAPPED_SCAN = not_understood(happened("RT", 2, id="scan"))
INFORMING_SCAN = Event("s", "scan", 2, Sense.INFORMS)


@pytest.mark.parametrize(
    ("events", "last", "verdict", "reason"),
    (
        pytest.param("", "RC@1", "advanced", None, id="advanced: the first status"),
        pytest.param("RC@1 RT@2", "DS@4", "advanced", None, id="advanced: it moved the status, skipping a milestone"),
        pytest.param("RC@1 RE@6", "RP@5", "advanced", None, id="advanced: it moved the status by an RE that was held"),
        pytest.param("RC@1 RP@4 RE@6", "RR@5", "advanced", None,
                     id="advanced: a rejection from before an export becomes known"),
        pytest.param("RC@1 RP@4 RR@5", "RE@4", "advanced", None,
                     id="advanced: an export from before a rejection becomes known"),
        pytest.param("RC@1 RE@4 RR@5", "RP@3", "advanced", None,
                     id="advanced: a processing makes an export count from before the rejection"),
        pytest.param("RC@1 RP@4 RE@6 RR@7", "RR@5", "advanced", None,
                     id="advanced: an earlier rejection where a later one was refused"),
        pytest.param("RC@1 DS@4", "RT@2", "backfilled", None, id="backfilled: its milestone counts now, a late event"),
        pytest.param("RC@1 RR@5", "RP@4", "backfilled", None, id="backfilled: a processing before the rejection"),
        pytest.param("RC@1 RP@6 RR@5", "RP@4", "backfilled", None,
                     id="backfilled: an earlier processing where a later one was refused"),
        pytest.param("RC@1 RT@2", "RT@3", "repeated", None, id="repeated: another scan"),
        pytest.param("RC@1 RT@2", "RT@1", "repeated", None, id="repeated: an earlier scan"),
        pytest.param("RC@1 RP@5", "RP@6", "repeated", None, id="repeated: hubs send RP once per line item"),
        pytest.param("RC@1", "RC@2", "repeated", None, id="repeated: OmniReturns sends RC once per line item"),
        pytest.param("RC@1 RP@5 RE@6", "RE@7/CN-B", "repeated", None, id="repeated: an export that is not the earliest"),
        pytest.param("RC@1 RP@5 RR@6", "RP@9", "repeated", None,
                     id="repeated: another processing after the rejection, where an earlier one counts"),
        pytest.param("RC@1 DS@4", "RE@6", "held", "awaiting_processed", id="held: RE before its RP"),
        pytest.param("RC@1 RP@5", "RDBTC@7", "held", "awaiting_exported", id="held: RDBTC before its RE"),
        pytest.param("RC@1 RE@6", "RDBTC@7", "held", "awaiting_exported", id="held: RDBTC whose RE is held itself"),
        pytest.param("RC@1 RP@4 RE@5", "RR@6", "refused", "already_exported", id="refused: t(RE) < t(RR)"),
        pytest.param("RC@1 RP@4 RE@5", "RR@5", "refused", "already_exported", id="refused: t(RE) = t(RR)"),
        pytest.param("RC@1 RP@4 RR@5", "RE@6", "refused", "already_rejected", id="refused: RE after the rejection"),
        pytest.param("RC@1 RR@5", "RE@4", "refused", "already_rejected",
                     id="refused: RE before the rejection, for want of an RP"),
        pytest.param("RC@1 RR@5", "RP@6", "refused", "already_rejected", id="refused: RP with t(RP) > t(RR)"),
        pytest.param("RC@1 RR@5", "RDBTC@7", "refused", "already_rejected", id="refused: RDBTC of a rejected return"),
        pytest.param("RC@1 RP@4 RE@6 RR@5", "RDBTC@7", "refused", "already_rejected",
                     id="refused: RDBTC of the connote of a rejected return"),
        pytest.param("RC@1 RP@4 RE@5/CN-B", "RDBTC@7/CN-A", "held", "awaiting_exported",
                     id="held: RDBTC of a connote that no RE names"),
    ),
)  # fmt: skip
def test_the_verdict(events: str, last: str, verdict: str, reason: str | None) -> None:
    entry = last_entry(story(f"{events} {last}"))

    assert (entry.verdict, entry.reason) == (verdict, reason)


@pytest.mark.parametrize("code", ("DS", "RP", "RE", "RDBTC", "RR"))
def test_hub_and_connote_events_are_refused_on_the_route_of_the_first_mile_only(code: str) -> None:
    entry = last_entry(story(f"RC@1 RT@2 {code}@4", attributes=DOMESTIC))

    assert (entry.verdict, entry.reason, entry.changes) == ("refused", "route_ends_at_first_mile", ())


def test_a_delivery_of_another_connote_is_refused_for_the_route_first() -> None:
    entry = last_entry(story("RC@1 RE@4/CN-B RDBTC@5/CN-A", attributes=DOMESTIC))

    assert (entry.verdict, entry.reason) == ("refused", "route_ends_at_first_mile")


def test_a_known_code_without_a_milestone_is_informational() -> None:
    entry = last_entry([*story("RC@1"), INFORMING_SCAN])

    assert (entry.verdict, entry.reason, entry.changes) == ("informational", None, ())


@pytest.mark.parametrize("because", (Reason.UNKNOWN_CODE, Reason.UNKNOWN_CARRIER))
def test_an_unknown_code_is_unmapped_and_never_guessed(because: Reason) -> None:
    entry = last_entry([*story("RC@1"), replace(UNMAPPED_SCAN, unmapped_because=because)])

    assert (entry.verdict, entry.reason, entry.changes) == ("unmapped", because, ())
    assert counting(entry.state) == "RC@1"


def test_a_scan_that_no_table_knows_by_a_label_that_is_not_the_return_s_leaves_nothing_open() -> None:
    entry = last_entry([*story("RC@1"), replace(UNMAPPED_SCAN, label=("generic", "ANOTHER"))])

    assert (entry.verdict, entry.reason) == ("unmapped", UNMAPPED_SCAN.unmapped_because)
    assert entry.settled == (UNMAPPED_SCAN.unmapped_because,)


def test_the_same_source_and_id_again_is_another_event_where_it_says_something_else() -> None:
    events = story("RC@1 RT@3")
    state, earlier = replay(events), replace(events[1], at=2)

    assert record(state, events[1]) is None
    entry = record(state, earlier, Whole([*events, earlier]))
    assert entry is not None
    assert [(change.kind, change.occurred_at) for change in entry.changes] == [("retimed", 2)]
    assert entry.raised == (Reason.ID_REUSED,)
    assert record(entry.state, earlier) is None


def test_a_row_from_before_words_were_kept_is_recognised_by_what_it_says() -> None:
    events = story("RC@1 RT@3")
    state = replay(events)
    old = replace(state, seen=b"".join(event.key for event in events))

    with pytest.raises(PastNeeded):
        record(old, events[1])
    assert record(old, events[1], Whole([*events, events[1]])) is None
    assert record(old, replace(events[1], at=4), Whole([*events, replace(events[1], at=4)])) is not None


def test_the_same_id_from_another_source_is_another_event() -> None:
    state = replay(story("RC@1 RT@3"))

    assert record(state, replace(story("RT@3")[0], source="another")) is not None


CHANGES = (
    ("", "RC@1", "reached RC"),
    ("RC@1", "RT@2", "reached RT"),
    ("RC@1", "RP@5", "reached RP"),
    ("RC@1 RP@5", "RE@6", "reached RE"),
    ("RC@1 RP@5 RE@6", "RDBTC@7", "reached RDBTC"),
    ("RC@1 DS@4", "RR@5", "reached RR"),
    ("RC@1 DS@4", "RT@2", "backfilled RT"),
    ("RC@1 RR@5", "DS@4", "backfilled DS"),
    ("RC@1 RT@3", "RT@2", "retimed RT"),
    ("RC@1 RT@2", "RT@3", ""),
    ("RC@1 DS@4 RE@6", "RDBTC@7", ""),
    ("RC@1 RP@5 RE@6", "RR@7", ""),
    ("RC@1 RE@6", "RP@5", "reached RP, reached RE"),
    ("RC@1 RE@6 RDBTC@7", "RP@5", "reached RP, reached RE, reached RDBTC"),
    ("RC@1 RP@5 RDBTC@7", "RE@6", "reached RE, reached RDBTC"),
    ("RC@1 RP@4 RE@6", "RR@5", "revoked RE, reached RR"),
    ("RC@1 RP@4 RE@6 RDBTC@7", "RR@5", "revoked RDBTC, revoked RE, reached RR"),
    ("RC@1 RP@6 RE@7 RDBTC@8", "RR@5", "revoked RDBTC, revoked RE, revoked RP, reached RR"),
    ("RC@1 RP@4 RR@5", "RE@3", "revoked RR, reached RE"),
    ("RC@1 RR@5 RE@3", "RP@6", "revoked RR, reached RP, reached RE"),
    ("RC@1 RP@6 RR@7", "RR@5", "revoked RP, retimed RR"),
    ("RC@1 RP@5 RE@6 RDBTC@8 RDBTC@7/CN-B", "RE@5/CN-B", "retimed RE, retimed RDBTC"),
    ("RC@1 RP@5 RE@6 RDBTC@8", "RE@5/CN-B", "retimed RE"),
    ("RC@1 RP@5 RE@6", "RE@7/CN-B", "detailed RE"),
    ("RC@1 RP@5 RE@6", "RE@7", ""),
    ("RC@1 RP@5 RE@6 RDBTC@8", "RDBTC@7", "retimed RDBTC"),
    ("RC@1 RP@5 RE@6/CN-B RDBTC@7", "RE@5", "retimed RE, reached RDBTC"),
)


@pytest.mark.parametrize(
    ("events", "last", "changes"), CHANGES, ids=(f"{b} then {e}: {c or 'no change'}" for b, e, c in CHANGES)
)
def test_one_event_yields_what_it_revokes_in_falling_rank_then_the_rest_in_rising_rank(
    events: str, last: str, changes: str
) -> None:
    entry = last_entry(story(f"{events} {last}"), parks=False)

    assert ", ".join(f"{change.kind} {change.milestone}" for change in entry.changes) == changes


def test_a_late_creation_tells_everything_that_was_waiting_in_rising_rank() -> None:
    entry = last_entry([*story(ALL)[::-1]], parks=False)

    assert [(c.version, c.kind, c.milestone, c.status, c.previous_status, c.complete) for c in entry.changes] == [
        (n, "reached", code, code, RANKED[n - 2] if n > 1 else None, code == "RDBTC")
        for n, code in enumerate(RANKED, start=1)
    ]


def test_each_change_tells_the_status_once_it_alone_is_applied() -> None:
    events = story("RC@1 RP@4 RE@6 RDBTC@7 RR@5")

    entry = last_entry(events)

    assert [(c.version, c.kind, c.milestone, c.previous_status, c.status, c.complete) for c in entry.changes] == [
        (5, "revoked", "RDBTC", "RDBTC", "RE", False),
        (6, "revoked", "RE", "RE", "RP", False),
        (7, "reached", "RR", "RP", "RR", True),
    ]


def test_a_change_tells_when_where_and_by_whom() -> None:
    akl, lon = {"code": "AKL"}, {"code": "LON"}
    before = [*story("RC@1 RP@4"), happened("RE", 6, id="export", location=lon)]
    rejection = happened("RR", 5, source="hub", id="rejection", location=akl)

    entry = last_entry([*before, rejection])

    assert [(c.occurred_at, c.location, c.cause) for c in entry.changes] == [
        (6, lon, ("hub", "rejection")),  # what was revoked, and the event that did it
        (5, akl, ("hub", "rejection")),
    ]


def test_what_is_told_of_a_held_milestone_names_the_event_that_asserted_it() -> None:
    entry = last_entry(story("RC@1 RE@6 RP@5"))

    assert [change.cause for change in entry.changes] == [("s", "RP@5"), ("s", "RE@6")]


def test_another_first_witness_at_the_same_time_is_told_as_retimed() -> None:
    later = happened("DS", 4, source="b")
    earlier = happened("DS", 4, source="a", location={"code": "AKL"})

    entry = last_entry([*story("RC@1"), later, earlier])

    assert [(c.kind, c.occurred_at, c.location, c.cause) for c in entry.changes] == [
        ("retimed", 4, {"code": "AKL"}, key_of(earlier))
    ]


def test_an_earlier_creation_with_the_short_route_revokes_what_the_hub_did() -> None:
    entry = last_entry([*story("RC@2 RDTPF@3 DS@4 RP@5"), happened("RC", 1, attributes=DOMESTIC)])

    assert [(c.kind, c.milestone, c.status, c.complete) for c in entry.changes] == [
        ("revoked", "RP", "DS", True),  # the route is the new one from the first of them on
        ("revoked", "DS", "RDTPF", True),
        ("retimed", "RC", "RDTPF", True),
    ]


def test_an_earlier_creation_with_the_route_through_a_hub_lets_count_what_was_refused() -> None:
    refused = [*story("RC@2 DS@4", attributes=DOMESTIC), happened("RC", 1)]

    entry = last_entry(refused)

    assert [(c.kind, c.milestone) for c in entry.changes] == [("retimed", "RC"), ("reached", "DS")]
    assert entry.verdict == "advanced"


def voided_story(events: str, code: str, *, first: bool) -> Entry:
    told = story(events)
    mistake = void(("s", code))
    return last_entry([mistake, *told] if first else [*told, mistake], parks=False)


@pytest.mark.parametrize("first", (True, False), ids=("the void came first", "the event came first"))
@pytest.mark.parametrize(
    ("events", "mistaken", "counts"),
    (
        pytest.param("RC@1 RT@2 DS@4", "DS@4", "RC@1 RT@2", id="a voided event is not in the set"),
        pytest.param("RC@1 DS@4 DS@5", "DS@4", "RC@1 DS@5", id="the next earliest takes its place"),
        pytest.param("RC@1 RP@5 RE@6 RDBTC@7", "RP@5", "RC@1", id="what needs it is held again"),
        pytest.param("RC@1 RP@4 RE@6 RR@5", "RR@5", "RC@1 RP@4 RE@6", id="what it refused counts"),
        pytest.param("RC@1 RP@4 RE@5/CN-B RE@6 RDBTC@7", "RE@5/CN-B", "RC@1 RP@4 RE@6 RDBTC@7",
                     id="the connote is that of the next earliest RE"),
        pytest.param("RC@1 RP@4 RE@5 RDBTC@6 RDBTC@7", "RDBTC@6", "RC@1 RP@4 RE@5 RDBTC@7",
                     id="the next delivery of the connote takes its place"),
        pytest.param("RC@1 DS@4", "RC@1", "RC@1 DS@4", id="an RC cannot be voided"),
        pytest.param("RC@1 DS@4", "unknown", "RC@1 DS@4", id="a void of nothing known changes nothing"),
    ),
)  # fmt: skip
def test_a_void(events: str, mistaken: str, counts: str, first: bool) -> None:
    assert counting(voided_story(events, mistaken, first=first).state) == counts


def test_every_void_holds_and_one_of_a_creation_that_came_first_is_vain() -> None:
    voids = [void(("s", "RC@1")), void(("s", "RT@2")), void(("s", "DS@4"))]

    for told in ([*voids, *story("RC@1 RT@2 DS@4")], [*voids[:1], *story("RC@1 RT@2 DS@4"), *voids[1:]]):
        assert counting(last_entry(told, parks=False).state) == "RC@1"


def test_a_void_tells_what_it_revokes_and_what_counts_instead() -> None:
    entry = voided_story("RC@1 RP@4 RE@6 RR@5", "RR@5", first=False)

    assert (entry.verdict, entry.reason) == ("informational", None)
    assert [(c.kind, c.milestone, c.cause) for c in entry.changes] == [
        ("revoked", "RR", key_of(entry.event)),
        ("reached", "RE", ("s", "RE@6")),
    ]


def test_an_event_that_was_voided_before_it_came_is_refused() -> None:
    entry = voided_story("RC@1 DS@4", "DS@4", first=True)

    assert (entry.verdict, entry.reason, entry.changes) == ("refused", "voided", ())


@pytest.mark.parametrize("target", (("s", "RC@1"), ("ops", "first")), ids=("a creation", "a void"))
def test_what_cannot_be_voided_is_refused(target: tuple[str, str]) -> None:
    mistake = void(("s", "DS@4"), id="first")

    entry = last_entry([*story("RC@1 DS@4"), mistake, void(target, id="second")])

    assert (entry.verdict, entry.reason, entry.changes) == ("refused", "not_voidable", ())
    assert counting(entry.state) == "RC@1"


def test_to_void_a_recorded_event_the_past_is_needed() -> None:
    state = replay(story("RC@1 DS@4"))

    with pytest.raises(PastNeeded):
        record(state, void(("s", "DS@4")))


def test_a_delivery_names_its_connote() -> None:
    with pytest.raises(ValueError, match="connote"):
        record(NEW, replace(story("RDBTC@7")[0], connote=None))


def test_the_eight_milestones_are_named_ranked_and_asserted_as_told() -> None:
    assert [(m.value, NAMES[m], ASSERTED_BY[m].value) for m in (*RANKED, Milestone.RR)] == [
        ("RC", "Return Created", "OmniReturns portal or API"),
        ("RT", "Return In Transit", "first-mile carrier"),
        ("RDTPF", "Transferred to Sorting Facility", "first-mile carrier"),
        ("DS", "Depot Scan", "hub"),
        ("RP", "Return Processed", "hub"),
        ("RE", "Return Exported", "hub"),
        ("RDBTC", "Return Delivered Back To Retailer", "final-mile delivery of the connote"),
        ("RR", "Return Rejected", "hub"),
    ]


def test_two_sources_may_use_one_id_for_what_is_understood_later() -> None:
    one, other = happened("RT", 2, source="s", id="1"), happened("DS", 3, source="t", id="1")
    recorded = [happened("RC", 1), not_understood(one), not_understood(other)]
    state = replay(recorded)

    first = re_evaluate(state, one, Whole([*recorded, one]))
    assert first is not None
    second = re_evaluate(first.state, other, Whole([*recorded, one, other]))

    assert second is not None
    assert counting(second.state) == "RC@1 RT@2 DS@3"
    assert re_evaluate(second.state, one) is None


@pytest.mark.parametrize(("late", "verdict"), ((0, "advanced"), (1, "informational")))
def test_a_delivery_counts_to_the_very_end_of_its_connotes_window(late: int, verdict: str) -> None:
    state = replay(story("RC@1 RP@2 RE@5"))

    entry = record(state, happened("RDBTC", 5 + 120 * DAY + late))

    assert entry is not None
    assert entry.verdict == verdict


@pytest.mark.parametrize(("early", "is_doubtful"), ((-1, False), (0, False), (1, False), (DAY, False), (DAY + 1, True)))
def test_whose_a_scan_is_is_in_doubt_only_before_its_labels_window(early: int, is_doubtful: bool) -> None:
    created = replay([happened("RC", 9 * DAY)])
    # One whose clock was ahead takes the long way.
    scan = replace(happened("RT", 9 * DAY - early), label=ACME.label, is_ahead=True)

    if is_doubtful:
        with pytest.raises(ClaimsNeeded):
            record(created, scan, is_open=True)
    else:
        entry = record(created, scan, is_open=True)
        assert entry is not None
        assert entry.verdict == "advanced"


def test_what_an_event_waited_for_settles_its_reason_whatever_else_there_is() -> None:
    entry = record(replay(story("RC@1 RE@3")), happened("RP", 2))

    assert entry is not None
    assert (entry.raised, entry.settled) == ((), (Reason.AWAITING_PROCESSED,))


def test_a_second_export_asks_the_past_whatever_else_is_known_of_the_return() -> None:
    exported = story("RC@1 RP@2 RE@5")
    ahead = replace(happened("RT", 3), is_ahead=True)

    for state in (replay(exported), replay([*exported, ahead])):
        with pytest.raises(PastNeeded):
            record(state, happened("RE", 7, connote="CN-B"))
