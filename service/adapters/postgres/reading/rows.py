"""Rows of a history as pages read them: so many, so many bytes of what publishers said, and no more.

An event may have 256 KiB, and a page hundreds of events. What is read of them bounds the time and the memory of whoever
asks, and the size of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

MOST_BYTES: Final = 1 << 20  # of the data of a page's events, as JSON; an event by itself has less
_FIRST: Final = 16  # rows; few returns have more, and no more than these are read in vain


class Rows(NamedTuple):
    """`is_cut`: there is another row, and there would have been room for it but for its bytes."""

    rows: list[tuple[Any, ...]]
    is_cut: bool


def read_rows(ask: Callable[[int, int], Sequence[tuple[Any, ...]]], start: int, limit: int) -> Rows:
    """Up to `limit` rows, at least one where there are any.

    `ask` is given the `seq` that they begin behind, and how many; the first column of a row is its `seq`, the last one how
    many bytes its data has, which is left out here.
    """
    rows, left, piece = list[tuple[Any, ...]](), MOST_BYTES, _FIRST
    while len(rows) < limit:
        asked = min(piece, limit - len(rows))
        found = ask(rows[-1][0] if rows else start, asked)
        for *row, size in found:
            left -= size
            if left < 0 and rows:
                return Rows(rows, is_cut=True)
            rows.append(tuple(row))
        if len(found) < asked:
            break
        piece *= 2
    return Rows(rows, is_cut=False)
