"""Closes a return: an event on Kafka that says so, and the answer once Kafka has it. Ingestion does the rest.

Whoever asks twice says it twice, each under a name of its own; the second closes nothing more.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from service.application.commands.creation import SOURCE
from service.application.commands.own_events import OwnEvent, Speaker, said_in
from service.wire.models import RETURN_CLOSED


class Closed(NamedTuple):
    """Which return is closed, who says so, why and when: `reason` is one of the contract's words."""

    return_id: str
    by: str
    reason: str
    note: str
    at: datetime


class Closing(Speaker):
    """The use case; its topic is the one of creations."""

    def close(self, closed: Closed) -> None:
        """Answers once Kafka has it. Raises InvalidEvent for what ingestion would refuse, and Retryable."""
        said = OwnEvent(SOURCE, "closed", RETURN_CLOSED, said_in(closed._asdict()), closed.at)
        self._send(closed.return_id, self._message(said))
