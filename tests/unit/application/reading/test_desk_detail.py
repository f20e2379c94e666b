"""What an agent sees of a return: every event, what became of it, and whether anybody needs to look at it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.application.reading.desk import EventView, ReturnDetail, ReturnDetailView, Standing, view_return_detail
from service.domain.journey import NEW
from service.domain.milestones import Milestone, Reason
from service.web.ops.return_detail import TYPES
from service.wire.rows.own import OWN_TYPES
from service.wire.rows.reconciled import RECONCILED, event_data
from tests.support import journals
from tests.support.found import TABLES, found
from tests.support.journals import creation, event, scan

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SINCE = datetime(2026, 11, 20, 13, tzinfo=UTC)
COLLECTED = scan("COLLECTED", "10:00", location={"name": "Leeds", "country": "GB"})


def hub(type_: str, id_: str, time: str, **data: Any) -> dict[str, Any]:
    return event(type_, id_, time, return_id="R-1001", hub="lhr", **data)


def void(target: str, time: str = "16:00") -> dict[str, Any]:
    said = {"return_id": "R-1001", "source": "/test", "id": target, "by": "lead", "reason": "other parcel"}
    return {**event(journals.VOID, f"void-{target}", time), "data": said}


def detail(
    *events: dict[str, Any],
    standing: Standing | None = None,
    due: Mapping[str, datetime] | None = None,
    verdicts: Mapping[int, tuple[str, str]] | None = None,
) -> ReturnDetailView:
    """The page of a return with these events; `verdicts` has the verdict and reason of some rows, by their seq."""
    known = found("R-1001", events)
    rows = [
        row._replace(verdict=(verdicts or {})[row.seq][0], reason=(verdicts or {})[row.seq][1])
        if row.seq in (verdicts or {})
        else row
        for row in known.rows
    ]
    return view_return_detail(ReturnDetail("R-1001", known.state, standing, rows[::-1]), TABLES, due or {}, NOW)


def by_id(shown: ReturnDetailView) -> dict[str, EventView]:
    return {each.row.id: each for each in shown.events}


def test_the_page_has_the_status_and_the_events_newest_first() -> None:
    shown = detail(creation(), COLLECTED, hub(journals.RP, "rp", "13:00"))

    assert (shown.return_id, shown.status, shown.state.seq) == ("R-1001", Milestone.RP, 3)
    assert [each.row.id for each in shown.events] == ["rp", COLLECTED["id"], "R-1001-rc"]
    assert [step.state.value for step in shown.steps] == [
        "done",
        "done",
        "skipped",
        "skipped",
        "current",
        *["to_come"] * 2,
    ]
    assert (shown.hub, shown.since, shown.stuck_for) == (None, None, None)


def test_a_return_without_its_creation_has_no_status_to_show() -> None:
    shown = detail(creation())

    with pytest.raises(ValueError, match="without its creation"):
        _ = ReturnDetailView("R-1001", NEW, None, None, None, shown.steps, shown.events).status


@pytest.mark.parametrize(
    ("standing", "since", "stuck_for"),
    (
        (None, None, None),
        (Standing("RP", SINCE, "lhr"), SINCE, NOW - SINCE),
        (Standing("RT", SINCE, "lhr"), None, None),  # the search table lags: what it says of another status is over
    ),
)
def test_how_long_a_return_stands_is_told_of_the_status_that_it_is_in(
    standing: Standing | None, since: datetime | None, stuck_for: timedelta | None
) -> None:
    due = dict.fromkeys(("RP", "RT"), SINCE + timedelta(hours=1))

    shown = detail(creation(), COLLECTED, hub(journals.RP, "rp", "13:00"), standing=standing, due=due)

    assert (shown.since, shown.stuck_for) == (since, stuck_for)
    assert shown.hub == (None if standing is None else "lhr")


@pytest.mark.parametrize(
    ("due", "is_stuck"),
    (({"RP": SINCE + timedelta(microseconds=1)}, True), ({"RP": SINCE}, False), ({"DS": NOW}, False), ({}, False)),
)
def test_it_is_stuck_once_it_moved_before_its_status_is_due(due: dict[str, datetime], is_stuck: bool) -> None:
    shown = detail(creation(), hub(journals.RP, "rp", "13:00"), standing=Standing("RP", SINCE, None), due=due)

    assert (shown.stuck_for is not None) is is_stuck


def test_what_is_complete_is_never_stuck() -> None:
    rejected = hub(journals.RR, "rr", "13:00", reason="late")

    shown = detail(creation(), rejected, standing=Standing("RR", SINCE, None), due={"RR": NOW})

    assert (shown.since, shown.stuck_for) == (SINCE, None)


def test_of_the_events_of_a_milestone_the_earliest_leads_and_all_count() -> None:
    shown = by_id(detail(creation(), COLLECTED, scan("IN_TRANSIT", "10:30"), scan("RETURNING", "10:40")))

    assert [(each.counts, each.leads) for each in shown.values()] == [
        (False, False),  # it asserts nothing
        (True, False),
        (True, True),
        (True, True),
    ]
    assert shown[COLLECTED["id"]].milestone is Milestone.RT
    assert shown["R-1001-RETURNING-10:40"].milestone is None


def test_an_event_of_the_same_id_from_another_source_does_not_lead() -> None:
    second = scan("IN_TRANSIT", "10:30") | {"id": COLLECTED["id"], "source": "/another"}

    leads = [each.leads for each in detail(creation(), COLLECTED, second).events]

    assert leads == [False, True, True]


def test_a_scan_has_the_words_of_its_carriers_table_and_a_hubs_event_has_none() -> None:
    shown = by_id(detail(creation(), COLLECTED, scan("NO SUCH CODE", "10:30"), hub(journals.RP, "rp", "13:00")))

    meaning = shown[COLLECTED["id"]].meaning
    assert meaning is not None
    assert meaning.code == "COLLECTED"
    assert shown["R-1001-NO SUCH CODE-10:30"].meaning is None
    assert shown["rp"].meaning is None


def test_the_place_is_told_where_the_type_has_one() -> None:
    shown = by_id(detail(creation(), COLLECTED, hub(journals.RP, "rp", "13:00", location={"name": "?"})))

    assert shown[COLLECTED["id"]].location == {"name": "Leeds", "country": "GB"}
    assert shown["rp"].location is None


def test_the_clock_is_that_of_the_place_of_a_scan_and_of_the_door_for_what_a_hub_does() -> None:
    door = scan("DELIVERED", "11:00", location={"country": "JP"})
    silent = scan("RETURNING", "11:40", location={"country": "JP"})

    shown = by_id(detail(creation(), silent, door, hub(journals.RP, "rp", "13:00")))

    assert {id_: each.at.moment.isoformat() for id_, each in shown.items() if each.at.is_local} == {
        "rp": "2026-11-20T22:00:00+09:00",
        door["id"]: "2026-11-20T20:00:00+09:00",
        silent["id"]: "2026-11-20T20:40:00+09:00",
    }


def test_the_clock_of_a_creation_is_that_of_the_country_that_the_return_comes_from() -> None:
    (created,) = detail(creation(origin_country="JP")).events

    assert (created.at.moment.isoformat(), created.at.is_local) == ("2026-11-20T18:00:00+09:00", True)


def test_of_two_facts_with_one_name_each_has_the_clock_that_it_came_with() -> None:
    place = {"country": "AU"}
    one = scan("RETURNING", "10:00", location=place) | {"time": "2026-11-20T21:00:00+11:00"}
    other = {**one, "time": "2026-11-20T21:30:00+09:30"}

    shown = detail(creation(), one, other).events

    assert [each.at.moment.isoformat() for each in shown[:2]] == [other["time"], one["time"]]


def test_a_void_names_what_it_takes_back_and_that_is_void_from_then_on() -> None:
    shown = by_id(detail(creation(), COLLECTED, void(COLLECTED["id"]), void("R-1001-rc")))

    assert shown[f"void-{COLLECTED['id']}"].voids == ("/test", COLLECTED["id"])
    assert shown[COLLECTED["id"]].voids is None
    taken_back, created = shown[COLLECTED["id"]], shown["R-1001-rc"]
    assert (taken_back.is_voided, taken_back.is_settled, taken_back.counts) == (True, True, False)
    assert (created.is_voided, created.is_settled, created.counts) == (False, False, True)


def test_what_can_be_voided_is_what_a_carrier_or_a_hub_said_and_is_not_void_already() -> None:
    held = event(RECONCILED, "reconciled", "21:00", **event_data("R-1001", None))
    shown = by_id(
        detail(creation(), COLLECTED, hub(journals.RP, "rp", "13:00"), void(COLLECTED["id"]), void("to come"), held)
    )

    assert {id_ for id_, each in shown.items() if each.can_be_voided} == {"rp"}


def test_what_the_service_itself_noted_has_a_name_and_cannot_be_voided() -> None:
    (shown,) = detail(creation(), hub(journals.RP, "rp", "13:00")).events[:1]
    assert shown.can_be_voided

    for noted in OWN_TYPES:
        assert noted in TYPES
        assert not shown._replace(row=shown.row._replace(type=noted)).can_be_voided


def test_of_creations_that_contradict_each_other_one_can_be_voided_until_they_do_not() -> None:
    other = creation(retailer="zenith") | {"id": "other"}

    shown = by_id(detail(creation(), other, COLLECTED))
    after = by_id(detail(creation(), other, COLLECTED, void("other")))

    assert {id_ for id_, each in shown.items() if each.can_be_voided} == {"R-1001-rc", "other", COLLECTED["id"]}
    assert {id_ for id_, each in after.items() if each.can_be_voided} == {COLLECTED["id"]}


@pytest.mark.parametrize(("verdict", "reason"), (("held", "awaiting_processed"), ("refused", "already_exported")))
def test_what_waited_is_settled_once_it_counts(verdict: str, reason: str) -> None:
    exported = hub(journals.RE, "re", "14:00", connote="C-1")
    said = {2: (verdict, reason)}

    waits = by_id(detail(creation(), exported, verdicts=said))["re"]
    counts = by_id(detail(creation(), exported, hub(journals.RP, "rp", "13:00"), verdicts=said))["re"]

    assert (waits.reason, waits.counts, waits.is_settled) == (Reason(reason), False, False)
    assert (counts.reason, counts.counts, counts.is_settled) == (Reason(reason), True, True)


def test_what_counts_with_a_reason_to_look_at_it_is_not_settled_by_counting() -> None:
    shown = detail(creation(), verdicts={1: ("advanced", "tracking_number_in_use")})

    assert [(each.reason, each.counts, each.is_settled) for each in shown.events] == [
        (Reason.TRACKING_NUMBER_IN_USE, True, False)
    ]


def test_an_unmapped_scan_is_settled_once_it_was_evaluated_again() -> None:
    known = found("R-1001", [creation(), COLLECTED])
    unmapped = known.rows[1]._replace(milestone=None, verdict="unmapped", reason="unknown_code")
    other = unmapped._replace(id="another")
    again = known.rows[1]._replace(seq=3)

    def settled(*rows: Any) -> list[bool]:
        shown = view_return_detail(ReturnDetail("R-1001", known.state, None, rows[::-1]), TABLES, {}, NOW)
        return [each.is_settled for each in shown.events]

    assert settled(known.rows[0], unmapped) == [False, False]
    assert settled(known.rows[0], unmapped, other, again) == [False, False, True, False]


def test_what_is_wrong_with_a_description_is_shown_with_the_event_that_it_cost_nothing() -> None:
    shown = by_id(
        detail(creation(), scan("COLLECTED", "10:00", signed_by=7, location={"country": "Oceania", "name": "Leeds"}))
    )

    event_ = shown["R-1001-COLLECTED-10:00"]
    assert (event_.counts, event_.location) == (True, {"name": "Leeds"})
    assert sorted(event_.not_understood) == ["location.country", "signed_by"]
    assert shown["R-1001-rc"].not_understood == ()
