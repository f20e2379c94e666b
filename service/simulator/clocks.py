"""How publishers write a moment, and when hubs work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from service.simulator.cast import Shift


def with_offset(at: int, zone: ZoneInfo | None) -> str:
    """RFC 3339 by the clocks of `zone`, in UTC without one; `at` in seconds since 1970."""
    if zone is None:
        return datetime.fromtimestamp(at, UTC).isoformat()[:-6] + "Z"
    return datetime.fromtimestamp(at, zone).isoformat()


def without_offset(at: int, zone: ZoneInfo) -> str | None:
    """What a clock of `zone` shows; None in the hour that a clock change repeats, where that does not tell `at`."""
    local = datetime.fromtimestamp(at, zone)
    if local.fold:
        return None
    return local.isoformat()[:19]


def at_work(at: int, zone: ZoneInfo, shift: Shift) -> int:
    """The moment itself if the hub works then, else one in the first half hour of its next shift."""
    local = datetime.fromtimestamp(at, zone)
    if local.weekday() in shift.days and shift.begins <= local.hour < shift.ends:
        return at
    begins = local.replace(hour=shift.begins, minute=0, second=0, fold=0)
    if local.hour >= shift.begins:
        begins += timedelta(days=1)
    while begins.weekday() not in shift.days:
        begins += timedelta(days=1)
    # What waits in front of the gate is not scanned all at once.
    return int(begins.timestamp()) + at % 1_800
