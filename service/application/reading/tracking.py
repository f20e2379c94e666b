"""The read side: a return's document and its history, as the API gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from service.application.access.bounds import Bounds
from service.domain.events import key_digest
from service.domain.evidence import UNCREATED
from service.domain.journey import State
from service.domain.labels import Windows, window_for
from service.domain.milestones import Milestone, Reason
from service.wire.documents import return_document
from service.wire.judging.descriptions import location_of
from service.wire.models import CARRIER_SCANNED
from service.wire.rows.claimed import label_of, retailers_of
from service.wire.stored import to_micros
from service.wire.times import rfc3339


class RecordedEvent(NamedTuple):
    """A row of the history."""

    seq: int
    source: str
    id: str
    type: str
    code: str | None
    milestone: str | None
    occurred_at: datetime
    recorded_at: datetime
    verdict: str
    reason: str | None
    zone_source: str
    topic: str
    partition: int
    offset: int
    data: Mapping[str, Any]
    utc_offset: int | None = None  # minutes east of UTC that `time` came with; read where clocks are told
    retailers: str | None = None  # of a scan, for whose claims alone it counts
    is_anothers: bool = False  # a scan that another return's claim of its label has taken away since

    @property
    def location(self) -> Mapping[str, str] | None:
        """Where it happened, as far as that is understood; what stands in `data` may be anything."""
        return location_of(self.type, self.data)


class HistoryPage(NamedTuple):
    """Rows of one moment with the state. `is_cut`: there are more of those that were asked for; a page has a bound in bytes."""

    state: State
    rows: Sequence[RecordedEvent]
    is_cut: bool = False


class ReturnReading(Protocol):
    """One return, as the journal has it now. Every method may raise Retryable."""

    def state(self, bounds: Bounds, return_id: str) -> State | None:
        """The return's state within the bounds; None for a return whose creation has not come, or that is outside of them."""

    def latest(self, bounds: Bounds, return_id: str) -> tuple[State, datetime] | None:
        """The same, and when its last row was recorded."""

    def states(self, bounds: Bounds, return_ids: Sequence[str]) -> Mapping[str, State]:
        """Of several returns at one moment, by their numbers, those that `state` would find."""

    def history(self, bounds: Bounds, return_id: str, after: int, limit: int) -> HistoryPage | None:
        """At most `limit` rows with a `seq` above `after` (0: from the first), and fewer where they are large.

        None for a return whose creation has not come, or that is outside of the bounds.
        """


def find_return(reading: ReturnReading, bounds: Bounds, return_id: str) -> dict[str, Any] | None:
    """The return's document, or None."""
    found = reading.latest(bounds, return_id)
    if found is None:
        return None
    state, updated_at = found
    return return_document(return_id, state, updated_at=rfc3339(to_micros(updated_at)))


def find_history(
    reading: ReturnReading, bounds: Bounds, return_id: str, after: int, limit: int
) -> tuple[list[dict[str, Any]], int] | None:
    """A page of the history in the order of recording, and the `seq` that the next one starts after: 0 if there is none.

    None for a return that is not known. Raises Retryable.

    >>> items, after = find_history(reading, bounds, "R-1001", 0, 100)
    >>> more = find_history(reading, bounds, "R-1001", after, 100) if after else None
    """
    found = reading.history(bounds, return_id, after, limit + 1)  # one more tells whether there is a next page
    if found is None:
        return None
    shown = found.rows[:limit]
    items = [history_item(row, found.state) for row in shown]
    return items, shown[-1].seq if found.is_cut or len(found.rows) > limit else 0


class _Recorded(Protocol):
    @property
    def source(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def code(self) -> str | None: ...
    @property
    def milestone(self) -> str | None: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime: ...


def event_head(row: _Recorded) -> dict[str, Any]:
    """What an event of a history is known by, as JSON."""
    return {
        "source": row.source,
        "id": row.id,
        "type": row.type,
        "code": row.code,
        "milestone": row.milestone,
        "occurred_at": rfc3339(to_micros(row.occurred_at)),
        "recorded_at": rfc3339(to_micros(row.recorded_at)),
    }


def history_item(row: RecordedEvent, state: State) -> dict[str, Any]:
    """One event as the API shows it; every value is JSON."""
    return {
        **event_head(row),
        "verdict": row.verdict,
        "reason": row.reason,
        "counts": counts(row, state),
        "zone_source": row.zone_source,
        "location": row.location,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "data": row.data,
    }


def is_anothers(row: RecordedEvent, windows: Windows, state: State) -> bool:
    """Whether a scan in a return's history is another return's by now, by the windows of its labels (and of what a scan is
    bound to), as the history says them. From when on a label is the return's is not asked: see `counts`.
    """
    if row.type != CARRIER_SCANNED:
        return False
    attributes = state.evidence.attributes
    retailer = None if attributes is None else attributes.retailer
    window = window_for(windows, label_of(row.data), retailers_of(row.retailers), retailer)
    return window is None or not window.takes(to_micros(row.occurred_at))


_WRONG_PLACE: Final = (Reason.RETURNED_TO_SENDER, Reason.BEFORE_EXPORT, Reason.BEFORE_LABEL)


def counts(row: RecordedEvent, state: State) -> bool:
    """Whether the event asserts a milestone that counts now, which its verdict of back then cannot tell.

    A voided event asserts nothing, nor does a creation that is void. What is earlier than the one that counts was none of the
    return's: a delivery from before its export, or back at its sender. A delivery is one of the connote that brought it. A scan
    that is another return's since counts there.
    """
    sighting = None if row.milestone is None else state.timeline.counts.get(Milestone(row.milestone))
    if sighting is None or to_micros(row.occurred_at) < sighting.at:
        return False
    if row.is_anothers:
        return False
    if row.milestone == Milestone.RDBTC and row.data.get("connote") != state.evidence.connote:
        return False
    if row.reason in _WRONG_PLACE:
        return False
    is_named = key_digest(row.source, row.id) in state.voided
    # A void of a creation is heard where another one contradicts it.
    return not is_named or (row.milestone == Milestone.RC and not state.evidence.flags & UNCREATED)
