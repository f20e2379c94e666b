"""What a scan station asks, answered in memory: returns by their events, and the lists and connotes that follow from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from service.application.access.bounds import UNBOUND, Bounds
from service.application.access.within import row_within, state_within
from service.application.reading.connotes.listing import Connote, Delivery, ListedConnote, Member
from service.application.reading.filters import ReturnFilter
from service.application.reading.listing import STUCK_RETURNS, ListedReturn, Window
from service.application.reading.redaction import Found
from service.application.reading.tracking import HistoryPage
from service.domain.journey import State
from service.domain.milestones import Milestone
from service.wire.models import HUB_EXPORTED, RETURN_CREATED
from service.wire.stored import from_micros
from tests.support.found import found

Events = Sequence[dict[str, Any]]


class Shelf:
    """`ReturnReading`, `Listing` and `ConnoteReading` of returns, by their numbers, in the order of their creation.

    Lists and connotes know what was recorded when they were brought up to date last: see `record`. A moment is recorded as
    it happens. Of the members of a connote it looks at so many at a time; `histories` and `windows` tell what was read: of
    which returns, and of members from behind which.
    """

    def __init__(
        self, returns: Mapping[str, Events], deliveries: Mapping[str, datetime] | None = None, look: int = 10_000
    ) -> None:
        self._events = {number: list(events) for number, events in returns.items()}
        self._now = {number: found(number, events) for number, events in returns.items()}
        self._listed = dict(self._now)
        self._deliveries = deliveries or {}
        self._look = look
        self.histories: list[str] = []
        self.windows: list[int] = []

    def record(self, number: str, *events: dict[str, Any]) -> None:
        """What no list knows yet."""
        self._events[number] += events
        self._now[number] = found(number, self._events[number])

    def state(self, bounds: Bounds, return_id: str) -> State | None:
        known = self._now.get(return_id)
        return state_within(bounds, known.state) if known is not None and not _is_contested(bounds, known) else None

    def latest(self, bounds: Bounds, return_id: str) -> tuple[State, datetime] | None:
        raise NotImplementedError

    def states(self, bounds: Bounds, return_ids: Sequence[str]) -> dict[str, State]:
        return {each: state for each in return_ids if (state := self.state(bounds, each)) is not None}

    def history(self, bounds: Bounds, return_id: str, after: int, limit: int) -> HistoryPage | None:
        self.histories.append(return_id)
        state = self.state(bounds, return_id)
        if state is None:
            return None
        rows = [row_within(bounds, row) for row in self._now[return_id].rows if row.seq > after]
        return HistoryPage(state, rows[:limit], is_cut=len(rows) > limit)

    def returns(
        self, bounds: Bounds, wanted: ReturnFilter, due: Mapping[str, datetime], after: int | None, limit: int
    ) -> Window[ListedReturn]:
        rows = [row for row in self._rows(bounds, wanted, due) if after is None or row.return_no < after]
        return Window(sorted(rows, key=lambda row: -row.return_no)[:limit])

    def stuck_returns(
        self,
        bounds: Bounds,
        wanted: ReturnFilter,
        due: Mapping[str, datetime],
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> Window[ListedReturn]:
        rows = [row for row in self._rows(bounds, wanted, due) if after is None or STUCK_RETURNS.key_of(row) > after]
        return Window(sorted(rows, key=STUCK_RETURNS.key_of)[:limit])

    def connote(self, bounds: Bounds, connote: str, after: int, limit: int) -> Connote | None:
        self.windows.append(after)
        named = [each for each in self._members(UNBOUND) if self._names(each.return_id, connote)]
        seen = set(self._members(bounds))
        members, at = [each for each in named if each in seen], self._deliveries.get(connote)
        if not members and (at is None or bounds.everything is None):
            return None
        own = [each for each in members if each.connote == connote]
        under_way, delivered = ([each for each in own if each.status == status] for status in ("RE", "RDBTC"))
        exported = min((each.exported_at for each in under_way or delivered if each.exported_at), default=None)
        statuses = [(status, number, False) for status, number in Counter(each.status for each in members).items()]
        return Connote(
            ListedConnote(connote, len(under_way), len(delivered), exported, None),
            self._window([each for each in named if each.return_no > after][: self._look], seen, limit),
            statuses,
            [Delivery("/s", connote, "t", at, at, "event", "topic", 0, 1, {}, 0)] if at else [],
        )

    def _window(self, looked: Sequence[Member], seen: Container[Member], limit: int) -> Window[Member]:
        rows = [each for each in looked if each in seen][:limit]
        is_short = len(rows) < limit and len(looked) == self._look
        return Window(rows, (looked[-1].return_no,) if is_short else None)

    def exceptions(self, *_: Any, **__: Any) -> Any:
        """Nobody asks for it at a hub."""
        raise NotImplementedError

    parked = letters = letter = under_way = delivered = without_members = exceptions

    def _rows(self, bounds: Bounds, wanted: ReturnFilter, due: Mapping[str, datetime]) -> Iterator[ListedReturn]:
        filters = {name: value for name, value in wanted if value is not None and name != "stuck"}
        for return_no, known in enumerate(self._listed.values(), start=1):
            if state_within(bounds, known.state) is None or _is_contested(bounds, known):
                continue
            row = _listed(return_no, known)
            is_stuck = not row.complete and row.status in due and row.status_recorded_at < due[row.status]
            is_wanted = all(_is(getattr(row, name), value) for name, value in filters.items())
            if is_wanted and wanted.stuck in {None, is_stuck}:
                yield row

    def _members(self, bounds: Bounds) -> Iterator[Member]:
        for row in self._rows(bounds, ReturnFilter(), {}):
            exported = self._listed[row.return_id].state.timeline.counts.get(Milestone.RE)
            at = None if exported is None else from_micros(exported.at)
            yield Member(
                row.return_no, row.return_id, row.retailer, row.status, row.complete, row.status_at, None, row.connote, at
            )  # fmt: skip

    def _names(self, return_id: str, connote: str) -> bool:
        """Whether an export names it."""
        exports = (row for row in self._listed[return_id].rows if row.type == HUB_EXPORTED)
        return any(row.data["connote"] == connote for row in exports)


def _is(said: object, wanted: object) -> bool:
    return said in wanted if isinstance(wanted, tuple) else said == wanted


def _is_contested(bounds: Bounds, known: Found) -> bool:
    """Created for several retailers, a return is seen by nobody who is bound."""
    retailers = {row.data["retailer"] for row in known.rows if row.type == RETURN_CREATED}
    return bounds.everything is None and len(retailers) > 1


def _listed(return_no: int, known: Found) -> ListedReturn:
    state = known.state
    attributes, status = state.evidence.attributes, state.timeline.status
    assert attributes is not None
    assert status is not None
    at = from_micros(state.timeline.counts[status].at)
    hubs = [row.data["hub"] for row in known.rows if "hub" in row.data]
    return ListedReturn(
        return_no, known.number, attributes.retailer, attributes.order_number, attributes.route.value, attributes.carrier,
        attributes.tracking_number, state.evidence.connote, status.value, state.version, state.timeline.complete,
        hubs[-1] if hubs else None, at, at, at, at,
    )  # fmt: skip
