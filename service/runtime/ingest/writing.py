"""What is held goes into the journal: whole batches, and where PostgreSQL refuses a value all but that one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.application.journal import ingest
from service.application.ports import DeadLetter, Item, Journal, Move, Partition, Source, WhileWaiting
from service.errors import RejectedValue
from service.runtime.ingest.assignment import Assignment, ends_of
from service.runtime.monitoring.observer import Observer
from service.wire.reasons import Invalid


class Writing:
    """Each commit moves the stored offsets on from where the assignment says that they are; if one is elsewhere, or
    its partition another topic's by now, nothing of the batch is recorded.
    """

    def __init__(self, journal: Journal, assignment: Assignment, observer: Observer) -> None:
        self._journal, self._assignment, self._observer = journal, assignment, observer

    def write(self, source: Source, while_waiting: WhileWaiting) -> bool:
        """Commit what is held, in its order; whether that left something to the sweep.

        Whatever is raised: what is not committed is still held.
        """
        sizes, to_sweep = [len(self._assignment.held)], False
        while self._assignment.held:
            items = self._assignment.held[: sizes.pop()]
            ends = ends_of(items)
            try:
                to_sweep |= self._commit(source, items, ends, while_waiting)
            except RejectedValue as error:
                # Find the one record that PostgreSQL refuses; its neighbours are kept.
                if len(items) > 1:
                    middle = len(items) // 2
                    sizes += [len(items) - middle, middle]
                    continue
                letter = DeadLetter(items[0].record, Invalid.REJECTED_VALUE, str(error))
                self._commit(source, [letter], ends, while_waiting)
        return to_sweep

    def skip_markers(self, source: Source) -> bool:
        """Move stored offsets past transaction markers at the end of partitions, so that lag is told right."""
        ends = {}
        for partition in self._assignment.positions:
            position = source.position(partition)
            if position is not None and position > self._assignment.positions[partition]:
                ends[partition] = position
        if ends:
            self._commit(source, [], ends, None)
        return bool(ends)

    def _commit(
        self, source: Source, items: Sequence[Item], ends: Mapping[Partition, int], while_waiting: WhileWaiting | None
    ) -> bool:
        positions = self._assignment.positions
        moves = {p: Move(positions[p], end, source.topic_id(p[0]), source.epoch(p, end)) for p, end in ends.items()}
        self._observer.begin()
        outcome = ingest.write(self._journal, items, moves, self._observer.step, while_waiting)
        self._assignment.commit(len(items), ends)
        self._observer.batch(items, outcome)
        return bool(outcome.parked or outcome.deliveries)
