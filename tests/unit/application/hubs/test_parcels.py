"""What people at a hub are told of a code that they scanned, and of the parcels that wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.hubs.parcels import Scanned, find_parcel, look_up, waiting
from service.application.reading.pages import PageKey, WrongPageKey
from service.domain.milestones import Milestone
from tests.support.journals import DS, RE, RP, RR, VOID, creation, event, scan
from tests.support.shelf import Events, Shelf

LEEDS = Bounds(hubs=frozenset({"leeds"}))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at_hub(type_: str, return_id: str, time: str, hub: Any = "leeds", **data: Any) -> dict[str, Any]:
    return event(type_, f"{return_id}-{type_}-{time}", time, return_id=return_id, hub=hub, **data)


def created(number: str, **data: Any) -> Events:
    return [creation(number, **data)]


def scanned(shelf: Shelf, typed: str, bounds: Bounds = LEEDS) -> list[str]:
    """The numbers of the returns that the code may be."""
    found = look_up(shelf, shelf, bounds, typed)
    assert found.is_not_ours is False
    return [parcel["return_id"] for parcel in found.parcels]


def items_of(*items: Any, bounds: Bounds = UNBOUND) -> Any:
    parcel = find_parcel(Shelf({"R-1": created("R-1", items=list(items))}), bounds, "R-1")
    return parcel and parcel["items"]


def done_at(events: Events, member: str) -> Any:
    parcel = find_parcel(Shelf({"R-1": events}), LEEDS, "R-1")
    return parcel and parcel[member]


def test_a_parcel_is_told_with_what_should_be_in_it_and_what_was_done_where_and_nobodys_data() -> None:
    items = [{"sku": "SHOE-42", "quantity": 2, "description": "Ann's shoe", "reason": "too small"}]
    events = [
        creation("R-1", order_number="A-1", destination_country="nz", items=items),
        scan("DELIVERED", "10:00", "R-1", signed_by="Ann", location={"name": "1 High Street"}),
        at_hub(DS, "R-1", "11:00"),
        at_hub(RP, "R-1", "12:00", hub="paris"),
        at_hub(RE, "R-1", "13:00", hub="lyon", connote="CN-1"),
    ]

    for bounds in (LEEDS, UNBOUND):
        assert find_parcel(Shelf({"R-1": events}), bounds, "R-1") == {
            "return_id": "R-1",
            "retailer": "acme",
            "carrier": "generic",
            "tracking_number": "TR-1",
            "route": "omnirps",
            "destination_country": "NZ",
            "status": "RE",
            "status_name": "Return Exported",
            "connote": "CN-1",
            "items": [{"sku": "SHOE-42", "quantity": 2}],
            "received": {"at": "2026-11-20T11:00:00Z", "hub": "leeds"},
            "processed": {"at": "2026-11-20T12:00:00Z", "hub": "paris"},
            "exported": {"at": "2026-11-20T13:00:00Z", "hub": "lyon"},
            "rejected": None,
        }


def test_of_a_return_that_nobody_has_handled_yet_nothing_is_told_as_done() -> None:
    parcel = find_parcel(Shelf({"R-1": created("R-1", destination_country="New Zealand")}), LEEDS, "R-1")

    assert parcel is not None
    told = ("status_name", "destination_country", "connote", "items", "received", "processed", "exported", "rejected")
    assert [parcel[name] for name in told] == ["Return Created", None, None, [], None, None, None, None]


def test_what_was_done_twice_is_told_of_the_first_time_and_what_is_void_not_at_all() -> None:
    twice = [*created("R-1"), at_hub(DS, "R-1", "11:00", hub="lyon"), at_hub(DS, "R-1", "10:00", hub="paris")]
    void = event(VOID, "v", "12:00", return_id="R-1", source="/test", id=twice[2]["id"], by="Ann", reason="other")
    both = {**void, "id": "w", "data": {**void["data"], "id": twice[1]["id"]}}

    assert done_at(twice, "received") == {"at": "2026-11-20T10:00:00Z", "hub": "paris"}
    assert done_at([*twice, void], "received") == {"at": "2026-11-20T11:00:00Z", "hub": "lyon"}
    assert done_at([*twice, void, both], "received") is None


def test_an_event_of_the_same_id_from_another_source_does_not_say_at_which_hub_it_was() -> None:
    own = at_hub(DS, "R-1", "11:00")
    other = {**own, "source": "/other", "type": RP, "data": {**own["data"], "hub": "paris"}}

    assert done_at([*created("R-1"), other, own], "received") == {"at": "2026-11-20T11:00:00Z", "hub": "leeds"}


def test_a_parcel_that_was_rejected_is_not_told_as_exported_whatever_connote_names_it() -> None:
    events = [
        *created("R-1"),
        at_hub(RR, "R-1", "12:00", hub="paris", reason="damaged"),
        at_hub(RE, "R-1", "13:00", connote="CN-1"),
    ]

    parcel = find_parcel(Shelf({"R-1": events}), LEEDS, "R-1")

    assert parcel is not None
    assert (parcel["status"], parcel["exported"], parcel["connote"]) == ("RR", None, None)
    assert parcel["rejected"] == {"at": "2026-11-20T12:00:00Z", "hub": "paris"}


@pytest.mark.parametrize(("hub", "told"), (("h" * 40, "h" * 40), ("h" * 41, None), ("", None)))
def test_a_hub_is_told_by_its_name_and_by_nothing_that_is_none(hub: str, told: str | None) -> None:
    events = [*created("R-1"), at_hub(DS, "R-1", "11:00", hub=hub)]

    assert done_at(events, "received") == {"at": "2026-11-20T11:00:00Z", "hub": told}


def test_what_stands_very_far_back_in_a_history_is_told_without_its_hub() -> None:
    scans = [scan("IN_TRANSIT", f"{hour:02}:{minute:02}", "R-1") for hour in range(4) for minute in range(50)]
    late = [*created("R-1"), *scans, at_hub(DS, "R-1", "11:00")]
    soon = [*created("R-1"), at_hub(DS, "R-1", "11:00"), *scans]

    assert done_at(late, "received") == {"at": "2026-11-20T11:00:00Z", "hub": None}
    assert done_at(soon, "received") == {"at": "2026-11-20T11:00:00Z", "hub": "leeds"}


def test_items_are_told_as_far_as_they_are_understood() -> None:
    said = [
        {"sku": "S" * 256, "quantity": 2, "reason": "too small"},
        {"sku": "S" * 257, "quantity": 2},
        {"sku": 7, "quantity": 2},
        {"quantity": 2},
        "HAT",
        {"sku": "LAST", "quantity": 1, "description": "for Ann"},
    ]

    for bounds in (LEEDS, UNBOUND):
        told = items_of(*said, bounds=bounds)
        assert told == [{"sku": "S" * 256, "quantity": 2}, {"sku": "LAST", "quantity": 1}]


@pytest.mark.parametrize(
    ("said", "told"),
    (
        (1, 1),
        (17, 17),
        (2.0, 2),  # JSON knows one kind of number
        (2_147_483_647, 2_147_483_647),
        # What is no number of pieces: of what is named one piece at least is there.
        (2_147_483_648, 1),
        (0, 1),
        (-3, 1),
        (0.5, 1),
        (2.5, 1),
        (float("inf"), 1),
        (True, 1),
        ("4", 1),
        (None, 1),
        ([3], 1),
    ),
)
def test_of_an_item_so_many_pieces_are_expected_as_were_said(said: object, told: int) -> None:
    assert items_of({"sku": "HAT", "quantity": said}) == [{"sku": "HAT", "quantity": told}]
    assert type(items_of({"sku": "HAT", "quantity": said})[0]["quantity"]) is int


def test_of_very_many_items_the_first_are_told_and_of_what_is_no_list_none() -> None:
    many = [{"sku": f"S-{number}", "quantity": 1} for number in range(300)]
    no_list = Shelf({"R-1": created("R-1", items={"sku": "HAT"})})

    assert items_of(*many) == many[:200]
    assert (find_parcel(no_list, UNBOUND, "R-1") or {})["items"] == []


def test_a_number_that_nobody_sees_is_no_parcel() -> None:
    shelf = Shelf({"R-1": created("R-1"), "STRAIGHT": created("STRAIGHT", route="first_mile_only")})

    assert find_parcel(shelf, LEEDS, "R-2") is None
    assert find_parcel(shelf, LEEDS, "STRAIGHT") is None
    assert find_parcel(shelf, Bounds(retailers=frozenset({"bravo"})), "R-1") is None


def test_a_return_whose_creation_has_not_come_is_no_parcel() -> None:
    assert find_parcel(Shelf({"R-1": [at_hub(DS, "R-1", "11:00")]}), UNBOUND, "R-1") is None


@pytest.mark.parametrize(
    "typed", ("R-1", "r-1", " R-1 ", "R-1...", "TR-1", "tr-1", "https://shop.example/track?id=R-1")
)
def test_a_return_is_found_by_its_number_and_by_its_label_however_they_are_read(typed: str) -> None:
    assert scanned(Shelf({"R-0": created("R-0"), "R-1": created("R-1")}), typed) == ["R-1"]


def test_a_tracking_number_is_found_within_a_carriers_longer_bar_code() -> None:
    label = "9405511899223197428490"
    shelf = Shelf({"R-1": created("R-1", tracking_number=label)})

    assert scanned(shelf, f"42012345{label}") == ["R-1"]


def test_a_number_is_a_returns_before_it_is_on_a_label_and_as_it_was_scanned_before_it_is_in_capitals() -> None:
    shelf = Shelf(
        {
            "r-1": created("r-1", tracking_number="A"),
            "R-1": created("R-1", tracking_number="B"),
            "R-2": created("R-2", tracking_number="R-1"),
            "R-3": created("R-3", tracking_number="t-9"),
            "R-4": created("R-4", tracking_number="T-9"),
        }
    )

    assert scanned(shelf, "r-1") == ["r-1"]
    assert scanned(shelf, "R-1") == ["R-1"]
    assert scanned(shelf, "t-9") == ["R-3"]
    assert scanned(shelf, "T-9") == ["R-4"]


def test_of_a_label_that_was_used_again_all_returns_are_told_the_latest_first_though_no_more_than_five() -> None:
    shelf = Shelf({f"R-{number}": created(f"R-{number}", tracking_number="TR-7") for number in range(1, 8)})

    assert scanned(Shelf({"R-1": created("R-1"), "R-2": created("R-2", tracking_number="TR-1")}), "TR-1") == [
        "R-2",
        "R-1",
    ]
    assert scanned(shelf, "TR-7") == ["R-7", "R-6", "R-5", "R-4", "R-3"]


def test_of_several_labels_in_one_code_the_first_one_counts_that_leads_anywhere() -> None:
    shelf = Shelf({"R-1": created("R-1"), "R-2": created("R-2")})

    assert scanned(shelf, "TR-9.. TR-2/TR-1") == ["R-2"]


def test_a_label_of_a_parcel_that_is_no_more_seen_leads_on_to_the_next_number() -> None:
    shelf = Shelf({"R-1": created("R-1"), "R-2": created("R-2")})
    # Since the list was made, it turned out to be another's as well.
    shelf.record("R-1", {**creation("R-1", "09:30", retailer="bravo"), "id": "again"})

    assert scanned(shelf, "TR-1/TR-2") == ["R-2"]


def test_nothing_is_looked_up_as_more_than_six_numbers() -> None:
    codes = "/".join(f"NONE-{number}" for number in range(1, 10))
    shelf = Shelf({"NONE-5": created("NONE-5"), "NONE-9": created("NONE-9")})

    assert scanned(shelf, codes) == ["NONE-5"]
    assert scanned(shelf, codes.replace("NONE-5", "NONE-0")) == []


def test_a_return_that_goes_straight_to_its_retailer_is_not_ours_and_nothing_else_is_told_of_it() -> None:
    shelf = Shelf({"STRAIGHT": created("STRAIGHT", route="first_mile_only"), "R-1": created("R-1")})

    assert look_up(shelf, shelf, LEEDS, "straight") == Scanned([], is_not_ours=True)
    assert look_up(shelf, shelf, LEEDS, "TSTRAIGHT") == Scanned([], is_not_ours=True)
    assert look_up(shelf, shelf, LEEDS, "NOBODY") == Scanned([], is_not_ours=False)
    found = look_up(shelf, shelf, LEEDS, "STRAIGHT/R-1")
    assert ([each["return_id"] for each in found.parcels], found.is_not_ours) == (["R-1"], False)


def test_who_is_bound_to_no_hub_is_told_of_a_return_that_goes_straight_to_its_retailer() -> None:
    shelf = Shelf({"STRAIGHT": created("STRAIGHT", route="first_mile_only")})

    assert scanned(shelf, "TSTRAIGHT", UNBOUND) == ["STRAIGHT"]
    assert look_up(shelf, shelf, UNBOUND, "NOBODY") == Scanned([], is_not_ours=False)
    assert scanned(shelf, "STRAIGHT", Bounds(retailers=frozenset({"bravo"}))) == []


@pytest.mark.parametrize(
    "others", (Bounds(frozenset({"bravo"}), hubs=LEEDS.hubs), Bounds(carriers=frozenset({"nzpost"}), hubs=LEEDS.hubs))
)
def test_whether_anothers_return_goes_straight_is_not_told(others: Bounds) -> None:
    shelf = Shelf({"STRAIGHT": created("STRAIGHT", route="first_mile_only")})

    assert look_up(shelf, shelf, others, "STRAIGHT") == Scanned([], is_not_ours=False)


def test_a_return_that_leads_through_a_hub_is_not_told_as_going_straight_though_it_is_not_seen() -> None:
    again = {**creation("R-1", "09:30", retailer="bravo"), "id": "again"}  # nobody knows whose it is
    shelf = Shelf({"R-1": [*created("R-1"), again]})

    assert look_up(shelf, shelf, LEEDS, "R-1") == Scanned([], is_not_ours=False)
    assert look_up(shelf, shelf, LEEDS, "TR-1") == Scanned([], is_not_ours=False)


def left(number: str, *events: tuple[str, str, str]) -> Events:
    """A return that was left by hubs: what was done, when, and where."""
    return [*created(number), *(at_hub(type_, number, time, hub=hub) for type_, time, hub in events)]


@pytest.fixture
def waiting_ones() -> Shelf:
    return Shelf(
        {
            "R-LATE": left("R-LATE", (DS, "11:30", "leeds")),
            "R-EARLY": left("R-EARLY", (DS, "10:00", "leeds")),
            "R-PARIS": left("R-PARIS", (DS, "09:30", "paris")),
            "R-MOVED": left("R-MOVED", (DS, "09:40", "leeds"), (DS, "09:50", "paris")),
            "R-DONE": left("R-DONE", (DS, "10:10", "leeds"), (RP, "10:30", "leeds")),
            "R-SOON": left("R-SOON", (DS, "13:00", "leeds")),
            "R-NEW": created("R-NEW"),
            "R-STRAIGHT": created("R-STRAIGHT", route="first_mile_only"),
        }
    )


def turned(
    shelf: Shelf, wanted: tuple[str | None, Milestone], limit: int = 10, bounds: Bounds = LEEDS
) -> Iterator[Sequence[str]]:
    """The numbers on each page."""
    after: PageKey | None = None
    while True:
        page = waiting(shelf, bounds, wanted, limit, after, NOON)
        yield [item["return_id"] for item in page.items]
        after = page.end
        if after is None:
            return


def test_what_has_waited_at_a_hub_for_longest_comes_first_on_every_page(waiting_ones: Shelf) -> None:
    to_process, to_export = ("leeds", Milestone.DS), ("leeds", Milestone.RP)

    assert list(turned(waiting_ones, to_process)) == [["R-EARLY", "R-LATE"]]
    assert list(turned(waiting_ones, to_process, limit=1)) == [["R-EARLY"], ["R-LATE"]]
    assert list(turned(waiting_ones, to_export)) == [["R-DONE"]]
    assert list(turned(waiting_ones, ("lyon", Milestone.DS))) == [[]]


def test_who_names_no_hub_is_told_what_waits_at_any_and_who_is_bound_what_is_seen(waiting_ones: Shelf) -> None:
    anywhere = (None, Milestone.DS)

    assert list(turned(waiting_ones, anywhere)) == [["R-PARIS", "R-MOVED", "R-EARLY", "R-LATE"]]
    assert list(turned(waiting_ones, anywhere, bounds=Bounds(frozenset({"bravo"}), hubs=LEEDS.hubs))) == [[]]


def test_of_a_parcel_that_waits_is_told_what_is_needed_to_find_it(waiting_ones: Shelf) -> None:
    page = waiting(waiting_ones, UNBOUND, ("paris", Milestone.DS), 1, None, NOON)

    assert page.items == [
        {
            "return_id": "R-PARIS",
            "tracking_number": "TR-PARIS",
            "retailer": "acme",
            "carrier": "generic",
            "hub": "paris",
            "status": "DS",
            "status_at": "2026-11-20T09:30:00Z",
        }
    ]
    rest = waiting(waiting_ones, UNBOUND, ("paris", Milestone.DS), 1, page.end, NOON)
    assert [item["return_id"] for item in rest.items] == ["R-MOVED"]


def test_a_page_of_another_list_leads_nowhere(waiting_ones: Shelf) -> None:
    with pytest.raises(WrongPageKey):
        waiting(waiting_ones, LEEDS, ("leeds", Milestone.DS), 1, ("r", 1), NOON)
