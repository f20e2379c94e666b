"""How the desk says values: moments by two clocks, durations, numbers, and the JSON that publishers sent."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from babel.dates import format_skeleton, format_time, format_timedelta
from babel.numbers import format_decimal, format_percent
from jinja2 import pass_context
from jinja2.runtime import Context

from service.application.reading.local_time import LocalTime
from service.web.html.assets import Assets
from service.web.html.catalogue import load
from service.web.html.rendering import Templates, catalogue_of, isolate, zone_name

# From here on a duration is said in days.
_DAYS: Final = timedelta(hours=36)


class DeskTemplates(Templates):
    """The templates of the desk."""

    def __init__(self, assets: Assets, catalogues: tuple[str, ...]) -> None:
        super().__init__(assets, load(*catalogues))
        self.add_filters(
            moment=_moment,
            utc=_utc,
            local=_local,
            brief=_brief,
            ago=_ago,
            lasting=_lasting,
            count=_count,
            share=_share,
            dayname=_dayname,
            hourminute=_hourminute,
            mark=_mark,
            pretty=pretty,
            shown=shown,
        )


def pretty(data: Any) -> str:
    """JSON for people; what has no shape of its own, or turns the direction of text, is written as an escape."""
    return shown(json.dumps(data, indent=2, ensure_ascii=False))


def shown(text: str) -> str:
    """A text of a publisher with its invisible characters made visible."""
    return "".join(
        _escaped(c) if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"} and c != "\n" else c for c in text
    )


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _moment(value: datetime | str) -> datetime:
    """A moment of a document, for the attribute of a `time` element and the other filters."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


@pass_context
def _utc(context: Context, at: datetime | str) -> str:
    return f"{_datetime(context, _moment(at).astimezone(UTC))} UTC"


@pass_context
def _local(context: Context, at: LocalTime) -> str:
    return f"{_datetime(context, at.moment)} {isolate(zone_name(at))}"


@pass_context
def _brief(context: Context, at: LocalTime) -> str:
    """Where there is little room: without the year and the seconds."""
    locale = catalogue_of(context).locale
    day = format_skeleton("MMMd", at.moment, locale=locale)
    return f"{day} {format_time(at.moment, 'HH:mm', tzinfo=at.moment.tzinfo, locale=locale)} {isolate(zone_name(at))}"


def _datetime(context: Context, at: datetime) -> str:
    locale = catalogue_of(context).locale
    day = format_skeleton("yMMMd", at, locale=locale)
    return f"{day} {format_time(at, 'HH:mm:ss', tzinfo=at.tzinfo, locale=locale)}"


@pass_context
def _ago(context: Context, at: datetime | str) -> str:
    """How long it has been, roughly."""
    return _lasting(context, (context["now"] - _moment(at)).total_seconds())


@pass_context
def _lasting(context: Context, seconds: float) -> str:
    locale, duration = catalogue_of(context).locale, timedelta(seconds=max(int(seconds), 0))
    if duration < _DAYS:
        return format_timedelta(duration, granularity="minute", threshold=1.5, locale=locale)
    # A threshold beyond reach keeps it in days: in weeks, nobody would tell 11 days from 17.
    return format_timedelta(duration, granularity="day", threshold=1e9, locale=locale)


@pass_context
def _count(context: Context, number: float) -> str:
    return format_decimal(number, locale=catalogue_of(context).locale)


@pass_context
def _share(context: Context, share: float) -> str:
    """Of a whole; what is not nothing is not said to be nothing, and what is not all not all."""
    shown_share = min(max(share, 0.001), 0.999) if 0 < share < 1 else share
    pattern = "#,##0.0%" if 0 < share < 0.1 or 0.99 < share < 1 else None
    return format_percent(shown_share, pattern, locale=catalogue_of(context).locale)


@pass_context
def _dayname(context: Context, day: date) -> str:
    return format_skeleton("MMMd", datetime.combine(day, datetime.min.time()), locale=catalogue_of(context).locale)


def _hourminute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M}"


@pass_context
def _mark(context: Context, duration: timedelta) -> str:
    """A round duration at an axis, in the largest unit that it fills."""
    return format_timedelta(duration, threshold=1, locale=catalogue_of(context).locale)
