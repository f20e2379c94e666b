"""What a process asks Kafka, and what it tells of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from service.adapters.kafka.ends import KafkaEnds
from service.application.ports import Bounds, Partition
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime.monitoring.health import Check, Watch

# Kafka's ends: two requests, and a connection. A broker that is gone leaves the metadata after 9 s, by its default.
ASKED: Final[dict[str, Any]] = {"patience": 4.0, "fresh": 1.0, "metadata_ms": 3_000}

Ids = Mapping[str, "bytes | None"]


class KafkaWatch:
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
