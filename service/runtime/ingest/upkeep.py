"""What a worker does beside its batches: the sweep, its house, and the watch over its own progress."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable
from math import inf
from typing import Final

from service.application.journal import sweep
from service.application.journal.watches import unheard, waits
from service.application.ports import Journal, Partition, Source, WhileWaiting
from service.errors import Fatal
from service.runtime.ingest.assignment import Assignment
from service.runtime.ingest.progress import Progress
from service.runtime.monitoring.observer import Observer

_HOUSEKEEPING_SECONDS: Final = 1.0
_TIDY_SECONDS: Final = 30.0
_SWEEPS_A_TURN: Final = 4
_IDLE_SWEEP_SECONDS: Final = 0.25  # how long an event may wait that a crash or a race left to the sweep
_BEHIND_SWEEP_SECONDS: Final = 1.0  # few large sweeps take less time than many small ones
# How long what a batch may have left to the sweep can wait: its creations may be what was parked before, its exports what
# was delivered. Few are, and to find that out takes half as long as a batch. What it parked itself, or a delivery for all
# members of a connote, does not wait.
_SWEEP_SECONDS: Final = 0.1


class Upkeep:
    """Knows when what is due. `tidy` is called every half a minute, between batches."""

    def __init__(
        self,
        journal: Journal,
        observer: Observer,
        clock: Callable[[], float],
        *,
        stall_seconds: float,
        tidy: Callable[[], object],
    ) -> None:
        self._journal, self._observer, self._clock = journal, observer, clock
        self._stall_seconds, self._tidy = stall_seconds, tidy
        self._progress = Progress(clock)
        self._last = dict.fromkeys(("housekeeping", "sweep", "tidy"), clock())
        self._wait = inf  # from the last sweep to the next one, for the sake of what was written since

    def wrote(self, *, to_sweep: bool) -> None:
        """A batch was committed; `to_sweep`: it left something to the sweep, else it may have."""
        self._wait = 0.0 if to_sweep else min(self._wait, _SWEEP_SECONDS)

    def sweep_in(self) -> float:
        """Seconds until what was written is to be swept: for so long may one wait for something new. Infinite: nothing was."""
        return max(0.0, self._last["sweep"] + self._wait - self._clock())

    def sweep(self, while_waiting: WhileWaiting, *, is_behind: bool, at_once: bool) -> None:
        """Place what had to wait, if it is time for that."""
        is_due = self._is_due("sweep", _BEHIND_SWEEP_SECONDS if is_behind else _IDLE_SWEEP_SECONDS)
        is_due |= not is_behind and self.sweep_in() == 0
        if not is_due and not at_once:
            return
        self._last["sweep"] = self._clock()
        for _ in range(_SWEEPS_A_TURN):
            self._wait = inf
            outcome = sweep.sweep(self._journal, while_waiting)
            if outcome is None:
                return
            self._observer.swept(outcome)
            if not (outcome.recorded or outcome.leaves_more or is_behind or at_once):
                return  # of what little came since the last sweep that was all
            if outcome.leaves_more:
                self._wait = 0.0

    @property
    def is_due(self) -> bool:
        """Whether housekeeping is."""
        return self._is_due("housekeeping", _HOUSEKEEPING_SECONDS)

    def keep_house(self, source: Source, assignment: Assignment) -> None:
        """Tell Kafka of the stored offsets, make room in the journal. Raises Fatal if a partition stands still."""
        if self._is_due("tidy", _TIDY_SECONDS):
            self._last["tidy"] = self._clock()
            self._journal.extend()
            unheard.look(self._journal)
            waits.look(self._journal)
            self._tidy()
        if not self.is_due:
            return
        self._last["housekeeping"] = self._clock()
        source.commit(assignment.positions)
        for partition in assignment.positions:
            self._watch(source, assignment, partition)

    def forget(self, partition: Partition) -> None:
        """The partition has another owner now."""
        self._progress.forget(partition)

    def clear(self) -> None:
        """Partitions stood still for a known reason."""
        self._progress.clear()

    def _watch(self, source: Source, assignment: Assignment, partition: Partition) -> None:
        high_water, position = source.high_water(partition), assignment.positions[partition]
        if high_water is None:
            return
        lag = max(0, high_water - position)
        seconds = self._progress.seconds(partition, position, lag)
        if seconds <= self._stall_seconds:
            return
        self._progress.forget(partition)
        # What it lags behind may be a publisher's open transaction, which nobody may read yet.
        if source.bounds([partition])[partition].end > position:
            faulthandler.dump_traceback()
            raise Fatal(f"{partition[0]} {partition[1]} has a lag of {lag} and did not move for {seconds:.0f} s")

    def _is_due(self, what: str, seconds: float) -> bool:
        return self._clock() - self._last[what] >= seconds
