"""Pages of connotes, one list behind the other, and a connote with a page of its members."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.application.access.bounds import EVERYTHING, UNBOUND, Bounds, Everything
from service.application.commands.acknowledging import Acknowledgement
from service.application.reading.connotes.documents import find_connote, head_item, list_connotes
from service.application.reading.connotes.listing import (
    Connote,
    Delivery,
    Key,
    ListedConnote,
    Member,
    UnclaimedDelivery,
)
from service.application.reading.filters import ConnoteFilter, ConnoteState
from service.application.reading.listing import Window
from service.application.reading.pages import Page, PageKey, WrongPageKey
from service.wire.stored import to_micros

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ACME = Bounds(retailers=frozenset({"acme"}))


def day(number: int) -> datetime:
    return datetime(2026, 11, number, 13, tzinfo=UTC)


UNDER = [ListedConnote(f"U-{n}", 2, 1, day(n), None) for n in (1, 2, 3)]
DONE = [ListedConnote(f"D-{n}", 0, 4, day(10 - n), day(20 - n)) for n in (1, 2)]
LOST = [UnclaimedDelivery(f"W-{n}", day(5 - n), day(9 - n), "t", 0, n, "/s", f"i{n}") for n in (1, 2)]
LOST[1] = LOST[1]._replace(acknowledged_at=day(9), acknowledged_by="Ann", acknowledged_note="known")
EVERY = ["U-1", "U-2", "U-3", "D-1", "D-2", "W-1", "W-2"]


class Reading:
    """`ConnoteReading` of these; and what was asked."""

    def __init__(self, found: Connote | None = None) -> None:
        self.found = found
        self.asked: list[tuple[Any, ...]] = []

    def under_way(self, bounds: Bounds, wanted: ConnoteFilter, after: Key | None, limit: int) -> Window[ListedConnote]:
        self.asked.append(("under way", bounds, wanted, limit))
        rest = [each for each in UNDER if after is None or (each.exported_at, each.connote) > after]
        return Window(rest[:limit])

    def delivered(self, bounds: Bounds, wanted: ConnoteFilter, after: Key | None, limit: int) -> Window[ListedConnote]:
        self.asked.append(("delivered", bounds, wanted, limit))
        rest = [each for each in DONE if after is None or (each.delivered_at, each.connote) < after]
        return Window(rest[:limit])

    def without_members(
        self,
        everything: Everything,
        wanted: ConnoteFilter,
        after: tuple[datetime, str, str, str] | None,
        limit: int,
    ) -> Window[UnclaimedDelivery]:
        self.asked.append(("without", everything, wanted, limit))
        rest = [each for each in LOST if after is None or (each.recorded_at, *_name(each)) < after]
        return Window(rest[:limit])

    def connote(self, bounds: Bounds, connote: str, after: int, limit: int) -> Connote | None:
        self.asked.append((bounds, connote, after, limit))
        if self.found is None:
            return None
        rows = [each for each in self.found.members.rows if each.return_no > after]
        return self.found._replace(members=Window(rows[:limit]))


def _name(each: UnclaimedDelivery) -> tuple[str, str, str]:
    return (each.connote, each.source, each.id)


def read(limit: int, wanted: ConnoteFilter, bounds: Bounds) -> list[list[str]]:
    """The connotes of each page, to the end."""
    after: PageKey | None = None
    found = list[list[str]]()
    while True:
        page = list_connotes(Reading(), bounds, wanted, limit, after, NOW)
        found.append([item["connote"] for item in page.items])
        after = page.end
        if after is None:
            return found


@pytest.mark.parametrize("limit", (1, 2, 3, 4, 5, 7, 8))
def test_whoever_turns_the_pages_sees_each_connote_once_those_under_way_first(limit: int) -> None:
    found = read(limit, ConnoteFilter(), UNBOUND)

    assert [connote for page in found for connote in page] == EVERY
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize(
    ("wanted", "bounds", "connotes"),
    (
        (ConnoteFilter(state=ConnoteState.UNDER_WAY), UNBOUND, EVERY[:3]),
        (ConnoteFilter(state=ConnoteState.DELIVERED), UNBOUND, EVERY[3:5]),
        (ConnoteFilter(state=ConnoteState.WITHOUT_MEMBERS), UNBOUND, EVERY[5:]),
        (ConnoteFilter(state=ConnoteState.WITHOUT_MEMBERS), ACME, []),
        (ConnoteFilter(state=ConnoteState.WITHOUT_MEMBERS, retailer="acme"), UNBOUND, []),
        (ConnoteFilter(retailer="acme"), UNBOUND, EVERY[:5]),
        (ConnoteFilter(), ACME, EVERY[:5]),
        (ConnoteFilter(acknowledged=False), UNBOUND, EVERY),  # which of them, the store knows
        (ConnoteFilter(acknowledged=True), UNBOUND, EVERY[5:]),
        (ConnoteFilter(acknowledged=True), ACME, []),
        (ConnoteFilter(acknowledged=True, retailer="acme"), UNBOUND, []),
    ),
)
def test_what_nobody_s_returns_travel_under_is_for_who_sees_everything_and_asks_for_no_retailer(
    wanted: ConnoteFilter, bounds: Bounds, connotes: list[str]
) -> None:
    assert [connote for page in read(2, wanted, bounds) for connote in page] == connotes


def test_what_is_asked_reaches_the_store_with_the_bounds_and_one_row_more_than_there_is_room_for() -> None:
    reading, wanted = Reading(), ConnoteFilter(retailer="acme")

    list_connotes(reading, ACME, wanted, 4, None, NOW)
    list_connotes(reading, UNBOUND, ConnoteFilter(), 6, None, NOW)

    assert reading.asked == [
        ("under way", ACME, wanted, 5),
        ("delivered", ACME, wanted, 2),
        ("under way", UNBOUND, ConnoteFilter(), 7),
        ("delivered", UNBOUND, ConnoteFilter(), 4),
        ("without", EVERYTHING, ConnoteFilter(), 2),
    ]


def test_a_page_that_is_full_with_the_end_of_a_list_leads_to_the_beginning_of_the_next() -> None:
    assert list_connotes(Reading(), UNBOUND, ConnoteFilter(), 3, None, NOW).end == ("cd",)
    assert list_connotes(Reading(), UNBOUND, ConnoteFilter(), 5, None, NOW).end == ("cw",)
    assert list_connotes(Reading(), UNBOUND, ConnoteFilter(), 2, None, NOW).end == ("cu", to_micros(day(2)), "U-2")
    assert list_connotes(Reading(), UNBOUND, ConnoteFilter(), 2, ("cd",), NOW).items[0]["connote"] == "D-1"


@pytest.mark.parametrize("after", ((), ("r", 1), ("cu", 1), ("cd", 1, 2), ("cw", 1, "a", "b"), ("cu", "x", "U-1")))
def test_a_key_that_somebody_made_up_leads_nowhere(after: PageKey) -> None:
    with pytest.raises(WrongPageKey):
        list_connotes(Reading(), UNBOUND, ConnoteFilter(), 2, after, NOW)


def test_a_key_of_a_list_that_is_not_asked_for_leads_nowhere() -> None:
    with pytest.raises(WrongPageKey):
        list_connotes(Reading(), ACME, ConnoteFilter(), 2, ("cw",), NOW)


def items(*connotes: str) -> list[dict[str, Any]]:
    every = list_connotes(Reading(), UNBOUND, ConnoteFilter(), 9, None, NOW).items
    return [item for item in every if item["connote"] in connotes]


def test_a_connote_is_told_by_where_it_is_how_many_travel_under_it_and_for_how_long() -> None:
    assert items("U-1", "D-1", "W-1") == [
        {
            "connote": "U-1",
            "state": "under_way",
            "members": 3,
            "under_way": 2,
            "delivered": 1,
            "exported_at": "2026-11-01T13:00:00Z",
            "delivered_at": None,
            "days_under_way": 24,
            "exception_id": None,
            "acknowledged": None,
        },
        {
            "connote": "D-1",
            "state": "delivered",
            "members": 4,
            "under_way": 0,
            "delivered": 4,
            "exported_at": "2026-11-09T13:00:00Z",
            "delivered_at": "2026-11-19T13:00:00Z",
            "days_under_way": 10,
            "exception_id": None,
            "acknowledged": None,
        },
        {
            "connote": "W-1",
            "state": "without_members",
            "members": 0,
            "under_way": 0,
            "delivered": 0,
            "exported_at": None,
            "delivered_at": "2026-11-04T13:00:00Z",
            "days_under_way": None,
            "exception_id": "connote/W-1/without_members",
            "acknowledged": None,
        },
    ]


SEEN = {"at": "2026-11-09T13:00:00Z", "by": "Ann", "note": "known"}


def test_a_connote_without_members_says_who_has_seen_it() -> None:
    (unseen, seen) = items("W-1", "W-2")
    found = Connote(NOTHING, Window([]), (), [DELIVERY], Acknowledgement(day(9), "Ann", "known"))

    assert seen == unseen | {
        "connote": "W-2",
        "delivered_at": "2026-11-03T13:00:00Z",
        "exception_id": "connote/W-2/without_members",
        "acknowledged": SEEN,
    }
    assert head(found)["acknowledged"] == SEEN


def head(found: Connote) -> dict[str, Any]:
    return head_item(found, NOW)


def member(number: int, status: str | None = "RE", connote: str | None = "CN-1") -> Member:
    is_known = status is not None
    return Member(
        number,
        f"R-{number}",
        "acme" if is_known else None,
        status,
        status == "RDBTC" if is_known else None,
        day(7) if is_known else None,
        day(8) if is_known else None,
        connote,
        day(6) if is_known else None,
    )


DELIVERY = Delivery(
    "/s", "d-1", "t", day(20), day(21), "time", "topic", 0, 1, {"connote": "CN-1", "location": {"name": "Reno"}}, 600
)
NOTHING = ListedConnote("CN-1", 0, 0, None, None)


def test_days_are_counted_until_now_or_until_the_delivery_and_are_never_fewer_than_none() -> None:
    early = UNDER[0]._replace(exported_at=NOW + timedelta(days=2))
    nobody_knows = DONE[0]._replace(exported_at=None)

    assert [head(Connote(each, Window([]), (), ()))["days_under_way"] for each in (early, nobody_knows)] == [0, None]


def test_a_connote_whose_exports_do_not_count_and_one_that_only_a_delivery_names_are_told_apart() -> None:
    held = Connote(NOTHING, Window([member(1, "DS")]), (("DS", 1, False),), [DELIVERY])
    only = Connote(NOTHING, Window([]), (), [DELIVERY, DELIVERY._replace(occurred_at=day(1))])
    neither = Connote(NOTHING, Window([]), (), ())
    under_way = Connote(UNDER[0], Window([]), (), [DELIVERY])
    done = Connote(DONE[0], Window([]), (), ())

    told = [(head(each)["state"], head(each)["delivered_at"]) for each in (held, only, neither, under_way, done)]
    assert told == [
        ("not_exported", None),
        ("without_members", "2026-11-20T13:00:00Z"),
        ("without_members", None),
        ("under_way", None),
        ("delivered", "2026-11-19T13:00:00Z"),
    ]


def test_a_connote_has_its_deliveries_and_a_page_of_its_members() -> None:
    rows = [member(1), member(2, "RDBTC"), member(3, None), member(4, "DS"), member(5, "RE", "CN-2")]
    reading = Reading(Connote(UNDER[0]._replace(connote="CN-1"), Window(rows), (), [DELIVERY]))

    found = find_connote(reading, ACME, "CN-1", 3, None, NOW)
    assert found is not None
    document, page = found

    assert document["deliveries"] == [
        {
            "source": "/s",
            "id": "d-1",
            "occurred_at": "2026-11-20T13:00:00Z",
            "recorded_at": "2026-11-21T13:00:00Z",
            "location": {"name": "Reno"},
        }
    ]
    told = [document[name] for name in ("connote", "state", "members", "days_under_way")]
    assert told == ["CN-1", "under_way", 3, 24]
    assert page.items[0] == {
        "return_id": "R-1",
        "retailer": "acme",
        "status": "RE",
        "status_name": "Return Exported",
        "status_at": "2026-11-07T13:00:00Z",
        "complete": False,
        "travels": True,
        "connote": "CN-1",
        "exported_at": "2026-11-06T13:00:00Z",
    }
    assert page.end == ("cm", 3)
    rest = find_connote(reading, ACME, "CN-1", 3, page.end, NOW)
    assert rest is not None
    others = [(each["status_name"], each["travels"], each["exported_at"]) for each in (*page.items[1:], *rest[1].items)]
    assert others == [
        ("Return Delivered Back To Retailer", True, "2026-11-06T13:00:00Z"),
        (None, False, None),
        ("Depot Scan", False, None),
        ("Return Exported", False, None),
    ]
    assert rest[1].end is None
    assert reading.asked == [(ACME, "CN-1", 0, 4), (ACME, "CN-1", 3, 4)]


def test_a_connote_that_nothing_names_is_none_and_a_key_of_another_list_leads_nowhere() -> None:
    assert find_connote(Reading(), UNBOUND, "CN-9", 3, None, NOW) is None
    with pytest.raises(WrongPageKey):
        find_connote(Reading(), UNBOUND, "CN-9", 3, ("cu", 1, "x"), NOW)


def test_a_page_without_connotes_is_the_last_one() -> None:
    wanted = ConnoteFilter(state=ConnoteState.WITHOUT_MEMBERS)

    assert list_connotes(Reading(), ACME, wanted, 3, None, NOW) == Page([], None)
