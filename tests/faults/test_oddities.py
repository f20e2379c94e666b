"""Ten thousand returns to which odd things happen, shuffled over the whole stream, through three workers: see `odd_returns`.

`ODDITIES_SEED` and `ODDITIES_RETURNS` play others.
"""

from __future__ import annotations

import os
import time
from typing import Final

import pytest

from tests.support.odd_run import OddReturns, through_workers
from tests.support.service import Service

_SEED: Final = int(os.environ.get("ODDITIES_SEED", "20261126"))
_RETURNS: Final = int(os.environ.get("ODDITIES_RETURNS", "10000"))


@pytest.mark.timeout(1800)
def test_of_ten_thousand_odd_returns_all_is_told_that_follows_from_their_events(service: Service) -> None:
    odd = OddReturns(_SEED, _RETURNS)
    print(
        f"seed {_SEED}: {_RETURNS} returns, {odd.figures.events} events, {odd.figures.sent} sent: {odd.figures.oddities}"
    )
    began = time.monotonic()
    held = through_workers(service, odd)
    print(f"{time.monotonic() - began:.0f} s from the first message to what subscribers hold")
    odd.judge(held)
    assert "no difference" in service.done("verify", timeout=600)
