"""Closes a return: an event on Kafka that says so, and the answer once Kafka has it. Ingestion does the rest.

The closing of a return by one party is always the same event: whoever asks twice closes it once.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from service.application.commands.creation import SOURCE
from service.application.commands.own_events import OwnEvent, Speaker
from service.wire.models import RETURN_CLOSED


class Closed(NamedTuple):
    """Which return is closed, who says so, and why: `reason` is one of the contract's words."""

    return_id: str
    by: str
    reason: str
    note: str

    @property
    def event_id(self) -> str:
        """The id of the event that says so."""
        named = f"{self.return_id}\0{self.by}\0{self.reason}"
        return f"closed-{sha256(named.encode()).hexdigest()[:32]}"


class Closing(Speaker):
    """The use case; its topic is the one of creations."""

    def close(self, closed: Closed) -> None:
        """Answers once Kafka has it. Raises InvalidEvent for what ingestion would refuse, and Retryable."""
        said = OwnEvent(SOURCE, closed.event_id, RETURN_CLOSED, closed._asdict())
        self._send(closed.return_id, self._message(said))
