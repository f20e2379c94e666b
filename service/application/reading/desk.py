"""What the operations desk shows of a return: all of it, and what the service made of each event."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from service.application.access.bounds import Bounds
from service.application.reading.local_time import LocalTime
from service.application.reading.numbers import numbers_of
from service.application.reading.public import Step, steps
from service.application.reading.redaction import Found, RedactedReturn
from service.application.reading.tracking import RecordedEvent, counts
from service.domain.events import Event, key_digest
from service.domain.evidence import CONFLICT, Sighting
from service.domain.journey import State
from service.domain.milestones import Milestone, Reason, Verdict
from service.wire.carriers import CarrierCode, CarrierTables
from service.wire.judging.descriptions import not_understood
from service.wire.models import EVENT_VOIDED, RETURN_CREATED, SLUG_PATTERN, compiled
from service.wire.rows.own import OWN_TYPES
from service.wire.stored import to_micros

# The kinds of number that the search knows, as filters of the list have them.
KINDS: Final = ("return_id", "tracking_number", "order_number", "connote", "retailer")
_MOST_CHARACTERS: Final = 128
_is_slug: Final = compiled(SLUG_PATTERN)


class SearchTerms(NamedTuple):
    """What a person may have meant by what was typed into the search box."""

    numbers: tuple[str, ...]
    orders: tuple[str, ...]
    retailer: str | None


class Match(NamedTuple):
    """What a number leads to, as one of KINDS; of many returns two are named."""

    kind: str
    value: str
    return_ids: tuple[str, ...]


class Standing(NamedTuple):
    """The status that the search table has of a return, since when, and the hub that moved it last."""

    status: str
    since: datetime
    hub: str | None


class ReturnDetail(NamedTuple):
    """A return with a page of its history, the newest row first; `is_cut`: fewer than asked for, since they are large.

    `standing` may lag, or be missing, for a moment.
    """

    return_id: str
    state: State
    standing: Standing | None
    rows: Sequence[RecordedEvent]
    is_cut: bool = False


class DeskReading(Protocol):
    """What the desk asks of the store, within the bounds of who asks. Every method may raise Retryable."""

    def find(self, bounds: Bounds, terms: SearchTerms) -> list[Match]:
        """Everything that these terms lead to, each kind of number by itself; empty where they lead nowhere.

        >>> reading.find(bounds, understand("A-4711"))
        [Match(kind='order_number', value='A-4711', return_ids=('R-1001',))]
        """

    def return_detail(self, bounds: Bounds, return_id: str, before: int | None, limit: int) -> ReturnDetail | None:
        """The return with the newest `limit` rows of its history whose `seq` is below `before` (None: of all), all of one
        moment. None where no creation of it is known, or it is outside of the bounds.
        """

    def past(self, bounds: Bounds, return_id: str, limit: int) -> Sequence[Event] | None:
        """All events of the return in the order of recording; None where there are more than `limit`, or
        more than a page may read of them, or it is outside of the bounds.
        """


class EventView(NamedTuple):
    """A row of the history, and what became of it."""

    row: RecordedEvent
    at: LocalTime
    milestone: Milestone | None
    reason: Reason | None
    counts: bool  # its milestone counts now
    leads: bool  # and the timeline has its time
    is_voided: bool
    meaning: CarrierCode | None  # what the carrier's table says of its code today
    voids: tuple[str, str] | None  # the source and id of the event that it takes back
    location: Mapping[str, str] | None
    is_settled: bool  # nobody needs to look at its reason any more
    not_understood: Sequence[str]  # members of its data that describe, and are wrong
    is_contradicted: bool = False  # a creation of a return whose creations contradict each other

    @property
    def can_be_voided(self) -> bool:
        """A void cannot be, nor what is void already, nor what the service itself has noted; a creation only in a conflict."""
        if self.row.type == RETURN_CREATED:
            return self.is_contradicted
        return self.row.type != EVENT_VOIDED and self.row.type not in OWN_TYPES and not self.is_voided


@dataclass(frozen=True, slots=True)
class ReturnDetailView:
    """The page of a return. `stuck_for` is set where it has not moved for longer than is usual."""

    return_id: str
    state: State
    hub: str | None
    since: datetime | None
    stuck_for: timedelta | None
    steps: tuple[Step, ...]
    events: tuple[EventView, ...]

    @property
    def status(self) -> Milestone:
        status = self.state.timeline.status
        if status is None:
            raise ValueError("a return without its creation has no detail")
        return status


def understand(text: str) -> SearchTerms:
    """What may be meant; nothing where it is too long or holds what no number holds.

    >>> understand("op 123 gb")
    SearchTerms(numbers=('op123gb', 'OP123GB'), orders=('op 123 gb', 'OP 123 GB'), retailer=None)
    """
    typed = unicodedata.normalize("NFKC", text).strip()
    if not typed or len(typed) > _MOST_CHARACTERS or not typed.isprintable():
        return SearchTerms((), (), None)
    retailer = typed.lower()
    orders = tuple(dict.fromkeys((typed, typed.upper())))
    return SearchTerms(numbers_of(typed), orders, retailer if _is_slug(retailer) else None)


def view_return_detail(
    found: ReturnDetail, tables: CarrierTables, due: Mapping[str, datetime], now: datetime
) -> ReturnDetailView:
    """What an agent sees of a return."""
    redacted = RedactedReturn(Found(found.return_id, found.state, list(reversed(found.rows))), tables)
    timeline, standing = found.state.timeline, found.standing
    # What the search table says of another status is over.
    known = standing if standing is not None and standing.status == timeline.status else None
    understood = {(row.source, row.id) for row in found.rows if row.verdict != Verdict.UNMAPPED}
    is_over = timeline.complete or timeline.closed is not None
    stuck = known is not None and not is_over and known.since < due.get(known.status, known.since)
    return ReturnDetailView(
        return_id=found.return_id,
        state=found.state,
        hub=None if standing is None else standing.hub,
        since=None if known is None else known.since,
        stuck_for=now - known.since if known is not None and stuck else None,
        steps=tuple(steps(redacted)),
        events=tuple(_event(redacted, row, understood) for row in found.rows),
    )


def _event(redacted: RedactedReturn, row: RecordedEvent, understood: Container[tuple[str, str]]) -> EventView:
    milestone = None if row.milestone is None else Milestone(row.milestone)
    location = row.location
    state = redacted.state
    counting = counts(row, state)
    first = None if milestone is None else state.timeline.counts.get(milestone)
    is_voided = key_digest(row.source, row.id) in state.voided and row.type != RETURN_CREATED
    evaluated_again = row.verdict == Verdict.UNMAPPED and (row.source, row.id) in understood
    waited = row.verdict in (Verdict.HELD, Verdict.REFUSED)
    sighting = Sighting(to_micros(row.occurred_at), row.source, row.id, location)
    return EventView(
        row=row,
        at=redacted.time_of_row(row) if milestone is None else redacted.time_of(milestone, sighting),
        milestone=milestone,
        reason=None if row.reason is None else Reason(row.reason),
        counts=counting,
        leads=counting and first is not None and (first.source, first.id) == (row.source, row.id),
        is_voided=is_voided,
        meaning=None if row.code is None else redacted.tables.lookup(str(row.data.get("carrier")), row.code),
        voids=(row.data["source"], row.data["id"]) if row.type == EVENT_VOIDED else None,
        location=location,
        is_settled=is_voided or evaluated_again or (waited and counting),
        not_understood=not_understood(row.type, row.data),
        is_contradicted=row.type == RETURN_CREATED and bool(state.evidence.flags & CONFLICT),
    )
