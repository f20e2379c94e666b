"""For how long Kafka keeps what comes on a topic: as of some minutes ago, and never a reason to wait for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from service.adapters.kafka.options import asking
from service.config import Settings

_KEY: Final = "retention.ms"
_FRESH_SECONDS: Final = 300.0
_TIMEOUT_MS: Final = 2_000

_WITHOUT_END_MS: Final = 100 * 365 * 86_400_000  # nobody lives to see it, and no date holds much more


class KafkaRetention:
    """Called with a topic: how long its messages are kept at most; None: it is not known, or without end."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._monotonic = settings, monotonic
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, timedelta | None]] = {}

    def __call__(self, topic: str) -> timedelta | None:
        with self._lock:
            at, kept = self._known.get(topic, (-_FRESH_SECONDS, None))
            if self._monotonic() - at >= _FRESH_SECONDS:
                kept = self._ask(topic)
                self._known[topic] = self._monotonic(), kept
            return kept

    def _ask(self, topic: str) -> timedelta | None:
        try:
            with asking(self._settings, "returns-web-retention", _TIMEOUT_MS) as admin:
                asked = ConfigResource(ConfigResourceType.TOPIC, topic, [_KEY])
                described = admin.describe_configs([asked], config_filter="all")["topic"][topic]
            kept_ms = int(described[_KEY]["value"])
        except (KafkaError, KeyError, TypeError, ValueError):
            return None  # it is away, or does not tell whoever asks
        return timedelta(milliseconds=kept_ms) if 0 <= kept_ms < _WITHOUT_END_MS else None
