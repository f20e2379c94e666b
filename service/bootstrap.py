"""The composition root: from settings to wired processes. The only place that knows every part."""

from __future__ import annotations

import faulthandler
import gc
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service import logs
from service.config import PREFIX, Settings
from service.errors import Fatal
from service.metrics import Metrics

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.adapters.reading import Pool
    from service.application.remap import Order, Remapped
    from service.application.replay import Pace, Selection, Tally
    from service.application.verify import Checked
    from service.runtime.lifecycle import Stop
    from service.runtime.loop import IngestLoop
    from service.runtime.projector import Projector
    from service.runtime.relay import Relay
    from service.simulator.options import Options
    from service.web.operations import Operations
    from service.web.ops.desk import Parts
    from service.wire.carriers import CarrierTables
    from service.wire.inbound import Parser

# What `run` starts. Those with metrics of their own get RETURNS_METRICS_PORT and the ports after it, in this order.
PROCESSES: Final = ("ingest", "relay", "project", "serve")
_CREATION_SECONDS: Final = 8.0  # Kafka gets this long to take the event of a new return
_FULL_COLLECTION: Final = 20  # of so many collections of a worker one is full
_STOP_SECONDS: Final = 10  # requests that are being answered get this long when `serve` stops


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
        alive=lambda: faulthandler.dump_traceback_later(settings.stall_seconds, exit=True),
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
    faulthandler.cancel_dump_traceback_later()


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


@contextmanager
def web(settings: Settings, metrics: Metrics, stop: Stop) -> Iterator[FastAPI]:
    """The web application on a pool of connections, which is closed at the end of the block."""
    from service.adapters.public_reading import PostgresPublicReading
    from service.adapters.reading import PostgresReading, open_pool
    from service.web.app import create_app
    from service.web.limits import Rate
    from service.web.pages import Limits, Public

    limits = Limits(
        client=Rate(settings.public_client_rate, settings.public_burst),
        number=Rate(settings.public_number_rate, settings.public_burst),
        streams=settings.public_streams,
    )
    with open_pool(settings.database_url.get_secret_value(), settings.database_pool_size) as pool:
        public = Public(PostgresPublicReading(pool), carrier_tables(settings), limits, lambda: bool(stop))
        with operations(settings, pool) as does, desk(settings, pool, does) as parts:
            yield create_app(PostgresReading(pool), metrics, public, does, parts)


@contextmanager
def operations(settings: Settings, pool: Pool) -> Iterator[Operations]:
    """What the API does beyond reading one return; neither server need be there yet."""
    from service.adapters.creations import PostgresCreations
    from service.adapters.kafka_producing import Publishing
    from service.adapters.letters import MendingJournal
    from service.adapters.listing import PostgresListing
    from service.application.creation import HEADERS, Creating
    from service.application.replay import Replayed, replay_letter
    from service.application.voiding import Voiding
    from service.web.operations import Operations as Wired

    tables = carrier_tables(settings)
    understood = parser(settings, tables)
    returns, hub_events = settings.topic_returns, settings.topic_hub_events

    def replay_one(letter_no: int) -> Replayed | None:
        with closing(MendingJournal(settings.database_url.get_secret_value(), tables, "returns-web")) as letters:
            return replay_letter(letters, understood, letter_no)

    with closing(Publishing(settings, "returns-web", patience_seconds=_CREATION_SECONDS)) as publishing:

        def onto(topic: str) -> Callable[[str, bytes], None]:
            return lambda key, event: publishing.publish_now(topic, key.encode(), event, list(HEADERS))

        creating = Creating(PostgresCreations(pool), understood, returns, onto(returns))
        voiding = Voiding(understood, hub_events, onto(hub_events))
        yield Wired(PostgresListing(pool), creating, replay_one, voiding, settings.stuck_hours)


@contextmanager
def desk(settings: Settings, pool: Pool, does: Operations) -> Iterator[Parts]:
    """What the operations desk is made of; neither server need be there yet."""
    from service.adapters.audit import PostgresAudit
    from service.adapters.desk_reading import PostgresDeskReading
    from service.adapters.kafka_ends import KafkaEnds
    from service.adapters.public_reading import PostgresPublicReading
    from service.adapters.queues import PostgresQueues
    from service.adapters.sessions import PostgresSessions
    from service.application.pace import PaceKeeper
    from service.application.sessions import SessionLimits
    from service.web.limits import Rate
    from service.web.ops.desk import Parts as Wired

    limits = SessionLimits(timedelta(minutes=settings.ops_idle_minutes), timedelta(hours=settings.ops_session_hours))
    tables = carrier_tables(settings)
    with closing(KafkaEnds(settings)) as ends:
        yield Wired(
            sessions=PostgresSessions(pool, limits),
            audit=PostgresAudit(pool),
            reading=PostgresDeskReading(pool),
            operations=does,
            tables=tables,
            public_url=settings.public_url,
            failures=Rate(settings.ops_login_failures, settings.ops_login_failures),
            queues=PostgresQueues(pool),
            pace=PaceKeeper(PostgresPublicReading(pool), time.monotonic),
            ends=ends,
            parser=parser(settings, tables),
            topics=settings.input_topics,
            export_rows=settings.ops_export_rows,
        )


def serve(settings: Settings, metrics: Metrics, stop: Stop) -> None:
    """Serve HTTP until asked to stop; what is being answered is answered first."""
    import uvicorn

    class Server(uvicorn.Server):
        """Stops by our flag: with handlers of its own it would miss a signal that comes while it starts."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            logs.get("serve").info("serving", url=url)

        async def on_tick(self, counter: int) -> bool:
            return bool(stop) or await super().on_tick(counter)

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    with _listen(settings.http_host, settings.http_port) as listener, web(settings, metrics, stop) as application:
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,  # the application logs requests itself, without query strings
            server_header=False,
            forwarded_allow_ips=settings.http_trusted_proxies,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        host, port = listener.getsockname()[:2]
        url = settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
        Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Fatal(f"cannot listen on {host}:{port}: {error.strerror}") from error


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
