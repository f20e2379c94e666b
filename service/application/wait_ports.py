"""What use cases need of what waits and is no return's, as a protocol that a transaction of the journal fulfils too."""

from __future__ import annotations

from typing import Protocol


class TellsWaits(Protocol):
    """A part of a transaction; every method may raise what its others do."""

    def tell_waits(self, new: int, known: int) -> int:
        """Note for subscribers which waits opened, of so many `new` events of a kind, and which are over, of so many that are
        `known`, in turn; how many it was. More are `new` where one transaction recorded more.

        Nothing where another worker looks. A wait opens once an event has been parked, or a connote without members
        delivered, for an hour.
        """

    def tell_waits_again(self) -> None:
        """Have the next looks tell of those once more that are open: it is not known whether subscribers hold them."""
