"""Text to instants: RFC 3339 on the wire, microseconds since 1970-01-01 UTC in the domain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_UTC: Final = EPOCH.replace(tzinfo=None)  # arithmetic without a zone is twice as fast
_MICROSECONDS_A_DAY: Final = 86_400_000_000
_MICROSECONDS_A_MINUTE: Final = 60_000_000
_EPOCH_DAY: Final = EPOCH.toordinal()
_MINUTE: Final = timedelta(minutes=1)
_NO_OFFSET: Final = timedelta()
_OFFSETS: Final = dict[tzinfo | None, int]()  # in minutes east of UTC, of zones that are one offset: a day has 2,879


def micros(text: str) -> int:
    """The instant that `text` names, as `instant` reads it."""
    return instant(text)[0]


def instant(text: str) -> tuple[int, int]:
    """The instant that `text` names, digits beyond microseconds cut; and its offset in minutes east of UTC.

    `text` has the form of RFC 3339 already (`models.TIME_PATTERN`). Raises ValueError for an impossible date.

    >>> instant("1970-01-01T13:00:01.25+13:00")
    (1250000, 780)
    """
    moment = datetime.fromisoformat(text.upper())
    zone = moment.tzinfo
    offset = _OFFSETS.get(zone)
    if offset is None:
        offset = _OFFSETS[zone] = (moment.utcoffset() or _NO_OFFSET) // _MINUTE
    # By hand: twice as fast as to subtract two dates with a zone and to take the difference apart.
    minutes = ((moment.toordinal() - _EPOCH_DAY) * 24 + moment.hour) * 60 + moment.minute - offset
    return minutes * _MICROSECONDS_A_MINUTE + moment.second * 1_000_000 + moment.microsecond, offset


def local_micros(text: str, zone: ZoneInfo) -> int:
    """The instant at which clocks of `zone` showed `text` (`models.LOCAL_TIME_PATTERN`).

    Of an hour that a clock change repeats, the first; one that it skips is read with the offset before the change.
    Raises ValueError for an impossible date.
    """
    return _since_epoch(datetime.fromisoformat(text.upper()).replace(tzinfo=zone, fold=0))


def rfc3339(at: int) -> str:
    """`at`, in microseconds since 1970-01-01 UTC, as text in UTC: no digits of a second, or six.

    >>> rfc3339(0), rfc3339(1_500_000)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500000Z')
    """
    return (_EPOCH_UTC + timedelta(microseconds=at)).isoformat() + "Z"


def _since_epoch(moment: datetime) -> int:
    # Two zones in a subtraction: both sides are taken to UTC first, so no fold or gap is lost.
    delta = moment - EPOCH
    return delta.days * _MICROSECONDS_A_DAY + delta.seconds * 1_000_000 + delta.microseconds
