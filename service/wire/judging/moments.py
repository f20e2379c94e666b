"""When an event happened, by what it says itself, and whether that can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.reasons import Invalid
from service.wire.record import Record
from service.wire.times import instant, local_micros

FUTURE_LIMIT_HOURS: Final = 48
MICROS_A_DAY: Final = 86_400_000_000
AHEAD: Final = 900_000_000
"""Microseconds; clocks that are set by hand differ by less."""
BY_EVENT: Final = "event"
BY_TABLE: Final = "carrier_table"

_FUTURE_LIMIT: Final = FUTURE_LIMIT_HOURS * 3_600_000_000  # microseconds
# So far ahead of the worker's clock a publisher's timestamp is believed, in case it is that clock which is slow.
_TRUST: Final = _FUTURE_LIMIT
_EVER: Final = -(1 << 62)  # earlier than any time
_YEAR_2000: Final = 946_684_800_000_000  # microseconds
_SCANNED: Final = models.CARRIER_SCANNED
_CREATED: Final = models.RETURN_CREATED

Moment = tuple[int, str, int | None]
"""When, in microseconds since 1970-01-01 UTC; what gave its zone; and the offset in minutes east of UTC where it was sent."""


class Moments:
    """Reads times with the carriers' zones; `now` and `oldest_creation` are those of `Parser`."""

    def __init__(
        self, tables: CarrierTables, now: Callable[[], int] | None = None, oldest_creation: int | None = None
    ) -> None:
        self._tables, self._now, self._oldest_creation = tables, now, oldest_creation
        self._latest = _EVER  # what the clock said when it was looked at last: receipt is no earlier

    def of(self, event_type: str, envelope: Mapping[str, Any], record: Record) -> Moment:
        """When it happened. Raises InvalidEvent where that is not to be known, or cannot be."""
        text = envelope.get("time")
        if event_type == _SCANNED and (text is None or envelope["data"].get("local_time")):
            at, source, utc_offset = self._local_time(text, envelope["data"]), BY_TABLE, None
        else:
            try:
                (at, utc_offset), source = instant(text), BY_EVENT  # type: ignore[arg-type] # the model has seen to it
            except ValueError:
                raise InvalidEvent(Invalid.BAD_TIME, "time: no such date or time") from None
        if self._now is not None:
            self._latest = self._now()
        if at > self._latest + _FUTURE_LIMIT and at > self._received(record) + _FUTURE_LIMIT:
            raise InvalidEvent(Invalid.TIME_OUT_OF_RANGE, f"time: over {FUTURE_LIMIT_HOURS} h after its receipt")
        if at < _YEAR_2000:
            raise InvalidEvent(Invalid.TIME_OUT_OF_RANGE, "time: before the year 2000")
        if event_type == _CREATED:
            self._require_recent(at, record)
        return at, source, utc_offset

    def is_ahead(self, at: int, record: Record) -> bool:
        """Whether it lies further after the receipt of its message than clocks differ; `of` has looked at it."""
        return at > self._latest + AHEAD and at > self._received(record) + AHEAD

    def _require_recent(self, at: int, record: Record) -> None:
        oldest = self._oldest_creation
        if oldest is not None and at < self._received(record) - oldest:
            days = oldest // MICROS_A_DAY
            raise InvalidEvent(Invalid.TIME_OUT_OF_RANGE, f"time: of a creation, over {days} days before its receipt")

    def _received(self, record: Record) -> int:
        """When the message came: the later of Kafka's timestamp and the clock, as far as the first is to be believed.

        A publisher sets it to anything, seconds or the year 3000; the broker's own is believed without a bound.
        """
        at = record.timestamp * 1000
        if self._now is None:
            return at
        now = self._now()
        return max(now, at) if record.broker_time or at <= now + _TRUST else now

    def _local_time(self, time: str | None, data: Mapping[str, Any]) -> int:
        local = data.get("local_time")
        if not local:
            raise InvalidEvent(Invalid.MISSING_FIELD, "time: missing, and so is data.local_time: one is required")
        if time is not None:
            raise InvalidEvent(Invalid.BAD_TIME, "data.local_time: takes the place of time; both were sent")
        zone = self._tables.zone(data["carrier"])
        if zone is None:
            raise InvalidEvent(Invalid.NO_ZONE, f"data.local_time: {self._no_zone(data['carrier'])}")
        try:
            return local_micros(local, zone)
        except ValueError:
            raise InvalidEvent(Invalid.BAD_TIME, "data.local_time: no such date or time") from None

    def _no_zone(self, carrier: str) -> str:
        remedy = "send time with its offset"
        if self._tables.knows(carrier):
            return f"the carrier's table names no zone; {remedy}"
        return f"the carrier has no table; {remedy}, or name one that has: {', '.join(self._tables.carriers)}"
