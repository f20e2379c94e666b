from __future__ import annotations

from typing import Any

import pytest

from service.application.access.bounds import UNBOUND
from service.application.commands import bulk as module
from service.application.commands.bulk import MOST_FAULTS, Bulk, Outcome
from service.errors import Retryable
from service.wire.feeds.reading import Fault
from service.wire.omnireturns.lines import BulkLine
from tests.support.creations import RANGES, World

DATA: dict[str, Any] = {"retailer": "acme", "route": "omnirps", "carrier": "generic", "tracking_number": "T-1"}


def line(number: int, key: str | None = None, **more: Any) -> BulkLine:
    return BulkLine(number, f"named/{key or number}", {**DATA, **more}, [], 10 * number)


def told(outcomes: list[Outcome]) -> list[tuple[int, bool, str | None]]:
    return [(each.line.number, each.existed, None if each.fault is None else each.fault.path) for each in outcomes]


def test_every_fault_of_every_line_is_found_before_anything_is_created() -> None:
    world = World()
    lines = [
        line(1),
        line(2, route="by sea", carrier="No"),
        BulkLine(3, "", {}, [Fault("", "not_json", "a JSON object is expected")], 30),
        line(4, key="1"),
        line(5, return_id="R-1"),
        line(6, return_id="R-1"),
        BulkLine(7, "line/x", DATA, [], 70),
        BulkLine(8, "line/x", DATA, [], 80),
        line(9, tracking_number=None),
    ]

    checked = Bulk(world.creating, UNBOUND).check(lines)

    assert [(number, fault.path) for number, fault in checked.faults] == [
        (2, "route"),
        (2, "carrier"),
        (3, ""),
        (4, "key"),
        (6, "return_id"),
        (8, "key"),
        (9, "tracking_number"),
    ]
    assert [fault.reason for _, fault in checked.faults] == [
        "bad_value",
        "bad_value",
        "not_json",
        "repeated",
        "repeated",
        "repeated",
        "missing_field",
    ]
    assert (checked.lines, checked.wrong, checked.read) == (9, 7, 90)
    assert checked.faults[-2][1].detail == "the same as line 7: two returns that say the same need a `key` each"
    assert world.published == []


def test_many_faults_are_counted_and_the_first_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = Bulk(World().creating, UNBOUND).check(line(n, route="x") for n in range(200))
    monkeypatch.setattr(module, "MOST_LINES", 2)
    long = Bulk(World().creating, UNBOUND).check(line(n) for n in range(10))

    assert (checked.wrong, len(checked.faults)) == (200, MOST_FAULTS)
    assert [fault.reason for _, fault in long.faults] == ["too_large"]


def test_a_file_that_is_given_again_creates_what_is_missing_and_nothing_twice() -> None:
    world = World(RANGES)
    lines = [line(1), line(2, tracking_number=None), line(3, tracking_number=None)]

    first = list(Bulk(world.creating, UNBOUND).create(lines[:2]))
    again = list(Bulk(world.creating, UNBOUND).create(lines))

    assert told(first) == [(1, False, None), (2, False, None)]
    assert told(again) == [(1, True, None), (2, True, None), (3, False, None)]
    assert [each.tracking_number for each in again] == ["T-1", "RR000000005NZ", "RR000000014NZ"]
    assert [each.return_id for each in again[:2]] == [each.return_id for each in first]
    assert all(each.return_id for each in again)
    assert len(world.published) == 3


def test_a_line_that_cannot_be_created_is_reported_and_the_others_are() -> None:
    world = World(RANGES)
    work = Bulk(world.creating, UNBOUND)
    list(work.create([line(1, key="a"), line(2, key="b", return_id="R-1")]))
    list(work.create(line(n, tracking_number=None) for n in (8, 9)))  # all numbers that there are

    outcomes = list(
        work.create(
            [
                line(1, key="a", order_number="A-2"),
                line(2, key="c", return_id="R-1"),
                line(3, route="by sea"),
                *(line(n, tracking_number=None) for n in (4, 5)),
                line(6),
            ]
        )
    )

    assert told(outcomes) == [
        (1, False, "key"),
        (2, False, "return_id"),
        (3, False, "route"),
        (4, False, "tracking_number"),
        (5, False, "tracking_number"),
        (6, False, None),
    ]
    faults = [each.fault for each in outcomes if each.fault is not None]
    assert [each.reason for each in faults] == ["reused", "exists", "bad_value", "exhausted", "exhausted"]
    assert faults[0].detail.startswith("this key came with other data before")
    assert faults[1].detail == "there is a return R-1 already"
    assert [each.return_id is None for each in outcomes] == [True] * 5 + [False]


def test_where_a_server_is_away_it_ends_and_goes_on_when_it_is_given_again() -> None:
    world = World()
    world.kafka_is_away = True
    with pytest.raises(Retryable):
        list(Bulk(world.creating, UNBOUND).create([line(1), line(2)]))
    world.kafka_is_away = False

    outcomes = list(Bulk(world.creating, UNBOUND).create([line(1), line(2)]))

    assert [(each.line.number, each.fault) for each in outcomes] == [(1, None), (2, None)]
    assert len(world.published) == len(set(world.published)) == 2


def test_it_stops_between_two_slices() -> None:
    looks = iter((False, True))

    outcomes = list(Bulk(World().creating, UNBOUND).create((line(n) for n in range(1000)), lambda: next(looks)))

    assert [each.line.number for each in outcomes] == list(range(64))
