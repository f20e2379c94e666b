"""Which partitions to read next while a worker is behind: those that are furthest back in time.

A worker that catches up reads its partitions at different speeds. If it runs far ahead with the scans of a week before
the labels of that week, nearly every scan is parked and placed again later: correct, and twice the work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from service.application.ports import Partition
from service.wire.record import Record


class Choice(NamedTuple):
    """What to read next, and what not."""

    read: Collection[Partition]
    rest: Collection[Partition]


class ReadingOrder:
    """Remembers how far in Kafka's time each partition was read.

    The older half of the partitions that hold more goes next. So whatever the time between records, none runs away, and
    no partition waits for long: reading the older half makes it the newer one.
    """

    def __init__(self) -> None:
        self._read: dict[Partition, tuple[int, int]] = {}  # the next offset, and the last timestamp

    def note(self, records: Sequence[Record]) -> None:
        """These were read."""
        self._read.update({(r.topic, r.partition): (r.offset + 1, r.timestamp) for r in records})

    def forget(self, partition: Partition) -> None:
        """The partition is another worker's, or will be read again from elsewhere."""
        self._read.pop(partition, None)

    def choose(self, partitions: Collection[Partition], high_water: Callable[[Partition], int | None]) -> Choice:
        """Of these partitions, which to read next; those that are at their end do no harm and may go on."""
        more, ended = list[Partition](), list[Partition]()
        for partition in partitions:
            end, read = high_water(partition), self._read.get(partition)
            (ended if read is not None and end is not None and read[0] >= end else more).append(partition)
        # One that was never read goes first: nobody knows how far back it begins.
        more.sort(key=lambda partition: self._read[partition][1] if partition in self._read else -1)
        middle = (len(more) + 1) // 2
        return Choice([*more[:middle], *ended], more[middle:])
