"""The clock on the wall where something happened, where that can be told.

The wall's clock is known in three cases: its zone is (a carrier's table names that of a feed's local times); all clocks
of the country showed the same at that moment; or some did, and the event came with their offset. Anywhere else (no
country, or a publisher whose clock is none of the country's) the time is UTC, and says so: never a guess.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from importlib import resources
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from service.wire.stored import from_micros

_TABLE: Final = ("zoneinfo", "zone.tab")


class LocalTime(NamedTuple):
    """A moment with the offset of its place; in UTC where `is_local` is false."""

    moment: datetime
    is_local: bool


def local_time(at: int, zone: tzinfo | None, country: str | None, utc_offset: int | None = None) -> LocalTime:
    """The moment `at` (microseconds since 1970-01-01 UTC) in `zone`, or by the clocks of `country`: if all agree, else
    by those that are `utc_offset` (minutes) east of UTC.
    """
    moment = from_micros(at)
    if zone is not None:
        return LocalTime(moment.astimezone(zone), is_local=True)
    clocks = [moment.astimezone(each) for each in _zones(country)] if country is not None else []
    agreeing = clocks
    if any(clock.utcoffset() != clocks[0].utcoffset() for clock in clocks):
        agreeing = [] if utc_offset is None else [c for c in clocks if c.utcoffset() == timedelta(minutes=utc_offset)]
    if agreeing:
        return LocalTime(agreeing[0], is_local=True)
    return LocalTime(moment.astimezone(UTC), is_local=False)


@cache
def _zones(country: str) -> tuple[ZoneInfo, ...]:
    return tuple(ZoneInfo(name) for name in _names().get(country, ()))


@cache
def _names() -> dict[str, list[str]]:
    """The zones of each country (ISO 3166-1 alpha-2), from the time zone database."""
    names: dict[str, list[str]] = {}
    for line in resources.files("tzdata").joinpath(*_TABLE).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            names.setdefault(country, []).append(name)
    return names
