"""What stands in a list, as the API gives it: every value is JSON, and nothing of the store's own is in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from service.application.reading.connotes.listing import UnclaimedDelivery
from service.application.reading.documents import exception_item, letter_item, return_item
from service.application.reading.listing import ListedException, ListedReturn, ParkedEvent
from service.domain.milestones import Reason
from service.wire.explanations import EXPLANATIONS, WAITS_FOR_CREATION, WAITS_FOR_EXPORT
from service.wire.rows.letters import KeptLetter

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
NZ = datetime(2026, 11, 26, 1, 0, 0, 5, timezone(timedelta(hours=13)))
RETURN = ListedReturn(
    7, "R-7", "acme", "A-1", "omnirps", "generic", "TR-7", None, "DS", 4, False, "akl-1", AT, AT, NZ, AT
)  # fmt: skip
EXCEPTION = ListedException(
    7, 2, "R-7", "acme", "held", "awaiting_processed", "RE", "t", "/s", "i", None, "generic", "TR-7", "C-1", AT, NZ,
    None, "topic", 3, 17,
)  # fmt: skip
PARKED = ParkedEvent("label", "generic/TR-7", "RT", None, "t", "/s", "i", "COLLECTED", AT, NZ, "topic", 3, 17)
LETTER = KeptLetter(
    12, "topic", None, 3, 17, AT, b"R-7", b"{", 1, [["a", "eA=="], ["b", None]], "not_json", "not JSON", 2, NZ
)  # fmt: skip


def test_a_return_in_a_list_has_its_status_named_and_its_times_in_utc() -> None:
    assert return_item({})(RETURN) == {
        "return_id": "R-7",
        "retailer": "acme",
        "order_number": "A-1",
        "route": "omnirps",
        "carrier": "generic",
        "tracking_number": "TR-7",
        "connote": None,
        "status": "DS",
        "status_name": "Depot Scan",
        "version": 4,
        "complete": False,
        "closed": None,
        "hub": "akl-1",
        "status_at": "2026-11-25T12:00:00Z",
        "status_recorded_at": "2026-11-25T12:00:00Z",
        "created_at": "2026-11-25T12:00:00.000005Z",
        "updated_at": "2026-11-25T12:00:00Z",
        "stuck": False,
        "tracking_url": None,
    }


def test_a_return_that_was_closed_says_so_is_not_complete_and_stuck_no_more() -> None:
    closed = RETURN._replace(
        complete=True, closed_at=NZ, closed_reason="lost", status_recorded_at=AT - timedelta(days=9)
    )

    item = return_item({"DS": AT})(closed)

    assert (item["closed"], item["complete"], item["stuck"]) == (
        {"reason": "lost", "at": "2026-11-25T12:00:00.000005Z"},
        False,
        False,
    )


@pytest.mark.parametrize(
    ("status", "complete", "recorded", "is_stuck"),
    (
        ("DS", False, AT - timedelta(microseconds=1), True),
        ("DS", False, AT, False),  # not yet
        ("DS", True, AT - timedelta(days=9), False),  # nothing further is expected
        ("RP", False, AT - timedelta(days=9), False),  # in a status in which nothing is ever late
    ),
)
def test_a_return_is_stuck_that_moved_before_its_status_is_due(
    status: str, complete: bool, recorded: datetime, is_stuck: bool
) -> None:
    row = RETURN._replace(status=status, complete=complete, status_recorded_at=recorded)

    assert return_item({"DS": AT})(row)["stuck"] is is_stuck


def test_an_exception_says_what_was_expected_behind_its_reason() -> None:
    item = exception_item(EXCEPTION)

    words = EXPLANATIONS[Reason.AWAITING_PROCESSED]
    assert item == {
        "exception_id": "return/R-7/awaiting_processed",
        "return_id": "R-7",
        "retailer": "acme",
        "verdict": "held",
        "reason": "awaiting_processed",
        "expected": words.expected,
        "resolution": words.resolution,
        "milestone": "RE",
        "type": "t",
        "source": "/s",
        "id": "i",
        "code": None,
        "carrier": "generic",
        "tracking_number": "TR-7",
        "connote": "C-1",
        "occurred_at": "2026-11-25T12:00:00Z",
        "recorded_at": "2026-11-25T12:00:00.000005Z",
        "resolved_at": None,
        "topic": "topic",
        "partition": 3,
        "offset": 17,
        "state": "open",
        "acknowledged": None,
    }


def test_an_exception_says_whether_somebody_has_seen_it_until_it_is_resolved() -> None:
    seen = EXCEPTION._replace(acknowledged_at=NZ, acknowledged_by="Ann", acknowledged_note="known")

    item, resolved = exception_item(seen), exception_item(EXCEPTION._replace(resolved_at=AT))

    assert (item["state"], item["acknowledged"]) == (
        "acknowledged",
        {"at": "2026-11-25T12:00:00.000005Z", "by": "Ann", "note": "known"},
    )
    assert (resolved["state"], resolved["acknowledged"]) == ("resolved", None)
    assert list(item)[3:6] == ["reason", "expected", "resolution"]


@pytest.mark.parametrize(
    ("kind", "subject", "named", "exception_id"),
    (
        ("label", "generic/TR-7", (None, "generic", "TR-7"), "label/generic/TR-7/parked"),
        ("return", "R-7", ("R-7", None, None), "return/R-7/parked"),
    ),
)
def test_a_parked_event_is_named_by_what_it_came_with(
    kind: str, subject: str, named: tuple[str | None, str | None, str | None], exception_id: str
) -> None:
    item = exception_item(PARKED._replace(kind=kind, subject=subject))

    assert (item["return_id"], item["carrier"], item["tracking_number"]) == named
    assert item["exception_id"] == exception_id


def test_what_waits_has_the_members_of_an_exception_and_says_what_it_waits_for() -> None:
    parked, mended = exception_item(PARKED), exception_item(PARKED._replace(reason="unknown_code"))
    unclaimed = exception_item(UnclaimedDelivery("C-1", AT, NZ, "topic", 3, 17, "/s", "i", NZ, "Ann", "known"))

    why, waits = EXPLANATIONS[Reason.UNKNOWN_CODE], WAITS_FOR_CREATION
    of_nobody = dict.fromkeys(("return_id", "retailer", "reason", "carrier", "tracking_number", "connote"))
    assert parked == exception_item(EXCEPTION) | of_nobody | {
        "exception_id": "label/generic/TR-7/parked",
        "verdict": "parked",
        "expected": waits.expected,
        "resolution": waits.resolution,
        "milestone": "RT",
        "code": "COLLECTED",
        "carrier": "generic",
        "tracking_number": "TR-7",
    }
    # To be mended whether its return comes or not.
    resolution = f"{why.resolution} {waits.resolution}"
    assert mended == parked | {"reason": "unknown_code", "expected": why.expected, "resolution": resolution}
    assert unclaimed == exception_item(EXCEPTION) | of_nobody | {
        "exception_id": "connote/C-1/without_members",
        "verdict": "parked",
        "expected": WAITS_FOR_EXPORT.expected,
        "resolution": WAITS_FOR_EXPORT.resolution,
        "milestone": "RDBTC",
        "type": "com.omnirps.connote.delivered.v1",
        "connote": "C-1",
        "state": "acknowledged",
        "acknowledged": {"at": "2026-11-25T12:00:00.000005Z", "by": "Ann", "note": "known"},
    }
    assert list(parked) == list(unclaimed) == list(exception_item(EXCEPTION))


def test_a_dead_letter_shows_its_bytes_as_base64_and_as_text_where_they_are_one() -> None:
    assert letter_item(LETTER) == {
        "id": 12,
        "reason": "not_json",
        "error": "not JSON",
        "topic": "topic",
        "partition": 3,
        "offset": 17,
        "published_at": "2026-11-25T12:00:00Z",
        "recorded_at": "2026-11-25T12:00:00.000005Z",
        "attempts": 2,
        "resolved_at": None,
        "key": {"base64": "Ui03", "text": "R-7"},
        "value": {"base64": "ew==", "text": "{", "size": 1},
        "headers": [{"name": "a", "base64": "eA=="}, {"name": "b", "base64": None}],
    }


@pytest.mark.parametrize(
    ("value", "size", "shown"),
    (
        (None, None, None),  # a tombstone
        (None, 9_000_000, {"base64": None, "text": None, "size": 9_000_000}),  # too long to be shown here
        (b"", 0, {"base64": "", "text": "", "size": 0}),
        (b"\xff", 1, {"base64": "/w==", "text": None, "size": 1}),
    ),
)
def test_a_dead_letter_tells_a_value_that_is_left_out_from_none(
    value: bytes | None, size: int | None, shown: dict[str, Any] | None
) -> None:
    item = letter_item(LETTER._replace(key=None, value=value, size=size, resolved_at=AT))

    assert item["value"] == shown
    assert item["key"] is None
    assert item["resolved_at"] == "2026-11-25T12:00:00Z"
