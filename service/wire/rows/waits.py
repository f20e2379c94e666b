"""What waits and is no return's, as the log has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from service.wire.rows.exception_ids import NamedWait, Waits


class WaitMove(NamedTuple):
    """A wait that opened or is over (`state`), since when it lasts, or lasted, and the event that was first.

    `n` is the number of its batch. The event is told as JSON has it: `type`, `source`, `id`, `milestone`, `code`, `occurred_at`
    (ISO 8601), and `origin`, its topic, partition and offset.
    """

    n: int
    batch_id: str
    kind: str
    subject: str
    state: str
    since: datetime
    event: Mapping[str, Any]
    recorded_at: datetime

    @property
    def named(self) -> NamedWait:
        """What waits."""
        return NamedWait(Waits(self.kind), self.subject)
