"""Records that are read before their turn, and decoded while PostgreSQL is at work on those before them (ADR 12)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from service.application.ports import Item, Partition
from service.wire.record import Record

_FEW = 16  # records: a fifth of a millisecond, for which PostgreSQL's answer may have to wait


class Prefetch:
    """The next batch on its way from records to items, in their order. Its `work` is `ports.WhileWaiting`."""

    def __init__(self, decode: Callable[[Iterable[Record]], list[Item]]) -> None:
        self._decode = decode
        self._records: list[Record] = []
        self._items: list[Item] = []

    def __bool__(self) -> bool:
        return bool(self._records or self._items)

    def add(self, records: Collection[Record]) -> None:
        """These come next."""
        self._records += records

    def work(self) -> bool:
        """Decode a few; False if there is nothing left to decode."""
        few = self._records[len(self._items) : len(self._items) + _FEW]
        self._items += self._decode(few)
        return bool(few)

    def take(self) -> list[Item]:
        """All of them, decoded."""
        items = self._items + self._decode(self._records[len(self._items) :])
        self._records, self._items = [], []
        return items

    def drop(self, partitions: Collection[Partition]) -> None:
        """Forget what is of these partitions."""
        items, rest = self._items, self._records[len(self._items) :]
        self._items = [item for item in items if (item.record.topic, item.record.partition) not in partitions]
        rest = [record for record in rest if (record.topic, record.partition) not in partitions]
        self._records = [item.record for item in self._items] + rest

    def clear(self) -> None:
        """Forget all."""
        self._records, self._items = [], []
