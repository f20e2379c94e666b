"""The clock on the wall where something happened, where that can be told: never a guess."""

from __future__ import annotations

import time
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from service.application.reading.local_time import local_time
from service.wire.times import micros

SUMMER, WINTER = micros("2026-07-01T12:00:00Z"), micros("2026-12-01T12:00:00Z")


@pytest.mark.parametrize(
    ("at", "zone", "country", "offset", "shown", "is_local"),
    (
        # A zone that is known goes before anything else.
        (SUMMER, "Asia/Tokyo", "GB", 60, "2026-07-01T21:00:00+09:00", True),
        (WINTER, "Europe/London", None, None, "2026-12-01T12:00:00+00:00", True),
        # All clocks of the country show the same, whatever the publisher's offset.
        (SUMMER, None, "GB", None, "2026-07-01T13:00:00+01:00", True),
        (SUMMER, None, "GB", 600, "2026-07-01T13:00:00+01:00", True),
        (WINTER, None, "GB", None, "2026-12-01T12:00:00+00:00", True),
        (SUMMER, None, "JP", None, "2026-07-01T21:00:00+09:00", True),
        # Several clocks: that of the offset it came with, if one of them shows it.
        (WINTER, None, "NZ", None, "2026-12-01T12:00:00+00:00", False),
        (WINTER, None, "NZ", 780, "2026-12-02T01:00:00+13:00", True),
        (WINTER, None, "NZ", 825, "2026-12-02T01:45:00+13:45", True),
        (WINTER, None, "NZ", 0, "2026-12-01T12:00:00+00:00", False),
        (WINTER, None, "US", -480, "2026-12-01T04:00:00-08:00", True),
        # No country, or one that has no clocks of its own.
        (SUMMER, None, None, None, "2026-07-01T12:00:00+00:00", False),
        (SUMMER, None, None, 60, "2026-07-01T12:00:00+00:00", False),
        (SUMMER, None, "ZZ", 60, "2026-07-01T12:00:00+00:00", False),
    ),
)
def test_a_time_is_local_only_where_the_clock_is_known(
    at: int, zone: str | None, country: str | None, offset: int | None, shown: str, is_local: bool
) -> None:
    found = local_time(at, None if zone is None else ZoneInfo(zone), country, offset)

    assert (found.moment.isoformat(), found.is_local) == (shown, is_local)


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process runs there."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
def test_where_no_clock_is_known_the_time_is_utc_wherever_the_server_stands() -> None:
    found = local_time(SUMMER, None, None)

    assert (found.moment.isoformat(), found.is_local) == ("2026-07-01T12:00:00+00:00", False)
