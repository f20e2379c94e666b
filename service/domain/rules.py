"""The settings that the rules name, and what tells which rules a row of the history was recorded by."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple
from zlib import crc32

VERSION: Final = 5
"""Of the rules as the code has them: 5 since a state knows which way the parcel went last, 4 since events of one name that say something else are events of their own, 3 since labels
have windows; a row without one is of before connotes had any (1)."""

EARLIEST: Final = 1  # the rules of rows that do not name theirs

_HOUR: Final = 3_600_000_000  # microseconds
_DAY: Final = 24 * _HOUR


class Rules(NamedTuple):
    """What operators may set. A delivery of a connote may be a day older than the export, for clocks that are wrong."""

    connote_days: int = 120
    label_lead_hours: int = 24
    label_reuse_days: int = 30

    @property
    def mark(self) -> int:
        """What a state keeps of them: the version, or another number where something is set otherwise."""
        return _mark(self)

    @property
    def before_export(self) -> int:
        """So long before an export its connote's delivery may be, in microseconds."""
        return _DAY

    @property
    def after_export(self) -> int:
        """So long after it, likewise."""
        return self.connote_days * _DAY

    @property
    def label_lead(self) -> int:
        """So long before its claim a label's window begins, in microseconds."""
        return self.label_lead_hours * _HOUR

    @property
    def label_reuse(self) -> int:
        """A claim so much later begins the label anew, likewise."""
        return self.label_reuse_days * _DAY


@lru_cache(16)
def _mark(rules: Rules) -> int:
    return VERSION if rules == DEFAULT else crc32(repr((VERSION, *rules)).encode())


DEFAULT: Final = Rules()
