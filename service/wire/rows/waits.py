"""What waits and is no return's, as the log has it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from service.wire.rows.exception_ids import NamedWait, Waits


class WaitMove(NamedTuple):
    """A wait that opened or is over (`state`), and since when it lasts, or lasted. `n` is the number of its batch."""

    n: int
    batch_id: str
    kind: str
    subject: str
    state: str
    since: datetime
    recorded_at: datetime

    @property
    def named(self) -> NamedWait:
        """What waits."""
        return NamedWait(Waits(self.kind), self.subject)
