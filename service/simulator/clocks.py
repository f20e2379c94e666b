"""How publishers write a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


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
