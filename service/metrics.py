"""Every metric of the service, declared once: name, labels and a sentence. All label values come from closed sets.

A process makes one `Metrics` and passes it around; there is no global registry. `reference()` is the table for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from service.domain.milestones import Verdict

Step = Literal["poll", "decode", "load", "decide", "write", "commit"]
# Which server was away, or did not answer as it should.
RetryCause = Literal["database", "kafka"]
ConflictKind = Literal["history", "offset"]

# A millisecond to a minute: what a step of a batch, a request and an event on its way take.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# An event may wait for hours in a topic.
_LONG_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
_RECORDS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._declare_ingestion()
        self._declare_loop()
        self._declare_relay()
        self._declare_web()

    def _declare_ingestion(self) -> None:
        self.events = Counter(
            "returns_events",
            "Events recorded in the history, by the topic they came from and the verdict they got.",
            ["topic", "verdict"],
            registry=self.registry,
        )
        self.invalid = Counter(
            "returns_invalid",
            "Messages that became dead letters, by topic and reason.",
            ["topic", "reason"],
            registry=self.registry,
        )
        self.duplicates = Counter(
            "returns_duplicates",
            "Events that were recorded already and changed nothing, by topic.",
            ["topic"],
            registry=self.registry,
        )
        self.parked = Counter(
            "returns_parked",
            "Events put aside because their return is not known yet, by topic.",
            ["topic"],
            registry=self.registry,
        )
        self.adopted = Counter(
            "returns_adopted",
            "Parked events recorded once their return became known, by the topic they came from.",
            ["topic"],
            registry=self.registry,
        )
        self.conflicts = Counter(
            "returns_conflicts",
            "Times that another worker was first, by what the two collided on: history or offset.",
            ["kind"],
            registry=self.registry,
        )
        self.end_to_end_seconds = Histogram(
            "returns_end_to_end_seconds",
            "From Kafka's timestamp of a record to the commit of its batch, by topic.",
            ["topic"],
            buckets=_LONG_SECONDS,
            registry=self.registry,
        )

    def _declare_loop(self) -> None:
        self.batch_size = Histogram(
            "returns_batch_records", "Records that one transaction took in.", buckets=_RECORDS, registry=self.registry
        )
        self.step_seconds = Histogram(
            "returns_step_seconds",
            "Time that a batch spent in a step: poll, decode, load, decide, write, commit.",
            ["step"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.lag = Gauge(
            "returns_lag_records",
            "Records of an input partition that are not ingested yet.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.stalled_seconds = Gauge(
            "returns_seconds_without_progress",
            "How long an input partition with lag has not moved; 0 without lag.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.retries = Counter(
            "returns_retries",
            "Times that a worker did the same again, by cause: database or kafka.",
            ["cause"],
            registry=self.registry,
        )
        self.out_of_range = Counter(
            "returns_offsets_out_of_range",
            "Stored offsets that were not valid any more, by reason: topic_made_anew, truncated or retention.",
            ["topic", "reason"],
            registry=self.registry,
        )
        self.records_lost = Counter(
            "returns_records_lost",
            "Offsets that Kafka's retention passed before they were ingested, transaction markers among them.",
            ["topic"],
            registry=self.registry,
        )
        self.unsafe_settings = Gauge(
            "returns_unsafe_settings",
            "Settings of a server (kafka, postgres) that endanger what is promised, as found at the start.",
            ["server"],
            registry=self.registry,
        )
        self.tripped = Gauge(
            "returns_fuse_tripped",
            "1 where an input partition stands still because nearly all of it was invalid.",
            ["topic", "partition"],
            registry=self.registry,
        )

    def _declare_relay(self) -> None:
        self.published = Counter(
            "returns_published", "Messages published and committed, by output topic.", ["topic"], registry=self.registry
        )
        self.relay_transactions = Counter(
            "returns_relay_transactions",
            "Kafka transactions of the relay, by outcome: committed or aborted.",
            ["outcome"],
            registry=self.registry,
        )
        self.cursor_lag = Gauge(
            "returns_cursor_lag_batches",
            "Batches of the journal that a reader (relay, project) has yet to read.",
            ["reader"],
            registry=self.registry,
        )
        self.reader_ready = Gauge(
            "returns_reader_ready",
            "1 while a reader of the journal (relay, project) does its work or stands by, 0 while a server is away.",
            ["reader"],
            registry=self.registry,
        )
        self.relay_refuses = Gauge(
            "returns_relay_refuses",
            "1 while the relay publishes nothing because its position does not belong to this journal or these topics.",
            registry=self.registry,
        )
        self.relay_seconds = Histogram(
            "returns_relay_delay_seconds",
            "From the record of a batch in the journal to its commit in Kafka.",
            buckets=_LONG_SECONDS,
            registry=self.registry,
        )

    def _declare_web(self) -> None:
        self.requests = Histogram(
            "returns_http_request_seconds",
            "HTTP requests, by method, route template and status.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )

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
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - there is no public way to ask
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(lines) + "\n"
