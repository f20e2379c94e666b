"""Declares an event a mistake: a void on Kafka, and the answer once Kafka has it. Ingestion does the rest.

A form that is sent twice is one event, for it says when it was asked for. Two people who say it are two, of which the
second changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from service.application.commands.own_events import OwnEvent, Speaker, said_in
from service.domain.events import Event, key_digest
from service.domain.timeline import Timeline, decide
from service.domain.whole import gather
from service.wire.models import EVENT_VOIDED

SOURCE: Final = "/returns-status/desk"


class Mistake(NamedTuple):
    """Which event of which return, who says so and why, and when it was asked for."""

    return_id: str
    source: str
    id: str
    by: str
    reason: str
    at: datetime

    @property
    def void(self) -> OwnEvent:
        """The event that voids it."""
        return OwnEvent(SOURCE, "void", EVENT_VOIDED, said_in(self._asdict()), self.at)


class Voiding(Speaker):
    """The use case; its topic is the one of hub events.

    >>> message = voiding.prepare(mistake)  # what is wrong with it is said before anything is noted or sent
    >>> voiding.publish(mistake, message)
    """

    def prepare(self, mistake: Mistake) -> bytes:
        """The message. Raises InvalidEvent for what ingestion would refuse, with its words."""
        return self._message(mistake.void)

    def publish(self, mistake: Mistake, event: bytes) -> None:
        """Answers once Kafka has it. Raises Retryable: it is not known then, and may be asked for again."""
        self._send(mistake.return_id, event)


def without(past: Sequence[Event], source: str, event_id: str) -> Timeline:
    """The timeline as it will be once that event is void.

    `past` are all events of the return.
    """
    return decide(gather(past, {key_digest(source, event_id)}))
