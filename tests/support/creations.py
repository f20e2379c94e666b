"""What creates returns, with a memory in place of PostgreSQL and a list in place of Kafka."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from service.application.commands.creation import Creating, Creation, NumbersExhausted
from service.errors import Retryable
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.numbering.ranges import NumberRanges, parse_ranges
from service.wire.stored import to_micros

NOW: Final = datetime(2026, 11, 20, 9, tzinfo=UTC)
DAY: Final = 86_400_000_000  # microseconds: a creation is no older than that when it comes
RANGES: Final = parse_ranges(
    '[[range]]\ncarrier = "generic"\ncheck = "s10"\nprefix = "RR"\nsuffix = "NZ"\nfirst = "00000000"\nlast = "00000001"',
    "",
)


class Kept:
    """`Creations` in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str | None, str], Creation] = {}
        self.is_away = False
        self.numbers = 0

    def keep_numbered(
        self, token: str | None, key: str, carrier: str, make: Callable[[str], Creation]
    ) -> Creation | None:
        if (token, key) in self.rows:
            return self.rows[token, key]
        return self.keep(token, key, make(self.take_number(carrier)))

    def take_number(self, carrier: str) -> str:
        if self.numbers > RANGES.of(carrier)[0].last:
            raise NumbersExhausted(f"no tracking number is left in the ranges of {carrier}")
        self.numbers += 1
        return RANGES.of(carrier)[0].number(self.numbers - 1)

    def keep(self, token: str | None, key: str, new: Creation) -> Creation | None:
        taken = any(
            row.return_id == new.return_id for row in list(self.rows.values())
        )  # others may keep theirs meanwhile
        if (token, key) not in self.rows and not taken:
            self.rows[token, key] = new
        return self.rows.get((token, key))

    def known(self, token: str | None, key: str) -> Creation | None:
        return self.rows.get((token, key))

    def is_cancelled(self, key: str) -> None:
        self.rows[None, key] = self.rows[None, key]._replace(cancelled=True)

    def created(self, return_id: str) -> Creation | None:
        return next((row for row in self.rows.values() if row.return_id == return_id), None)

    def is_published(self, token: str | None, key: str) -> None:
        if self.is_away:
            raise Retryable("away")
        self.rows[token, key] = self.rows[token, key]._replace(published=True)


class World:
    """The use case, and what it did."""

    def __init__(self, ranges: NumberRanges | None = None) -> None:
        self.kept, self.published, self.kafka_is_away = Kept(), list[tuple[str, bytes]](), False
        self.now = NOW
        parser = Parser(CarrierTables.load(), now=lambda: to_micros(self.now), oldest_creation=DAY)
        self.creating = Creating(self.kept, parser, "returns", self._publish, lambda: self.now, ranges)

    def _publish(self, return_id: str, event: bytes) -> None:
        if self.kafka_is_away:
            raise Retryable("away")
        self.published.append((return_id, event))
