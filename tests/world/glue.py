"""Where the world and the service meet: the only module that knows how the service's parts are made.

The service's own code runs: loops, use cases, decisions, and the adapter's transactions. In place of servers it finds the
models, in place of clocks and chance the world's.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import structlog

from service.adapters.kafka.publishing import sink as kafka_sink
from service.adapters.kafka.publishing import standing, tails
from service.adapters.kafka.publishing.sink import KafkaSink
from service.adapters.kafka.publishing.standing import SinkOptions, read_position
from service.adapters.kafka.publishing.transactions import TransactionalProducer
from service.adapters.postgres.journal import batch_log, histories, journal, search, transaction
from service.adapters.postgres.journal.batch_log import RelayLog
from service.adapters.postgres.journal.histories import PostgresHistories, open_histories
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.letters import MendingJournal
from service.adapters.postgres.journal.search import PostgresSearch
from service.application.clocks import Clocks
from service.application.journal.publish import OutputTopics
from service.application.journal.remap import Order, remap
from service.application.journal.replay import Pace, Selection, Tally, replay
from service.application.journal.slices import SliceLimits
from service.application.journal.verify import verify
from service.domain.events import Sense
from service.domain.milestones import Milestone
from service.errors import InvalidEvent, Retryable
from service.metrics import Metrics
from service.runtime import projector as projector_module
from service.runtime import relay as relay_module
from service.runtime.ingest import loop as loop_module
from service.runtime.ingest.loop import IngestLoop
from service.runtime.ingest.worker import LoopOptions, Ports
from service.runtime.lifecycle import Stop
from service.runtime.monitoring.watchdog import Watchdog
from service.runtime.projector import Projector
from service.runtime.relay import Relay, RelayOptions, Servers
from service.wire.carriers import CarrierCode, CarrierTable, CarrierTables, CodeList
from service.wire.inbound import Inbound, Parser
from service.wire.judging.publishers import parse_publishers
from service.wire.models import MODELS
from service.wire.reasons import Invalid
from service.wire.record import Record
from tests.world.consuming import ModelSource
from tests.world.kafka import Kafka
from tests.world.postgres import ModelConnection, Server
from tests.world.producing import ModelLimits, ModelLooker, ModelProducer
from tests.world.scheduler import Scheduler, WorldError
from tests.world.statements import set_local
from tests.world.workload import INPUTS, LATER_CODE, PUBLISHERS

OUTPUTS: Final = OutputTopics("status-changes", "current-status", "exceptions", "dead-letters")
_METRICS: Final = Metrics()
_OLD_TABLES: Final = CarrierTables.load()


def _new_tables() -> CarrierTables:
    generic = _OLD_TABLES._tables["generic"]
    codes = dict(generic.codes) | {
        LATER_CODE: CarrierCode(LATER_CODE, Sense.ASSERTS, Milestone.RT, "late", CodeList.COLLECTED)
    }
    return CarrierTables([CarrierTable("generic", generic.name, generic.zone, codes)])


_NEW_TABLES: Final = _new_tables()


class Hands:
    """A world with its servers, and what the service is made of in it."""

    def __init__(self, world: Scheduler, server: Server, kafka: Kafka) -> None:
        self.world, self.server, self.kafka = world, server, kafka
        self.batch_ids = 0
        self.size = random.Random(world.plan.seed).choice((2, 3, 5, 20))
        self.not_yet: frozenset[bytes] = frozenset()  # values that yesterday's version takes for invalid

    def clock(self) -> float:
        return self.world.now

    def next_batch_id(self) -> int:
        self.batch_ids += 1
        return (1 << 41) + self.batch_ids

    @property
    def clocks(self) -> Clocks:
        def now() -> datetime:
            return datetime.fromtimestamp(self.world.wall(), UTC)

        return Clocks(self.clock, now, lambda: 0.5)

    def stop(self) -> WorldStop:
        return WorldStop(self.world)

    def ingest(self, stop: Stop, *, drain: bool = False) -> IngestLoop:
        options = LoopOptions(batch_size=self.size, batch_wait_ms=0, poll_timeout_ms=500, drain=drain)
        ports = Ports(
            lambda: ModelSource(self.kafka),
            PostgresJournal("", _OLD_TABLES, remembered=1000),
            _OlderParser(self, Parser(_OLD_TABLES, _TYPES, publishers=_PUBLISHERS)),
        )
        return IngestLoop(ports, stop, _METRICS, options=options, clocks=self.clocks)

    def relay(self, stop: Stop) -> Relay:
        limits: Any = ModelLimits()
        sink = SinkOptions()
        servers = Servers(
            lambda: RelayLog("", SliceLimits(rows=4, letters=2, batches=4)),
            lambda waiting: KafkaSink(None, sink, OUTPUTS, waiting, limits),  # type: ignore[arg-type] # no settings
            lambda: read_position(None, sink, OUTPUTS),  # type: ignore[arg-type]
        )
        options = RelayOptions(poll_seconds=0.8)
        return Relay(servers, OUTPUTS, stop, _METRICS, options=options, clocks=self.clocks)

    def projector(self, stop: Stop) -> Projector:
        tables = PostgresSearch("", SliceLimits(rows=6))
        return Projector(tables, stop, _METRICS, clocks=self.clocks)

    def verify(self) -> list[str]:
        """What the service's own `verify` finds."""
        differences: list[str] = []
        with open_histories("") as found:
            verify(found, differences)
        return differences

    def verify_histories(self) -> list[str]:
        """The same without events that are on their way still: what must hold at any time."""
        differences: list[str] = []
        with open_histories("") as found:
            verify(_Settled(found), differences)
        return differences

    def replay(self) -> Tally:
        """Send dead letters through again, by today's version."""
        tally = Tally()
        letters = MendingJournal("", _NEW_TABLES, "replay")
        clock: Any = SimpleNamespace(now=self.clock, wait=lambda _: False)
        try:
            replay(letters, Parser(_NEW_TABLES, _TYPES, publishers=_PUBLISHERS), Selection(), Pace(), tally, clock)
        finally:
            letters.close()
        return tally

    def remap(self) -> None:
        scans = MendingJournal("", _NEW_TABLES, "remap")
        try:
            remap(scans, _NEW_TABLES, Order())
        finally:
            scans.close()

    def repeat(self, what: Callable[[], object]) -> None:
        """As a person does who sees a command fail."""
        for _ in range(50):
            try:
                what()
                return
            except Retryable:
                self.world.wait("tries again", self.world.now + 1)


_HUB: Final = {type_ for type_ in MODELS if type_.startswith("com.omnirps.hub.")} | {"com.omnirps.event.voided.v1"}
_PUBLISHERS: Final = parse_publishers(PUBLISHERS, "workload")
_TYPES: Final = dict(
    zip(
        INPUTS,
        (
            {f"com.omnirps.return.{name}.v1" for name in ("created", "closed", "reopened")},
            {"com.omnirps.carrier.scanned.v1"},
            _HUB,
            {"com.omnirps.connote.delivered.v1"},
        ),
        strict=True,
    )
)


class _OlderParser:
    """Yesterday's version of the service: takes some messages for invalid that today's understands."""

    def __init__(self, hands: Hands, parser: Parser) -> None:
        self._hands, self._parser = hands, parser

    def parse(self, record: Record) -> Inbound:
        if record.value in self._hands.not_yet:
            raise InvalidEvent(Invalid.BAD_VALUE.value, "not understood yet")
        return self._parser.parse(record)


class _Settled:
    """Histories without what the sweep has still to do."""

    def __init__(self, found: PostgresHistories) -> None:
        self._found = found
        self.returns, self.misread, self.rules = found.returns, found.misread, found.rules
        self.contested = found.contested  # it leaves out what the sweep is to look at

    def strays(self) -> Iterator[str]:
        return iter(())


class WorldStop(Stop):
    """Waits in the world's time."""

    def __init__(self, world: Scheduler) -> None:
        super().__init__(_SLEEPING)
        self._world = world

    def wait(self, seconds: float) -> bool:
        self._world.wait(f"rests {seconds:.3f} s", self._world.now + seconds)
        bool(self)
        return bool(self)


_SLEEPING: Final = Watchdog(lambda *_, **__: None, clock=lambda: 0.0)
_HERE: list[Hands] = []


def here() -> Hands:
    """Of the history that is played now."""
    return _HERE[-1]


def _next_batch_id() -> int:
    return here().next_batch_id()


def _connect(url: str, application_name: str, *, autocommit: bool = True, writes: bool = True) -> ModelConnection:
    del url, autocommit
    from service.adapters.postgres.database import translated

    with translated():
        return here().server.connect(application_name, writes=writes)


def _opened(client: type, **_: Any) -> Any:
    return ModelProducer(here().kafka) if client is TransactionalProducer else ModelLooker(here().kafka)


def _monotonic() -> float:
    return here().world.now


def _wall() -> float:
    return here().world.wall()


def _wall_ns() -> int:
    return int(here().world.wall() * 1e9)


def _time() -> Any:
    return SimpleNamespace(monotonic=_monotonic, time=_wall, time_ns=_wall_ns)


def _patches() -> Iterator[Any]:
    nothing: Callable[..., None] = lambda *_, **__: None  # noqa: E731
    modules: tuple[ModuleType, ...] = (journal, batch_log, search, histories)
    for module in modules:
        yield patch.object(module, "connect", _connect)
        for name in ("probe_indexes", "set_json_loads"):
            if hasattr(module, name):
                yield patch.object(module, name, nothing)
    for module in (transaction, search):
        if hasattr(module, "set_local"):
            yield patch.object(module, "set_local", set_local)
    yield patch.object(transaction, "new_batch_id", _next_batch_id)
    for module in (kafka_sink, standing):
        yield patch.object(module, "opened", _opened)
        yield patch.object(module, "connection_options", lambda *_: {})
    yield patch.object(kafka_sink, "end_forgotten", nothing)  # the model's Kafka forgets no transaction
    for module in (kafka_sink, standing, tails, relay_module, projector_module, loop_module):
        if hasattr(module, "time"):
            yield patch.object(module, "time", _time())


class _Installed:
    """Once for all histories that this process plays in a row: to patch takes longer than a short history."""

    def __init__(self) -> None:
        self.depth = 0
        self.patches: list[Any] = []


_INSTALLED: Final = _Installed()


@contextmanager
def installed(*, tells: bool = False) -> Iterator[None]:
    """Within the block the service's adapters find the models; its log lines become part of the story, if one is told."""
    if _INSTALLED.depth == 0:
        _INSTALLED.patches = list(_patches())
        for each in _INSTALLED.patches:
            each.start()
    _INSTALLED.depth += 1
    before = structlog.get_config()
    structlog.configure(
        processors=[_into_the_story],
        wrapper_class=structlog.make_filtering_bound_logger(0 if tells else 50),
        logger_factory=structlog.WriteLoggerFactory(file=io.StringIO()),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
        _INSTALLED.depth -= 1
        if _INSTALLED.depth == 0:
            for each in reversed(_INSTALLED.patches):
                each.stop()


def _into_the_story(_logger: Any, level: str, event: Any) -> Any:
    if _HERE and here().world.tells:
        facts = " ".join(f"{key}={value}" for key, value in event.items() if key != "event")
        here().world.tell(f"  [{level}] {event['event']} {facts}")
    raise structlog.DropEvent


@contextmanager
def at_hand(world: Scheduler, server: Server, kafka: Kafka) -> Iterator[Hands]:
    """The history that is played within the block."""
    hands = Hands(world, server, kafka)
    state = random.getstate()
    random.seed(world.plan.seed)
    _HERE.append(hands)
    try:
        yield hands
    finally:
        _HERE.pop()
        random.setstate(state)


def expected_silence() -> None:
    """Raises where a history is played outside of `installed`."""
    if not _INSTALLED.depth:
        raise WorldError("play within `installed`")
