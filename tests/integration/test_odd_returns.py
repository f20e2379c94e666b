"""Some hundred odd returns, in batches: what `make faults` does with ten thousand and with workers."""

from __future__ import annotations

import pytest

from tests.support.journals import differences
from tests.support.odd_run import OddReturns, through_batches


@pytest.mark.parametrize("seed", [1])
def test_of_odd_returns_all_is_said_that_follows_from_their_events(database: str, seed: int) -> None:
    odd = OddReturns(seed, 300)
    odd.judge(through_batches(database, odd, seed))
    assert differences(database) == []
