"""Which of a carrier's scans the public sees, and how much of a long way."""

from __future__ import annotations

from typing import Any

import pytest

from service.application.reading.public import (
    FirstMileView,
    Happening,
    ReturnView,
    Revision,
    StepState,
    labels_of,
    view_first_mile,
    view_return,
)
from service.application.reading.redaction import Place
from service.domain.journey import NEW
from service.domain.milestones import Milestone, Route
from tests.support import journals
from tests.support.found import TABLES, found
from tests.support.journals import creation, event, scan

GB = {"name": "Leeds depot", "code": "LBA", "country": "GB"}
COLLECTED = scan("COLLECTED", "10:00", location=GB)
DELIVERED = scan("DELIVERED", "11:00", location=GB)


def hub(type_: str, time: str, **data: Any) -> dict[str, Any]:
    return event(type_, f"{type_}-{time}", time, return_id="R-1001", hub="lhr", **data)


def void(target: dict[str, Any]) -> dict[str, Any]:
    said = {"return_id": "R-1001", "source": "/test", "id": target["id"], "by": "lead", "reason": "other parcel"}
    return {**event(journals.VOID, f"void-{target['id']}", "16:00"), "data": said}


def view(*events: dict[str, Any]) -> ReturnView:
    return view_return(found("R-1001", events), TABLES)


def first_mile(*events: dict[str, Any]) -> FirstMileView:
    return view_first_mile(found("R-1001", events), TABLES)


def times(happenings: tuple[Happening, ...]) -> list[str]:
    return [f"{each.at.moment:%H:%M}" for each in happenings]


def test_the_page_says_how_far_the_return_is_and_who_carries_it() -> None:
    label = {"carrier": "omniparcel", "tracking_number": "OP-1"}
    scanned = event(journals.SCAN, "s", "10:00", code="OP-1", **label)

    shown = view(creation(**label), scanned, hub(journals.RP, "13:00"))

    assert (shown.number, shown.revision) == ("R-1001", Revision(version=2, seq=3))
    assert (shown.route, shown.status, shown.carrier) == (Route.OMNIRPS, Milestone.RP, "OmniParcel")
    assert shown.rejection is None
    mile = first_mile(creation(**label), scanned, hub(journals.RP, "13:00"))
    assert (mile.number, mile.revision, mile.carrier) == ("R-1001", Revision(2, 3), "OmniParcel")


def test_a_return_without_its_creation_is_not_shown() -> None:
    with pytest.raises(ValueError, match="without its creation"):
        view(COLLECTED)


def test_what_happened_has_its_place_and_its_time() -> None:
    shown = view(creation(), COLLECTED, scan("IN_TRANSIT", "10:30", location=GB)).happenings

    assert [(each.place, each.is_first, each.at.is_local) for each in shown] == [
        (Place("Leeds depot", "GB"), False, True),
        (Place("Leeds depot", "GB"), True, True),
        (None, True, False),
    ]


def test_a_scan_at_the_moment_of_the_delivery_is_told_and_one_after_it_is_not() -> None:
    together, after = scan("IN_TRANSIT", "11:00"), scan("IN_TRANSIT", "11:01")

    shown = view(creation(), COLLECTED, DELIVERED, together, after).happenings

    assert [(each.milestone.value, each.is_first) for each in shown] == [
        ("RDTPF", True),
        ("RT", False),
        ("RT", True),
        ("RC", True),
    ]


def test_a_hubs_scan_ends_the_carriers_part_too() -> None:
    shown = view(creation(), COLLECTED, scan("IN_TRANSIT", "12:30"), hub(journals.DS, "12:00")).happenings

    assert times(shown) == ["12:00", "10:00", "09:00"]


def test_a_scan_that_is_void_is_told_nowhere() -> None:
    mistaken = scan("IN_TRANSIT", "10:30")

    assert times(view(creation(), COLLECTED, mistaken, void(mistaken)).happenings) == ["10:00", "09:00"]
    assert [each.code for each in first_mile(creation(), COLLECTED, mistaken, void(mistaken)).scans] == ["COLLECTED"]
    assert times(view(creation(), COLLECTED, void(COLLECTED)).happenings) == ["09:00"]


def test_a_scan_with_the_id_of_the_first_from_another_source_is_another_one() -> None:
    second = scan("IN_TRANSIT", "10:30") | {"id": COLLECTED["id"], "source": "/another"}

    assert times(view(creation(), COLLECTED, second).happenings) == ["10:30", "10:00", "09:00"]


def test_of_very_many_scans_the_newest_are_told() -> None:
    scans = [scan("IN_TRANSIT", f"10:{minute:02}") for minute in range(60)]

    assert len(view(creation(), *scans[:59]).happenings) == 60
    shown = view(creation(), *scans).happenings
    assert len(shown) == 60
    assert (shown[0].at.moment.minute, shown[-1].at.moment.minute) == (59, 0)


def test_scans_of_one_moment_keep_one_order() -> None:
    scans = [scan("IN_TRANSIT", "10:30") | {"id": id_} for id_ in ("b", "a", "c")]

    codes = [scan("IN_TRANSIT", "10:30") | {"id": id_} for id_ in ("c", "b", "a")]

    assert view(creation(), COLLECTED, *scans).happenings == view(creation(), COLLECTED, *codes).happenings
    told = first_mile(
        creation(), *(scan(code, "10:30") | {"id": id_} for id_, code in (("b", "X"), ("c", "COLLECTED"), ("a", "Y")))
    )
    assert [each.code for each in told.scans] == ["COLLECTED", "X", "Y"]


def test_of_one_moment_the_scan_that_counts_is_told_last_where_its_name_is_the_earlier_one() -> None:
    shown = view(creation(), COLLECTED, scan("IN_TRANSIT", "10:00")).happenings

    assert [(each.milestone.value, each.is_first) for each in shown] == [("RT", False), ("RT", True), ("RC", True)]


def test_a_scan_that_is_anothers_is_left_out_and_those_behind_it_are_told() -> None:
    seen = found("R-1001", [creation(), COLLECTED, scan("IN_TRANSIT", "10:20"), scan("IN_TRANSIT", "10:30")])
    created, collected, strange, own = seen.rows
    rows = [created, collected, strange._replace(retailers="zenith"), own]

    assert times(view_return(seen._replace(rows=rows), TABLES).happenings) == ["10:30", "10:00", "09:00"]


def test_a_return_whose_creation_has_not_come_has_no_labels() -> None:
    other = creation(tracking_number="TR-7") | {"id": "other"}

    assert labels_of(NEW) == ()
    assert labels_of(found("R-1001", [creation(), other]).state) == (("generic", "TR-1001"), ("generic", "TR-7"))


def test_the_first_mile_has_the_carriers_own_codes_with_its_tables_words() -> None:
    shown = first_mile(creation(), scan("RETURNING", "10:40"), scan("NO SUCH", "10:50", location=GB), COLLECTED)

    assert [(each.code, each.words is not None, each.place) for each in shown.scans] == [
        ("NO SUCH", False, Place("Leeds depot", "GB")),
        ("RETURNING", True, None),
        ("COLLECTED", True, Place("Leeds depot", "GB")),
    ]
    assert (shown.delivered, shown.goes_on) == (False, True)


def test_the_first_mile_ends_with_the_scan_that_delivered_and_its_companions_of_that_moment() -> None:
    shown = first_mile(
        creation(route="first_mile_only"), COLLECTED, DELIVERED, scan("IN_TRANSIT", "11:00"), scan("RETURNING", "11:01")
    )

    assert [each.code for each in shown.scans] == ["IN_TRANSIT", "DELIVERED", "COLLECTED"]
    assert (shown.delivered, shown.goes_on) == (True, False)


def test_after_a_rejection_what_nobody_scanned_before_it_was_passed_by_and_the_rest_is_not_to_come() -> None:
    shown = view(creation(), DELIVERED, hub(journals.RR, "13:00", reason="late"))

    assert [(step.milestone.value, step.state) for step in shown.steps] == [
        ("RC", StepState.DONE),
        ("RT", StepState.SKIPPED),
        ("RDTPF", StepState.DONE),
        ("RR", StepState.CURRENT),
    ]
    assert [step.at is None for step in shown.steps] == [False, True, False, False]


def test_a_step_has_the_clock_of_its_place_and_that_of_a_hub_the_clock_of_its_door() -> None:
    door = scan("DELIVERED", "11:00", location={"country": "JP"})

    shown = view(creation(origin_country="GB"), door, hub(journals.RP, "13:00"))

    assert [step.at.moment.isoformat() for step in shown.steps if step.at] == [
        "2026-11-20T09:00:00+00:00",
        "2026-11-20T20:00:00+09:00",
        "2026-11-20T22:00:00+09:00",
    ]


def test_the_page_says_that_the_carrier_takes_the_parcel_back_until_it_is_collected_again_or_at_the_hub() -> None:
    back = scan("RETURNING", "11:00")
    delivered, again = scan("DELIVERED", "12:00"), scan("COLLECTED", "13:00")

    assert not view(creation(), COLLECTED).going_back
    assert view(creation(), COLLECTED, back).going_back
    returned = view(creation(), COLLECTED, back, delivered)
    assert (returned.going_back, returned.status) == (True, Milestone.RT)
    assert not view(creation(), COLLECTED, back, again).going_back
    assert not view(creation(), COLLECTED, back, void(back)).going_back
    later = scan("RETURNING", "14:00")
    assert view(creation(), COLLECTED, back, again, later).going_back
    assert not view(creation(), COLLECTED, back, again, later, void(later)).going_back
    assert not view(creation(), COLLECTED, back, hub(journals.DS, "14:00")).going_back


def test_a_parcel_goes_back_once_its_state_says_so_and_not_when_a_table_alone_does() -> None:
    """A code that was not mapped when it came is heard when it is mapped anew."""
    seen = found("R-1001", [creation(), COLLECTED])
    back = found("R-1001", [creation(), COLLECTED, scan("RETURNING", "11:00")]).rows[2]

    assert not view_return(seen._replace(rows=[*seen.rows, back]), TABLES).going_back


def test_of_two_labels_that_a_return_has_each_shows_the_scans_that_came_by_it() -> None:
    other = creation(tracking_number="TR-7") | {"id": "other"}
    scans = (COLLECTED, scan("IN_TRANSIT", "10:30", "R-7"))

    def by(number: str) -> list[str]:
        shown = view_first_mile(found(number, (creation(), other, *scans)), TABLES).scans
        return [f"{each.at.moment:%H:%M}" for each in shown]

    assert by("TR-1001") == ["10:00"]
    assert by("TR-7") == ["10:30"]
    assert by("R-1001") == ["10:30", "10:00"]
