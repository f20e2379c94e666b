"""What a worker remembers of the journal, so that it need not ask: the latest states, and what never changes.

Only what is committed is remembered. Identifiers and labels keep their return for ever. A state may be stale, because
another worker appended to its return: then the next row collides with that worker's (see `journal`), and the state is
read again. So memory spares reads, and can do no harm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Generic, TypeVar

from service.application.ports import Pair
from service.domain.journey import State

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of limited size that forgets what was not asked for longest."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[K, V] = {}  # in the order of use

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, keys: Collection[K]) -> dict[K, V]:
        """What is remembered of these."""
        entries, found = self._entries, {}
        for key in keys:
            value = entries.pop(key, None)
            if value is not None:
                found[key] = entries[key] = value
        return found

    def keep(self, new: Mapping[K, V]) -> None:
        """Remember these, the newest."""
        entries = self._entries
        for key, value in new.items():
            entries.pop(key, None)
            entries[key] = value
        for key in list(islice(entries, max(0, len(entries) - self._size))):
            del entries[key]


class Memory:
    """Of one worker: the states of so many returns, and as many identifiers and labels."""

    def __init__(self, size: int) -> None:
        self.states: Recent[int, State] = Recent(size)
        self.returns: Recent[str, int] = Recent(size)
        self.labels: Recent[Pair, int] = Recent(size)
