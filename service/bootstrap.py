"""The composition root: from settings to wired processes. With `serving`, the only place that knows every part."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.config import PREFIX, Settings
from service.errors import Fatal
from service.metrics import Metrics

if TYPE_CHECKING:
    from service.application.remap import Order, Remapped
    from service.application.replay import Pace, Selection, Tally
    from service.application.verify import Checked
    from service.runtime.lifecycle import Stop
    from service.runtime.loop import IngestLoop
    from service.runtime.projector import Projector
    from service.runtime.relay import Relay
    from service.simulator.options import Options
    from service.wire.carriers import CarrierTables
    from service.wire.inbound import Parser

# What `run` starts. Those with metrics of their own get RETURNS_METRICS_PORT and the ports after it, in this order.
PROCESSES: Final = ("ingest", "relay", "project", "serve")
_TRANSACTIONS_SECONDS: Final = 10.0  # between two looks at what is open on the output topics
_FULL_COLLECTION: Final = 20  # of so many collections of a worker one is full


@contextmanager
def metrics_server(settings: Settings, metrics: Metrics | None) -> Iterator[None]:
    """Show the metrics of a process without HTTP of its own, if a port is set for them."""
    if metrics is None or settings.metrics_port == 0:
        yield
        return
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, metrics.registry)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise Fatal(f"cannot listen for metrics on {where}: {error.strerror}") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def carrier_tables(settings: Settings) -> CarrierTables:
    """The carrier tables that ship with the service, and those of the folder in the settings."""
    from service.wire.carriers import CarrierTables

    return CarrierTables.load(*([Path(settings.carrier_tables)] if settings.carrier_tables else []))


def parser(settings: Settings, tables: CarrierTables) -> Parser:
    """Who may write a topic may assert what its types assert, and nothing else."""
    from service.wire import models
    from service.wire.inbound import Parser

    hub = {t for t in models.MODELS if t.startswith("com.omnirps.hub.")}
    return Parser(
        tables,
        {
            settings.topic_returns: {models.RETURN_CREATED},
            settings.topic_scans: {models.CARRIER_SCANNED},
            settings.topic_hub_events: {*hub, models.EVENT_VOIDED},
            settings.topic_deliveries: {models.CONNOTE_DELIVERED},
        },
    )


def ingest(settings: Settings, metrics: Metrics, stop: Stop, *, drain: bool = False) -> IngestLoop:
    """An ingest worker; its `run` works until asked to stop, or until everything is drained."""
    from service.adapters.journal import PostgresJournal
    from service.adapters.kafka_source import KafkaSource
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
        PostgresJournal(settings.database_url.get_secret_value(), tables, remembered=settings.remembered_returns),
        parser(settings, tables),
        options,
        stop=stop,
        metrics=metrics,
        tidy=_collector(),
        alive=stop.watchdog.beat,
    )


def _collector() -> Callable[[], object]:
    """Collects what is young, which takes a moment; all of it once in some minutes, which takes a second.

    The states in memory are a million objects without a cycle: to look through them every few seconds took a tenth of
    a worker's time.
    """
    turns = count(1)
    return lambda: gc.collect(0 if next(turns) % _FULL_COLLECTION else 2)


def run_ingest(settings: Settings, metrics: Metrics, stop: Stop, *, drain: bool = False) -> None:
    """Be an ingest worker for the rest of the process."""
    loop = ingest(settings, metrics, stop, drain=drain)
    # A batch makes some hundred thousand objects without a cycle among them; collections in its middle cost a third
    # of the time. The loop collects between batches.
    gc.collect()
    gc.freeze()
    gc.disable()
    loop.run()
    gc.freeze()  # Python would look through all that was remembered once more before it ends, for more than a second


def relay(settings: Settings, metrics: Metrics, stop: Stop, *, start_at: int | None = None) -> Relay:
    """A relay; its `run` publishes until asked to stop, or until everything is drained."""
    from service.adapters.batch_log import RelayLog
    from service.adapters.kafka_sink import KafkaSink, SinkOptions, read_position
    from service.application.publish import OutputTopics
    from service.application.slices import Limits
    from service.runtime.relay import Relay, RelayOptions, Servers

    topics = OutputTopics(*settings.output_topics)
    limits = Limits(rows=settings.relay_slice_rows)
    sink = SinkOptions(settings.relay_transactional_id, settings.relay_group_id, settings.relay_transaction_timeout_ms)
    return Relay(
        Servers(
            lambda: RelayLog(settings.database_url.get_secret_value(), limits),
            lambda waiting: KafkaSink(settings, sink, topics, waiting),
            lambda: read_position(settings, sink, topics),
        ),
        topics,
        stop,
        metrics,
        options=RelayOptions(poll_seconds=settings.relay_poll_ms / 1000, start_at=start_at),
    )


@contextmanager
def watching_transactions(settings: Settings) -> Iterator[None]:
    """Say, within the block, which transactions hang on the output topics."""
    from service.adapters.kafka_hanging import HangingTransactions
    from service.runtime.lookout import Lookout

    question = HangingTransactions(settings).question
    with Lookout("relay", {"transactions": question}, every=_TRANSACTIONS_SECONDS):
        yield


def project(settings: Settings, metrics: Metrics, stop: Stop) -> Projector:
    """A projector; its `run` works until asked to stop, its `rebuild` makes the search tables from nothing."""
    from service.adapters.search import PostgresSearch
    from service.application.slices import Limits
    from service.runtime.projector import Projector, ProjectorOptions

    return Projector(
        PostgresSearch(settings.database_url.get_secret_value(), Limits()),
        stop,
        metrics,
        options=ProjectorOptions(poll_seconds=settings.project_poll_ms / 1000),
    )


def verify(settings: Settings) -> tuple[Checked, list[str]]:
    """Compare what is stored with what the events say; how much, and the differences."""
    from service.adapters.histories import open_histories
    from service.application.verify import verify as compare

    differences: list[str] = []
    with open_histories(settings.database_url.get_secret_value()) as histories:
        return compare(histories, differences), differences


def replay(
    settings: Settings, selection: Selection, pace: Pace, tally: Tally, stop: Stop, tell: Callable[[Tally], object]
) -> None:
    """Send dead letters through again, counting in `tally`, until all are tried or asked to stop."""
    from service.adapters.letters import MendingJournal
    from service.application.replay import replay as send_again

    class Clock:
        """`replay.Clock`: waits no longer than until asked to stop."""

        now = staticmethod(time.monotonic)
        wait = staticmethod(stop.wait)

    tables = carrier_tables(settings)
    with closing(MendingJournal(settings.database_url.get_secret_value(), tables, "returns-replay")) as letters:
        send_again(letters, parser(settings, tables), selection, pace, tally, Clock(), tell)


def remap(settings: Settings, order: Order, stop: Stop, tell: Callable[[int, int], object]) -> list[Remapped]:
    """Re-evaluate unmapped scans by the tables of today, until all are done or asked to stop."""
    from service.adapters.letters import MendingJournal
    from service.application.remap import remap as re_evaluate

    tables = carrier_tables(settings)
    with closing(MendingJournal(settings.database_url.get_secret_value(), tables, "returns-remap")) as scans:
        return re_evaluate(scans, tables, order, lambda: bool(stop), tell)


def simulate(settings: Settings, options: Options, stop: Stop) -> str:
    """Play a world on the input topics until it ends or is asked to stop; answers with a summary for people."""
    from service.adapters.kafka_producing import Publishing
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
        for number, name in enumerate(name for name in PROCESSES if name != "serve"):
            environments[name][f"{PREFIX}METRICS_PORT"] = str(settings.metrics_port + number)
    return supervise(commands, stop, environments=environments)
