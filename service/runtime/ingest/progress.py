"""How far a worker is: behind the ends of its partitions, and on the way to the end of a drain."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from service.application.ports import Bounds, Journal, Partition, Source, Stored


class Progress:
    """For how long each partition that has lag stands where it stands."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[Partition, tuple[int, float]] = {}

    def seconds(self, partition: Partition, position: int, lag: int) -> float:
        """Seconds that it has not moved although there is more; 0 without lag."""
        now = self._clock()
        stood, since = self._since.get(partition, (None, now))
        if stood != position or not lag:
            since = now
        self._since[partition] = (position, since)
        return now - since

    def forget(self, partition: Partition) -> None:
        """Begin anew with this partition."""
        self._since.pop(partition, None)

    def clear(self) -> None:
        """Begin anew with all: they stood still for a known reason."""
        self._since.clear()


class Drain:
    """Everything that the input topics held at the start, and what that left to the sweep, whoever does it."""

    def __init__(self, source: Source) -> None:
        bounds = source.bounds(source.all_partitions())
        self._goal: Mapping[Partition, Bounds] = {p: each for p, each in bounds.items() if each.end > each.begin}
        self._ids = {partition: source.topic_id(partition[0]) for partition in self._goal}
        self._batch: int | None = None  # once all is ingested: what the sweep must come to
        self._is_last = False  # whether what that sweep records leaves nothing to another one

    def is_ingested(self, positions: Mapping[Partition, int]) -> bool:
        """Whether a worker whose partitions stand there has nothing left to do for it, but to sweep."""
        return bool(positions) and not any(
            partition in positions and positions[partition] < each.end for partition, each in self._goal.items()
        )

    def is_done(self, journal: Journal, source: Source) -> bool:
        """Whether it is all there."""
        if self._batch is None:
            starts = {partition: Stored(each.begin, self._ids[partition]) for partition, each in self._goal.items()}
            stored = journal.stored_offsets(starts)
            missing = {
                partition
                for partition, each in self._goal.items()
                # What was read of another topic of the name counts for nothing.
                if stored[partition].next < each.end or self._ids[partition] not in {None, stored[partition].topic_id}
            }
            if missing or self._leads_astray(source, stored):
                return False
            self._batch = journal.swept().newest
        swept = journal.swept()
        if swept.upto >= self._batch and not self._is_last:
            # A sweep records too: what was parked may be an export, and what its connote was delivered with comes with the
            # next sweep, which leaves nothing more.
            self._batch, self._is_last = swept.newest, True
        return swept.upto >= self._batch

    def _leads_astray(self, source: Source, stored: Mapping[Partition, Stored]) -> bool:
        """Whether a stored offset is beyond the goal because it is beyond all there is, and not because work went on."""
        beyond = [partition for partition, each in self._goal.items() if stored[partition].next > each.end]
        ends = source.bounds(beyond) if beyond else {}
        return any(stored[partition].next > ends[partition].end for partition in beyond)
