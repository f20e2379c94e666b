"""Acknowledges what waits and is no return's: parked events, by their return or label, and connotes delivered without members.

They have no history to hold anything against. An acknowledgement of theirs says which batch of the journal was the newest
when the list was read, and holds while nothing of a later one waits under the same name: another scan of the label,
another event of the return, another delivery of the connote, and all of it is shown again. Batches are numbered in the order
of their commits, so what nobody saw is of a later one. See `acknowledging` for exceptions of returns, and ADR 31.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from service.application.access.bounds import Bounds
from service.application.access.callers import Who
from service.application.commands.acknowledging import (
    LONGEST_NAME,
    Acknowledgement,
    ChangedException,
    UnknownException,
)
from service.wire.rows.exception_ids import NamedWait


class WaitingException(NamedTuple):
    """What waits under a name: so many events, counted up to a bound, the oldest since `since`.

    `upto` is the newest batch there was when it was looked at; `is_newer`: something of it is of a later one than was asked for.
    """

    named: NamedWait
    upto: int
    events: int
    since: datetime
    is_newer: bool
    acknowledged: Acknowledgement | None


class WaitingExceptions(Protocol):
    """What waits, and what people have seen of it. Every method may raise Retryable."""

    def find(self, bounds: Bounds, named: NamedWait, seen: int | None) -> WaitingException | None:
        """It, acknowledged or not; None where nothing waits so, or it is not seen within bounds.

        `seen` is the batch up to which it was looked at before.
        """

    def keep(self, found: WaitingException, who: Who, by: str, note: str) -> Acknowledgement | None:
        """Remember it, in place of what was there; None where the journal has no such batch."""


class Waiting:
    """The use case.

    >>> found = waiting.find(caller.bounds, NamedWait(Waits.LABEL, "generic/GX-1"))  # before anything is noted
    >>> waiting.acknowledge(found, caller.who, "The portal sends the creation tomorrow.")
    """

    def __init__(self, exceptions: WaitingExceptions) -> None:
        self._exceptions = exceptions

    def look(self, bounds: Bounds, named: NamedWait) -> WaitingException | None:
        """What waits under the name, acknowledged or not. Raises Retryable."""
        return self._exceptions.find(bounds, named, None)

    def find(self, bounds: Bounds, named: NamedWait, seen: int | None = None) -> WaitingException:
        """What may be acknowledged; `seen` is the `upto` of what was looked at, None: what there is now.

        Raises UnknownException, ChangedException and Retryable.
        """
        found = self._exceptions.find(bounds, named, seen)
        if found is None:
            raise UnknownException
        if found.is_newer:
            raise ChangedException
        return found if seen is None else found._replace(upto=min(seen, found.upto))

    def acknowledge(self, found: WaitingException, who: Who, note: str) -> Acknowledgement:
        """Hides it until it changes. Safe to repeat. Raises ChangedException, and Retryable."""
        kept = self._exceptions.keep(found, who, who.name[:LONGEST_NAME], note)
        if kept is None:
            raise ChangedException
        return kept
