"""Hears of new batches. A hint: who waits for one looks by himself now and then, whether he was told or not.

`number_batch` tells of each batch, with its number, when its transaction commits (ADR 21).
"""

from __future__ import annotations

from contextlib import closing
from typing import Final

from service.adapters.postgres.database import translated
from service.adapters.postgres.working import WorkingConnection

_LISTEN: Final = b"LISTEN returns_batches"


class Hints:
    """What one session hears. It listens from the first wait on, so that one which never waits leaves nothing behind."""

    def __init__(self, connection: WorkingConnection) -> None:
        self._connection = connection
        self._listens = False

    def wait(self, n: int, seconds: float) -> bool:
        """Until a batch after number `n` is told of, or so long; whether one may be there. Raises Retryable."""
        with translated():
            if not self._listens:
                self._connection.execute(_LISTEN)
                self._listens = True
                return True  # who knows what came before
            with closing(self._connection.notifies(timeout=seconds)) as told:
                # Those that were read already were told of too.
                return any(not notice.payload.isdecimal() or int(notice.payload) > n for notice in told)
