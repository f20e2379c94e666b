"""Events that the service says itself, of a return: judged by ingestion's rules before anything is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from service.application.journal.ingest import Parser
from service.errors import Retryable
from service.wire.cloudevents import STRUCTURED_HEADERS, encode
from service.wire.record import Record
from service.wire.stored import to_micros
from service.wire.times import rfc3339

_AT_A_TIME: Final = 4  # waits for Kafka must not use up the threads that everything else is answered on


class OwnEvent(NamedTuple):
    """What is said of a return, and when it was: the same words of the same moment are the same event, and others are not.

    `kind` begins its id.
    """

    source: str
    kind: str
    type: str
    data: Mapping[str, Any]
    at: datetime

    @property
    def id(self) -> str:
        """It follows from all that the event says. One that stayed while the words change would name two facts."""
        said = json.dumps([self.source, self.type, to_micros(self.at), self.data], sort_keys=True)
        return f"{self.kind}-{sha256(said.encode()).hexdigest()[:32]}"


def said_in(words: Mapping[str, Any]) -> dict[str, Any]:
    """Of the words of a use case the event's data: all but the moment, which its time says."""
    return {name: value for name, value in words.items() if name != "at"}


class Speaker:
    """Says such events; what is said is for those that are made of it.

    `parser` is ingestion's; `topic` is the one of such events, and `publish` puts a message under a key there, and may
    raise Retryable.
    """

    def __init__(
        self,
        parser: Parser,
        topic: str,
        publish: Callable[[str, bytes], None],
    ) -> None:
        self._parser, self._topic, self._publish = parser, topic, publish
        self._slots = threading.BoundedSemaphore(_AT_A_TIME)

    def _message(self, said: OwnEvent) -> bytes:
        """As it goes onto the topic. Raises InvalidEvent for what ingestion would refuse, with its words."""
        at, return_id = to_micros(said.at), str(said.data["return_id"])
        attributes = {
            "id": said.id,
            "source": said.source,
            "type": said.type,
            "time": rfc3339(at),
            "datacontenttype": "application/json",
            "subject": return_id,
        }
        event = encode(attributes, dict(said.data))
        self._parser.parse(Record(self._topic, 0, 0, at // 1000, return_id.encode(), event, STRUCTURED_HEADERS))
        return event

    def _send(self, return_id: str, event: bytes) -> None:
        """Answers once Kafka has it. Raises Retryable: it is not known then, and may be asked for again."""
        if not self._slots.acquire(blocking=False):
            raise Retryable("too many events of ours wait for Kafka", cause="kafka")
        try:
            self._publish(return_id, event)
        finally:
            self._slots.release()
