"""The composition root of `serve`: the web application, and what it reads and does, wired from the settings."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from service import logs
from service.adapters.kafka.ends import KafkaEnds
from service.adapters.kafka.options import connection_options
from service.adapters.kafka.publishing.producing import Publishing
from service.adapters.kafka.retention import KafkaRetention
from service.adapters.postgres.access.audit import PostgresAudit
from service.adapters.postgres.access.sessions import PostgresSessions
from service.adapters.postgres.access.token_use import token_use
from service.adapters.postgres.commands.accepting import PostgresSubjects
from service.adapters.postgres.commands.acknowledging import PostgresReturnExceptions
from service.adapters.postgres.commands.creations import PostgresCreations
from service.adapters.postgres.commands.waiting import PostgresWaitingExceptions
from service.adapters.postgres.journal.letters import MendingJournal
from service.adapters.postgres.reading.carriers import PostgresCarriers
from service.adapters.postgres.reading.connotes import PostgresConnotes
from service.adapters.postgres.reading.desk import PostgresDeskReading
from service.adapters.postgres.reading.listing import PostgresListing
from service.adapters.postgres.reading.pasts import PostgresPasts
from service.adapters.postgres.reading.public import PostgresPublicReading
from service.adapters.postgres.reading.queues import PostgresQueues
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.adapters.printing.label import TypstPrinting
from service.application.access.bounds import UNBOUND, Everything
from service.application.access.sessions import SessionLimits
from service.application.commands.accepting import Accepting
from service.application.commands.acknowledging import Acknowledging
from service.application.commands.closing import Closing
from service.application.commands.creation import Creating
from service.application.commands.labelling import Labelling
from service.application.commands.portal import Portals
from service.application.commands.resending import Changes, Correcting
from service.application.commands.speaking import Speaking
from service.application.commands.voiding import Voiding
from service.application.commands.waiting import Waiting
from service.application.journal.replay import Replayed, replay_letter
from service.application.reading.durations import DurationKeeper
from service.application.reading.exceptions.given import Giving
from service.application.reading.tracking import find_return
from service.errors import Fatal
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.lookout import Lookout
from service.runtime.token_use import TokenUse
from service.web.app import Use, create_app
from service.web.http.limits import Rate
from service.web.ops.desk import Parts
from service.web.public.pages import Public, PublicLimits
from service.web.server.serving import server_config
from service.web.services import Services
from service.wire.cloudevents import STRUCTURED_HEADERS
from service.wire.omnireturns.portals import load_portals
from service.wiring import feeds
from service.wiring.door import connection_limits
from service.wiring.monitors import processes
from service.wiring.parts import carrier_tables, database, number_ranges, parser, rules, topics_by_type

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.adapters.postgres.reading.returns import Pool
    from service.config import Settings
    from service.metrics import Metrics
    from service.runtime.lifecycle import Stop
    from service.runtime.monitoring.health import Monitor
    from service.wire.carriers import CarrierTables
    from service.wire.feeds.reading import Scan
    from service.wire.numbering.ranges import NumberRanges

_CREATION_SECONDS: Final = 8.0  # Kafka gets this long to take the event of a new return
_STOP_SECONDS: Final = 8  # requests that are being answered get this long when `serve` stops


@contextmanager
def web(
    settings: Settings, metrics: Metrics, stop: Stop, monitor: Monitor | None = None, board: Board | None = None
) -> Iterator[FastAPI]:
    """The web application on a pool of connections, which is closed at the end of the block."""
    limits = PublicLimits(
        client=Rate(settings.public_client_rate, settings.public_burst),
        number=Rate(settings.public_number_rate, settings.public_burst),
        streams=settings.public_streams,
        streams_of_a_client=settings.public_streams_per_client,
    )
    with open_pool(settings.database_url.get_secret_value(), settings.database_pool_size) as pool:
        tables = carrier_tables(settings)
        public = Public(PostgresPublicReading(pool), tables, limits, lambda: bool(stop))
        reading = PostgresReading(pool)
        used = TokenUse(token_use(pool))
        use = Use(settings.token_rate, used.used, settings.token_failures, reading.token_hashes)
        with (
            wire_services(settings, pool, tables) as services,
            desk(settings, pool, services, tables) as parts,
            used.noting(),
        ):
            if monitor is not None and board is not None and settings.metrics_port:
                with processes.serve(monitor, settings, metrics, board, pool, reading.problems):
                    application = create_app(
                        reading, metrics, public, services, parts, problems=monitor.problems, use=use
                    )
                    application.state.questions = _questions(reading, parts)
                    yield application
                return
            application = create_app(reading, metrics, public, services, parts, use=use)
            application.state.questions = _questions(reading, parts)
            yield application


def _questions(reading: PostgresReading, parts: Parts) -> dict[str, Callable[[], str | None]]:
    """What `serve` asks the servers by itself, so that it is said when one is away."""
    return {
        "database": lambda: "; ".join(reading.problems()) or None,
        "kafka": lambda: None if parts.ends.bounds() is not None else "no broker answers",
    }


@contextmanager
def wire_services(settings: Settings, pool: Pool, tables: CarrierTables) -> Iterator[Services]:
    """What the API does beyond reading one return; neither server need be there yet. Raises SettingsError."""
    connection_options(settings, "returns-web")  # Kafka is asked later; what is wrong with its settings is said now
    understood = parser(settings, tables)
    returns, hub_events = settings.sent_to("topic_returns"), settings.sent_to("topic_hub_events")
    onto_topics = feeds.topics(settings)

    def replay_one(_: Everything, letter_no: int, changes: Changes) -> Replayed | None:
        read = Correcting(understood, changes) if changes else understood
        with closing(MendingJournal(database(settings), tables, "returns-web", rules=rules(settings))) as letters:
            return replay_letter(letters, read, letter_no)

    with closing(Publishing(settings, "returns-web", patience_seconds=_CREATION_SECONDS)) as publishing:

        def onto(topic: str) -> Callable[[str, bytes], None]:
            return lambda key, event: publishing.publish_now(topic, key.encode(), event, list(STRUCTURED_HEADERS))

        def scans(found: Sequence[Scan]) -> None:
            sent = [(onto_topics[scan.onto], scan.key.encode(), scan.value) for scan in found]
            publishing.publish_all_now(sent, list(STRUCTURED_HEADERS))

        ranges, subjects = number_ranges(settings), PostgresSubjects(pool)
        creating = Creating(PostgresCreations(pool, ranges), understood, returns, onto(returns), ranges=ranges)
        accepting = Accepting(
            understood,
            topics_by_type(settings),
            lambda messages: publishing.publish_all_now(messages, list(STRUCTURED_HEADERS)),
            subjects,
        )
        yield Services(
            PostgresListing(pool),
            PostgresConnotes(pool),
            creating,
            replay_one,
            Voiding(understood, hub_events, onto(hub_events)),
            accepting,
            PostgresAudit(pool),
            Acknowledging(PostgresReturnExceptions(pool)),
            Waiting(PostgresWaitingExceptions(pool)),
            Giving(PostgresPasts(pool), rules(settings)),
            settings.stuck_hours,
            feeding=feeds.feeding(settings, understood, scans, Speaking(subjects)),
            portals=_portals(settings, creating, Closing(understood, returns, onto(returns)), pool, ranges),
            public_url=settings.public_url,
            labelling=Labelling(TypstPrinting(), tables.name_of, settings.public_url),
        )


def _portals(
    settings: Settings, creating: Creating, closing_: Closing, pool: Pool, ranges: NumberRanges
) -> Portals | None:
    """The way in of consumers; None where no retailer has one. Raises SettingsError."""
    if settings.portal_file is None:
        return None
    reading = PostgresReading(pool)

    def status_of(return_id: str) -> str | None:
        document = find_return(reading, UNBOUND, return_id)
        return None if document is None else document["status"]

    return Portals(load_portals(Path(settings.portal_file), ranges), creating, closing_, status_of)


@contextmanager
def desk(settings: Settings, pool: Pool, services: Services, tables: CarrierTables) -> Iterator[Parts]:
    """What the operations desk is made of; neither server need be there yet."""
    limits = SessionLimits(timedelta(minutes=settings.ops_idle_minutes), timedelta(hours=settings.ops_session_hours))
    with closing(KafkaEnds(settings)) as ends:
        yield Parts(
            sessions=PostgresSessions(pool, limits),
            audit=services.audit,
            reading=PostgresDeskReading(pool),
            services=services,
            tables=tables,
            public_url=settings.public_url,
            failures=Rate(settings.ops_login_failures, settings.ops_login_failures),
            token_hashes=PostgresReading(pool).token_hashes,
            queues=PostgresQueues(pool),
            durations=DurationKeeper(PostgresPublicReading(pool), time.monotonic),
            ends=ends,
            parser=parser(settings, tables),
            topics=settings.inputs,
            export_rows=settings.ops_export_rows,
            carriers=PostgresCarriers(pool),
            kept=KafkaRetention(settings),
        )


class _Server(uvicorn.Server):
    """Stops by our flag: with handlers of its own it would miss a signal that comes while it starts."""

    def __init__(self, config: uvicorn.Config, stop: Stop, url: str, board: Board) -> None:
        super().__init__(config)
        self._stop, self._url, self._board = stop, url, board

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        logs.get("serve").info("serving", url=self._url)

    async def on_tick(self, counter: int) -> bool:
        self._board.beat()
        return bool(self._stop) or await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings, metrics: Metrics, stop: Stop, monitor: Monitor) -> None:
    """Serve HTTP until asked to stop; what is being answered is answered first."""
    board = Board(watchdog=stop.watchdog)
    with (
        _listen(settings.http_host, settings.http_port) as listener,
        web(settings, metrics, stop, monitor, board) as application,
    ):
        config = server_config(
            application,
            connection_limits(settings),
            settings.trusted_proxies,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        host, port = listener.getsockname()[:2]
        url = settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
        # Kafka is asked in no more time than a page has; once too late says nothing.
        with Lookout("serve", application.state.questions, doubts={"kafka": 2}):
            _Server(config, stop, url, board).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Fatal(f"cannot listen on {host}:{port}: {error.strerror}") from error
