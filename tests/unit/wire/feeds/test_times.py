"""A feed's times: with an offset, in UTC by agreement, or on the clock of the carrier's home zone."""

from __future__ import annotations

import pytest

from service.wire.feeds.definition import parse_feed
from service.wire.feeds.times import read_time

FEED = """\
name = "Some feed"
carrier = "generic"
signature = { scheme = "path" }
[read]
number = "event.n"
code = "event.c"
time = "event.t"
[time]
"""


@pytest.mark.parametrize(
    ("settings", "text", "at", "local"),
    (
        ("", None, None, None),
        ("", "2026-11-25T12:00:00+13:00", "2026-11-25T12:00:00+13:00", None),
        ("", "2026-11-25T12:00:00Z", "2026-11-25T12:00:00+00:00", None),
        ("", "2026-11-25T12:00:00", None, "2026-11-25T12:00:00"),
        ("", "2026-11-25 12:00", None, "2026-11-25T12:00:00"),
        ("", "2026-11-25T12:00:00.250", None, "2026-11-25T12:00:00.250000"),
        # Midnight would be made up, and so would what is no time at all.
        ("", "2026-11-25", None, "2026-11-25"),
        ("", "20261125T120000", None, "20261125T120000"),
        ("", "2026-13-25T12:00:00Z", None, "2026-13-25T12:00:00Z"),
        ("", "yesterday", None, "yesterday"),
        ("", "", None, ""),
        ("naive = 'utc'", "2026-11-25T12:00:00", "2026-11-25T12:00:00Z", None),
        ("naive = 'utc'", "2026-11-25T12:00:00+13:00", "2026-11-25T12:00:00+13:00", None),
        ("naive = 'utc'", "2026-11-25", None, "2026-11-25"),
        ("naive = 'table'", "2026-11-25T12:00:00", None, "2026-11-25T12:00:00"),
        ("offset = 'ignore'", "2026-11-25T12:00:00+13:00", None, "2026-11-25T12:00:00"),
        ("offset = 'ignore'\nnaive = 'utc'", "2026-11-25T12:00:00+13:00", "2026-11-25T12:00:00Z", None),
        ("format = '%Y%m%d%H%M%S'", "20261125120000", None, "2026-11-25T12:00:00"),
        ("format = '%d.%m.%Y %H:%M %z'", "25.11.2026 12:00 +1300", "2026-11-25T12:00:00+13:00", None),
        ("format = '%Y%m%d%H%M%S'", "2026-11-25T12:00:00Z", None, "2026-11-25T12:00:00Z"),
    ),
)
def test_a_time_is_an_instant_or_a_local_one_or_stays_as_it_came_to_be_refused(
    settings: str, text: str | None, at: str | None, local: str | None
) -> None:
    assert read_time(parse_feed("some", FEED + settings, "x"), text) == (at, local)
