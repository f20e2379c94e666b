"""What a worker remembers of the journal, so that it need not ask: the latest states, and what never changes.

Only what is committed is remembered. Identifiers and labels keep their return for ever. A state may be stale, because
another worker appended to its return: then the next row collides with that worker's (see `journal`), and the state is
read again. An event that waits is what its row says, which is never changed: the row still says whether it waits. So
memory spares reads, and can do no harm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Final, Generic, TypeVar

from service.application.ports import Arrival
from service.domain.journey import State

Coordinates = tuple[str, bytes | None, int, int]  # a topic by its name and its id, a partition of it and an offset

_MOST_WAITING: Final = 8192  # events, of some KiB each at most

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of limited size that forgets what was not asked for long.

    In two halves: what was asked for lately, and what was before that. When the first half is full it becomes the
    second, and what stood there is forgotten. That takes no more than a look-up for each key, where an order of use
    takes three.
    """

    def __init__(self, size: int) -> None:
        self._half = size // 2
        self._late: dict[K, V] = {}
        self._before: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._late.keys() | self._before.keys())

    def find(self, keys: Collection[K]) -> dict[K, V]:
        """What is remembered of these."""
        self._make_room(len(keys))
        late, before, found = self._late, self._before, {}
        for key in keys:
            value = late.get(key)
            if value is None:
                value = before.get(key)
                if value is None:
                    continue
                if len(late) < self._half:
                    late[key] = value
            found[key] = value
        return found

    def keep(self, new: Mapping[K, V]) -> None:
        """Remember these, the newest."""
        self._make_room(len(new))
        if len(new) <= self._half:
            self._late.update(new)
        else:
            self._late = dict(islice(new.items(), len(new) - self._half, None))
            self._before = {}

    def _make_room(self, count: int) -> None:
        if len(self._late) + count > self._half:
            self._late, self._before = {}, self._late


class Memory:
    """Of one worker: the states of so many returns, as many identifiers and labels, and events that it parked lately."""

    def __init__(self, size: int) -> None:
        self.states: Recent[int, State] = Recent(size)
        self.returns: Recent[str, int] = Recent(size)
        self.labels: Recent[str, int] = Recent(size)
        self.waiting: Recent[Coordinates, Arrival] = Recent(min(size, _MOST_WAITING))
