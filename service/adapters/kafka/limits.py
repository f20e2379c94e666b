"""How large a message each output topic takes, as it is now: asked when a sink opens, and again when one is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from service.adapters.kafka.options import connection_options, opened
from service.application.journal.publish import Outgoing, OutputTopics
from service.config import Settings
from service.errors import Retryable
from service.wire.outbound import Message
from service.wire.stubs import LARGEST, size_of

_TIMEOUT_MS: Final = 10_000
_DEFAULT: Final = 1_048_588  # Kafka's own, for those who may not ask
# A batch may be larger than a segment as little as than a message may be.
_KEYS: Final = ("max.message.bytes", "segment.bytes")
_LEAST: Final = 2048  # a stub takes about half of it


class MessageLimits:
    """Outlives the sinks of a relay, so that a broker that refuses what it said it takes is believed in the end."""

    def __init__(self, settings: Settings, topics: OutputTopics) -> None:
        self._settings, self._topics = settings, topics
        self._asked: dict[str, int] = {}
        self._divisor = 1
        self._was_refused = False

    def ask(self) -> None:
        """Raises Retryable while no broker answers; where they do not tell, Kafka's default is assumed."""
        asked = self._ask()
        if asked != self._asked:
            self._divisor = 1
        elif self._was_refused:
            # It does not tell, or it is not this that it goes by: something smaller will do.
            self._divisor *= 2
        self._asked, self._was_refused = asked, False

    def refused(self) -> None:
        """A message was larger than its topic takes."""
        self._was_refused = True

    def limit(self, topic: str) -> int:
        """The largest batch that the topic takes, in bytes."""
        return max(_LEAST, min(LARGEST, self._asked.get(topic, _DEFAULT)) // self._divisor)

    @property
    def smallest(self) -> int:
        """The largest batch that every topic takes."""
        return min(map(self.limit, self._topics))

    def fitted(self, outgoing: Outgoing) -> Message:
        """The message, or its stub where the topic does not take it whole."""
        topic, message, stub = outgoing
        if stub is None or size_of(message) <= (limit := self.limit(topic)):
            return message
        return stub(limit)

    def _ask(self) -> dict[str, int]:
        admin = None
        try:
            admin = opened(
                KafkaAdminClient,
                **connection_options(self._settings, "returns-relay-limits"),
                bootstrap_timeout_ms=_TIMEOUT_MS,
                request_timeout_ms=_TIMEOUT_MS,
            )
            wanted = [ConfigResource(ConfigResourceType.TOPIC, topic, list(_KEYS)) for topic in self._topics]
            described = admin.describe_configs(wanted, config_filter="all")["topic"]
        except (KafkaTimeoutError, KafkaConnectionError) as error:
            raise Retryable(f"Kafka: {type(error).__name__}", cause="kafka") from error
        except KafkaError:
            return {}
        finally:
            if admin is not None:
                with suppress(KafkaError):
                    admin.close()
        return {topic: limit for topic, told in described.items() if (limit := _least(told)) is not None}


def _least(told: Any) -> int | None:
    values = [int(told[key]["value"]) for key in _KEYS if key in told and told[key].get("value")]
    return min(values, default=None)
