"""Fetched records that wait to be given, the oldest first.

A worker that catches up gets a fetch of one partition, then of another. Given as they come, a day of scans stands before
the labels of that day: nearly every scan is parked, and placed again later. Right, and twice the work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from itertools import chain, islice
from math import inf
from typing import Final

from service.application.ports import Partition
from service.wire.record import Record

PATIENCE: Final = 20  # turns
_ENOUGH: Final = 4096  # records, to tell the time of the last one that is taken


class Backlog:
    """What is fetched of each partition and not given yet, in the order of its offsets.

    Between partitions it goes by Kafka's time, as far as that can be known: what is younger than the newest record of
    a partition that holds more may have older company there, and waits for it.
    """

    def __init__(self) -> None:
        self._waiting: dict[Partition, deque[Record]] = {}
        self._last: dict[Partition, Record] = {}  # that was fetched
        self._passed: dict[Partition, int] = {}  # how often in a row others were taken and this one had to wait

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, partition: Partition, records: Sequence[Record]) -> None:
        """These were fetched next."""
        self._waiting.setdefault(partition, deque()).extend(records)
        self._last[partition] = records[-1]

    def forget(self, partition: Partition) -> None:
        """The partition is another worker's, or is read from elsewhere."""
        self._waiting.pop(partition, None)
        self._last.pop(partition, None)
        self._passed.pop(partition, None)

    def size(self, partition: Partition) -> int:
        """How many records of this partition wait."""
        return len(self._waiting.get(partition, ()))

    def next_offset(self, partition: Partition) -> int | None:
        """The offset of the first record that waits; None without one."""
        waiting = self._waiting.get(partition)
        return waiting[0].offset if waiting else None

    def newest(self, partition: Partition) -> float:
        """Kafka's time of the last record that was fetched of this partition."""
        last = self._last.get(partition)
        return -inf if last is None else last.timestamp

    def end(self, partition: Partition) -> int | None:
        """The offset behind the last record that was fetched of this partition."""
        last = self._last.get(partition)
        return None if last is None else last.offset + 1

    def take(self, partitions: Collection[Partition], limit: int, horizon: float = inf) -> list[Record]:
        """Up to so many records of these partitions, not younger than the horizon; the oldest of them, if not all.

        One that has waited for long gives its share whatever its time: a publisher may have set it to any.
        """
        queues = {partition: queue for partition in partitions if (queue := self._waiting.get(partition))}
        share = limit // max(1, len(queues)) + 1
        bound = horizon
        total = sum(map(len, queues.values()))
        if total > limit:
            # Of many, some stand for all. They come as runs that are sorted already, or nearly: cheap.
            step = 1 + total // _ENOUGH
            heads = chain.from_iterable(islice(queue, 0, None, step) for queue in queues.values())
            bound = min(horizon, sorted(record.timestamp for record in heads)[(limit - 1) // step])
        taken: list[Record] = []
        for partition, queue in queues.items():
            before = len(taken)
            if self._passed.get(partition, 0) >= PATIENCE:
                taken += _first(queue, min(share, limit - before))
            while queue and queue[0].timestamp <= bound and len(taken) < limit:
                taken.append(queue.popleft())
            self._passed[partition] = 0 if len(taken) > before else self._passed.get(partition, 0) + 1
        if not taken and horizon == inf:
            # Times that go back within a partition: what is old stands behind what is young.
            for queue in queues.values():
                taken += _first(queue, min(share, limit - len(taken)))
        return taken


def _first(queue: deque[Record], count: int) -> list[Record]:
    return [queue.popleft() for _ in range(min(count, len(queue)))]
