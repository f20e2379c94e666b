"""The composition root: from settings to wired processes. With `serving`, the only place that knows every part."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.config import PREFIX, Settings
from service.metrics import Metrics

if TYPE_CHECKING:
    from service.adapters.kafka.publishing.sink import SinkOptions
    from service.application.journal.publish import OutputTopics
    from service.application.journal.reconcile import Summary
    from service.application.journal.remap import Order, Remapped
    from service.application.journal.replay import Pace, Selection, Tally
    from service.application.journal.verify import Checked
    from service.runtime.lifecycle import Stop
    from service.runtime.loop import IngestLoop
    from service.runtime.monitoring.board import Board
    from service.runtime.monitoring.health import Monitor
    from service.runtime.projector import Projector
    from service.runtime.relay import Relay
    from service.simulator.options import Options
    from service.wire.carriers import CarrierTables
    from service.wire.inbound import Parser

# What `run` starts. They get RETURNS_METRICS_PORT and the ports after it, in this order.
PROCESSES: Final = ("ingest", "relay", "project", "serve")
_LEAD_SECONDS: Final = 30.0  # a relay that refuses has the lead for a moment, now and then
_TRANSACTIONS_SECONDS: Final = 10.0  # between two looks at what is open on the output topics
_FULL_COLLECTION: Final = 20  # of so many collections of a worker one is full


@contextmanager
def health_server(settings: Settings, metrics: Metrics, *, listens: bool) -> Iterator[Monitor]:
    """What tells of a process, at /livez, /readyz and /metrics if a port is set for them."""
    from service.runtime.monitoring.health import Monitor
    from service.runtime.monitoring.server import HealthServer

    monitor = Monitor(metrics, stall_seconds=settings.stall_seconds)
    if not listens or settings.metrics_port == 0:
        yield monitor
        return
    metrics.describe_process(version("returns-status"))
    with closing(HealthServer(settings.metrics_host, settings.metrics_port, monitor.routes())):
        yield monitor


def carrier_tables(settings: Settings) -> CarrierTables:
    """The carrier tables that ship with the service, and those of the folder in the settings."""
    from service.wire.carriers import CarrierTables

    return CarrierTables.load(*([Path(settings.carrier_tables)] if settings.carrier_tables else []))


def topics_by_type(settings: Settings) -> dict[str, str]:
    """The input topic of each event type."""
    from service.wire.models import TYPES_BY_TOPIC_SETTING

    return {
        event_type: getattr(settings, setting)
        for setting, event_types in TYPES_BY_TOPIC_SETTING.items()
        for event_type in event_types
    }


def parser(settings: Settings, tables: CarrierTables) -> Parser:
    """Who may write a topic may assert what its types assert, and nothing else."""
    from service.wire.inbound import Parser
    from service.wire.models import TYPES_BY_TOPIC_SETTING

    return Parser(
        tables,
        {getattr(settings, setting): event_types for setting, event_types in TYPES_BY_TOPIC_SETTING.items()},
        lambda: time.time_ns() // 1000,
    )


def ingest(
    settings: Settings, metrics: Metrics, stop: Stop, *, drain: bool = False, board: Board | None = None
) -> IngestLoop:
    """An ingest worker; its `run` works until asked to stop, or until everything is drained."""
    from service.adapters.kafka.fetching.source import KafkaSource
    from service.adapters.postgres.journal.journal import PostgresJournal
    from service.runtime.loop import IngestLoop, LoopOptions

    tables = carrier_tables(settings)
    options = LoopOptions(
        batch_size=settings.batch_size,
        batch_wait_ms=settings.batch_wait_ms,
        poll_timeout_ms=settings.poll_timeout_ms,
        fuse_run=settings.fuse_run,
        fuse_ratio=settings.fuse_ratio,
        stall_seconds=settings.stall_seconds,
        drain=drain,
    )
    return IngestLoop(
        lambda: KafkaSource(settings, settings.input_topics),
        PostgresJournal(_database(settings), tables, remembered=settings.remembered_returns),
        parser(settings, tables),
        options,
        stop=stop,
        metrics=metrics,
        tidy=_collector(),
        alive=stop.watchdog.beat,
        board=board,
    )


def _collector() -> Callable[[], object]:
    """Collects what is young, which takes a moment; all of it once in some minutes, which takes a second.

    The states in memory are a million objects without a cycle: to look through them every few seconds took a tenth of
    a worker's time.
    """
    turns = count(1)
    return lambda: gc.collect(0 if next(turns) % _FULL_COLLECTION else 2)


def run_ingest(settings: Settings, metrics: Metrics, stop: Stop, monitor: Monitor, *, drain: bool = False) -> None:
    """Be an ingest worker for the rest of the process."""
    from service.runtime.monitoring.board import Board
    from service.wiring import monitors

    board = Board()
    loop = ingest(settings, metrics, stop, drain=drain, board=board)
    # A batch makes some hundred thousand objects without a cycle among them; collections in its middle cost a third
    # of the time. The loop collects between batches.
    gc.collect()
    gc.freeze()
    gc.disable()
    with monitors.ingest(monitor, settings, metrics, board) if settings.metrics_port else nullcontext():
        loop.run()
    gc.freeze()  # Python would look through all that was remembered once more before it ends, for more than a second


def relay(settings: Settings, metrics: Metrics, stop: Stop) -> Relay:
    """A relay; its `run` publishes until asked to stop, or until everything is drained."""
    from service.adapters.kafka.limits import MessageLimits
    from service.adapters.kafka.publishing.sink import KafkaSink, read_position
    from service.adapters.postgres.journal.batch_log import RelayLog
    from service.application.journal.slices import Limits
    from service.runtime.relay import Relay, RelayOptions, Servers

    topics, sink = _output_topics(settings), _sink_options(settings)
    limits = Limits(rows=settings.relay_slice_rows)
    largest = MessageLimits(settings, topics)
    return Relay(
        Servers(
            lambda: RelayLog(_database(settings), limits),
            lambda waiting: KafkaSink(settings, sink, topics, waiting, largest),
            lambda: read_position(settings, sink, topics),
        ),
        topics,
        stop,
        metrics,
        options=RelayOptions(poll_seconds=settings.relay_poll_ms / 1000),
    )


def run_relay(worker: Relay, settings: Settings, metrics: Metrics, monitor: Monitor, *, drain: bool = False) -> None:
    """Relay until asked to stop, or until everything is drained, and tell of it."""
    from service.wiring import monitors

    told = monitors.relay(monitor, settings, metrics, worker, worker.read_position)
    with told if settings.metrics_port else nullcontext():
        worker.run(drain=drain)


def run_project(
    projector: Projector,
    settings: Settings,
    metrics: Metrics,
    monitor: Monitor,
    *,
    drain: bool = False,
    rebuild: bool = False,
) -> None:
    """Project until asked to stop, or until everything is drained, or make the tables anew; and tell of it."""
    from service.wiring import monitors

    told = monitors.project(monitor, settings, metrics, projector.board, in_turns=not rebuild)
    with told if settings.metrics_port else nullcontext():
        if rebuild:
            projector.rebuild()
        else:
            projector.run(drain=drain)


@contextmanager
def watching_transactions(settings: Settings) -> Iterator[None]:
    """Say, within the block, which transactions hang on the output topics."""
    from service.adapters.kafka.publishing.hanging import HangingTransactions
    from service.runtime.monitoring.lookout import Lookout

    question = HangingTransactions(settings).question
    with Lookout("relay", {"transactions": question}, every=_TRANSACTIONS_SECONDS):
        yield


def project(settings: Settings, metrics: Metrics, stop: Stop) -> Projector:
    """A projector; its `run` works until asked to stop, its `rebuild` makes the search tables from nothing."""
    from service.adapters.postgres.journal.search import PostgresSearch
    from service.application.journal.slices import Limits
    from service.runtime.projector import Projector, ProjectorOptions

    return Projector(
        PostgresSearch(_database(settings), Limits()),
        stop,
        metrics,
        options=ProjectorOptions(poll_seconds=settings.project_poll_ms / 1000),
    )


def verify(settings: Settings, *, topics: bool = False) -> tuple[Checked, list[str]]:
    """Compare what is stored with what the events say, and the output topics with it; how much, and the differences."""
    from service.adapters.postgres.journal.histories import open_histories
    from service.application.journal.verify import verify as compare

    differences: list[str] = []
    with open_histories(_database(settings)) as histories:
        checked = compare(histories, differences)
    if topics:
        differences += verify_topics(settings)
    return checked, differences


def verify_topics(settings: Settings, limit: int = 100) -> list[str]:
    """How the output topics differ from the journal, up to what the relay says that it has published."""
    from service.adapters.kafka.publishing.outputs import KafkaOutputs
    from service.adapters.kafka.publishing.sink import read_position
    from service.adapters.postgres.journal.sides import open_sides
    from service.application.journal.reconcile import read_topics
    from service.application.journal.verify_topics import check_topics

    outputs = KafkaOutputs(settings)
    with closing(outputs), open_sides(_database(settings), carrier_tables(settings), "returns-verify") as sides:
        position = read_position(settings, _sink_options(settings), _output_topics(settings))
        read_topics(outputs, sides, lambda _: None)
        return list(islice(check_topics(sides, position), limit))


def reconcile(
    settings: Settings,
    stop: Stop,
    *,
    dry_run: bool,
    wait: bool,
    say: Callable[[str], object],
    tell: Callable[[str], object],
    warn: Callable[[str], object],
) -> Summary | None:
    """Make subscribers and the journal agree; None where it was asked to stop before it began.

    `say` gets a line a return, `tell` how far it is, `warn` what must not be missed.
    """
    from service.adapters.kafka.publishing.outputs import KafkaOutputs
    from service.adapters.kafka.publishing.sink import KafkaSink
    from service.adapters.postgres.journal.sides import open_sides
    from service.application.journal import reconcile as reconciling

    topics, outputs = _output_topics(settings), KafkaOutputs(settings)
    with closing(outputs), open_sides(_database(settings), carrier_tables(settings), "returns-reconcile") as sides:
        ends, warned = outputs.input_ends(), False
        while missing := sides.missing(ends):
            left = ", ".join(f"{records:,} of {topic}" for topic, records in sorted(missing.items()))
            if dry_run or not wait:
                warn(f"not ingested yet, and not counted here: {left}")
                break
            (tell if warned else warn)(f"waiting until workers have ingested {left}")
            warned = True
            if stop.wait(1):
                return None
        if dry_run:
            reconciling.read_topics(outputs, sides, tell)
            return reconciling.dry_run(sides, datetime.now(UTC), say)
        sides.lead(_LEAD_SECONDS)
        with closing(KafkaSink(settings, _sink_options(settings), topics, lambda: None)) as sink:
            reconciling.read_topics(outputs, sides, tell)
            return reconciling.reconcile(outputs, sides, sink, topics, datetime.now(UTC), say, tell)


def _database(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


def _output_topics(settings: Settings) -> OutputTopics:
    from service.application.journal.publish import OutputTopics

    return OutputTopics(*settings.output_topics)


def _sink_options(settings: Settings) -> SinkOptions:
    from service.adapters.kafka.publishing.sink import SinkOptions

    return SinkOptions(settings.relay_transactional_id, settings.relay_group_id, settings.relay_transaction_timeout_ms)


def replay(
    settings: Settings, selection: Selection, pace: Pace, tally: Tally, stop: Stop, tell: Callable[[Tally], object]
) -> None:
    """Send dead letters through again, counting in `tally`, until all are tried or asked to stop."""
    from service.adapters.postgres.journal.letters import MendingJournal
    from service.application.journal.replay import replay as send_again

    class Clock:
        """`replay.Clock`: waits no longer than until asked to stop."""

        now = staticmethod(time.monotonic)
        wait = staticmethod(stop.wait)

    tables = carrier_tables(settings)
    with closing(MendingJournal(_database(settings), tables, "returns-replay")) as letters:
        send_again(letters, parser(settings, tables), selection, pace, tally, Clock(), tell)


def remap(settings: Settings, order: Order, stop: Stop, tell: Callable[[int, int], object]) -> list[Remapped]:
    """Re-evaluate unmapped scans by the tables of today, until all are done or asked to stop."""
    from service.adapters.postgres.journal.letters import MendingJournal
    from service.application.journal.remap import remap as re_evaluate

    tables = carrier_tables(settings)
    with closing(MendingJournal(_database(settings), tables, "returns-remap")) as scans:
        return re_evaluate(scans, tables, order, lambda: bool(stop), tell)


def simulate(settings: Settings, options: Options, stop: Stop) -> str:
    """Play a world on the input topics until it ends or is asked to stop; answers with a summary for people."""
    from service.adapters.kafka.publishing.producing import Publishing
    from service.simulator.options import Topics
    from service.simulator.play import play

    with Publishing(settings, "returns-simulator", lingering_ms=20) as publishing:
        tally = play(publishing.publish, options, topics=Topics(*settings.input_topics), should_stop=lambda: bool(stop))
    return tally.summary()


def run_all(settings: Settings, stop: Stop) -> bool:
    """Run every process as a child until asked to stop; answers whether all ended well."""
    from service.runtime.supervisor import supervise

    commands = {name: [sys.executable, "-m", "service", name] for name in PROCESSES}
    environments = {name: dict(os.environ) for name in PROCESSES}
    if settings.metrics_port:
        for number, name in enumerate(PROCESSES):
            environments[name][f"{PREFIX}METRICS_PORT"] = str(settings.metrics_port + number)
    return supervise(commands, stop, environments=environments)
