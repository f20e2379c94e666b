"""Subscribers are told everything once and in order while whoever works is killed; `make faults` has the long one."""

from __future__ import annotations

import os

import pytest

from tests.support.killing import Ordeal, survive
from tests.support.service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEED = int(os.environ.get("SEED", "20261123"))


def test_killed_workers_and_relays_lose_repeat_and_swap_nothing(service: Service) -> None:
    survive(service, Ordeal(returns=500, kills=10, pauses=(0.5, 3.5), seed=SEED))
