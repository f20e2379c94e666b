"""Some odd returns, in batches: what `tests/faults/test_oddities.py` does with ten thousand and with workers."""

from __future__ import annotations

from tests.support.journals import differences
from tests.support.odd_run import OddReturns, through_batches


def test_of_odd_returns_all_is_said_that_follows_from_their_events(database: str) -> None:
    odd = OddReturns(2, 300)

    odd.judge(through_batches(database, odd, 2, most=25))
    assert differences(database) == []
