"""When nearly everything of a partition is invalid, a deployment is wrong and not the data: stop there."""

from __future__ import annotations

from collections import deque

from service.application.ports import Partition


class Fuse:
    """Looks at the last `run` records of each partition; blown where invalid ones are at least `ratio` of `run`."""

    def __init__(self, run: int, ratio: float) -> None:
        self._run = run
        self._ratio = ratio
        self._windows: dict[Partition, deque[bool]] = {}
        self._fed: dict[Partition, int] = {}

    @property
    def is_watching(self) -> bool:
        """Whether any partition had an invalid record lately; while none has, valid ones need not be counted."""
        return bool(self._windows)

    def feed(self, partition: Partition, offset: int, *, invalid: bool) -> None:
        """Count a record; one that was counted before (its batch is tried again) is not counted twice."""
        if offset <= self._fed.get(partition, -1):
            return
        self._fed[partition] = offset
        window = self._windows.get(partition)
        if window is None:
            if not invalid:
                return
            window = self._windows[partition] = deque(maxlen=self._run)
        window.append(invalid)

    def is_blown(self, partition: Partition) -> bool:
        """Whether the partition must stop."""
        window = self._windows.get(partition, ())
        return bool(window) and sum(window) >= self._ratio * self._run

    def forget(self, partition: Partition) -> None:
        """The partition has another owner now."""
        self._windows.pop(partition, None)
        self._fed.pop(partition, None)
