"""How publishers write a moment, and that a reader gets the same one."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from service.simulator.clocks import with_offset, without_offset
from service.wire.times import local_micros, micros

AUCKLAND = ZoneInfo("Pacific/Auckland")
# Clocks in New Zealand go back at 03:00 of 5 April 2026, from UTC+13 to UTC+12.
CHANGE = int(datetime(2026, 4, 4, 14, 0, tzinfo=UTC).timestamp())


def test_a_local_time_is_written_only_where_it_tells_the_moment() -> None:
    moments = range(CHANGE - 7_200, CHANGE + 7_200, 600)

    written = {at: without_offset(at, AUCKLAND) for at in moments}

    assert [at for at, text in written.items() if text is None] == list(range(CHANGE, CHANGE + 3_600, 600))
    assert all(local_micros(text, AUCKLAND) == at * 1_000_000 for at, text in written.items() if text is not None)


def test_an_offset_tells_the_moment_always() -> None:
    for at in range(CHANGE - 7_200, CHANGE + 7_200, 600):
        assert micros(with_offset(at, AUCKLAND)) == micros(with_offset(at, None)) == at * 1_000_000
