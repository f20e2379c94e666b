"""Subscribers are told everything once and in order, while workers and relays are killed fifty times."""

from __future__ import annotations

import os

import pytest

from tests.support.killing import Ordeal, survive
from tests.support.service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1500)]

SEED = int(os.environ.get("SEED", "20261123"))


def test_fifty_kills_lose_repeat_and_swap_nothing_of_ten_thousand_returns(service: Service) -> None:
    survive(service, Ordeal(returns=10_000, kills=50, pauses=(0.5, 8.0), seed=SEED))
