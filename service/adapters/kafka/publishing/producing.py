"""A plain producer: for publishers of single events and for the simulator, not for the relay's exactly-once output."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from service.adapters.kafka.options import connection_options, opened
from service.adapters.kafka.silence import Silence
from service.adapters.kafka.trouble import CannotConnect
from service.config import Settings
from service.errors import Retryable

_BLOCK_MS: Final = 10_000
_CLOSE_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 30
_LOOK_SECONDS: Final = 1.0
_METADATA_MS: Final = 4_000  # so that there is something to hear of brokers with nothing to publish
_REST_SECONDS: Final = 1.0  # between two attempts at brokers that do not answer


class Publishing:
    """Publishes messages; a context manager that waits, at its end, until Kafka has them all.

    `lingering_ms` is how long a message may wait for company: some for throughput, 0 for a caller that waits.
    `patience_seconds` is how long `publish_now` may take, for a caller with a person behind it.
    A producer that Kafka refused one message fails all that follow, so it is replaced after an error: the caller may
    simply go on. `publish_now` may be called by many threads.
    """

    def __init__(
        self, settings: Settings, client_id: str, *, lingering_ms: int = 0, patience_seconds: float | None = None
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._lingering_ms = lingering_ms
        self._patience_seconds = patience_seconds
        self._rests_until = 0.0
        self._why = ""
        self._lock = threading.Lock()
        self._producer: Any = None
        self._silence: Silence | None = None
        self._failed: Exception | None = None

    def __enter__(self) -> Self:
        """Raises Retryable if no broker answers."""
        self._live()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()

    def publish(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Hand over one message; Kafka has it once `flush` returns. Raises Retryable if it, or an earlier one, failed."""
        try:
            self._live().send(topic, value=value, key=key, headers=headers).add_errback(self._note)
        except KafkaError as error:
            self._note(error)
        self._listen()
        self._raise_failure()

    def publish_now(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Publish one message and wait until Kafka has it. Raises Retryable; it is then unknown whether Kafka has it."""
        self.publish_all_now([(topic, key, value)], headers)

    def publish_all_now(self, messages: Sequence[tuple[str, bytes, bytes]], headers: list[tuple[str, bytes]]) -> None:
        """Publish messages (topic, key, value), and wait until Kafka has them all. Raises Retryable; some may be there."""
        producer = self._live()
        until = time.monotonic() + (self._patience_seconds or _ANSWER_SECONDS)
        try:
            sent = [producer.send(topic, value=value, key=key, headers=headers) for topic, key, value in messages]
            for future in sent:
                future.get(timeout=max(0.001, until - time.monotonic()))
        except KafkaError as error:
            self._retire(producer, 0)
            raise _refused(error) from error

    def close(self) -> None:
        """Let go of Kafka; the next message makes a new connection. For callers that never entered."""
        self._retire(self._producer, _CLOSE_SECONDS)

    def flush(self) -> None:
        """Wait until Kafka has everything that was handed over. Raises Retryable."""
        is_flushed = False
        while not is_flushed and self._failed is None:
            try:
                self._live().flush(timeout=_LOOK_SECONDS)
                is_flushed = True
            except KafkaTimeoutError:
                self._listen()
            except KafkaError as error:
                self._note(error)
        self._raise_failure()

    def _listen(self) -> None:
        if self._silence is not None and self._silence.is_too_long:
            self._note(KafkaTimeoutError("no broker answers"))

    def _live(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = self._open()
            return self._producer

    def _open(self) -> Any:
        if time.monotonic() < self._rests_until:
            raise self._no_broker()  # many callers must not each wait, one after the other, for what is known
        names = ("bootstrap_timeout_ms", "max_block_ms", "request_timeout_ms")
        options: dict[str, Any] = dict.fromkeys(names, _BLOCK_MS)
        if self._patience_seconds is not None:
            patience_ms = int(self._patience_seconds * 1000)
            names = ("bootstrap_timeout_ms", "max_block_ms", "delivery_timeout_ms")
            options = dict.fromkeys(names, patience_ms) | {"request_timeout_ms": patience_ms - self._lingering_ms}
        try:
            producer = opened(
                KafkaProducer,
                **connection_options(self._settings, self._client_id),
                acks="all",
                enable_idempotence=True,
                linger_ms=self._lingering_ms,
                batch_size=64 * 1024,
                retry_backoff_ms=20,
                metadata_max_age_ms=_METADATA_MS,
                **options,
            )
        except KafkaError as error:
            self._rests_until = time.monotonic() + _REST_SECONDS
            self._why = f": {error}" if isinstance(error, CannotConnect) else ""
            raise self._no_broker() from error
        self._silence = Silence(producer._sender._client.net)  # noqa: SLF001 - there is no public way
        return producer

    def _no_broker(self) -> Retryable:
        where = f"{self._settings.kafka_bootstrap_servers}{self._why}"
        return Retryable(f"no Kafka broker answers at {where}", cause="kafka")

    def _retire(self, producer: Any, seconds: float) -> None:
        with self._lock:
            if producer is None or self._producer is not producer:
                return
            self._producer = None
        try:
            producer.close(timeout=seconds)
        except KafkaError:  # of what could not be sent; it has left its thread behind, then
            producer._sender.force_close()  # noqa: SLF001 - there is no public way

    def _note(self, error: Exception) -> None:
        # Called on the producer's own thread too: the caller's learns of it with its next call.
        self._failed = self._failed or error

    def _raise_failure(self) -> None:
        if self._failed is None:
            return
        self._retire(self._producer, 0)
        failed, self._failed = self._failed, None
        raise _refused(failed) from failed


def _refused(error: Exception) -> Retryable:
    return Retryable(f"Kafka did not take a message: {type(error).__name__}", cause="kafka")
