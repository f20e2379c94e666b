"""The partitions that a worker has, as it reads them: what the assignment says is done to the source."""

from __future__ import annotations

from collections.abc import Collection

from service import logs
from service.application.ports import Journal, Partition, Source
from service.runtime.ingest.assignment import Assignment
from service.runtime.ingest.intake import Intake
from service.runtime.ingest.taking_up import take_up
from service.runtime.ingest.upkeep import Upkeep
from service.runtime.monitoring.observer import Observer


class Custody:
    """Keeps source, assignment and what was read ahead of one mind."""

    def __init__(
        self, journal: Journal, assignment: Assignment, intake: Intake, upkeep: Upkeep, observer: Observer
    ) -> None:
        self._journal, self._assignment, self._intake = journal, assignment, intake
        self._upkeep, self._observer = upkeep, observer
        self._log = logs.get("ingest")

    def rebalance(self, source: Source) -> None:
        """Act on what the source noted: forget what was lost, and have what was gained taken up."""
        lost, gained = source.take_lost(), source.take_gained()
        if lost or gained:
            # An eager rebalance takes all away and gives some back: those are read again from their stored offsets.
            self._forget(self._assignment.rebalance(lost, gained))
            held = len(self._assignment.held)
            self._log.info("rebalanced", gained=len(gained), lost=len(lost - gained), held=held)

    def settle(self, source: Source) -> None:
        """Make positions certain: after a transaction of unknown end, and where partitions were gained.

        Raises Retryable or BrokenSource: what is not settled is still to be, and ChangedTopics.
        """
        if self._assignment.uncertain:
            self._look_again(source)
        if self._assignment.gained:
            self._take_up(source)

    def read_again(self, source: Source, partitions: Collection[Partition]) -> None:
        """What was read of these partitions comes again, from where they stand."""
        self._assignment.give_back(partitions)
        self._intake.drop(partitions)
        for partition in partitions:
            source.seek(partition, self._assignment.positions[partition])

    def mend_fuses(self) -> None:
        """Note which fuses are whole again, once what came before that is recorded. Raises Retryable."""
        mended = self._intake.mended
        if not mended:
            return
        partitions, sources = {p for p in mended if isinstance(p, tuple)}, {s for s in mended if isinstance(s, str)}
        if sources:
            self._journal.mend_fuses(self._assignment.positions.keys(), sources)
        if partitions:
            self._journal.mend_fuses(partitions, {""})
        mended.clear()

    def resume(self, source: Source) -> None:
        """Read on in all: they stood still for a known reason."""
        self._upkeep.clear()
        source.resume(self._assignment.positions)

    def clear(self) -> None:
        """Out of the group: forget everything."""
        for memory in (self._assignment, self._intake, self._upkeep):
            memory.clear()

    def _look_again(self, source: Source) -> None:
        ids = {partition: source.topic_id(partition[0]) for partition in self._assignment.uncertain}
        stored = self._journal.known_offsets(ids)
        # Elsewhere: committed by whoever it was, or of a journal that went back, and then perhaps to before the log was cut,
        # where the same offset is another place. Bound to another topic meanwhile: either that one, or the one that this
        # worker reads, is of the past. Gone: the journal went back to before this partition was ever read.
        strange = self._assignment.settle({p: each.next for p, each in stored.items()})
        strange |= {p for p, each in stored.items() if ids[p] not in {None, each.topic_id}}
        strange |= {p for p, each in stored.items() if each.epoch != source.epoch(p, each.next)}
        strange |= ids.keys() - stored.keys()
        self._assignment.begin_again(strange)
        self._forget(strange)

    def _take_up(self, source: Source) -> None:
        source.pause(self._assignment.gained)
        taken = take_up(source, self._journal, self._assignment.gained, self._observer.strayed)
        self._journal.mend_fuses(taken.keys())  # here they count anew
        self._observer.took_up(source, taken)
        for partition, (offset, _, epoch) in taken.items():
            source.seek(partition, offset, epoch)
        self._assignment.take_up({partition: each.next for partition, each in taken.items()})
        source.resume(taken)

    def _forget(self, partitions: Collection[Partition]) -> None:
        self._intake.drop(partitions)
        for partition in partitions:
            for memory in (self._intake, self._upkeep):
                memory.forget(partition)
