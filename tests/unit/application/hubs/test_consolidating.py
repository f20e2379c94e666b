"""What the stations of a hub are told of a connote that others exported under, and of parcels that went another way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.hubs.consolidating import Readings, how_far, shared_connote
from tests.support.journals import DELIVERED, DS, RE, RP, RR, VOID, creation, event
from tests.support.shelf import Events, Shelf

LEEDS = Bounds(hubs=frozenset({"leeds"}))
BRAVO = Bounds(retailers=frozenset({"bravo"}), hubs=frozenset({"leeds"}))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOWHERE: dict[str, Any] = {"exported": None, "retailer": None, "destination_country": None}


def export(number: str, time: str, connote: str = "CN-1", hub: str = "leeds") -> dict[str, Any]:
    return event(RE, f"{number}-re-{connote}", time, return_id=number, hub=hub, connote=connote)


def void(number: str, named: dict[str, Any]) -> dict[str, Any]:
    data = {"return_id": number, "source": "/test", "id": named["id"], "by": "Ann", "reason": "another parcel"}
    return {**event(VOID, f"void-{named['id']}", "20:00"), "data": data}


def processed(number: str, **data: Any) -> Events:
    return [creation(number, **data), event(RP, f"{number}-rp", "10:00", return_id=number, hub="leeds")]


def exported(number: str, time: str = "11:00", connote: str = "CN-1", **data: Any) -> Events:
    return [*processed(number, **data), export(number, time, connote)]


def shared(shelf: Shelf, connote: str = "CN-1", bounds: Bounds = LEEDS) -> dict[str, Any]:
    return shared_connote(Readings(shelf, shelf), bounds, connote, NOON)


def test_a_connote_is_shared_with_what_was_exported_under_it_and_where_that_goes() -> None:
    shelf = Shelf({"R-1": exported("R-1", destination_country="nz"), "R-2": exported("R-2"), "R-3": processed("R-3")})

    for bounds in (LEEDS, UNBOUND):
        assert shared(shelf, bounds=bounds) == {
            "connote": "CN-1",
            "state": "under_way",
            "members": 2,
            "exported": {"at": "2026-11-20T11:00:00Z", "hub": "leeds"},
            "retailer": "acme",
            "destination_country": "NZ",
        }


def test_a_connote_under_which_nobody_exported_is_new_and_so_is_one_of_which_nothing_is_seen() -> None:
    shelf = Shelf({"R-1": exported("R-1")})

    assert shared(shelf, "CN-2") == {"connote": "CN-2", "state": "new", "members": 0, **NOWHERE}
    assert shared(shelf, bounds=BRAVO) == {"connote": "CN-1", "state": "new", "members": 0, **NOWHERE}


def test_a_connote_that_was_delivered_says_so_with_or_without_parcels() -> None:
    delivery = event(DELIVERED, "d", "14:00", connote="CN-1")
    shelf = Shelf({"R-1": [*exported("R-1"), delivery]}, deliveries={"CN-9": NOON})

    told = shared(shelf)
    assert (told["state"], told["members"]) == ("delivered", 1)
    assert told["exported"] == {"at": "2026-11-20T11:00:00Z", "hub": "leeds"}
    without = {"connote": "CN-9", "state": "without_members", "members": 0, **NOWHERE}
    assert shared(shelf, "CN-9", UNBOUND) == without
    assert shared(shelf, "CN-9") == {**without, "state": "new"}


def test_a_connote_of_which_no_export_counts_goes_nowhere() -> None:
    rejected = event(RR, "rr", "10:30", return_id="R-2", hub="paris", reason="damaged")
    shelf = Shelf({"R-1": [creation("R-1"), export("R-1", "11:00")], "R-2": [*exported("R-2"), rejected]})

    assert shared(shelf) == {"connote": "CN-1", "state": "not_exported", "members": 0, **NOWHERE}


def test_a_connote_goes_where_the_parcel_goes_that_was_exported_first() -> None:
    shelf = Shelf(
        {
            "R-1": exported("R-1", "11:30", retailer="bravo"),
            "R-2": [*processed("R-2", destination_country="NZ"), export("R-2", "10:30", hub="paris")],
            "R-3": exported("R-3", "11:45", retailer="bravo"),
        }
    )

    told = shared(shelf)

    assert told["exported"] == {"at": "2026-11-20T10:30:00Z", "hub": "paris"}
    assert (told["retailer"], told["destination_country"]) == ("acme", "NZ")


def test_parcels_that_were_exported_under_another_connote_do_not_say_where_this_one_goes() -> None:
    named = export("R-1", "10:30")
    moved = [*processed("R-1", retailer="bravo"), named, void("R-1", named), export("R-1", "11:00", "CN-2")]
    shelf = Shelf({"R-1": moved, "R-2": exported("R-2")})

    assert (shared(shelf)["members"], shared(shelf)["retailer"]) == (1, "acme")
    assert (shared(shelf, "CN-2")["members"], shared(shelf, "CN-2")["retailer"]) == (1, "bravo")


def left(number: int) -> dict[str, Events]:
    """So many returns that were exported under the connote without being processed, which does not count."""
    ids = [f"R-{each:03}" for each in range(number)]
    return {each: [creation(each), export(each, "10:30")] for each in ids}


@pytest.mark.parametrize(("number", "windows"), ((20, [0]), (200, [0, 200])))
def test_where_a_connote_goes_is_found_behind_very_many_parcels_whose_export_does_not_count(
    number: int, windows: list[int]
) -> None:
    shelf = Shelf({**left(number), "R-LAST": exported("R-LAST", retailer="bravo")})

    told = shared(shelf)

    assert (told["state"], told["members"], told["retailer"]) == ("under_way", 1, "bravo")
    assert shelf.windows == windows  # nothing is read twice


def test_where_a_connote_goes_is_found_behind_parcels_that_are_not_seen() -> None:
    others = {f"B-{each}": exported(f"B-{each}", retailer="bravo") for each in range(4)}
    own = {"A-1": [creation("A-1"), export("A-1", "10:30")], "A-2": exported("A-2")}

    told = shared(Shelf({**others, **own}, look=2), bounds=Bounds(retailers=frozenset({"acme"})))

    assert (told["state"], told["members"], told["retailer"]) == ("under_way", 1, "acme")


def test_behind_all_too_many_parcels_nobody_looks_for_where_a_connote_goes() -> None:
    before = left(15)

    near = Shelf({**left(9), "R-LAST": exported("R-LAST")}, look=1)
    far = Shelf({**before, "R-LAST": exported("R-LAST")}, look=1)

    assert (shared(near)["members"], shared(near)["retailer"]) == (1, "acme")
    assert shared(far) == {"connote": "CN-1", "state": "under_way", "members": 1, **NOWHERE}
    assert far.windows == list(range(10))


def test_of_a_connote_of_which_no_export_counts_nothing_more_is_read_than_that() -> None:
    shelf = Shelf(left(5), look=1)

    assert shared(shelf)["state"] == "not_exported"
    assert (shelf.windows, shelf.histories) == ([0], [])


def test_a_parcel_whose_export_is_void_since_the_list_was_made_does_not_say_where_its_connote_goes() -> None:
    shelf = Shelf({"R-1": exported("R-1", "10:30", retailer="bravo"), "R-2": exported("R-2")})
    shelf.record("R-1", void("R-1", export("R-1", "10:30")))

    assert shared(shelf)["retailer"] == "acme"


def test_a_parcel_that_is_packed_anew_since_the_list_was_made_does_not_say_where_its_connote_goes() -> None:
    shelf = Shelf({"R-1": exported("R-1", "10:30", retailer="bravo"), "R-2": exported("R-2")})
    shelf.record("R-1", void("R-1", export("R-1", "10:30")), export("R-1", "11:00", "CN-2"))

    assert shared(shelf)["retailer"] == "acme"


def test_a_parcel_that_turned_out_to_be_anothers_since_does_not_say_where_its_connote_goes() -> None:
    shelf = Shelf({"R-1": exported("R-1", "10:30"), "R-2": exported("R-2", destination_country="NZ")})
    shelf.record("R-1", {**creation("R-1", "09:30", retailer="bravo"), "id": "again"})

    assert (shared(shelf)["retailer"], shared(shelf)["destination_country"]) == ("acme", "NZ")


def test_of_a_connote_that_is_packed_anew_as_a_whole_no_more_than_twenty_parcels_are_looked_at() -> None:
    numbers = [f"R-{number}" for number in range(25)]
    shelf = Shelf({number: exported(number) for number in numbers})
    for number in numbers:
        shelf.record(number, void(number, export(number, "11:00")))

    told = shared(shelf)

    assert (told["members"], told["exported"], told["retailer"]) == (25, None, None)
    assert len(shelf.histories) <= 20


def test_how_far_parcels_are_is_told_in_the_order_in_which_they_were_asked_for_each_once() -> None:
    shelf = Shelf(
        {
            "R-1": exported("R-1"),
            "R-2": [creation("R-2"), event(RR, "rr", "11:00", return_id="R-2", hub="paris", reason="damaged")],
            "R-3": [creation("R-3"), event(DS, "ds", "11:00", return_id="R-3", hub="paris")],
            "STRAIGHT": [creation("STRAIGHT", route="first_mile_only")],
        }
    )
    asked = ["R-2", "NOBODY", "R-1", "R-3", "STRAIGHT", "R-2", "R-1"]

    told = how_far(shelf, LEEDS, asked)

    assert told == [
        {"return_id": "R-2", "status": "RR", "status_name": "Return Rejected", "connote": None},
        {"return_id": "R-1", "status": "RE", "status_name": "Return Exported", "connote": "CN-1"},
        {"return_id": "R-3", "status": "DS", "status_name": "Depot Scan", "connote": None},
    ]
    assert [each["return_id"] for each in how_far(shelf, UNBOUND, asked)] == ["R-2", "R-1", "R-3", "STRAIGHT"]
    assert how_far(shelf, BRAVO, asked) == how_far(shelf, LEEDS, []) == []


def test_a_parcel_whose_export_does_not_count_is_not_told_as_being_under_its_connote() -> None:
    held = [creation("R-1"), export("R-1", "11:00")]

    (told,) = how_far(Shelf({"R-1": held}), LEEDS, ["R-1"])

    assert (told["status"], told["connote"]) == ("RC", None)


def test_a_return_whose_creation_has_not_come_is_not_told_of() -> None:
    shelf = Shelf({"R-1": [event(DS, "ds", "11:00", return_id="R-1", hub="leeds")]})

    assert how_far(shelf, UNBOUND, ["R-1"]) == []
