"""Every metric of the service, declared once: name, labels and a sentence. All label values come from closed sets.

A process makes one `Metrics` and passes it around; there is no global registry. `reference()` is the table for people.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.metrics import MetricWrapperBase

from service.domain.milestones import Verdict
from service.errors import CAUSES

Step = Literal["poll", "decode", "load", "decide", "write", "commit"]

# A millisecond to a minute: what a step of a batch, a request and an event on its way take.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# An event may wait for hours in a topic.
_LONG_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
_RECORDS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000)


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._declare_ingestion()
        self._declare_loop()
        self._declare_lag()
        self._declare_trouble()
        self._declare_relay()
        self._declare_web()
        self._declare_health()

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    @staticmethod
    def _gauge_of_some(name: str, meaning: str) -> Gauge:
        """One that only those processes have that `show` it."""
        return Gauge(name, meaning, registry=None)

    def _histogram(self, name: str, meaning: str, *labels: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, meaning, labels, buckets=buckets, registry=self.registry)

    def _declare_ingestion(self) -> None:
        self.events = self._counter(
            "returns_events",
            "Events recorded in the history, by the topic they came from and the verdict they got.",
            "topic",
            "verdict",
        )
        self.invalid = self._counter(
            "returns_invalid", "Messages that became dead letters, by topic and reason.", "topic", "reason"
        )
        self.thin_letters = self._counter("returns_thin_letters", "Dead letters kept without their bodies.", "topic")
        self.not_understood = self._counter(
            "returns_members_not_understood",
            "Optional members of events that are wrong and so ignored, by the event's type and the member.",
            "type",
            "member",
        )
        self.duplicates = self._counter(
            "returns_duplicates", "Events that were recorded already and changed nothing, by topic.", "topic"
        )
        self.parked = self._counter(
            "returns_parked", "Events put aside because their return is not known yet, by topic.", "topic"
        )
        self.adopted = self._counter(
            "returns_adopted",
            "Parked events recorded once their return became known, by the topic they came from.",
            "topic",
        )
        self.conflicts = self._counter(
            "returns_conflicts",
            "Times that another worker was first, by what the two collided on: history or offset.",
            "kind",
        )
        self.end_to_end_seconds = self._histogram(
            "returns_end_to_end_seconds",
            "From Kafka's timestamp of a record to the commit of its batch, by topic.",
            "topic",
            buckets=_LONG_SECONDS,
        )

    def _declare_loop(self) -> None:
        self.batch_size = self._histogram(
            "returns_batch_records", "Records that one transaction took in.", buckets=_RECORDS
        )
        self.step_seconds = self._histogram(
            "returns_step_seconds",
            "Time that a batch spent in a step: poll, decode, load, decide, write, commit.",
            "step",
            buckets=_SECONDS,
        )

    def _declare_lag(self) -> None:
        self.lag = self._gauge(
            "returns_lag_records",
            "Records of an input partition that are not ingested yet, whoever reads it; NaN: never known.",
            "topic",
            "partition",
        )
        self.stalled_seconds = self._gauge(
            "returns_seconds_without_progress",
            "How long an input partition with lag has not moved, whoever reads it; 0 without lag.",
            "topic",
            "partition",
        )
        self.lag_seconds = self._gauge(
            "returns_lag_seconds",
            "How long the oldest record of an input partition that is not ingested yet has waited.",
            "topic",
            "partition",
        )
        self.deleted_records = self._gauge(
            "returns_lag_deleted_records",
            "Records of an input partition that Kafka deleted before they were ingested.",
            "topic",
            "partition",
        )
        self.lag_known = self._gauge(
            "returns_lag_known",
            "1 while the lag of a reader (ingest, sweep, relay, project) is known; 0: the servers do not tell, the last "
            "numbers stay, and seconds grow.",
            "reader",
        )

    def _declare_trouble(self) -> None:
        self.retries = self._counter(
            "returns_retries",
            "Times that a server could not do something that is then tried again, questions about health among it, by "
            f"cause: {', '.join(CAUSES)}.",
            "cause",
        )
        self.out_of_range = self._counter(
            "returns_offsets_out_of_range",
            "Stored offsets that were not valid any more, by reason: topic_made_anew, truncated or retention.",
            "topic",
            "reason",
        )
        self.records_lost = self._counter(
            "returns_records_lost",
            "Offsets that Kafka's retention passed before they were ingested, transaction markers among them.",
            "topic",
        )
        self.unsafe_settings = self._gauge(
            "returns_unsafe_settings",
            "Settings of a server (kafka, postgres) that endanger what is promised, as found at the start.",
            "server",
        )
        self.tripped = self._gauge(
            "returns_fuse_tripped", "1 where letters of an input partition are thin.", "topic", "partition"
        )

    def _declare_relay(self) -> None:
        self.published = self._counter(
            "returns_published", "Messages published and committed, by output topic.", "topic"
        )
        self.relay_transactions = self._counter(
            "returns_relay_transactions",
            "Kafka transactions of the relay, by outcome: committed or aborted.",
            "outcome",
        )
        self.cursor_lag = self._gauge(
            "returns_cursor_lag_batches",
            "Batches of the journal that a reader (relay, project, sweep) has yet to read; NaN: never known.",
            "reader",
        )
        self.reader_ready = self._gauge(
            "returns_reader_ready",
            "1 while a reader of the journal (relay, project) does its work or stands by, 0 while it cannot.",
            "reader",
        )
        self.relay_refuses = self._gauge(
            "returns_relay_refuses",
            "1 while the relay publishes nothing because its position does not belong to this journal or these topics.",
        )
        self.cursor_seconds = self._gauge(
            "returns_cursor_lag_seconds",
            "How long the oldest batch that a reader has yet to read has waited.",
            "reader",
        )
        self.cursor_standing = self._gauge(
            "returns_cursor_seconds_without_progress",
            "How long a reader with lag has not moved; 0 without lag.",
            "reader",
        )
        self.leads = self._gauge_of_some(
            "returns_relay_leads", "1 where this relay is the one that publishes, 0 where it stands by."
        )
        self.relay_seconds = self._histogram(
            "returns_relay_delay_seconds",
            "From the record of a batch in the journal to its commit in Kafka.",
            buckets=_LONG_SECONDS,
        )

    def _declare_web(self) -> None:
        self.requests = self._histogram(
            "returns_http_request_seconds",
            "HTTP requests, by method, route template and status.",
            "method",
            "route",
            "status",
            buckets=_SECONDS,
        )

    def _declare_health(self) -> None:
        self.ready = self._gauge("returns_ready", "1 while this process can do its work: what /readyz says.")
        self.turn_seconds = self._gauge(
            "returns_turn_age_seconds", "How long ago the process's loop began its last turn."
        )
        self.server_up = self._gauge(
            "returns_server_up",
            "1 while a server (postgres, kafka) answers this process's questions about itself.",
            "server",
        )
        self.writable = self._gauge_of_some(
            "returns_postgres_writable", "1 while PostgreSQL takes writes, 0 while it is read-only."
        )
        self.admits = self._gauge_of_some(
            "returns_postgres_admits", "1 while PostgreSQL takes new connections of this process."
        )
        self.brokers = self._gauge_of_some("returns_kafka_brokers", "Brokers that Kafka says are there.")
        self.parked_events = self._gauge_of_some(
            "returns_parked_events", "Events that wait for their return; counted up to 10,000."
        )
        self.open_letters = self._gauge_of_some(
            "returns_dead_letters_open", "Dead letters that are neither replayed nor resolved; counted up to 10,000."
        )
        self.pool_size = self._gauge_of_some(
            "returns_pool_connections", "Connections to PostgreSQL in the pool of `serve`."
        )
        self.pool_used = self._gauge_of_some("returns_pool_connections_in_use", "Of these, those that a request uses.")
        self.pool_waiting = self._gauge_of_some("returns_pool_requests_waiting", "Requests that wait for a connection.")
        self.build = Info("returns_build", "What runs: the service's version and Python's.", registry=self.registry)

    def show(self, *gauges: Gauge) -> None:
        """Show gauges that only some processes have; not known at first. Elsewhere a 0 would be a lie."""
        for gauge in gauges:
            gauge.set(float("nan"))
            self.registry.register(gauge)

    def describe_process(self, version: str) -> None:
        """Show what runs, and how the operating system and the interpreter see it: once a process."""
        self.build.info({"version": version, "python": platform.python_version()})
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    @contextmanager
    def timed(self, step: Step) -> Iterator[None]:
        """Observe how long the body takes as that step."""
        started = perf_counter()
        try:
            yield
        finally:
            self.step_seconds.labels(step).observe(perf_counter() - started)

    def declared(self) -> list[MetricWrapperBase]:
        """Every metric, in the order of declaration."""
        return [value for value in vars(self).values() if isinstance(value, MetricWrapperBase)]


def reference() -> str:
    """A Markdown table of every metric, as a scrape shows it."""
    lines = [
        "# Metrics",
        "",
        f"Verdicts are {', '.join(f'`{verdict}`' for verdict in Verdict)}.",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for metric in Metrics().declared():
        family = next(iter(metric.describe()))
        name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - there is no public way to ask
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(lines) + "\n"
