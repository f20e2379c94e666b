"""What a worker has: partitions, how far each is stored, and the records of them that are not committed yet.

A pure state machine. It is told what happened and says what follows from it; whoever drives it talks to Kafka and to the
journal. At any time

* a partition is either `gained`, and where it stands is still to be read, or it has a position: the offset that is stored
  for it, as far as this worker knows;
* `uncertain` are some of those with a position;
* held are records of partitions that have a position, in the order of each partition, all of them at or behind its
  position.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from service.application.ports import Item, Partition


class Assignment:
    """One worker's; it begins with nothing."""

    def __init__(self) -> None:
        self._positions: dict[Partition, int] = {}
        self._gained: set[Partition] = set()
        self._uncertain: set[Partition] = set()
        self._held: list[Item] = []

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The next offset of each partition whose stored offset was read: where the next commit has to begin."""
        return self._positions

    @property
    def gained(self) -> Collection[Partition]:
        """Those whose stored offset is still to be read."""
        return self._gained

    @property
    def uncertain(self) -> Collection[Partition]:
        """Those whose position may have been moved by a transaction of which it is not known what became of it."""
        return self._uncertain

    @property
    def held(self) -> Sequence[Item]:
        """What is to be committed next, in order."""
        return self._held

    def rebalance(self, lost: Collection[Partition], gained: Collection[Partition]) -> set[Partition]:
        """Partitions went and came; what was remembered of those in the answer is worth nothing any more.

        One that went and came back within one rebalance is named in both: another worker may have moved it in between.
        """
        self._forget({*lost, *gained})
        self._gained.difference_update(lost)
        self._gained.update(gained)
        return {*lost, *gained}

    def take_up(self, positions: Mapping[Partition, int]) -> None:
        """The stored offsets of partitions that were gained are read; one that is gone by now stays gone."""
        taken = self._gained & positions.keys()
        self._positions |= {partition: positions[partition] for partition in taken}
        self._gained -= taken

    def hold(self, items: Sequence[Item]) -> None:
        """These are to be committed after what is held already. Those of partitions without a position are left out."""
        strange = ends_of(items).keys() - self._positions.keys()
        self._held += [item for item in items if partition_of(item) not in strange] if strange else items

    def give_back(self, partitions: Collection[Partition]) -> None:
        """Hold nothing of these any more: it will be read again from where they stand."""
        if self._held and partitions:
            self._held = [item for item in self._held if partition_of(item) not in partitions]

    def commit(self, number: int, ends: Mapping[Partition, int]) -> None:
        """The first `number` of what is held are committed, and offsets stored up to `ends`."""
        self._held = self._held[number:]
        self._positions |= ends

    def fail(self) -> None:
        """What became of a transaction is not known; nor, then, where any partition stands."""
        self._uncertain = set(self._positions)

    def settle(self, stored: Mapping[Partition, int]) -> set[Partition]:
        """The stored offsets of the uncertain are read again. Answers which of them are elsewhere than they were.

        What is held of those is dropped: it is committed already, or another worker's.
        """
        moved = {p for p, offset in stored.items() if self._positions.get(p, offset) != offset}
        self._positions |= {p: offset for p, offset in stored.items() if p in self._positions}
        self.give_back(moved)
        self._uncertain.difference_update(stored)
        return moved

    def begin_again(self, partitions: Collection[Partition]) -> None:
        """Where these stand is worth nothing (the topic is another one by now): it is to be read as if just gained."""
        known = self._positions.keys() & set(partitions)
        self._forget(known)
        self._gained |= known

    def clear(self) -> None:
        """Out of the group: nothing is this worker's."""
        self._forget({*self._positions, *self._gained})
        self._gained.clear()

    def _forget(self, partitions: Collection[Partition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
        self._uncertain.difference_update(partitions)
        self.give_back(partitions)


def partition_of(item: Item) -> Partition:
    """Where it came from."""
    return item.record.topic, item.record.partition


def ends_of(items: Iterable[Item]) -> dict[Partition, int]:
    """The offset after the last record of each partition; the items are in the order of their partitions."""
    ends = dict[Partition, int]()
    for item in items:
        record = item.record
        ends[record.topic, record.partition] = record.offset + 1
    return ends
