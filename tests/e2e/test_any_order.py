"""The promise: whatever the order, the repeats and the broken messages, every timeline is right.

A simulated world is shuffled over the whole stream, with repeats, late and invalid messages, and goes through three
workers at a time. What each return's timeline must be follows from the set of its events alone. (`make faults` does it
with four times as many.)
"""

from __future__ import annotations

import pytest

from tests.support.any_order import in_any_order
from tests.support.service import Service


@pytest.mark.timeout(300)
def test_every_timeline_is_the_function_of_its_events_whatever_their_order(service: Service) -> None:
    in_any_order(service, 2_500)
