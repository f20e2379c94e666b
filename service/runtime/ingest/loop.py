"""The ingest loop: records from Kafka into the journal, whatever goes wrong in between.

One thread owns the consumer. `run_once` is a tick, the unit of testing; its order is the guarantee:

1. poll (everything paused while a batch is held, so that the group keeps this member): what came while the last batch was
   committed is the next one, so batches grow by themselves with the load;
2. act on what the rebalance listener noted: drop held records of lost partitions, read the stored offsets of gained
   ones, seek and resume;
3. decode;
4. decide, append and COMMIT the batch together with the offsets; behind, poll before and decode the next batch while
   PostgreSQL is at work;
5. sweep; tell Kafka the same offsets, for those who look there (never to be read back); watch over progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service import logs
from service.application.clocks import SYSTEM, Clocks
from service.application.ports import Source
from service.errors import BrokenSource, ChangedTopics, Conflict, Retryable
from service.metrics import Metrics
from service.runtime.backoff import Backoff
from service.runtime.ingest.assignment import Assignment, ends_of
from service.runtime.ingest.custody import Custody
from service.runtime.ingest.intake import Intake
from service.runtime.ingest.progress import Drain
from service.runtime.ingest.upkeep import Upkeep
from service.runtime.ingest.worker import LoopOptions, Ports
from service.runtime.ingest.writing import Writing
from service.runtime.lifecycle import Stop
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.observer import Observer
from service.runtime.pace import Pace


class IngestLoop:
    """One worker. Raises Fatal when a supervisor should start a new one. `tidy` is called at times, between batches."""

    def __init__(
        self,
        ports: Ports,
        stop: Stop,
        metrics: Metrics,
        *,
        options: LoopOptions,
        clocks: Clocks = SYSTEM,
        board: Board | None = None,
        tidy: Callable[[], object] = lambda: None,
    ) -> None:
        self._open_source, self._journal, parser = ports
        self._stop, self._options, clock = stop, options, clocks.monotonic
        self._board = Board(clock, stop.watchdog) if board is None else board
        self._log = logs.get("ingest")
        self._backoff = Backoff(clock, jitter=clocks.jitter)
        self._pace = Pace(options.batch_wait_ms / 1000, clock)
        self._observer = observer = Observer(metrics, clocks, self._board)
        self._assignment = Assignment()
        self._intake = Intake(parser, options, observer)
        self._upkeep = Upkeep(self._journal, observer, clock, stall_seconds=options.stall_seconds, tidy=tidy)
        self._custody = Custody(self._journal, self._assignment, self._intake, self._upkeep, observer)
        self._writing = Writing(self._journal, self._assignment, observer)
        self._source: Source | None = None
        self._idle = False  # the last poll brought nothing, though it could
        self._behind = False  # the last batch was so large that there is more to come
        self._drain: Drain | None = None

    def run(self) -> None:
        """Work until asked to stop, or until everything is drained."""
        try:
            while not self._stop and not self._is_drained():
                self.run_once()
        finally:
            self.close()

    def run_once(self) -> None:
        """One tick; see the module's text for its order."""
        self._board.beat()
        with self._whatever_goes_wrong():
            source = self._source or self._open()
            if source is None:
                return
            waits = self._poll(source)
            self._custody.rebalance(source)
            if not waits:
                self._assignment.hold(self._intake.take())
            if self._backoff.remaining():
                return
            self._custody.settle(source)
            self._record(source)
            self._custody.mend_fuses()
            self._carry_on(source)
            self._upkeep.sweep(self._intake.work, is_behind=self._behind, at_once=self._nears_the_end)
            self._upkeep.keep_house(source, self._assignment)
            self._board.works()

    def close(self) -> None:
        """Leave the group. What is held was not committed: the next owner reads it again."""
        self._lose_source()
        self._journal.close()

    def _open(self) -> Source | None:
        if self._backoff.remaining():
            self._stop.wait(min(self._backoff.remaining(), self._options.poll_timeout_ms / 1000))
            return None
        self._source = self._open_source()
        if self._options.drain and self._drain is None:
            self._drain = Drain(self._source)
        return self._source

    def _poll(self, source: Source) -> bool:
        """Bring in what there is; whether a batch has to wait, so that nothing comes but rebalances."""
        longest = self._options.poll_timeout_ms / 1000
        waits = bool(self._assignment.held) or self._backoff.remaining() > 0
        self._idle = False
        if waits:
            self._intake.poll(source, min(longest, self._backoff.remaining()))
        elif not self._intake and (self._behind or self._pace.rest(longest, self._stop.wait)):
            longest = longest if self._behind else min(longest, self._upkeep.sweep_in())
            self._idle = not self._intake.poll(source, longest)
        return waits

    def _record(self, source: Source) -> None:
        self._behind = len(self._assignment.held) >= self._options.many
        if self._assignment.held:
            self._pace.begin()
            if self._behind and not self._intake and not self._backoff.failures:
                self._intake.poll(source, 0, of_next=True)
            self._upkeep.wrote(to_sweep=self._writing.write(source, self._intake.work))
        elif self._idle and (self._options.drain or self._upkeep.is_due) and self._writing.skip_markers(source):
            self._upkeep.wrote(to_sweep=False)

    def _carry_on(self, source: Source) -> None:
        if self._backoff.failures:
            self._log.info("resumed", tries=self._backoff.failures)
            self._backoff.succeed()
            self._custody.resume(source)

    # when something is away, or somebody else was first

    @contextmanager
    def _whatever_goes_wrong(self) -> Iterator[None]:
        try:
            yield
        except ChangedTopics as error:
            # What the consumer knows and has fetched may be of a topic that is gone; so may be the goal of a drain.
            self._log.warning("topics_changed", error=str(error))
            self._drain = None
            self._lose_source()
        except BrokenSource as error:
            self._log.warning("kafka_away", error=str(error), tries=self._backoff.failures + 1)
            self._observer.retry("kafka")
            self._lose_source()
        except Conflict as error:
            self._yield_to_other(error)
        except Retryable as error:
            self._keep(error)

    def _keep(self, error: Retryable) -> None:
        """Hold the batch, give no more, keep polling: PostgreSQL will be back."""
        self._assignment.fail()
        self._backoff.fail()
        self._observer.retry(error.cause)
        tries = self._backoff.failures
        if tries in {1, 10} or tries % 100 == 0:
            self._log.warning("held", records=len(self._assignment.held), error=str(error), tries=tries)
        if self._source is not None:
            self._source.pause(self._assignment.positions)

    def _yield_to_other(self, error: Conflict) -> None:
        self._log.warning("conflict", error=str(error), records=len(self._assignment.held))
        self._observer.lost_partition()
        self._assignment.fail()
        if self._source is not None:
            self._custody.read_again(self._source, ends_of(self._assignment.held))

    def _lose_source(self) -> None:
        self._backoff.fail()  # before a new one is opened
        source, self._source = self._source, None
        if source is not None:
            source.close()
        self._custody.clear()

    @property
    def _nears_the_end(self) -> bool:
        """Whether what is left of a drain is the sweep, or other workers' part."""
        return self._drain is not None and self._drain.is_ingested(self._assignment.positions)

    def _is_drained(self) -> bool:
        drain, source, is_done = self._drain, self._source, False
        if drain is None or source is None or self._backoff.failures:
            return False
        if self._idle or self._nears_the_end:  # publishers may go on, so that it is never idle
            with self._whatever_goes_wrong():
                is_done = drain.is_done(self._journal, source)
        return is_done
