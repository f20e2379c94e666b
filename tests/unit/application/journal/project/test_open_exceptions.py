"""Which exceptions stay open beside others of their return that give the same reason, and beside rows of the earliest rules."""

from __future__ import annotations

from typing import Any

from service.application.journal.project import project
from service.wire.rows.logged import LogRow
from tests.support.journals import RE, RP, VOID, creation, event, scan
from tests.unit.application.journal.test_project import EXPORT, history, hub

UNKNOWN, NEITHER = scan("NOBODY-KNOWS", "10:00"), scan("NOR-THIS", "10:30")
PROCESSED = hub(RP, "12:00")


def void(target: dict[str, Any], id_: str = "v") -> dict[str, Any]:
    said = {"source": target["source"], "id": target["id"], "by": "me", "reason": "a mistake"}
    return event(VOID, id_, "19:00", return_id="R-1001", **said)


def is_open(rows: list[LogRow]) -> dict[tuple[str, str], bool]:
    """Reason and event of each exception, and whether it is open."""
    return {(each.reason, each.id): each.resolved_at is None for each in project(rows, ()).exceptions}


def test_two_scans_that_nobody_understands_are_two_exceptions_and_both_stay() -> None:
    rows = history(creation(), UNKNOWN, NEITHER, PROCESSED)

    assert is_open(rows) == {("unknown_code", UNKNOWN["id"]): True, ("unknown_code", NEITHER["id"]): True}


def test_of_two_deliveries_at_the_sender_s_the_one_that_counts_after_all_is_none_any_more() -> None:
    back = scan("RETURNING", "10:00")
    first, second = scan("DELIVERED", "10:30"), scan("DELIVERED", "11:30")
    rows = history(creation(), back, first, second, scan("COLLECTED", "11:00"))

    both = {("returned_to_sender", first["id"]): True, ("returned_to_sender", second["id"]): True}
    assert is_open(rows[:4]) == both
    assert is_open(rows) == both | {("returned_to_sender", second["id"]): False}


def test_what_is_told_under_a_void_event_stays_for_another_one_that_was_not_told_of() -> None:
    again = hub(RE, "14:00", connote="CN-A")
    rows = history(creation(), PROCESSED, EXPORT, again, void(PROCESSED), void(EXPORT, "w"), void(again, "x"))

    exports = ("awaiting_processed", EXPORT["id"])
    assert is_open(rows[:5]) == {exports: True}
    assert is_open(rows[:6]) == {exports: True}
    assert is_open(rows) == {exports: False}


def test_a_void_that_is_in_vain_ends_nothing() -> None:
    first = void(creation())
    second = void(first, "w")
    rows = history(creation(), first, second)

    assert is_open(rows) == {("not_voidable", "v"): True, ("not_voidable", "w"): True}


def test_by_the_earliest_rules_an_exception_ends_with_the_void_of_its_event_and_with_nothing_else() -> None:
    rows = history(creation(), UNKNOWN, NEITHER, PROCESSED, void(UNKNOWN), of_before=5)

    both = {("unknown_code", UNKNOWN["id"]): True, ("unknown_code", NEITHER["id"]): True}
    assert is_open(rows[:4]) == both
    assert is_open(rows) == both | {("unknown_code", UNKNOWN["id"]): False}


def test_what_an_event_of_the_earliest_rules_was_told_for_is_not_told_again_beside_what_nobody_was_told_of() -> None:
    # The first row of today's rules raises both; of the delivery somebody was told when it came.
    other = creation(retailer="zenith") | {"id": "other"}
    back, delivered = scan("RETURNING", "10:00"), scan("DELIVERED", "10:30")
    rows = history(creation(), other, back, delivered, PROCESSED, of_before=4)

    assert is_open(rows[:4]) == {("returned_to_sender", delivered["id"]): True}
    assert is_open(rows) == {
        ("returned_to_sender", delivered["id"]): True,
        ("creation_conflict", PROCESSED["id"]): True,
    }
    assert rows[-1].raised == ["returned_to_sender", "creation_conflict"]


def test_a_hub_that_is_no_text_is_none() -> None:
    rows = history(creation(), PROCESSED)

    (found,) = project([rows[0], rows[1]._replace(data={"hub": 7})], ()).returns

    assert found.hub is None
