"""The composition of a relay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

from service.adapters.kafka.limits import MessageLimits
from service.adapters.kafka.publishing.hanging import HangingTransactions
from service.adapters.kafka.publishing.sink import KafkaSink
from service.adapters.kafka.publishing.standing import read_position
from service.adapters.postgres.journal.batch_log import RelayLog
from service.application.journal.slices import SliceLimits
from service.config import Settings
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.health import Monitor
from service.runtime.monitoring.lookout import Lookout
from service.runtime.relay import Relay, RelayOptions, Servers
from service.wiring.monitors import processes
from service.wiring.outputs import output_topics, sink_options
from service.wiring.parts import database

_TRANSACTIONS_SECONDS: Final = 10.0  # between two looks at what is open on the output topics


def relay(settings: Settings, metrics: Metrics, stop: Stop) -> Relay:
    """A relay; its `run` publishes until asked to stop, or until everything is drained."""
    topics, sink = output_topics(settings), sink_options(settings)
    limits = SliceLimits(rows=settings.relay_slice_rows)
    largest = MessageLimits(settings, topics)
    return Relay(
        Servers(
            lambda: RelayLog(database(settings), limits),
            lambda waiting: KafkaSink(settings, sink, topics, waiting, largest),
            lambda: read_position(settings, sink, topics),
        ),
        topics,
        stop,
        metrics,
        options=RelayOptions(poll_seconds=settings.relay_poll_ms / 1000, public_url=settings.public_url),
        board=Board(watchdog=stop.watchdog),
    )


def run_relay(settings: Settings, metrics: Metrics, stop: Stop, monitor: Monitor, *, drain: bool = False) -> None:
    """Relay until asked to stop, or until everything is drained, and tell of it."""
    worker = relay(settings, metrics, stop)
    told = processes.relay(monitor, settings, metrics, worker, worker.read_position)
    with _watching_transactions(settings), told if settings.metrics_port else nullcontext():
        worker.run(drain=drain)


@contextmanager
def _watching_transactions(settings: Settings) -> Iterator[None]:
    """Say, within the block, which transactions hang on the output topics."""
    question = HangingTransactions(settings).question
    with Lookout("relay", {"transactions": question}, every=_TRANSACTIONS_SECONDS):
        yield
