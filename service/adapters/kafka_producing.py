"""A plain producer: for publishers of single events and for the simulator, not for the relay's exactly-once output."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from service.adapters.kafka_options import connection_options
from service.config import Settings
from service.errors import Retryable

_BOOTSTRAP_MS: Final = 10_000
_CLOSE_SECONDS: Final = 10


class Publishing:
    """Publishes messages; a context manager that waits, at its end, until Kafka has them all.

    `lingering_ms` is how long a message may wait for company: a rate for throughput, 0 for a caller that waits.
    """

    def __init__(self, settings: Settings, client_id: str, *, lingering_ms: int = 0) -> None:
        self._settings = settings
        self._client_id = client_id
        self._lingering_ms = lingering_ms
        self._producer: Any = None
        self._failed: Exception | None = None

    def __enter__(self) -> Self:
        """Raises Retryable if no broker answers."""
        try:
            self._producer = KafkaProducer(
                **connection_options(self._settings, self._client_id),
                acks="all",
                linger_ms=self._lingering_ms,
                batch_size=64 * 1024,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                retry_backoff_ms=20,
            )
        except KafkaError as error:
            raise Retryable(f"no Kafka broker answers at {self._settings.kafka_bootstrap_servers}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._producer.close(timeout=_CLOSE_SECONDS)

    def publish(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Hand over one message; Kafka has it once `flush` returns. Raises Retryable if it, or an earlier one, failed."""
        try:
            self._producer.send(topic, value=value, key=key, headers=headers).add_errback(self._note)
        except KafkaError as error:
            self._note(error)
        self._raise_failure()

    def publish_now(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Publish one message and wait until Kafka has it. Raises Retryable."""
        self.publish(topic, key, value, headers)
        self.flush()

    def flush(self) -> None:
        """Wait until Kafka has everything. Raises Retryable."""
        try:
            self._producer.flush()
        except KafkaError as error:
            self._note(error)
        self._raise_failure()

    def _note(self, error: Exception) -> None:
        # Called on the producer's own thread too: the caller's learns of it with its next call.
        self._failed = self._failed or error

    def _raise_failure(self) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            raise Retryable(f"Kafka did not take a message: {type(failed).__name__}") from failed
