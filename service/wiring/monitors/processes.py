"""What each process tells of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from service.adapters.kafka.ends import KafkaEnds
from service.adapters.kafka.heads import KafkaHeads
from service.config import Settings
from service.metrics import Metrics
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.health import Check, Checks, Monitor, Watch, work
from service.wiring.monitors.inputs import InputsWatch
from service.wiring.monitors.kafka import ASKED, KafkaWatch
from service.wiring.monitors.postgres import PostgresWatch

if TYPE_CHECKING:
    from service.adapters.postgres.reading.returns import Pool
    from service.runtime.relay import Relay

_POSITION_SECONDS: Final = 5.0
_POSITION_FRESH_SECONDS: Final = 12.0


@contextmanager
def ingest(monitor: Monitor, settings: Settings, metrics: Metrics, board: Board) -> Iterator[None]:
    """Tell of an ingest worker within the block."""
    inputs = InputsWatch(metrics, board)
    postgres = PostgresWatch(settings, metrics, "sweep", with_offsets=True, with_counts=True)
    postgres.then.append(inputs.stored)
    with ExitStack() as stack:
        ends = KafkaEnds(settings, **ASKED)
        stack.callback(ends.close)
        kafka, heads = KafkaWatch(metrics, ends, inputs.lag.ends_said), KafkaHeads(settings)
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


class _Published:
    """The last batch that is published whole, as far as this relay, or Kafka, tells."""

    def __init__(self, worker: Relay, position: Callable[[], Any]) -> None:
        self._worker, self._position = worker, position
        self.watch = Watch("position", self._of_whichever_leads, every=_POSITION_SECONDS, fresh=_POSITION_FRESH_SECONDS)

    def _of_whichever_leads(self) -> int | None:
        if self._worker.leads:
            return self._worker.published
        found = self._position()
        return 0 if found is None else (found.n if found.is_whole else found.n - 1)

    def known(self) -> int | None:
        """None: not known now."""
        here = self._worker.published
        return here if here is not None else self.watch.answer if self.watch.is_known else None


@contextmanager
def relay(
    monitor: Monitor, settings: Settings, metrics: Metrics, worker: Relay, position: Callable[[], Any]
) -> Iterator[None]:
    """Tell of a relay within the block; `position` reads the relay's position from Kafka."""
    published = _Published(worker, position)
    postgres = PostgresWatch(settings, metrics, "relay", relay=published.known)

    def leads() -> Check:
        if worker.refuses is not None:
            return Check(f"refuses to publish: {worker.refuses}", ok=False)
        return Check("ok, leads" if worker.leads else "ok, stands by")

    metrics.show(metrics.leads)

    def refresh() -> None:
        metrics.leads.set(worker.leads)
        metrics.reader_ready.labels("relay").set(monitor.readiness().ready)

    with ExitStack() as stack:
        ends = KafkaEnds(settings, topics=settings.output_topics, **ASKED)
        stack.callback(ends.close)
        kafka = KafkaWatch(metrics, ends)
        watches = (postgres.watch, kafka.watch, published.watch)
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
    postgres = PostgresWatch(settings, metrics, "project")

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
    postgres = PostgresWatch(settings, metrics, "project")
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
        ends = KafkaEnds(settings, **ASKED)
        stack.callback(ends.close)
        kafka = KafkaWatch(metrics, ends)
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
