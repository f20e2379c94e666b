"""Declares an event a mistake: a void on Kafka, and the answer once Kafka has it. Ingestion does the rest.

The void of an event is always the same event: whoever sends the form twice, or two people who send it, void it once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from service.application.clocks import SYSTEM
from service.application.journal.ingest import Parser
from service.domain.events import Event, key_digest
from service.domain.timeline import Timeline, decide
from service.domain.whole import gather
from service.errors import Retryable
from service.wire.cloudevents import STRUCTURED_HEADERS, encode
from service.wire.models import EVENT_VOIDED
from service.wire.record import Record
from service.wire.stored import to_micros
from service.wire.times import rfc3339

SOURCE: Final = "/returns-status/desk"
_AT_A_TIME: Final = 4  # waits for Kafka must not use up the threads that everything else is answered on


class Mistake(NamedTuple):
    """Which event of which return, who says so, and why."""

    return_id: str
    source: str
    id: str
    by: str
    reason: str

    @property
    def void_id(self) -> str:
        """The id of the event that voids it."""
        named = f"{self.return_id}\0{self.source}\0{self.id}"
        return f"void-{sha256(named.encode()).hexdigest()[:32]}"


class Voiding:
    """The use case.

    `parser` is ingestion's; `topic` is the one of hub events, and `publish` puts a message under a key there, and may
    raise Retryable.

    >>> message = voiding.prepare(mistake)  # what is wrong with it is said before anything is noted or sent
    >>> voiding.publish(mistake, message)
    """

    def __init__(
        self,
        parser: Parser,
        topic: str,
        publish: Callable[[str, bytes], None],
        now: Callable[[], datetime] = SYSTEM.now,
    ) -> None:
        self._parser, self._topic, self._publish, self._now = parser, topic, publish, now
        self._slots = threading.BoundedSemaphore(_AT_A_TIME)

    def prepare(self, mistake: Mistake) -> bytes:
        """The message. Raises InvalidEvent for what ingestion would refuse, with its words."""
        at = to_micros(self._now())
        attributes = {
            "id": mistake.void_id,
            "source": SOURCE,
            "type": EVENT_VOIDED,
            "time": rfc3339(at),
            "datacontenttype": "application/json",
            "subject": mistake.return_id,
        }
        event = encode(attributes, mistake._asdict())
        self._parser.parse(Record(self._topic, 0, 0, at // 1000, mistake.return_id.encode(), event, STRUCTURED_HEADERS))
        return event

    def publish(self, mistake: Mistake, event: bytes) -> None:
        """Answers once Kafka has it. Raises Retryable: it is not known then, and may be asked for again."""
        if not self._slots.acquire(blocking=False):
            raise Retryable("too many voids wait for Kafka", cause="kafka")
        try:
            self._publish(mistake.return_id, event)
        finally:
            self._slots.release()


def without(past: Sequence[Event], source: str, event_id: str) -> Timeline:
    """The timeline as it will be once that event is void.

    `past` are all events of the return.
    """
    return decide(gather(past, {key_digest(source, event_id)}))
