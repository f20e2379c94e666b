"""A feed's times: with an offset, in UTC by agreement, or on the clock of the carrier's home zone."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from service.wire.feeds.definition import Feed

_DATE_AND_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")


def read_time(feed: Feed, text: str | None) -> tuple[str | None, str | None]:
    """The time with its offset, or the local time; what is no time stays as it came, and is refused with its words."""
    if text is None:
        return None, None
    times = feed.times
    try:
        if times.format:
            moment = datetime.strptime(text, times.format)  # noqa: DTZ007 - below
        elif _DATE_AND_TIME.match(text):
            moment = datetime.fromisoformat(text)
        else:  # a date alone is no time: midnight would be made up
            return None, text
    except ValueError:
        return None, text
    if times.ignore_offset:
        moment = moment.replace(tzinfo=None)
    if moment.tzinfo is not None:
        return moment.isoformat(), None
    return (f"{moment.isoformat()}Z", None) if times.naive_utc else (None, moment.isoformat())
