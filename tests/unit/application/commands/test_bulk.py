from __future__ import annotations

import threading
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
        BulkLine(10, "line/y", DATA | {"return_id": "R-2"}, [], 100),
        BulkLine(11, "line/z", DATA | {"return_id": "R-2"}, [], 110),
    ]

    checked = Bulk(world.creating, UNBOUND).check(lines)

    no_number = "a number is expected; no carrier has a range of numbers here to take one from"
    carrier = "string should match pattern '^[a-z0-9][a-z0-9_-]{0,39}$'"
    twice = "the same as line 7: two returns that say the same need a `key` each"
    assert checked.faults == [
        (2, Fault("route", "bad_value", "input should be 'omnirps' or 'first_mile_only'")),
        (2, Fault("carrier", "bad_value", carrier)),
        (3, Fault("", "not_json", "a JSON object is expected")),
        (4, Fault("key", "repeated", "line 1 has it too")),
        (6, Fault("return_id", "repeated", "line 5 has it too")),
        (8, Fault("key", "repeated", twice)),
        (9, Fault("tracking_number", "missing_field", no_number)),
        (11, Fault("return_id", "repeated", "line 10 has it too")),
    ]
    assert (checked.lines, checked.wrong, checked.read) == (11, 8, 110)
    assert world.published == []


def test_many_faults_are_counted_and_the_first_are_told() -> None:
    checked = Bulk(World().creating, UNBOUND).check(line(n, route="x") for n in range(200))

    assert (checked.wrong, len(checked.faults)) == (200, MOST_FAULTS)


def test_a_file_is_read_as_far_as_a_file_may_be_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 1000)
    bulk, lines = Bulk(World().creating, UNBOUND), [line(n) for n in range(1, 1010)]

    as_long, longer, far_longer = bulk.check(lines[:1000]), bulk.check(lines[:1001]), bulk.check(lines)

    too_large = [(1001, Fault("", "too_large", "at most 1,000 lines are expected: split the file"))]
    assert (as_long.faults, longer.faults, far_longer.faults) == ([], too_large, too_large)
    assert (as_long.lines, as_long.read, far_longer.read) == (1000, 10_000, 10_010)
    assert (longer.lines, far_longer.lines, far_longer.wrong) == (1001, 1001, 1)


def test_how_far_it_is_is_told_line_by_line() -> None:
    told: list[tuple[int, int, int]] = []

    Bulk(World().creating, UNBOUND).check(
        [line(1), line(2, route="x"), line(3)], lambda so_far: told.append((so_far.lines, so_far.read, so_far.wrong))
    )

    assert told == [(1, 10, 0), (2, 20, 1), (3, 30, 1)]


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
    exhausted = "no tracking number is left in the ranges of generic: give one, or have a further range declared"
    assert [each.fault for each in outcomes] == [
        Fault("key", "reused", "this key came with other data before: a new return needs a new key"),
        Fault("return_id", "exists", "there is a return R-1 already"),
        Fault("route", "bad_value", "input should be 'omnirps' or 'first_mile_only'"),
        Fault("tracking_number", "exhausted", exhausted),
        Fault("tracking_number", "exhausted", exhausted),
        None,
    ]
    assert [each.return_id is None for each in outcomes] == [True] * 5 + [False]


def test_a_line_is_created_in_the_name_of_whoever_gives_the_file_and_under_its_own_key() -> None:
    world = World()

    list(Bulk(world.creating, UNBOUND, "t").create([line(1, key="a")]))
    list(Bulk(world.creating, UNBOUND).create([line(1, key="a")]))

    assert list(world.kept.rows) == [("t", "key:bulk/named/a"), (None, "key:bulk/named/a")]


class Together(World):
    """Kafka that answers eight at a time, and notes how many wait for it."""

    def __init__(self) -> None:
        self.eight, self.counting, self.waiting, self.most = threading.Barrier(8), threading.Lock(), 0, 0
        super().__init__()

    def _publish(self, return_id: str, event: bytes) -> None:
        with self.counting:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        self.eight.wait(timeout=10)
        with self.counting:
            self.waiting -= 1
        super()._publish(return_id, event)


def test_eight_lines_wait_together_and_no_more() -> None:
    world = Together()

    outcomes = list(Bulk(world.creating, UNBOUND).create(line(n) for n in range(128)))

    assert len(outcomes) == len(world.published) == 128
    assert world.most == 8


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
