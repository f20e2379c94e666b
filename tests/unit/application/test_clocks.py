"""What everything is told the time by, where nothing else is handed in."""

from __future__ import annotations

from datetime import UTC

from service.application.clocks import SYSTEM


def test_the_date_is_one_of_utc_and_chance_is_from_0_up_to_1() -> None:
    assert SYSTEM.now().tzinfo is UTC
    assert SYSTEM.monotonic() <= SYSTEM.monotonic()
    assert all(0 <= SYSTEM.jitter() < 1 for _ in range(100))
