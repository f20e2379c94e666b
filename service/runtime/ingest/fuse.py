"""When nearly everything that a source sends is invalid, a deployment is wrong and not the data: its letters become thin.

A publisher is told by its `source`; where none can be read, by the partition. Nobody else's messages wait, and the valid
ones of the same source do not either. The fuse is whole again once enough of them came.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from service.application.ports import Partition

MOST_SOURCES: Final = 500  # that are counted at a time; what others send counts to the partition it comes in

Key = str | Partition


class _Window:
    """The last records that count to one fuse, and the partitions that they came in."""

    __slots__ = ("invalid", "is_blown", "partitions", "records")

    def __init__(self, run: int) -> None:
        self.records = deque[bool](maxlen=run)
        self.partitions = set[Partition]()
        self.invalid = 0
        self.is_blown = False

    def add(self, *, invalid: bool) -> None:
        if len(self.records) == self.records.maxlen:
            self.invalid -= self.records[0]
        self.records.append(invalid)
        self.invalid += invalid


class Fuse:
    """Looks at the last `run` records of each source; blown where invalid ones are at least `ratio` of `run`."""

    def __init__(self, run: int, ratio: float) -> None:
        self._run = run
        self._ratio = ratio
        self._windows: dict[Key, _Window] = {}
        self._sources = 0  # how many of these are a source's
        self._fed: dict[Partition, int] = {}
        self.blown: frozenset[Partition] = frozenset()  # partitions in which there are letters of blown fuses
        self.mended: set[Key] = set()  # fuses that were blown and are whole again; whoever notes that empties it

    @property
    def is_watching(self) -> bool:
        """Whether any source had an invalid record lately; while none has, valid ones need not be counted."""
        return bool(self._windows)

    def feed(self, partition: Partition, offset: int, source: str | None, *, invalid: bool) -> None:
        """Count a record; one that was counted before (its batch is tried again) is not counted twice."""
        if offset <= self._fed.get(partition, -1):
            return
        self._fed[partition] = offset
        if invalid:
            self._count(self._key(partition, source), partition, invalid=True)
            return
        for key in (source, partition):
            if key is not None and key in self._windows:
                self._count(key, partition, invalid=False)

    def is_blown(self, partition: Partition, source: str | None) -> bool:
        """Whether a letter of this source, in this partition, is to be thin."""
        window = self._windows.get(self._key(partition, source))
        return window is not None and window.is_blown

    def forget(self, partition: Partition) -> None:
        """The partition has another owner now: what was counted in it counts for nothing here."""
        self._fed.pop(partition, None)
        for key, window in list(self._windows.items()):
            if partition in window.partitions:
                self._drop(key)
                if window.is_blown and key != partition:
                    self.mended.add(key)  # in the partitions that are left, it counts anew
        self._look()

    def _key(self, partition: Partition, source: str | None) -> Key:
        if source is None or (source not in self._windows and self._sources >= MOST_SOURCES):
            return partition
        return source

    def _count(self, key: Key, partition: Partition, *, invalid: bool) -> None:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(self._run)
            self._sources += isinstance(key, str)
        was_blown, is_new = window.is_blown, partition not in window.partitions
        window.partitions.add(partition)
        window.add(invalid=invalid)
        window.is_blown = window.invalid >= self._ratio * self._run
        if was_blown and not window.is_blown:
            self.mended.add(key)
        if window.is_blown != was_blown or (is_new and window.is_blown):
            self._look()
        if not window.invalid:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        del self._windows[key]
        self._sources -= isinstance(key, str)

    def _look(self) -> None:
        self.blown = frozenset(p for window in self._windows.values() if window.is_blown for p in window.partitions)
