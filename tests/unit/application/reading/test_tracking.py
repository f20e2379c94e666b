"""One return as the API gives it, and what counts of its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.reading.redaction import Found
from service.application.reading.tracking import HistoryPage, counts, find_history, find_return, is_anothers
from service.domain.journey import NEW, State
from service.domain.labels import Window
from service.wire.documents import return_document
from tests.support import journals
from tests.support.found import found
from tests.support.journals import creation, event, scan

EVENTS = [
    creation(),
    scan("COLLECTED", "10:00", location={"country": "GB"}),
    event(journals.RP, "rp", "13:00", return_id="R-1001", hub="lhr"),
    event(journals.RE, "re", "14:00", return_id="R-1001", hub="lhr", connote="C-1"),
    event(journals.DELIVERED, "other", "14:30", connote="C-2"),
    event(journals.DELIVERED, "own", "15:00", connote="C-1"),
]


RECORDED = datetime(2026, 11, 20, 16, tzinfo=UTC)


class OneReturn:
    """`ReturnReading` of one return."""

    def __init__(self, known: Found) -> None:
        self.known = known
        self.asked: list[tuple[int, int]] = []

    def state(self, bounds: Bounds, return_id: str) -> State | None:
        return self.known.state if bounds == UNBOUND and return_id == self.known.number else None

    def latest(self, bounds: Bounds, return_id: str) -> tuple[State, datetime] | None:
        state = self.state(bounds, return_id)
        return None if state is None else (state, RECORDED)

    def states(self, bounds: Bounds, return_ids: Sequence[str]) -> dict[str, State]:
        return {each: state for each in return_ids if (state := self.state(bounds, each)) is not None}

    def history(self, bounds: Bounds, return_id: str, after: int, limit: int) -> HistoryPage | None:
        self.asked.append((after, limit))
        rows = [row for row in self.known.rows if row.seq > after][:limit]
        return HistoryPage(self.known.state, rows) if bounds == UNBOUND and return_id == self.known.number else None


def test_a_return_is_found_by_its_id_and_another_one_is_not() -> None:
    reading = OneReturn(found("R-1001", EVENTS))

    document = return_document("R-1001", reading.known.state, updated_at="2026-11-20T16:00:00Z")
    assert find_return(reading, UNBOUND, "R-1001") == document
    assert find_return(reading, UNBOUND, "R-1002") is None
    assert find_history(reading, UNBOUND, "R-1002", 0, 10) is None


@pytest.mark.parametrize("limit", (1, 2, 3, 4, 5, 6, 7))
def test_pages_of_a_history_have_every_row_once_in_the_order_of_recording(limit: int) -> None:
    reading = OneReturn(found("R-1001", EVENTS))
    seen, pages, after = list[str](), 0, 0

    while page := find_history(reading, UNBOUND, "R-1001", after, limit):
        items, after = page
        assert 0 < len(items) <= limit
        seen += [item["id"] for item in items]
        pages += 1
        if not after:
            break

    assert seen == [each["id"] for each in EVENTS]
    assert {asked for _, asked in reading.asked} == {limit + 1}  # which tells whether there is another page
    assert pages == -(-len(EVENTS) // limit)


def test_a_row_of_the_history_says_what_came_and_what_became_of_it() -> None:
    page = find_history(OneReturn(found("R-1001", EVENTS)), UNBOUND, "R-1001", 1, 1)

    assert page is not None
    (item,), after = page
    assert after == 2
    assert item == {
        "source": "/test",
        "id": "R-1001-COLLECTED-10:00",
        "type": journals.SCAN,
        "code": "COLLECTED",
        "milestone": "RT",
        "occurred_at": "2026-11-20T10:00:00Z",
        "recorded_at": "2026-11-21T00:00:00Z",
        "verdict": "advanced",
        "reason": None,
        "counts": True,
        "zone_source": "event",
        "location": {"country": "GB"},
        "topic": "t",
        "partition": 0,
        "offset": 2,
        "data": EVENTS[1]["data"],
    }


def counting(events: Sequence[dict[str, Any]]) -> list[str]:
    """The ids of the events that count now."""
    seen = found("R-1001", events)
    return [row.id for row in seen.rows if counts(row, seen.state)]


def test_a_delivery_counts_only_under_the_connote_that_the_return_travels_by() -> None:
    after = event(journals.DELIVERED, "later", "15:30", connote="C-2")

    assert counting([*EVENTS, after]) == ["R-1001-rc", "R-1001-COLLECTED-10:00", "rp", "re", "own"]


@pytest.mark.parametrize(
    "other",
    (
        {"is_anothers": True},
        {"reason": "returned_to_sender"},
        {"reason": "before_export"},
        {"reason": "before_label"},
        {"reason": "returned_to_sender", "milestone": None},
    ),
)
def test_a_later_scan_that_is_anothers_or_was_seen_in_a_wrong_place_does_not_count(other: dict[str, Any]) -> None:
    seen = found("R-1001", [*EVENTS[:2], scan("IN_TRANSIT", "10:30")])
    later = seen.rows[-1]

    assert counts(later, seen.state)
    assert not counts(later._replace(**other), seen.state)


def test_a_scan_is_anothers_where_its_label_s_window_or_its_retailers_are_and_no_other_event_is() -> None:
    seen = found("R-1001", EVENTS[:2])
    created, scanned = seen.rows
    ended = {(("generic", "TR-1001"), ""): Window(0)}

    assert [is_anothers(row, {}, seen.state) for row in seen.rows] == [False, False]
    assert [is_anothers(row, ended, seen.state) for row in seen.rows] == [False, True]
    bound = scanned._replace(retailers="acme,zenith")
    assert [is_anothers(bound, {}, state) for state in (seen.state, NEW)] == [False, True]
    assert [is_anothers(row, {}, NEW) for row in (created, scanned)] == [False, False]


def test_of_two_events_of_a_milestone_both_count_and_one_without_a_milestone_does_not() -> None:
    later, silent = scan("IN_TRANSIT", "10:30"), scan("RETURNING", "10:40")

    assert counting([*EVENTS[:2], later, silent]) == ["R-1001-rc", "R-1001-COLLECTED-10:00", later["id"]]


def test_what_is_denied_or_void_does_not_count_and_a_creation_always_does() -> None:
    void = {"return_id": "R-1001", "source": "/test", "by": "lead", "reason": "other parcel"}
    voids = [
        {**event(journals.VOID, f"void-{name}", "16:00"), "data": {**void, "id": name}}
        for name in ("R-1001-COLLECTED-10:00", "R-1001-rc")
    ]

    later = scan("IN_TRANSIT", "10:30")
    exported_alone = [*EVENTS[:2], later, EVENTS[3], *voids]

    assert counting(exported_alone) == ["R-1001-rc", later["id"]]
