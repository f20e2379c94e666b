from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.application.reading.public import (
    ReturnView,
    StepState,
    view_first_mile,
    view_return,
)
from service.application.reading.redaction import Rejection
from service.domain.milestones import RANKED, Milestone
from service.web.html.assets import Assets
from service.web.html.rendering import Renderer
from service.wire.documents import return_document
from service.wire.models import RETURN_CLOSED, RETURN_REOPENED
from service.wire.rows.reconciled import RECONCILED, event_data
from tests.support import journals
from tests.support.found import TABLES, found
from tests.support.journals import creation, event, scan

RENDERER = Renderer(Assets())
GB = {"name": "Leeds depot", "code": "LBA", "country": "GB"}


def hub(type_: str, time: str, **data: Any) -> dict[str, Any]:
    return event(type_, f"{type_}-{time}", time, return_id="R-1001", hub="lhr", **data)


def way(upto: int, **attributes: Any) -> list[dict[str, Any]]:
    """The first so many of the events of a return that reaches all seven statuses."""
    every = [
        creation(**attributes),
        scan("COLLECTED", "10:00", location=GB),
        scan("DELIVERED", "11:00", location=GB),
        hub(journals.DS, "12:00"),
        hub(journals.RP, "13:00"),
        hub(journals.RE, "14:00", connote="C-1"),
        event(journals.DELIVERED, "del", "15:00", connote="C-1"),
    ]
    return every[:upto]


def view(*events: dict[str, Any]) -> ReturnView:
    return view_return(found("R-1001", events), TABLES)


def states(shown: ReturnView) -> dict[str, str]:
    return {step.milestone.value: step.state.value for step in shown.steps}


@pytest.mark.parametrize("reached", range(1, 8))
def test_what_is_behind_is_done_and_what_is_ahead_is_to_come(reached: int) -> None:
    shown = view(*way(reached))

    assert [step.milestone for step in shown.steps] == list(RANKED)
    expected = [StepState.DONE] * (reached - 1) + [StepState.CURRENT] + [StepState.TO_COME] * (7 - reached)
    assert [step.state for step in shown.steps] == expected
    assert shown.complete is (reached == 7)


def test_both_pages_say_why_a_return_was_closed_until_it_is_opened_again() -> None:
    closed = event(RETURN_CLOSED, "c", "10:00", return_id="R-1001", by="shop", reason="lost")
    opened = event(RETURN_REOPENED, "o", "11:00", return_id="R-1001", by="shop", reason="found")

    for events, reason in (((creation(),), None), ((creation(), closed), "lost"), ((creation(), closed, opened), None)):
        seen = found("R-1001", events)
        assert (view_return(seen, TABLES).closed, view_first_mile(seen, TABLES).closed) == (reason, reason)


def test_a_milestone_that_nobody_scanned_is_skipped() -> None:
    shown = view(creation(), hub(journals.RP, "13:00"))

    assert states(shown) == {
        "RC": "done",
        "RT": "skipped",
        "RDTPF": "skipped",
        "DS": "skipped",
        "RP": "current",
        "RE": "to_come",
        "RDBTC": "to_come",
    }


@pytest.mark.parametrize(("reached", "complete"), ((1, False), (2, False), (3, True), (6, True)))
def test_a_way_of_the_first_mile_only_ends_at_its_third_status(reached: int, complete: bool) -> None:
    shown = view(*way(reached, route="first_mile_only"))

    assert [step.milestone.value for step in shown.steps] == ["RC", "RT", "RDTPF"]
    assert shown.complete is complete
    assert {happening.milestone.value for happening in shown.happenings} <= {"RC", "RT", "RDTPF"}


@pytest.mark.parametrize("reached", range(1, 6))
def test_a_rejection_is_an_end_of_its_own(reached: int) -> None:
    shown = view(*way(reached), hub(journals.RR, "13:30", reason="worn_or_used"))

    assert shown.steps[-1].milestone is Milestone.RR
    assert shown.steps[-1].state is StepState.CURRENT
    assert StepState.TO_COME not in {step.state for step in shown.steps}
    assert shown.rejection is Rejection.WORN_OR_USED
    assert shown.complete


@pytest.mark.parametrize(
    ("said", "meant"),
    (
        ("worn_or_used", Rejection.WORN_OR_USED),
        ("Wrong Item", Rejection.WRONG_ITEM),
        ("empty-parcel", Rejection.EMPTY_PARCEL),
        ("J. Tama of 4 Hill Road says it is hers", Rejection.OTHER),
    ),
)
def test_a_reason_is_one_of_ours_or_none(said: str, meant: Rejection) -> None:
    assert view(creation(), hub(journals.RR, "13:30", reason=said)).rejection is meant


def test_what_happened_is_told_newest_first_and_once() -> None:
    again = hub(journals.RP, "13:01")  # one event a line item
    moved = scan("IN_TRANSIT", "10:30", location=GB)
    late = scan("IN_TRANSIT", "11:30", location=GB)  # a depot that empties its scanners after the delivery

    shown = view(*way(5), again, moved, late)

    told = [(each.milestone.value, each.is_first) for each in shown.happenings]
    assert told == [("RP", True), ("DS", True), ("RDTPF", True), ("RT", False), ("RT", True), ("RC", True)]


def test_a_voided_scan_is_not_told() -> None:
    mistaken = hub(journals.DS, "12:00")
    voided = {"return_id": "R-1001", "source": "/test", "id": mistaken["id"], "by": "lead", "reason": "other parcel"}

    shown = view(*way(3), mistaken, {**event(journals.VOID, "v", "12:10"), "data": voided})

    assert shown.status is Milestone.RDTPF
    assert Milestone.DS not in {each.milestone for each in shown.happenings}


def test_events_of_one_moment_stand_in_the_order_of_the_way() -> None:
    shown = view(creation(), scan("DELIVERED", "11:00"), hub(journals.RP, "11:00"), hub(journals.DS, "11:00"))

    assert [each.milestone.value for each in shown.happenings] == ["RP", "DS", "RDTPF", "RC"]


def test_the_time_is_local_where_all_clocks_of_the_country_agree() -> None:
    summer = {**scan("COLLECTED", "10:00", location=GB), "time": "2026-07-20T10:00:00Z"}
    there, anywhere = scan("IN_TRANSIT", "10:30", location={"country": "US"}), scan("IN_TRANSIT", "10:40")

    created = {**creation(), "time": "2026-07-20T09:00:00Z"}
    told = view(created, summer, there, anywhere).happenings

    assert {each.at.moment.isoformat(): each.at.is_local for each in told if each.milestone is Milestone.RT} == {
        "2026-07-20T11:00:00+01:00": True,
        "2026-11-20T10:30:00+00:00": False,  # many zones: UTC
        "2026-11-20T10:40:00+00:00": False,  # no country: UTC
    }


def test_in_a_country_of_many_zones_the_time_is_local_if_it_came_with_one_of_their_offsets() -> None:
    def at(time: str) -> dict[str, Any]:
        return {**scan("IN_TRANSIT", time[11:16], location={"country": "AU"}), "time": time}

    told = view(
        creation(), *map(at, ("2026-11-20T21:00+11:00", "2026-11-20T21:30+09:30", "2026-11-20T12:50+01:00"))
    ).happenings

    assert [each.at.moment.isoformat() for each in told if each.milestone is Milestone.RT] == [
        "2026-11-20T21:30:00+09:30",
        "2026-11-20T11:50:00+00:00",  # a clock that is not Australia's
        "2026-11-20T21:00:00+11:00",
    ]


def test_the_time_of_a_feed_without_offsets_is_that_of_the_carriers_zone() -> None:
    label = {"carrier": "omniparcel", "tracking_number": "OP-1"}
    scanned = event(journals.SCAN, "s", "10:00", code="OP-33", **label)

    happened = view_return(found("R-1001", [creation(**label), scanned], "carrier_table"), TABLES).happenings

    assert happened[0].at.moment.isoformat() == "2026-11-20T23:00:00+13:00"


def test_a_place_whose_clock_is_known_from_one_event_has_that_clock_for_all() -> None:
    akl = {"name": "Auckland returns hub", "country": "NZ"}
    label = {"carrier": "omniparcel", "tracking_number": "OP-1"}
    delivered = event(journals.SCAN, "s", "11:00", code="OP-72", location=akl, **label)
    seen = found(
        "R-1001", [creation(**label), delivered, hub(journals.DS, "12:00", location=akl), hub(journals.RP, "13:00")]
    )
    rows = [row._replace(zone_source="carrier_table") if row.code else row for row in seen.rows]

    told = view_return(seen._replace(rows=rows), TABLES).happenings

    assert [each.at.moment.hour for each in told[:3]] == [2, 1, 0]  # of the next day
    assert all(each.at.is_local for each in told[:3])


def test_what_a_hub_does_without_naming_a_place_has_the_time_of_its_door() -> None:
    at_door = scan("DELIVERED", "11:00", location={"country": "JP"})

    happened = view(creation(), at_door, hub(journals.RP, "13:00")).happenings

    assert happened[0].at.moment.isoformat() == "2026-11-20T22:00:00+09:00"
    assert happened[0].place is None


def test_the_first_mile_has_every_scan_up_to_the_delivery_and_nothing_after() -> None:
    unknown = scan("PICKUP_FAILED", "09:30")
    after = scan("IN_TRANSIT", "11:30")

    shown = view_first_mile(found("R-1001", [*way(7), unknown, after]), TABLES)

    assert [each.code for each in shown.scans] == ["DELIVERED", "COLLECTED", "PICKUP_FAILED"]
    assert shown.scans[-1].words is None
    assert shown.delivered
    assert shown.goes_on


def test_an_event_that_was_evaluated_again_is_shown_once_as_it_is_understood_now() -> None:
    seen = found("R-1001", [creation(), scan("COLLECTED", "10:00")])
    before = seen.rows[1]._replace(milestone=None, verdict="unmapped")

    shown = view_first_mile(seen._replace(rows=[seen.rows[0], before, seen.rows[1]]), TABLES)

    assert [each.code for each in shown.scans] == ["COLLECTED"]


secrets = st.from_regex(r"Zq[a-z]{4,8}", fullmatch=True)
around = st.sampled_from(("{}", "{} depot", "Depot of {}", "Leeds, {}", "{}, Leeds", "LEEDS ({})", "12 {} Street"))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(secrets, min_size=9, max_size=9, unique=True), around, st.integers(0, 8), st.booleans())
def test_no_page_says_what_is_private(texts: list[str], shape: str, which: int, is_rejected: bool) -> None:
    order, sku, described, hub_code, signer, note, connote, code, other = texts
    # What is private must not come through the one text that is shown either.
    place = {"name": shape.format(texts[which]), "code": code, "country": "GB", "room": other}
    more: dict[str, Any] = {
        "location": place,
        "signed_by": f"A {signer}",
        "description": described,
        "note": note,
        "unknown": {"deep": [other, connote]},
    }
    items = [{"sku": sku, "quantity": 1, "description": described, "reason": other}]
    said = {"return_id": "R-1001", "hub": hub_code.lower(), **more}
    rejected = event(journals.RR, "rr", "13:30", reason=note, **said)
    exported = event(journals.RE, "re", "14:00", connote=connote, mawb=other, **said)
    delivered = event(journals.DELIVERED, "del", "15:00", connote=connote, carrier="aramex", **more)
    events = [
        creation(order_number=order, items=items, **more),
        scan("COLLECTED", "10:00", **more),
        scan("OTHER", "10:20", **more),
        scan("DELIVERED", "11:00", **more),
        event(journals.DS, "ds", "12:00", **said),
        event(journals.RP, "rp", "13:00", items=items, omnirps_tracking_number=other, **said),
        *([rejected] if is_rejected else [exported, delivered]),
    ]
    seen = found("R-1001", events)

    pages = [
        RENDERER.return_page(view_return(seen, TABLES), timedelta(days=2), "en", explicit=False),
        RENDERER.first_mile_page(view_first_mile(seen, TABLES), "en", explicit=False),
    ]

    for page in pages:
        assert "R-1001" in page
        assert [text for text in texts if text.casefold() in page.casefold()] == []


@pytest.mark.parametrize(
    ("name", "is_shown"),
    (
        ("Leeds depot", True),
        ("Saint-Étienne", True),
        ("مستودع دبي", True),
        ("12 High Street", False),
        ("AKL", False),
        ("<b>Leeds</b>", False),
        ("Leeds\u202edepot", False),
        ("x" * 61, False),
    ),
)
def test_a_place_has_a_name_where_it_is_no_address_and_no_code(name: str, is_shown: bool) -> None:
    place = (
        view(creation(), scan("COLLECTED", "10:00", location={"name": name, "code": "QX7", "country": "GB"}))
        .happenings[0]
        .place
    )

    assert place is not None
    assert place.name == (name if is_shown else None)
    assert place.country == "GB"


def reconciled(*events: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What `reconcile` records of these events after they were published."""
    document = return_document("R-1001", found("R-1001", events).state) | changed
    return event(RECONCILED, "reconciled", "21:00", **event_data("R-1001", document))


def test_a_reconciliation_hides_no_place_that_the_events_before_it_showed() -> None:
    """The document that it keeps has our own words, and where each milestone is from: neither is anybody's secret."""
    before = [
        creation(),
        scan("COLLECTED", "10:00", location={"name": "Ile de Re", "code": "RE7", "country": "FR"})
        | {"source": "/omniparcel/leeds"},
        scan("DELIVERED", "11:00", location={"name": "Omniparcel Leeds", "code": "OL7", "country": "GB"}),
        hub(journals.DS, "12:00"),
        hub(journals.RP, "13:00"),
        hub(journals.RE, "14:00", connote="C-1"),
    ]

    after = view(*before, reconciled(*before))

    assert [each.place for each in after.happenings] == [each.place for each in view(*before).happenings]
    assert {each.place.name for each in after.happenings if each.place} == {"Ile de Re", "Omniparcel Leeds"}


def test_what_a_reconciliation_keeps_of_a_return_is_as_private_as_what_its_events_say() -> None:
    elsewhere = scan("DELIVERED", "11:00", location={"name": "Elsewhere", "code": "QUX", "country": "GB"})
    held = reconciled(creation(), elsewhere, order_number="TERMINAL")

    for name in ("Qux depot", "Terminal Leeds"):
        shown = view(
            creation(), scan("COLLECTED", "10:00", location={"name": name, "code": "QX7", "country": "GB"}), held
        )
        assert {each.place.name for each in shown.happenings if each.place} == {None}
