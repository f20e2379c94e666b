"""How much of returns' pasts is read at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, cast

import pytest

from service.application.journal.labels.past import past_of
from service.domain.journey import NEW

SIZES = {1: 2000, 2: 3000, 3: 2500, 4: 2500, 5: 1, 6: 6000, 7: 7, 8: 0}  # rows of each return; 8 has none yet


class Asked:
    """`ports.Transaction` of which the past is asked."""

    def __init__(self) -> None:
        self.asked = list[list[int]]()

    def past(self, return_nos: Collection[int]) -> dict[int, list[Any]]:
        self.asked.append([*return_nos])
        return {return_no: [return_no] for return_no in return_nos}


@pytest.mark.parametrize(
    ("wanted", "asked"),
    (
        ([], []),
        ([8], [[8]]),
        ([6], [[6]]),
        ([1, 2, 3, 4, 5, 6, 7, 8], [[1, 2], [3, 4], [5], [6], [7, 8]]),
        ([7, 8, 5], [[7, 8, 5]]),
    ),
)
def test_so_many_rows_are_read_at_once_or_those_of_one_return(wanted: list[int], asked: list[list[int]]) -> None:
    tx = Asked()
    states = {return_no: replace(NEW, seq=size) for return_no, size in SIZES.items() if size}

    found: list[tuple[int, Any]] = [*past_of(cast("Any", tx), wanted, states)]

    assert tx.asked == asked
    assert found == [(return_no, [return_no]) for return_no in wanted]
