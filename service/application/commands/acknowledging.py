"""Acknowledges an exception: a person has seen it and says what of it, which hides it until it changes.

An exception is a (return, reason) pair, named as on the topic of exceptions. **It changes** whenever a row of the history
begins one of this reason: the reason is there again after it was resolved, or another event gives it, too. That is each
time that the topic tells of it as open. It does not change when one of several events that give it is voided: of what is
left nothing is new.

What is kept says up to which row of the return's history the lists reflected it then, and of which batch that row is.
Whoever reads lists holds each acknowledgement against both: see `adapters/postgres/reading/acknowledged.py`. So what
is made anew (`project --rebuild`), set back to a backup or given a number again hides nothing that nobody saw. The history
and the topics know nothing of it: they are what happened to parcels, and a timeline is a function of that.

Its events need not be the caller's own to say: within bounds a return is seen, and whoever is bound to carriers or hubs
acknowledges what those said and nothing else, as with voids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from service.application.access.bounds import Bounds
from service.application.access.callers import Who
from service.application.commands.speaking import require_speaker
from service.domain.milestones import Reason

LONGEST_NOTE: Final = 1024  # characters, as of the reason of a void
NOTE_PATTERN: Final = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"
LONGEST_NAME: Final = 256


class Acknowledgement(NamedTuple):
    """Who has seen an exception, when, and what was said of it. Within bounds of hubs nobody is told who or what."""

    at: datetime
    by: str | None
    note: str | None


class ReturnException(NamedTuple):
    """What the lists have of a return's exceptions of one reason.

    `seq` is that of the newest row of the history that they reflect, and `begun` that of the row with which the newest of
    them began. `events` give the reason now, since `since` the longest; none: it is resolved. They are counted up to a bound.
    """

    return_no: int
    return_id: str
    reason: Reason
    seq: int
    begun: int
    events: int
    since: datetime | None
    acknowledged: Acknowledgement | None


class Said(NamedTuple):
    """An event by which an exception began: its type, and of its data what says whose it is."""

    type: str
    data: Mapping[str, Any]


class UnknownException(Exception):
    """The lists have none of this return and reason, or none that is seen."""


class ResolvedException(Exception):
    """Nothing gives its reason any more."""


class ChangedException(Exception):
    """It has changed since it was looked at."""


class ReturnExceptions(Protocol):
    """The exceptions of returns, and what people have seen of them. Every method may raise Retryable."""

    def of_return(self, bounds: Bounds, return_id: str) -> Sequence[ReturnException]:
        """Those that are open, acknowledged or not, in the order of `Reason`; none of a return that is not seen."""

    def find(self, bounds: Bounds, return_id: str, reason: Reason) -> ReturnException | None:
        """This one, resolved or not; None where the lists have none, or it is outside of the bounds."""

    def said(self, found: ReturnException) -> Sequence[Said]:
        """By whose words the open ones began, each once; of very many the newest."""

    def keep(self, found: ReturnException, who: Who, by: str, note: str) -> Acknowledgement | None:
        """Remember it. The same words of the same token again change nothing, other ones take the place of what was there.

        None where the lists know more by now than was found.
        """


class Acknowledging:
    """The use case.

    >>> found = acknowledging.find(caller.bounds, "R-1001", Reason.AWAITING_PROCESSED)  # before anything is noted
    >>> acknowledging.acknowledge(found, caller.who, "The hub knows.")
    """

    def __init__(self, exceptions: ReturnExceptions) -> None:
        self._exceptions = exceptions

    def of_return(self, bounds: Bounds, return_id: str) -> Sequence[ReturnException]:
        """The open ones of a return, acknowledged or not. Raises Retryable."""
        return self._exceptions.of_return(bounds, return_id)

    def find(self, bounds: Bounds, return_id: str, reason: Reason, seen: int | None = None) -> ReturnException:
        """The exception, if it may be acknowledged; `seen` is the `seq` of what was looked at, None: what there is now.

        Raises UnknownException, ResolvedException, ChangedException, InvalidEvent for what is somebody else's to say, and Retryable.
        """
        found = self._exceptions.find(bounds, return_id, reason)
        if found is None:
            raise UnknownException
        if not found.events:
            raise ResolvedException
        if found.begun > found.seq or (seen is not None and found.begun > seen):
            raise ChangedException
        if bounds.carriers or bounds.hubs:
            for said in self._exceptions.said(found):
                require_speaker(bounds, said.type, said.data)
        return found if seen is None else found._replace(seq=min(seen, found.seq))

    def acknowledge(self, found: ReturnException, who: Who, note: str) -> Acknowledgement:
        """Hides it until it changes. Safe to repeat. Raises ChangedException, and Retryable."""
        kept = self._exceptions.keep(found, who, who.name[:LONGEST_NAME], note)
        if kept is None:
            raise ChangedException
        return kept
