"""The relay: publishes the journal to Kafka, exactly once, in the order of commits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from service.application.clocks import SYSTEM, Clocks
from service.application.journal.belief import believe, first_position
from service.application.journal.publish import BatchLog, OutputTopics, Sink, messages_of
from service.application.journal.slices import Position, Slice
from service.errors import Refused, Retryable
from service.metrics import Metrics
from service.runtime.follower import Follower
from service.runtime.lifecycle import Stop
from service.runtime.monitoring import collector
from service.runtime.monitoring.board import Board
from service.runtime.pace import Pace

_STOP_GRACE_SECONDS: Final = 5.0  # what is under way when a stop is asked for may take this long


class Servers(NamedTuple):
    """How a relay gets at the journal and at Kafka; each may raise Retryable. The sink is given what to call during
    long waits; the position is the one in Kafka, whichever relay committed it.
    """

    open_log: Callable[[], BatchLog]
    open_sink: Callable[[Callable[[], None]], Sink]
    read_position: Callable[[], Position | None]


_REST_SECONDS: Final = 2.0
_LISTEN_SECONDS: Final = 0.2  # the flag that tells it to stop is looked at so often while it waits for a hint
_MANY: Final = 500  # messages: after so many there is more to come


class RelayOptions(NamedTuple):
    """Times in seconds; `public_url` is where the pages are, for links."""

    # The one that leads is told of new batches; it looks by itself as well, in case that gets lost.
    poll_seconds: float = 1.0
    # Of slices that hold little, from one to the next at least.
    pace_seconds: float = 0.01
    stand_by_seconds: float = 1.0
    # Kafka forgets the offsets of a group that commits nothing for a week.
    refresh_seconds: float = 3600.0
    # Slices without messages move the position in memory; it is committed this often.
    settle_seconds: float = 1.0
    # One that refuses looks so often whether somebody has set it right.
    refused_seconds: float = 10.0
    public_url: str | None = None


class Relay(Follower):
    """Any number may run: one holds the lead and works, the others stand by.

    What makes it exact: the position travels in the Kafka transaction of the messages. A relay that takes over fences
    its predecessor first and reads the position after that; one that meets any error lets go of everything and takes
    over from itself.
    """

    def __init__(
        self,
        servers: Servers,
        topics: OutputTopics,
        stop: Stop,
        metrics: Metrics,
        *,
        options: RelayOptions | None = None,
        clocks: Clocks = SYSTEM,
        board: Board | None = None,
    ) -> None:
        super().__init__("relay", metrics, clocks, board)
        self._servers = servers
        self._topics, self._stop = topics, stop
        self._options = RelayOptions() if options is None else options
        self._clock, self._now = clocks.monotonic, clocks.now
        self._pace = Pace(self._options.pace_seconds, self._clock)
        self.read_position = servers.read_position
        self.leads = False  # it has taken over, and publishes
        self._journal: BatchLog | None = None
        self._sink: Sink | None = None
        self._position = Position(0)
        self._is_settled = True  # the position is committed
        self._committed_at = 0.0
        self._stop_seen_at: float | None = None
        self.refuses: str | None = None

    @property
    def refuses(self) -> str | None:
        """Why it publishes nothing until a person has set it right; None: it does not refuse. The metrics say it too."""
        return self._refuses

    @refuses.setter
    def refuses(self, why: str | None) -> None:
        self._refuses = why
        self._metrics.relay_refuses.set(why is not None)

    @property
    def published(self) -> int | None:
        """The last batch that is published whole, as far as the relay that leads knows; None: this one does not lead."""
        position = self._position
        return (position.n if position.is_whole else position.n - 1) if self.leads else None

    def run(self, *, drain: bool = False) -> None:
        """Relay until told to stop; with `drain` until what the journal held at the start is published, by whomever.

        Raises Fatal where neither waiting nor trying again helps. One that refuses to publish stays, and looks again:
        only with `drain` it raises Refused.
        """
        self._log.info("relay_starts", drain=drain)
        end: int | None = None
        try:
            while not self._stop:
                try:
                    pause = self._guarded()
                except Refused as error:
                    if drain:
                        raise
                    pause = self._refuse(error)
                if drain and self._journal is not None:
                    end = self._end() if end is None else end
                    if end is not None and self._has_reached(end):
                        break
                self._rest(pause)
        finally:
            self._settle_at_last()
            self.let_go()

    def run_once(self) -> float:
        """One turn: take over if need be, publish one slice. Answers how long to wait before the next one.

        Raises Retryable where a server is away, or this relay was fenced: `let_go`, and try again.
        """
        if self._journal is None:
            self._journal = self._servers.open_log()
        if self._sink is None:
            if not self._journal.lead():
                self.is_ready = True  # to take over
                return self._options.stand_by_seconds
            self._sink = self._take_over(self._journal)
        self.is_ready = True
        with collector.paused():
            self._stop.wait(self._pace.remaining())
            piece = self._journal.read(self._position)
            if piece.position != self._position:
                self._publish(piece, self._sink)
                return 0.0
        self._sink.check()
        self._settle(self._options.refresh_seconds if self._is_settled else self._options.settle_seconds)
        # Whoever does not speak for some seconds loses the lead.
        return min(self._options.poll_seconds, _REST_SECONDS)

    def let_go(self) -> None:
        """Close everything, the lead included. The next turn begins from the position in Kafka."""
        self.leads = False
        sink, log = self._sink, self._journal
        self._sink = self._journal = None
        # First the sink: whoever gets the lead must not be fenced by what is left of this one.
        for held in (sink, log):
            if held is not None:
                held.close()

    def _failed(self, error: Retryable, pause: float) -> None:
        was_leading = self._sink is not None
        self._log.warning("relay_retries", error=str(error), was_leading=was_leading, seconds=round(pause, 2))
        self.let_go()

    def _worked(self) -> None:
        self.refuses = None

    def _rest(self, seconds: float) -> None:
        """So long, or until there may be something to publish; in pieces, or it would look like one that is stuck."""
        while seconds > 0 and not self._stop:
            self.board.beat()
            piece = min(seconds, _REST_SECONDS)
            if self._journal is None or not self.leads:
                self._stop.wait(piece)
            elif self._may_have_grown(self._journal, piece := min(seconds, _LISTEN_SECONDS)):
                return
            seconds -= piece

    def _may_have_grown(self, log: BatchLog, seconds: float) -> bool:
        try:
            return log.wait(self._position.n, seconds)
        except Retryable:
            return True  # the next turn meets it too

    def _refuse(self, error: Refused) -> float:
        # What holds the lead would be in the way of whoever sets it right.
        self.let_go()
        self.is_ready = False
        self.board.works()  # the servers have answered; what is wrong is not theirs
        self.refuses = str(error)
        self._log.error("relay_refuses", error=str(error), looks_again_in=self._options.refused_seconds)
        return self._options.refused_seconds

    def _take_over(self, log: BatchLog) -> Sink:
        # Kept at once: whatever happens here, it must be closed.
        sink = self._sink = self._servers.open_sink(self._while_waiting)
        position = sink.position()
        if position is None:
            position = first_position(sink)
        believe(position, log, sink)
        end = log.end()
        # Before the first message there is a position: a first transaction that is aborted leaves records behind.
        sink.publish((), position)
        self._committed(position)
        self.leads = True
        self._log.info("relay_leads", n=position.n, within=position.within, behind=end - position.n)
        return sink

    def _publish(self, piece: Slice, sink: Sink) -> None:
        messages = messages_of(piece, self._topics, self._options.public_url)
        if not messages:
            self._position, self._is_settled = piece.position, False
            self._settle(self._options.settle_seconds)
            return
        if len(messages) < _MANY:
            self._pace.begin()
        self._metrics.relay_transactions.labels("aborted").inc(0)
        try:
            sink.publish(messages, piece.position)
        except BaseException:
            self._metrics.relay_transactions.labels("aborted").inc()
            raise
        self._committed(piece.position)
        self._metrics.relay_transactions.labels("committed").inc()
        for topic in self._topics:
            self._metrics.published.labels(topic).inc(sum(message.topic == topic for message in messages))
        if piece.recorded_at is not None:
            delay = (self._now() - piece.recorded_at).total_seconds()
            self._metrics.relay_seconds.observe(delay)
        self._log.debug("relay_published", n=piece.position.n, batches=piece.batches, messages=len(messages))

    def _committed(self, position: Position) -> None:
        self._position, self._is_settled, self._committed_at = position, True, self._clock()

    def _settle(self, after_seconds: float) -> None:
        """Commit the position by itself if the last commit was that long ago."""
        if self._sink is not None and self._clock() - self._committed_at >= after_seconds:
            self._sink.publish((), self._position)
            self._committed(self._position)

    def _settle_at_last(self) -> None:
        try:
            if not self._is_settled:
                self._settle(0)
        except Retryable as error:  # the next relay looks at those slices once more
            self._log.warning("relay_did_not_settle", error=str(error))

    def _while_waiting(self) -> None:
        """Keep the lead during a long wait for Kafka; give up some time after a stop was asked for."""
        if self._journal is not None:
            self._journal.ping()
        if self._stop:
            now = self._clock()
            self._stop_seen_at = self._stop_seen_at or now
            if now - self._stop_seen_at > _STOP_GRACE_SECONDS:
                raise Retryable("told to stop while waiting for Kafka", cause="stopping")

    def _end(self) -> int | None:
        try:
            return self._journal.end() if self._journal is not None else None
        except Retryable:
            return None

    def _has_reached(self, end: int) -> bool:
        position: Position | None = self._position
        if self._sink is None:  # another relay works
            try:
                position = self._servers.read_position()
            except Retryable:
                return False
        return position is not None and (position.n > end or (position.n == end and position.is_whole))
