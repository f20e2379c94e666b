"""What anybody may be told of a return: which places have names, whose clock a time is on, which words are private."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from service.application.reading.redaction import Place, RedactedReturn, Rejection
from service.domain.evidence import MAX_LABELS
from service.domain.labels import Window
from service.domain.milestones import Milestone
from service.wire.documents import return_document
from service.wire.rows import claimed
from service.wire.rows.reconciled import RECONCILED, event_data
from tests.support import journals
from tests.support.found import TABLES, found
from tests.support.journals import creation, event, scan

LABEL = {"carrier": "omniparcel", "tracking_number": "OP-1"}


def redacted(*events: dict[str, Any], by_table: tuple[str, ...] = ()) -> RedactedReturn:
    """The return; the times of the carriers in `by_table` came without an offset."""
    known = found("R-1001", events)
    rows = [
        row._replace(zone_source="carrier_table") if row.data.get("carrier") in by_table and row.code else row
        for row in known.rows
    ]
    return RedactedReturn(known._replace(rows=rows), TABLES)


def hub(type_: str, time: str, **data: Any) -> dict[str, Any]:
    return event(type_, f"{type_}-{time}", time, return_id="R-1001", hub="lhr", **data)


def clock(shown: RedactedReturn, milestone: Milestone) -> tuple[str, bool]:
    """When the milestone was reached, by the clock on the wall, and whether that is known."""
    at = shown.time_of(milestone, shown.state.timeline.counts[milestone])
    return at.moment.isoformat(), at.is_local


def scanned(code: str, time: str, carrier: str, location: Mapping[str, Any] | None, number: str = "OP-1") -> Any:
    id_ = f"{carrier}-{code}-{time}"
    return event(
        journals.SCAN, id_, time, code=code, carrier=carrier, tracking_number=number, location=location and {**location}
    )


@pytest.mark.parametrize(
    ("carrier", "name"), (("omniparcel", "OmniParcel"), ("generic", None), ("nobody", None), ("nzpost", "NZ Post"))
)
def test_a_carrier_is_named_as_its_table_has_it_and_generic_is_nobodys_name(carrier: str, name: str | None) -> None:
    assert redacted(creation(carrier=carrier)).carrier_name() == name


def test_nothing_names_the_carrier_of_a_return_whose_creation_has_not_come() -> None:
    assert redacted(scan("COLLECTED", "10:00")).carrier_name() is None


def facility(name: str, country: str | None = None) -> dict[str, str]:
    """A place with a code, which an address has not."""
    return {"name": name, "code": "QX7"} | ({"country": country} if country else {})


@pytest.mark.parametrize(
    ("name", "is_shown"),
    (
        ("x" * 60, True),
        ("x" * 61, False),
        ("ABCD", False),  # may be a code
        ("ABCDE", True),
        ("AbCD", True),
        ("L", False),
        ("O'Hare (Chicago), St. Mary-le-Bow ’s", True),
        ("नई दिल्ली", True),  # its vowels are marks and no letters
        ("Leeds2", False),
        ("Leeds;depot", False),
        ("Leeds\tdepot", False),
    ),
)
def test_a_place_is_named_by_what_cannot_be_an_address_or_a_code(name: str, is_shown: bool) -> None:
    place = redacted(creation()).place(facility(name, "GB"))

    assert place == Place(name if is_shown else None, "GB")


@pytest.mark.parametrize(
    ("location", "place"),
    (
        (None, None),
        ({}, None),
        ({"code": "LBA"}, None),
        ({"name": "12 High Street", "code": "LBA"}, None),
        ({"name": "Leeds", "code": "LBA"}, Place("Leeds", None)),
        ({"name": "Doe Cottage"}, None),  # without a code it may be anybody's
        ({"name": "Doe Cottage", "country": "GB"}, Place(None, "GB")),
        ({"name": "Doe Cottage", "code": " ", "country": "GB"}, Place(None, "GB")),
        ({"country": "GB"}, Place(None, "GB")),
        ({"name": "Leeds", "code": "LBA", "country": "GB"}, Place("Leeds", "GB")),
    ),
)
def test_a_place_of_which_nothing_may_be_said_is_none(location: dict[str, Any] | None, place: Place | None) -> None:
    assert redacted(creation()).place(location) == place


@pytest.mark.parametrize(
    ("more", "name", "is_private"),
    (
        ({"signed_by": "Ann Leeds"}, "Leeds", True),
        ({"signed_by": "Ann Leeds"}, "Ann", True),
        ({"signed_by": "Bo Li Leeds"}, "Bo", False),  # so short a part would strike out half of all towns
        ({"signed_by": "Bo Li"}, "Bo Li depot", True),  # all of it is a name
        ({"description": "Red Shoe"}, "Shoe lane", False),  # a part of other texts is no secret
        ({"description": "Red Shoe"}, "The red  shoe", True),
        ({"description": "Red Shoe"}, "Red Shoes", False),  # by whole words
        ({"location": {"name": "Leeds", "code": "York"}}, "York", True),
        ({"location": {"name": "Leeds", "country": "GB"}}, "Leeds", False),
        ({"unknown": [{"deep": ["York", 7]}, None]}, "York", True),
        ({"unknown": {"name": "York", "country": "York"}}, "York", False),
        ({"description": "..."}, "Leeds", False),  # no words hide nothing
        ({"description": ""}, "Leeds", False),
    ),
)
def test_a_name_of_a_place_that_says_what_else_an_event_says_is_left_out(
    more: dict[str, Any], name: str, is_private: bool
) -> None:
    shown = redacted(creation(), scan("COLLECTED", "10:00", **more))

    assert shown.place(facility(name)) == (None if is_private else Place(name, None))


def test_the_order_and_the_retailer_are_private_and_a_label_is_not() -> None:
    shown = redacted(creation(order_number="Order York", retailer="leeds", carrier="nobody", tracking_number="Tring"))

    assert [shown.place(facility(name)) for name in ("order york", "Leeds")] == [None, None]
    assert shown.place(facility("Tring")) == Place("Tring", None)
    assert shown.place(facility("Nobody")) == Place("Nobody", None)


def test_an_order_that_a_later_creation_names_is_as_private_as_the_first() -> None:
    earlier = creation(order_number="York", time="08:00")
    later = creation(order_number="Tring", time="09:00") | {"id": "rc-2"}

    assert [redacted(earlier, later).place(facility(name)) for name in ("York", "Tring")] == [None, None]


def test_an_order_is_private_though_its_creation_is_not_among_the_newest_rows() -> None:
    known = found("R-1001", [creation(order_number="York"), scan("COLLECTED", "10:00")])

    assert RedactedReturn(known._replace(rows=known.rows[1:]), TABLES).place(facility("York")) is None


def test_of_a_reconciliation_after_which_nobody_knew_the_return_nothing_is_said() -> None:
    held = event(RECONCILED, "r", "21:00", **event_data("R-1001", None))

    assert redacted(creation(), held).place(facility("Leeds")) == Place("Leeds", None)


def test_where_not_all_rows_were_read_no_place_is_named_for_it_may_be_what_another_one_says() -> None:
    known = found("R-1001", [creation()])

    assert [
        RedactedReturn(known._replace(is_whole=is_whole), TABLES).place(facility("Leeds", "GB"))
        for is_whole in (True, False)
    ] == [Place("Leeds", "GB"), Place(None, "GB")]


@pytest.mark.parametrize("member", ("retailer", "order_number", "connote"))
def test_what_subscribers_held_of_a_return_is_as_private_as_what_publishers_said(member: str) -> None:
    document = return_document("R-1001", found("R-1001", [creation()]).state) | {member: "York"}
    held = event(RECONCILED, "r", "21:00", **event_data("R-1001", document))

    assert redacted(creation(), held).place(facility("York")) is None
    assert redacted(creation(), held).place(facility("Return Created")) == Place("Return Created", None)


@pytest.mark.parametrize(
    ("said", "meant"),
    (
        ("wrong_item", Rejection.WRONG_ITEM),
        ("  WORN - or -- used ", Rejection.WORN_OR_USED),
        ("Too  late", Rejection.LATE),
        ("Prohibited", Rejection.PROHIBITED_GOODS),
        ("missing-item", Rejection.ITEM_MISSING),
        ("other", Rejection.OTHER),
        ("wrong item, says Ann", Rejection.OTHER),
    ),
)
def test_why_it_was_rejected_is_said_in_words_of_ours(said: str, meant: Rejection) -> None:
    shown = redacted(creation(), hub(journals.RR, "13:00", reason=said))
    sighting = shown.state.timeline.counts[Milestone.RR]

    assert shown.rejection(sighting) is meant
    assert shown.rejection(sighting._replace(id="another")) is Rejection.OTHER  # a row that is not on this page


def test_a_creation_has_the_clock_of_the_country_that_the_return_comes_from() -> None:
    assert clock(redacted(creation(origin_country="JP")), Milestone.RC) == ("2026-11-20T18:00:00+09:00", True)
    assert clock(redacted(creation()), Milestone.RC) == ("2026-11-20T09:00:00+00:00", False)


@pytest.mark.parametrize(
    ("type_", "milestone", "more"),
    (
        (journals.DS, Milestone.DS, {}),
        (journals.RP, Milestone.RP, {}),
        (journals.RR, Milestone.RR, {"reason": "late"}),
    ),
)
def test_what_a_hub_does_has_the_clock_of_the_place_where_the_first_mile_ended(
    type_: str, milestone: Milestone, more: dict[str, Any]
) -> None:
    door = scan("DELIVERED", "11:00", location={"country": "JP"})

    assert clock(redacted(creation(), door, hub(type_, "13:00", **more)), milestone) == (
        "2026-11-20T22:00:00+09:00",
        True,
    )


def test_an_export_has_the_clock_of_the_depot_that_scanned_the_parcel_in_before_that_of_the_carriers_delivery() -> None:
    door = scan("DELIVERED", "11:00", location={"country": "JP"})
    depot = hub(journals.DS, "12:00", location={"country": "GB"})
    exported = hub(journals.RE, "14:00", connote="C-1")

    shown = redacted(creation(), door, depot, hub(journals.RP, "13:00"), exported)

    assert clock(shown, Milestone.RE) == ("2026-11-20T14:00:00+00:00", True)
    assert clock(shown, Milestone.DS) == ("2026-11-20T12:00:00+00:00", True)


def test_a_scan_or_a_delivery_of_a_connote_without_a_place_happens_at_no_hubs_door() -> None:
    door = hub(journals.DS, "12:00", location={"country": "JP"})
    exported = hub(journals.RE, "14:00", connote="C-1")
    home = event(journals.DELIVERED, "d", "15:00", connote="C-1")

    shown = redacted(creation(), scan("COLLECTED", "10:00"), door, hub(journals.RP, "13:00"), exported, home)

    assert clock(shown, Milestone.RT) == ("2026-11-20T10:00:00+00:00", False)
    assert clock(shown, Milestone.RDBTC) == ("2026-11-20T15:00:00+00:00", False)


AKL = {"name": "Auckland", "country": "NZ"}


def test_a_place_has_the_clock_of_an_event_that_came_from_there_with_a_known_zone() -> None:
    shown = redacted(
        creation(**LABEL), scanned("OP-33", "10:00", "omniparcel", AKL), hub(journals.DS, "12:00", location=AKL),
        by_table=("omniparcel",),
    )  # fmt: skip

    assert clock(shown, Milestone.DS) == ("2026-11-21T01:00:00+13:00", True)


@pytest.mark.parametrize(
    "there",
    (
        {"name": "Auckland", "country": "AU"},  # another place of the name
        {"name": "Wellington", "country": "NZ"},
        {"country": "NZ"},
    ),
)
def test_another_place_has_not(there: dict[str, str]) -> None:
    shown = redacted(
        creation(**LABEL), scanned("OP-33", "10:00", "omniparcel", AKL), hub(journals.DS, "12:00", location=there),
        by_table=("omniparcel",),
    )  # fmt: skip

    assert not clock(shown, Milestone.DS)[1]


def test_a_country_by_itself_is_no_place_whose_clock_a_feed_tells() -> None:
    shown = redacted(
        creation(**LABEL), scanned("OP-33", "10:00", "omniparcel", {"country": "NZ"}),
        hub(journals.DS, "12:00", location={"country": "NZ"}), by_table=("omniparcel",),
    )  # fmt: skip

    assert not clock(shown, Milestone.DS)[1]


def test_a_place_of_which_two_feeds_say_different_zones_has_no_clock() -> None:
    shown = redacted(
        creation(**LABEL), scanned("OP-33", "10:00", "omniparcel", AKL), scanned("X", "10:10", "usps", AKL),
        hub(journals.DS, "12:00", location=AKL), by_table=("omniparcel", "usps"),
    )  # fmt: skip

    assert not clock(shown, Milestone.DS)[1]


def test_a_time_with_an_offset_says_nothing_of_a_zone_whatever_its_carrier() -> None:
    shown = redacted(
        creation(**LABEL), scanned("OP-33", "10:00", "omniparcel", AKL), hub(journals.DS, "12:00", location=AKL)
    )

    assert not clock(shown, Milestone.DS)[1]
    assert not clock(shown, Milestone.RT)[1]


def test_the_time_of_a_scan_is_told_by_its_own_place_and_offset() -> None:
    there = scan("COLLECTED", "10:00", location={"country": "AU"}) | {"time": "2026-11-20T21:00:00+11:00"}
    shown = redacted(creation(), there)

    at = shown.time_of_row(shown.rows[1])

    assert (at.moment.isoformat(), at.is_local) == ("2026-11-20T21:00:00+11:00", True)
    assert clock(shown, Milestone.RT) == ("2026-11-20T21:00:00+11:00", True)


def test_a_scan_that_counts_for_other_retailers_is_none_of_the_return_s() -> None:
    shown = redacted(creation(retailer="acme"), scan("COLLECTED", "10:00"))
    by_all = shown.rows[-1]

    assert [shown.is_own(by_all._replace(retailers=retailers)) for retailers in (None, "acme,zenith", "zenith")] == [
        True,
        True,
        False,
    ]


def test_of_a_return_with_a_void_creation_only_scans_of_labels_that_others_name_are_its_own() -> None:
    first, another = creation(), creation(tracking_number="TR-2") | {"id": "rc-2"}
    theirs = creation(retailer="zenith", tracking_number="TR-3") | {"id": "rc-3"}
    scans = [scan("COLLECTED", "10:00", f"R-{number}") for number in ("1001", "2", "3")]
    void = event(journals.VOID, "v", "16:00") | {
        "data": {"return_id": "R-1001", "source": "/test", "id": "rc-3", "by": "lead", "reason": "other parcel"}
    }

    def own(*events: dict[str, Any]) -> list[str]:
        shown = redacted(*events)
        return [row.id for row in shown.rows if shown.is_own(row)]

    every = [first, another, theirs, *scans]
    assert own(*every) == [each["id"] for each in every]
    assert own(*every, void) == [each["id"] for each in (first, another, theirs, *scans[:2], void)]


def test_without_a_void_creation_scans_are_its_own_by_more_labels_than_are_told_of() -> None:
    numbers = [f"TR-{number}" for number in range(MAX_LABELS + 2)]
    events = [creation(tracking_number=number) | {"id": number} for number in numbers]
    scans = [scan("COLLECTED", "10:00", number.removeprefix("T")) for number in numbers]

    shown = redacted(*events, *scans)

    assert ("generic", numbers[-1]) not in shown.state.evidence.labels
    assert all(map(shown.is_own, shown.rows))


def test_such_a_scan_goes_by_the_window_that_the_history_says_for_its_retailers() -> None:
    label = ("generic", "TR-1001")
    for_all = claimed.event_data("R-1001", label, Window(0))
    ended = event(claimed.LABEL_CLAIMED, "w", "11:00", **for_all)
    scanned = scan("COLLECTED", "10:00")

    shown = redacted(creation(retailer="acme"), scanned, ended)
    row = next(row for row in shown.rows if row.id == scanned["id"])
    assert not shown.is_own(row)
    assert shown.is_own(row._replace(retailers="acme"))

    theirs = event(claimed.LABEL_CLAIMED, "w2", "11:00", **claimed.event_data("R-1001", label, Window(0), ("acme",)))
    told = redacted(creation(retailer="acme"), scanned, ended, theirs)
    assert not told.is_own(row._replace(retailers="acme"))
