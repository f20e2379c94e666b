"""The settings that the rules name, and what tells which rules a row of the history was recorded by."""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

VERSION: Final = 3
"""Of the rules as the code has them. A row without one is of before connotes had windows (1); by those before (2) events of
one name were one event."""

EARLIEST: Final = 1  # the rules of rows that do not name theirs

_HOUR: Final = 3_600_000_000  # microseconds
_DAY: Final = 24 * _HOUR


class Rules(NamedTuple):
    """What operators may set. A delivery of a connote may be a day older than the export, for clocks that are wrong."""

    connote_days: int = 120

    @property
    def mark(self) -> int:
        """What a state keeps of them: the version, or another number where something is set otherwise."""
        return VERSION if self == DEFAULT else crc32(repr((VERSION, *self)).encode())

    @property
    def before_export(self) -> int:
        """So long before an export its connote's delivery may be, in microseconds."""
        return _DAY

    @property
    def after_export(self) -> int:
        """So long after it, likewise."""
        return self.connote_days * _DAY


DEFAULT: Final = Rules()
