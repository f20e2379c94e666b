"""What a loop says of itself, and that it and the watchdog know the same of its turns."""

from __future__ import annotations

from service.runtime.monitoring.board import Board
from service.runtime.monitoring.watchdog import Watchdog


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_turn_is_as_old_for_the_watchdog_as_for_the_board() -> None:
    clock = Clock()
    dog = Watchdog(clock=clock)
    board = Board(clock, dog)
    clock.now += 3
    assert (board.seconds_since_turn(), dog.seconds_since_turn) == (3, None)

    board.beat()
    clock.now += 5

    assert (board.seconds_since_turn(), dog.seconds_since_turn) == (5, 5)


def test_a_process_that_was_frozen_is_not_said_to_have_hung() -> None:
    clock = Clock()
    dog = Watchdog(clock=clock, arm=lambda _: None)
    board = Board(clock, dog)
    board.beat()
    clock.now += 600
    dog.look()

    assert board.seconds_since_turn() == 0


def test_trouble_lasts_from_the_first_failure_until_a_turn_goes_well() -> None:
    clock = Clock()
    board = Board(clock)

    board.fails("database")
    clock.now += 4
    board.fails("deadlock")
    assert (board.trouble_seconds(), board.trouble and board.trouble.cause) == (4, "deadlock")
    board.works()

    assert (board.trouble, board.trouble_seconds()) == (None, 0)
