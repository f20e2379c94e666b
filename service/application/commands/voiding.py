"""Declares an event a mistake: a void on Kafka, and the answer once Kafka has it. Ingestion does the rest.

The void of an event is always the same event: whoever sends the form twice, or two people who send it, void it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from service.application.commands.own_events import OwnEvent, Speaker
from service.domain.events import Event, key_digest
from service.domain.timeline import Timeline, decide
from service.domain.whole import gather
from service.wire.models import EVENT_VOIDED

SOURCE: Final = "/returns-status/desk"


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


class Voiding(Speaker):
    """The use case; its topic is the one of hub events.

    >>> message = voiding.prepare(mistake)  # what is wrong with it is said before anything is noted or sent
    >>> voiding.publish(mistake, message)
    """

    def prepare(self, mistake: Mistake) -> bytes:
        """The message. Raises InvalidEvent for what ingestion would refuse, with its words."""
        return self._message(OwnEvent(SOURCE, mistake.void_id, EVENT_VOIDED, mistake._asdict()))

    def publish(self, mistake: Mistake, event: bytes) -> None:
        """Answers once Kafka has it. Raises Retryable: it is not known then, and may be asked for again."""
        self._send(mistake.return_id, event)


def without(past: Sequence[Event], source: str, event_id: str) -> Timeline:
    """The timeline as it will be once that event is void.

    `past` are all events of the return.
    """
    return decide(gather(past, {key_digest(source, event_id)}))
