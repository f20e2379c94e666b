"""Which events give an exception now: found in the history when somebody looks, for they come and go with every event."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from service.application.reading.connotes.listing import UnclaimedDelivery
from service.application.reading.listing import ListedException, ParkedEvent
from service.application.reading.tracking import event_head
from service.domain.events import Event
from service.domain.exceptional import giving
from service.domain.milestones import Reason
from service.domain.rules import DEFAULT, Rules
from service.wire.stored import from_micros

NOT_TOLD: Final[dict[str, Any]] = {"events": None, "events_cut": False}
"""Of what waits: each event of it is listed itself."""
MOST_EVENTS: Final = 20  # that are told of one exception


class PastEvent(NamedTuple):
    """An event of a return's history: its row's number, the code that a scan had, and when it was recorded."""

    seq: int
    event: Event
    code: str | None
    recorded_at: datetime

    @property
    def source(self) -> str:
        """With `id`, its name."""
        return self.event.source

    @property
    def id(self) -> str:
        return self.event.id

    @property
    def type(self) -> str:
        """The CloudEvent's."""
        return self.event.words.type

    @property
    def milestone(self) -> str | None:
        """What it asserts."""
        return self.event.milestone

    @property
    def occurred_at(self) -> datetime:
        """When it happened."""
        return from_micros(self.event.at)


class Pasts(Protocol):
    """The histories of returns. May raise Retryable."""

    def pasts(self, return_nos: Collection[int]) -> Mapping[int, Sequence[PastEvent]]:
        """By the return's number, each in the order of recording and whole; none of one that is too long to be read for this,
        or for which there is no room left.
        """


class GivenBy(NamedTuple):
    """The events that give an exception, the earliest first, as many as are told of all of them."""

    events: Sequence[PastEvent]
    number: int

    @property
    def is_cut(self) -> bool:
        return self.number > len(self.events)


class Giving:
    """Says of exceptions which events give them, by the rules by which returns are decided today.

    What is told is within every bound within which the exception itself is seen: a creation for another retailer is void then,
    and gives nothing, nor does a scan of a label that such a one alone names.
    """

    def __init__(self, pasts: Pasts, rules: Rules = DEFAULT) -> None:
        self._pasts, self._rules = pasts, rules

    def of_returns(self, return_nos: Collection[int]) -> dict[int, dict[Reason, GivenBy]]:
        """Of each return: every reason that it gives, and by which events; nothing of one of which it takes too much to say."""
        pasts = self._pasts.pasts(list(return_nos)) if return_nos else {}
        return {return_no: given_by(past, self._rules) for return_no, past in pasts.items()}

    def of(self, rows: Sequence[ListedException | ParkedEvent | UnclaimedDelivery]) -> list[dict[str, Any]]:
        """What is told of each of these rows beside itself, in their order. Raises Retryable."""
        open_ = (row.return_no for row in rows if isinstance(row, ListedException) and row.resolved_at is None)
        found = self.of_returns(dict.fromkeys(open_))
        return [_told(row, found) if isinstance(row, ListedException) else NOT_TOLD for row in rows]


def _told(row: ListedException, found: Mapping[int, Mapping[Reason, GivenBy]]) -> dict[str, Any]:
    if row.resolved_at is not None:
        return {"events": [], "events_cut": False}
    given = found.get(row.return_no, {}).get(Reason(row.reason))
    if given is None:  # nobody looked, or it was given by rules of before
        return {"events": [event_head(row)], "events_cut": row.return_no not in found}
    return {"events": [event_head(each) for each in given.events], "events_cut": given.is_cut}


def given_by(past: Sequence[PastEvent], rules: Rules = DEFAULT, most: int = MOST_EVENTS) -> dict[Reason, GivenBy]:
    """Of a whole history: every reason that it gives, with the events that do."""
    rows = dict[bytes, PastEvent]()
    for each in past:
        rows.setdefault(each.event.identity, each)  # a code that became known has a second row
    given = giving((each.event for each in past), rules)
    return {
        reason: GivenBy([rows[event.identity]._replace(event=event) for event in events[:most]], len(events))
        for reason, events in given.items()
    }
