"""The composition root of health: what each process asks of which server, and what it tells of that. See ADR 18."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from service.adapters.kafka.ends import KafkaEnds
from service.adapters.kafka.heads import KafkaHeads
from service.adapters.postgres.probe import PostgresProbe
from service.application.health import STANDS_SECONDS, CursorLag, DatabaseFacts, InputLag, ReaderLag, standing
from service.errors import Retryable
from service.runtime.monitoring.health import Check, Monitor, Watch, work

if TYPE_CHECKING:
    from service.adapters.postgres.reading.returns import Pool
    from service.application.ports import Bounds, Partition
    from service.config import Settings
    from service.metrics import Metrics
    from service.runtime.monitoring.board import Board
    from service.runtime.relay import Relay

_HEADS_AT_ONCE: Final = 8
# Kafka's ends: two requests, and a connection. A broker that is gone leaves the metadata after 9 s, by its default.
_ASKED: Final[dict[str, Any]] = {"patience": 4.0, "fresh": 1.0, "metadata_ms": 3_000}
_POSITION_SECONDS: Final = 5.0
_POSITION_FRESH_SECONDS: Final = 12.0
_NAMED: Final = 3  # partitions that a check names
_CURSORS: Final = {"project": "search", "sweep": "sweep", "relay": "relay"}  # a reader's name, and that of its cursor

Checks = dict[str, Callable[[], Check]]


class _Postgres:
    """The watch over PostgreSQL, and what it tells of the readers of the journal."""

    def __init__(self, settings: Settings, metrics: Metrics, *readers: str, **asked: Any) -> None:
        self._metrics = metrics
        self.lags = {reader: CursorLag() for reader in readers}
        probe = PostgresProbe(settings.database_url.get_secret_value(), **asked)
        metrics.show(metrics.writable, metrics.admits)
        if asked.get("with_counts"):
            metrics.show(metrics.parked_events, metrics.open_letters)
        self.then: list[Callable[[DatabaseFacts, float], object]] = [self._note]
        self.watch = Watch("postgres", probe.look, then=self._tell, close=probe.close)

    def _tell(self, facts: DatabaseFacts, at: float) -> None:
        for each in self.then:
            each(facts, at)

    def _note(self, facts: DatabaseFacts, at: float) -> None:
        if facts.refused is not None:
            self._metrics.retries.labels(facts.refused).inc()
        for reader, lag in self.lags.items():
            if (cursor := facts.cursors.get(_CURSORS[reader])) is not None:
                lag.said(facts.end, cursor, at)

    def answers(self) -> Check:
        return self.watch.check("PostgreSQL")

    def takes_writes(self, *, needed: bool = True) -> Check:
        facts = self.watch.answer
        if facts is not None and facts.is_read_only:
            return Check("PostgreSQL is read-only", ok=not needed)
        return Check()

    def takes_connections(self, *, needed: bool = True) -> Check:
        facts = self.watch.answer
        if facts is not None and facts.refused is not None:
            # The sessions that there are may go on; one that ends, for whatever reason, would not come back.
            why = "takes no more connections" if facts.refused == "connections" else "lets no new connection in"
            return Check(f"PostgreSQL {why}", ok=not needed)
        return Check()

    def checks(self, *, needed: bool = True) -> Checks:
        return {
            "postgres": self.answers,
            "writes": partial(self.takes_writes, needed=needed),
            "connections": partial(self.takes_connections, needed=needed),
        }

    def reader(self, reader: str) -> Check:
        """Whether a reader of the journal moves while there is something to read."""
        at = time.monotonic()
        lag, known = self.lags[reader].lag(at), self.lags[reader].is_known(at)
        if lag.batches is None or lag.seconds is None or lag.standing is None:
            return Check("how far it is behind is not known yet", ok=False)
        if not lag.batches:
            return Check() if known else Check("how far it is behind is not known", ok=False)
        says = f"{lag.batches:,} batches behind, the oldest for {lag.seconds:.0f} s"
        if lag.standing >= STANDS_SECONDS:
            return Check(f"stands still for {lag.standing:.0f} s, {says}", ok=False)
        return Check(f"ok, {says}")

    def refresh(self) -> None:
        metrics, facts, at = self._metrics, self.watch.answer, time.monotonic()
        metrics.server_up.labels("postgres").set(self.watch.is_known)
        if facts is not None:
            metrics.writable.set(not facts.is_read_only)
            metrics.admits.set(self.watch.is_known and facts.refused is None)
            if facts.counted is not None:
                metrics.parked_events.set(facts.counted.parked)
                metrics.open_letters.set(facts.counted.letters)
        for reader, tracker in self.lags.items():
            _show(metrics, reader, tracker.lag(at), known=tracker.is_known(at))


def _show(metrics: Metrics, reader: str, lag: ReaderLag, *, known: bool) -> None:
    metrics.lag_known.labels(reader).set(known)
    for gauge, value in (
        (metrics.cursor_lag, lag.batches),
        (metrics.cursor_seconds, lag.seconds),
        (metrics.cursor_standing, lag.standing),
    ):
        gauge.labels(reader).set(float("nan") if value is None else value)


Ids = Mapping[str, "bytes | None"]


class _Kafka:
    """The watch over Kafka: where topics end, and how many brokers there are."""

    def __init__(
        self,
        metrics: Metrics,
        ends: KafkaEnds,
        then: Callable[[Mapping[Partition, Bounds], float, Ids], object] = lambda _bounds, _at, _ids: None,
    ) -> None:
        self._metrics, self._ends = metrics, ends
        self._most = 0
        metrics.show(metrics.brokers)
        self.watch = Watch("kafka", self._ask, then=lambda bounds, at: then(bounds, at, ends.topic_ids))

    def _ask(self) -> Mapping[Partition, Bounds]:
        bounds = self._ends.bounds()
        if bounds is None:
            raise Retryable("Kafka does not answer", cause="kafka")
        self._most = max(self._most, self._ends.brokers or 0)
        return bounds

    def check(self, *, needed: bool = True) -> Check:
        found = self.watch.check("Kafka")
        if found.ok and (missing := sorted(self._ends.missing)):
            return Check(f"no such topic: {', '.join(missing)}; `returns-status topics` makes it", ok=not needed)
        brokers = self._ends.brokers
        if found.ok and brokers is not None and brokers < self._most:
            return Check(f"{brokers} of {self._most} brokers are there")
        return found._replace(ok=found.ok or not needed)

    def refresh(self) -> None:
        self._metrics.server_up.labels("kafka").set(self.watch.is_known)
        if self._ends.brokers is not None:
            self._metrics.brokers.set(self._ends.brokers if self.watch.is_known else 0)


class _Inputs:
    """The lag of the input topics, group-wide: every worker tells the same."""

    def __init__(self, metrics: Metrics, board: Board) -> None:
        self._metrics, self._board = metrics, board
        self._shown: set[Partition] = set()
        self.lag = InputLag()

    def stored(self, facts: DatabaseFacts, at: float) -> None:
        self.lag.stored_said(facts.offsets, at)

    def heads(self, heads: KafkaHeads) -> None:
        at = time.monotonic()
        wanted = self.lag.heads_wanted(at, _HEADS_AT_ONCE)
        if wanted:
            found = heads.timestamps(wanted)
            self.lag.heads_said({p: (offset, found.get(p)) for p, offset in wanted.items()}, at, time.time())

    def moves(self) -> Check:
        """Whether every partition with something in it moves, whoever reads it."""
        at = time.monotonic()
        lags = self.lag.lags(at, time.time())
        if still := standing(lags):
            named = ", ".join(
                f"{topic} {number} ({lags[topic, number].records:,} records, for {lags[topic, number].standing:.0f} s)"
                for topic, number in still[:_NAMED]
            )
            more = f" and {len(still) - _NAMED} more" if len(still) > _NAMED else ""
            return Check(f"stands still: {named}{more}", ok=False)
        if not self.lag.is_known(at):
            return Check("how far ingestion is behind is not known", ok=False)
        records, oldest = (
            sum(lag.records or 0 for lag in lags.values()),
            max((each.seconds for each in lags.values()), default=0),
        )
        return Check(f"ok, {records:,} records behind, the oldest for {oldest:.0f} s" if records else "ok")

    def fuse(self) -> Check:
        """Whether a partition was stopped because nearly everything in it was invalid: only a person can go on."""
        if blown := sorted(self._board.blown):
            named = ", ".join(f"{topic} {number}" for topic, number in blown[:_NAMED])
            return Check(f"stopped, nearly everything in it is invalid: {named}", ok=False)
        return Check()

    def refresh(self) -> None:
        metrics, at = self._metrics, time.monotonic()
        lags = self.lag.lags(at, time.time())
        metrics.lag_known.labels("ingest").set(self.lag.is_known(at))
        for gone in self._shown - lags.keys():
            for gauge in (metrics.lag, metrics.lag_seconds, metrics.stalled_seconds, metrics.deleted_records):
                gauge.remove(*gone)
        self._shown = set(lags)
        for partition, lag in lags.items():
            metrics.lag.labels(*partition).set(float("nan") if lag.records is None else lag.records)
            metrics.lag_seconds.labels(*partition).set(lag.seconds)
            metrics.stalled_seconds.labels(*partition).set(lag.standing)
            metrics.deleted_records.labels(*partition).set(lag.deleted)


@contextmanager
def ingest(monitor: Monitor, settings: Settings, metrics: Metrics, board: Board) -> Iterator[None]:
    """Tell of an ingest worker within the block."""
    inputs = _Inputs(metrics, board)
    postgres = _Postgres(settings, metrics, "sweep", with_offsets=True, with_counts=True)
    postgres.then.append(inputs.stored)
    with ExitStack() as stack:
        ends = KafkaEnds(settings, **_ASKED)
        stack.callback(ends.close)
        kafka, heads = _Kafka(metrics, ends, inputs.lag.ends_said), KafkaHeads(settings)
        watches = (
            postgres.watch,
            kafka.watch,
            Watch("heads", lambda: inputs.heads(heads), close=heads.close),
        )
        checks: Checks = {
            "work": partial(work, board),
            **postgres.checks(),
            "kafka": kafka.check,
            "partitions": inputs.moves,
            "fuse": inputs.fuse,
        }
        refreshers = (postgres.refresh, kafka.refresh, inputs.refresh)
        stack.enter_context(monitor.watching(board.seconds_since_turn, checks, watches, refreshers))
        yield


@contextmanager
def relay(
    monitor: Monitor, settings: Settings, metrics: Metrics, worker: Relay, position: Callable[[], Any]
) -> Iterator[None]:
    """Tell of a relay within the block; `position` reads the relay's position from Kafka."""

    def published() -> int | None:
        """Of the relay that leads, whichever that is."""
        if worker.leads:
            return worker.published
        found = position()
        return 0 if found is None else (found.n if found.is_whole else found.n - 1)

    positions = Watch("position", published, every=_POSITION_SECONDS, fresh=_POSITION_FRESH_SECONDS)

    def known() -> int | None:
        here = worker.published
        return here if here is not None else positions.answer if positions.is_known else None

    postgres = _Postgres(settings, metrics, "relay", relay=known)

    def leads() -> Check:
        if worker.refuses is not None:
            return Check(f"refuses to publish: {worker.refuses}", ok=False)
        return Check("ok, leads" if worker.leads else "ok, stands by")

    metrics.show(metrics.leads)

    def refresh() -> None:
        metrics.leads.set(worker.leads)
        metrics.reader_ready.labels("relay").set(monitor.readiness().ready)

    with ExitStack() as stack:
        ends = KafkaEnds(settings, topics=settings.output_topics, **_ASKED)
        stack.callback(ends.close)
        kafka = _Kafka(metrics, ends)
        watches = (postgres.watch, kafka.watch, positions)
        checks: Checks = {
            "work": partial(work, worker.board),
            "lead": leads,
            **postgres.checks(),
            "kafka": kafka.check,
            "journal": partial(postgres.reader, "relay"),
        }
        stack.enter_context(
            monitor.watching(
                worker.board.seconds_since_turn, checks, watches, (postgres.refresh, kafka.refresh, refresh)
            )
        )
        yield


@contextmanager
def project(
    monitor: Monitor, settings: Settings, metrics: Metrics, board: Board, *, in_turns: bool = True
) -> Iterator[None]:
    """Tell of a projector within the block; not `in_turns`: one that makes the tables anew, in one long turn."""
    postgres = _Postgres(settings, metrics, "project")

    def refresh() -> None:
        metrics.reader_ready.labels("project").set(monitor.readiness().ready)

    checks: Checks = {"work": partial(work, board), **postgres.checks()}
    if in_turns:
        checks["journal"] = partial(postgres.reader, "project")
    turns = board.seconds_since_turn if in_turns else lambda: 0.0
    with monitor.watching(turns, checks, (postgres.watch,), (postgres.refresh, refresh)):
        yield


@contextmanager
def serve(
    monitor: Monitor, settings: Settings, metrics: Metrics, board: Board, pool: Pool, problems: Callable[[], list[str]]
) -> Iterator[None]:
    """Tell of a web process within the block; `problems` asks what keeps its pool from answering.

    It goes on reading while PostgreSQL takes no writes, or no further connections, and while Kafka is away: those are
    said, and do not take it from its users.
    """
    postgres = _Postgres(settings, metrics, "project")
    pooled = Watch("pool", problems)

    def answers() -> Check:
        found = pooled.check("PostgreSQL")
        return Check("; ".join(pooled.answer), ok=False) if found.ok and pooled.answer else found

    metrics.show(metrics.pool_size, metrics.pool_used, metrics.pool_waiting)

    def refresh() -> None:
        stats = pool.get_stats()
        size, waiting = stats.get("pool_size", 0), stats.get("requests_waiting", 0)
        metrics.pool_size.set(size)
        metrics.pool_used.set(size - stats.get("pool_available", 0))
        metrics.pool_waiting.set(waiting)

    with ExitStack() as stack:
        ends = KafkaEnds(settings, **_ASKED)
        stack.callback(ends.close)
        kafka = _Kafka(metrics, ends)
        checks: Checks = {
            "pool": answers,
            **postgres.checks(needed=False),
            "kafka": partial(kafka.check, needed=False),
        }
        watches = (postgres.watch, pooled, kafka.watch)
        stack.enter_context(
            monitor.watching(board.seconds_since_turn, checks, watches, (postgres.refresh, kafka.refresh, refresh))
        )
        yield
