"""From Kafka to items that are ready to be committed: polled, read ahead, decoded, and watched by the fuse."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import ceil
from typing import Final

from msgspec.structs import replace

from service.application.journal import ingest
from service.application.ports import Arrival, DeadLetter, Item, Partition, Source
from service.runtime.ingest.assignment import partition_of
from service.runtime.ingest.fuse import Fuse, Key
from service.runtime.ingest.prefetch import Prefetch
from service.runtime.ingest.worker import LoopOptions
from service.runtime.monitoring.observer import Observer
from service.wire.record import Record

_THIN_ERROR: Final = 200  # characters


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
        return self._through_fuse(items)

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
        self._observer.fuses(self._fuse.blown)

    def clear(self) -> None:
        """Forget all that was read."""
        self._prefetch.clear()

    @property
    def mended(self) -> set[Key]:
        """The fuses that are whole again; whoever notes that in the journal empties it."""
        return self._fuse.mended

    def _decode(self, records: Iterable[Record]) -> list[Item]:
        return ingest.decode(self._parser, records)

    def _through_fuse(self, items: list[Item]) -> list[Item]:
        """Count them; letters of a publisher whose fuse is blown become thin."""
        if not self._fuse.is_watching and not any(isinstance(item, DeadLetter) for item in items):
            return items
        through = list[Item]()
        for item in items:
            record, partition = item.record, partition_of(item)
            if isinstance(item, Arrival):
                self._fuse.feed(partition, record.offset, item.inbound.event.source, invalid=False)
                through.append(item)
                continue
            # One batch that cannot be read is one mishap.
            if record.unread is None or record.unread.first == record.offset:
                self._fuse.feed(partition, record.offset, item.source, invalid=True)
            through.append(_thin(item) if self._fuse.is_blown(partition, item.source) else item)
        self._observer.fuses(self._fuse.blown)
        return through


def _thin(letter: DeadLetter) -> DeadLetter:
    """The letter by its coordinates and reason; Kafka has the rest for as long as it keeps it."""
    record = replace(letter.record, key=None, value=None, headers=())
    return replace(letter, record=record, error=letter.error[:_THIN_ERROR], is_thin=True)
