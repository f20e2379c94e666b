"""Ten thousand returns in any order: see `tests/e2e/test_any_order.py`."""

from __future__ import annotations

import pytest

from tests.support.any_order import in_any_order
from tests.support.service import Service


@pytest.mark.timeout(300)
def test_ten_thousand_timelines_are_the_function_of_their_events_whatever_their_order(service: Service) -> None:
    in_any_order(service, 10_000)
