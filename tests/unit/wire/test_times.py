"""Text to instants and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wire.outbound import current_status
from service.wire.times import instant, local_micros, micros, rfc3339
from tests.unit.domain.histories import in_order, play, story

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001
    st.integers(-24 * 60 + 1, 24 * 60 - 1),
)
def test_an_instant_is_what_its_text_says(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    assert instant(moment.isoformat()) == ((moment - EPOCH) // timedelta(microseconds=1), minutes)
    assert micros(moment.isoformat()) == instant(moment.isoformat())[0]


@given(st.integers(-62_000_000_000_000_000, 253_402_300_799_999_999))
def test_an_instant_written_is_read_back(at: int) -> None:
    assert instant(rfc3339(at)) == (at, 0)


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    (
        ("2026-07-01T12:00:00", "Europe/Berlin", "2026-07-01T10:00:00Z"),
        ("2026-07-01t12:00:00.000001", "Europe/Berlin", "2026-07-01T10:00:00.000001Z"),
        ("1969-12-31T23:59:59.999999", "UTC", "1969-12-31T23:59:59.999999Z"),
        ("2026-04-05T02:30:00", "Pacific/Auckland", "2026-04-04T13:30:00Z"),  # shown twice: the first
        ("2026-09-27T02:30:00", "Pacific/Auckland", "2026-09-26T14:30:00Z"),  # never shown: as before the change
    ),
)
def test_a_local_time_is_one_on_the_clocks_of_its_zone(text: str, zone: str, utc: str) -> None:
    assert rfc3339(local_micros(text, ZoneInfo(zone))) == utc


@pytest.mark.parametrize("text", ("2026-02-29T10:00:00Z", "0000-01-01T00:00:00Z", "x"))
def test_a_date_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        instant(text)


@pytest.mark.parametrize(
    ("recorded", "text"),
    (
        (datetime(2026, 11, 25, 12, tzinfo=UTC), "2026-11-25T12:00:00Z"),
        (datetime(2026, 11, 25, 12, 0, 0, 5, timezone(timedelta(hours=13))), "2026-11-24T23:00:00.000005Z"),
    ),
)
def test_what_is_published_has_its_time_in_utc(recorded: datetime, text: str) -> None:
    state = play(in_order(story("RC@1"))).steps[-1].entry.state

    assert f'"time":"{text}"'.encode() in (current_status("R-1", state, recorded).value or b"")
