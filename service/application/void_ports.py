"""What use cases need of voids that name nothing, as a protocol that a transaction of the journal fulfils too."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from service.wire.rows.unheard import Unheard

Names = Mapping[int, Collection[tuple[str, str]]]
"""Returns, and what voids of theirs name: (source, id)."""


class WatchesVoids(Protocol):
    """A part of a transaction; every method may raise what its others do."""

    def watch_voids(self, names: Names) -> None:
        """Have somebody look in an hour whether these returns still have no event of these names; after `append`."""

    def due_voids(self, limit: int) -> list[Unheard]:
        """The next voids that have named nothing for an hour or longer, as far as is known."""

    def forget_voids(self, due: Sequence[Unheard]) -> None:
        """They were looked at; after `append`. One that is watched anew since it was read stays."""
