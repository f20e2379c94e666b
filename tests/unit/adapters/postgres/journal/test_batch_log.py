from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest

from service.adapters.postgres.journal.batch_log import cut
from service.application.journal.slices import Position, Slice, SliceLimits
from service.wire.rows.letters import KeptLetter
from service.wire.rows.logged import LogRow

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def row(n: int, return_no: int, seq: int) -> LogRow:
    return LogRow(n, return_no, seq, "R", NOW, "s", "i", "t", NOW, None, None, "advanced", None, None, 1, {}, "t", 0, 0)


def letter(n: int, letter_no: int) -> KeptLetter:
    return KeptLetter(letter_no, "t", None, 0, 0, NOW, None, None, None, (), "r", "e", 1, NOW, n=n)


def read(position: Position, rows: list[LogRow], letters: list[KeptLetter], last: int, limits: SliceLimits) -> Slice:
    """What the queries answer: everything behind the position, one more than fits."""
    left = [r for r in rows if (r.n, r.return_no, r.seq) > (position.n, position.return_no, position.seq)]
    more = [x for x in letters if (x.n, x.letter_no) > (position.n, position.letter_no)]
    return cut(position, last, left[: limits.rows + 1], more[: limits.letters + 1], limits)


def test_what_fits_is_one_slice() -> None:
    found = read(Position(0), [row(1, 1, 1), row(2, 1, 2)], [letter(2, 1)], 3, SliceLimits(rows=2, letters=1))

    assert found.position == Position(3)
    assert (len(found.rows), len(found.letters)) == (2, 1)


def test_letters_of_a_batch_wait_for_the_end_of_its_history() -> None:
    rows, letters = [row(1, 1, 1), row(1, 2, 1), row(1, 3, 1)], [letter(1, 1)]

    found = read(Position(0), rows, letters, 1, SliceLimits(rows=2, letters=5))

    assert found.position == Position.with_history(1, 2, 1, 0)
    assert found.letters == []


def test_history_behind_letters_that_do_not_fit_waits() -> None:
    rows, letters = [row(1, 1, 1), row(2, 2, 1)], [letter(1, 1), letter(1, 2)]

    found = read(Position(0), rows, letters, 2, SliceLimits(rows=5, letters=1))

    assert found.position == Position.with_letters(1, 1)
    assert [r.n for r in found.rows] == [1]


@pytest.mark.parametrize("seed", range(50))
def test_slices_of_any_size_are_the_log_once_and_in_order(seed: int) -> None:
    rng = Random(seed)
    last = rng.randint(1, 6)
    rows = sorted({(rng.randint(1, last), rng.randint(1, 5), rng.randint(1, 5)) for _ in range(rng.randint(0, 30))})
    letters = sorted((rng.randint(1, last), number) for number in range(rng.randint(0, 12)))
    letters = [(n, number) for number, (n, _) in enumerate(letters, start=1)]
    limits = SliceLimits(rows=rng.randint(1, 8), letters=rng.randint(1, 4))
    position, got_rows, got_letters = Position(0), list[LogRow](), list[KeptLetter]()

    for _ in range(200):
        found = read(position, [row(*r) for r in rows], [letter(*x) for x in letters], last, limits)
        got_rows += found.rows
        got_letters += found.letters
        # As it comes back from Kafka.
        position = Position.parse(found.position.n, found.position.within)
        if position == Position(last):
            break

    assert position == Position(last)
    assert [(r.n, r.return_no, r.seq) for r in got_rows] == rows
    assert [(x.n, x.letter_no) for x in got_letters] == letters


def test_letters_of_a_batch_are_known_by_its_own_numbers_only() -> None:
    # Numbers are drawn before the commit: a later batch may have smaller ones.
    rows, letters = [row(2, 1, seq) for seq in range(1, 6)], [letter(1, 7), letter(1, 8), letter(2, 3), letter(2, 9)]
    limits, position, numbers, places = SliceLimits(rows=2, letters=1), Position(0), list[int](), list[int]()

    while position != Position(2):
        found = read(position, rows, letters, 2, limits)
        numbers += [each.letter_no for each in found.letters]
        places += [each.seq for each in found.rows]
        position = found.position

    assert numbers == [7, 8, 3, 9]
    assert places == [1, 2, 3, 4, 5]


def test_of_a_batch_that_is_half_read_its_known_letters_stay_known() -> None:
    position = Position.with_history(1, 1, 1, letter_no=4)
    rows, letters = [row(1, 1, 1), row(1, 2, 1), row(1, 3, 1)], [letter(1, 4), letter(1, 5)]

    found = read(position, rows, letters, 1, SliceLimits(rows=1, letters=5))

    assert found.position == Position.with_history(1, 2, 1, letter_no=4)
    assert found.letters == []


def test_a_position_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part is wrong
        Position.parse(3, "consumer-1")
