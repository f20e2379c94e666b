"""From Kafka to items that are ready to be committed: polled, read ahead, decoded, and watched by the fuse."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import ceil

from service.application.journal import ingest
from service.application.ports import DeadLetter, Item, Partition, Source
from service.runtime.assignment import partition_of
from service.runtime.fuse import Fuse
from service.runtime.monitoring.observer import Observer
from service.runtime.prefetch import Prefetch
from service.runtime.worker import LoopOptions
from service.wire.record import Record


class Intake:
    """What was polled and is not held yet."""

    def __init__(self, parser: ingest.Parser, options: LoopOptions, observer: Observer) -> None:
        self._parser, self._batch_size, self._observer = parser, options.batch_size, observer
        self._fuse = Fuse(options.fuse_run, options.fuse_ratio)
        self._prefetch = Prefetch(self._decode)

    def __bool__(self) -> bool:
        return bool(self._prefetch)

    def poll(self, source: Source, seconds: float, *, of_next: bool = False) -> bool:
        """Add what comes within the time; whether anything did. `of_next`: before its turn."""
        with self._observer.timed("poll", of_next=of_next):
            # Milliseconds, rounded up: 0 is a look at what is there, and would be one again and again.
            records = source.poll(ceil(seconds * 1000), self._batch_size)
        self._prefetch.add(records)
        return bool(records)

    def take(self) -> list[Item]:
        """All of it, decoded."""
        with self._observer.timed("decode"):
            items = self._prefetch.take()
        self._feed_fuse(items)
        return items

    def work(self) -> bool:
        """`ports.WhileWaiting`: decode a little of it."""
        with self._observer.timed("decode", of_next=True):
            return self._prefetch.work()

    def drop(self, partitions: Collection[Partition]) -> None:
        """Forget what was read of these: it will be read again, or is another worker's."""
        self._prefetch.drop(partitions)

    def forget(self, partition: Partition) -> None:
        """The partition has another owner now."""
        self._fuse.forget(partition)

    def clear(self) -> None:
        """Forget all that was read."""
        self._prefetch.clear()

    def blown(self, partitions: Iterable[Partition]) -> list[Partition]:
        """Those of the partitions in which nearly everything is invalid."""
        return [each for each in partitions if self._fuse.is_blown(each)] if self._fuse.is_watching else []

    def _decode(self, records: Iterable[Record]) -> list[Item]:
        return ingest.decode(self._parser, records)

    def _feed_fuse(self, items: Sequence[Item]) -> None:
        if not self._fuse.is_watching and not any(isinstance(item, DeadLetter) for item in items):
            return
        for item in items:
            unread = item.record.unread
            if unread is not None and unread.first != item.record.offset:
                continue  # one batch that cannot be read is one mishap
            self._fuse.feed(partition_of(item), item.record.offset, invalid=isinstance(item, DeadLetter))
