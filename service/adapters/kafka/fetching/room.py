"""How much that is unpacked and not taken yet a worker may hold, over all its partitions."""

from __future__ import annotations

from collections import deque
from typing import Final

from service.application.ports import Partition
from service.config import MAX_BATCH_BYTES

# So many batches of the largest size at a time. Bytes in Kafka say little: a fetch of 300 kB may hold a hundred batches of
# 3 kB that take 60 MB each.
BATCHES: Final = 2


class Room:
    """What was unpacked for each partition is held until its last record is taken.

    Whoever unpacks asks `is_full` before each batch, and is held up by one batch too many at most.
    """

    def __init__(self, max_batch_bytes: int = MAX_BATCH_BYTES) -> None:
        self.max_batch_bytes = max_batch_bytes
        self._most = max_batch_bytes * BATCHES
        self._held: dict[Partition, deque[tuple[int, int]]] = {}  # last offset and bytes of each batch
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be unpacked until something is taken."""
        return self._bytes >= self._most

    def hold(self, partition: Partition, last: int, weight: int) -> None:
        """A batch was unpacked, the last offset of which is `last`."""
        self._held.setdefault(partition, deque()).append((last, weight))
        self._bytes += weight

    def release(self, partition: Partition, upto: int | None) -> None:
        """Everything before this offset is taken; None: everything."""
        held = self._held.get(partition)
        while held and (upto is None or held[0][0] < upto):
            self._bytes -= held.popleft()[1]
