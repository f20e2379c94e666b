"""The search tables follow the log by whole batches, whatever pieces it comes in."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from service.application.journal.figures import Counted, Figures
from service.application.journal.project import ExceptionRow, Projection, advance, rebuild
from service.application.journal.slices import Position, Slice
from tests.support.journals import RE, RP, creation, event
from tests.unit.application.journal.test_project import history


class Tables:
    """`SearchTables`, whose log is given piece by piece."""

    def __init__(self, begin: int | None, *pieces: Slice) -> None:
        self.starts, self.pieces = begin, deque(pieces)
        self.done: list[tuple[Any, ...]] = []
        self.asked: list[Position] = []
        self.exceptions: list[ExceptionRow] = []

    @contextmanager
    def transaction(self) -> Iterator[Tables]:
        yield self
        self.done.append(("commit",))

    def begin(self) -> int | None:
        return self.starts

    def begin_rebuild(self) -> None:
        self.done.append(("empty",))

    def read(self, position: Position) -> Slice:
        self.asked.append(position)
        return self.pieces.popleft() if self.pieces else Slice(position)

    def open_exceptions(self, return_nos: Collection[int]) -> list[ExceptionRow]:
        return [each for each in self.exceptions if each.return_no in return_nos]

    def counted(self, return_nos: Collection[int]) -> dict[int, Counted]:
        self.done.append(("counted", set(return_nos)))
        return {}

    def apply(self, projection: Projection) -> None:
        self.done.append(("apply", len(projection.returns), len(projection.exceptions), len(projection.resolved)))
        self.exceptions += projection.exceptions

    def count(self, figures: Figures) -> None:
        self.done.append(("count", dict(figures.returns)))

    def end(self, after: int, n: int) -> None:
        self.done.append(("end", after, n))


def rows(*numbers: int) -> Sequence[Any]:
    """Some of the rows of a return whose export waited for its processing."""
    of = {"return_id": "R-1001", "hub": "leeds"}
    all_rows = history(creation(), event(RE, "x", "13:00", connote="CN-A", **of), event(RP, "p", "12:00", **of))
    return [all_rows[number] for number in numbers]


def test_where_another_projector_works_nothing_is_done() -> None:
    tables = Tables(None)

    assert advance(tables) is None
    assert tables.done == [("commit",)]


def test_a_slice_of_whole_batches_is_a_step() -> None:
    tables = Tables(4, Slice(Position(7), rows(0, 1)))

    step = advance(tables)

    assert step == (7, 2)
    assert tables.asked == [Position(4)]
    assert tables.done == [
        ("counted", {1}),
        ("apply", 1, 1, 0),
        ("count", {("omnirps", "RC"): 1}),
        ("end", 4, 7),
        ("commit",),
    ]


def test_a_batch_in_pieces_is_one_step() -> None:
    half = Position.with_history(5, 1, 1, 0)
    tables = Tables(4, Slice(half, rows(0, 1)), Slice(Position(5), rows(2)))

    step = advance(tables)

    assert step == (5, 3)
    assert tables.asked == [Position(4), half]
    assert [each for each in tables.done if each[0] in ("apply", "end", "commit")] == [
        ("apply", 1, 1, 0),
        ("apply", 1, 0, 1),
        ("end", 4, 5),
        ("commit",),
    ]


def test_where_the_log_has_nothing_new_the_cursor_stays() -> None:
    tables = Tables(4)

    assert advance(tables) == (4, 0)
    assert ("end", 4, 4) not in tables.done


def test_batches_that_tell_nobody_anything_move_the_cursor() -> None:
    tables = Tables(4, Slice(Position(9)))

    assert advance(tables) == (9, 0)
    assert tables.done == [("apply", 0, 0, 0), ("count", {}), ("end", 4, 9), ("commit",)]


def test_tables_are_made_anew_from_the_beginning_to_the_end_in_one_transaction() -> None:
    tables = Tables(4, Slice(Position(3), rows(0, 1)), Slice(Position(8), rows(2)))

    step = rebuild(tables)

    assert step == (8, 3)
    assert tables.asked == [Position(0), Position(3), Position(8)]
    assert tables.done[0] == ("empty",)
    assert tables.done[-2:] == [("end", 0, 8), ("commit",)]
    assert [each for each in tables.done if each[0] == "apply"] == [("apply", 1, 1, 0), ("apply", 1, 0, 1)]


def test_a_position_is_its_parts() -> None:
    half, letters = Position.with_history(5, 3, 2, 7), Position.with_letters(5, 8)

    assert (half.is_whole, letters.is_whole, Position(5).is_whole) == (False, False, True)
    assert (half.within, Position(5).within) == ("3/2/7", "")
    for position in (half, letters, Position(5)):
        assert Position.parse(position.n, position.within) == position
        assert Position.parse(position.n, position.within, "id").batch_id == "id"


def test_at_the_end_of_a_batch_s_history_a_position_names_no_row() -> None:
    position = Position.with_letters(3, 7)

    assert position == Position(3, letter_no=7)
    assert Position.parse(3, position.within) == position
