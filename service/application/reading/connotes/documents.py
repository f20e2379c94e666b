"""Connotes as the API, the desk and files have them: pages of the list, and one with a page of its members."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from service.application.access.bounds import Bounds
from service.application.commands.acknowledging import Acknowledgement
from service.application.reading.connotes.listing import (
    DELIVERED,
    MEMBERS,
    UNDER_WAY,
    WITHOUT_MEMBERS,
    Connote,
    ConnoteReading,
    Delivery,
    ListedConnote,
    Member,
    UnclaimedDelivery,
)
from service.application.reading.documents import text_of
from service.application.reading.filters import ConnoteFilter, ConnoteState
from service.application.reading.listing import ListSpec, Window
from service.application.reading.pages import Page, PageKey, WrongPageKey, key_of, page_of
from service.domain.milestones import NAMES, Milestone
from service.wire.judging.descriptions import location_of
from service.wire.models import CONNOTE_DELIVERED
from service.wire.rows.exception_ids import NamedWait, Waits, waiting_id

NOT_EXPORTED: Final = "not_exported"  # exports name it, and none of them counts
_TRAVELLING: Final = frozenset({Milestone.RE.value, Milestone.RDBTC.value})


class _Part(NamedTuple):
    """The list of the connotes in one state."""

    state: ConnoteState
    spec: ListSpec[Any]
    read: Callable[[Any, int], Window[Any]]  # from behind a key on, so many


def list_connotes(
    reading: ConnoteReading, bounds: Bounds, wanted: ConnoteFilter, limit: int, after: PageKey | None, now: datetime
) -> Page:
    """Connotes under way, the longest first; behind them those that were delivered, the latest first; behind them, for who is
    not bound and asks for no retailer, those that were delivered without members.

    At most `limit` items from behind the page that ended at `after` on (None: the first page). Raises WrongPageKey where no
    page of this list ends there, and Retryable.
    """
    parts = _parts(reading, bounds, wanted)
    at, key = _beginning(parts, after)
    items: list[dict[str, Any]] = []
    for part in parts[at:]:
        room = limit - len(items)
        if not room:
            return Page(items, (part.spec.mark,))
        page = page_of(part.spec, part.read(key, room + 1), room, lambda row: connote_item(row, now))
        items, key = items + page.items, None
        if page.end is not None:
            return Page(items, page.end)
    return Page(items, None)


def _parts(reading: ConnoteReading, bounds: Bounds, wanted: ConnoteFilter) -> list[_Part]:
    everything = bounds.everything
    found = [
        _Part(ConnoteState.UNDER_WAY, UNDER_WAY, lambda key, limit: reading.under_way(bounds, wanted, key, limit)),
        _Part(ConnoteState.DELIVERED, DELIVERED, lambda key, limit: reading.delivered(bounds, wanted, key, limit)),
    ]
    if everything is not None and wanted.retailer is None:
        without = _Part(
            ConnoteState.WITHOUT_MEMBERS,
            WITHOUT_MEMBERS,
            lambda key, limit: reading.without_members(everything, wanted, key, limit),
        )
        found = [without] if wanted.acknowledged else [*found, without]
    elif wanted.acknowledged:
        found = []
    return [part for part in found if wanted.state in (None, part.state)]


def _beginning(parts: list[_Part], after: PageKey | None) -> tuple[int, tuple[Any, ...] | None]:
    """In which part to go on, and from behind which key; a mark alone is the beginning of its part."""
    if after is None:
        return 0, None
    for number, part in enumerate(parts):
        if after[:1] == (part.spec.mark,):
            return number, None if len(after) == 1 else key_of(after, part.spec)
    raise WrongPageKey


def connote_item(row: ListedConnote | UnclaimedDelivery, now: datetime) -> dict[str, Any]:
    """The document of a connote in a list."""
    if isinstance(row, UnclaimedDelivery):
        at, by, note = row.acknowledged_at, row.acknowledged_by, row.acknowledged_note
        seen = None if at is None else Acknowledgement(at, by, note)
        return _without_members(ListedConnote(row.connote, 0, 0, None, row.delivered_at), seen, now)
    state = ConnoteState.UNDER_WAY.value if row.under_way else ConnoteState.DELIVERED.value
    return _head(row, state, now)


def _without_members(row: ListedConnote, seen: Acknowledgement | None, now: datetime) -> dict[str, Any]:
    return {
        **_head(row, ConnoteState.WITHOUT_MEMBERS.value, now),
        "exception_id": waiting_id(NamedWait(Waits.CONNOTE, row.connote)),
        "acknowledged": None if seen is None else {"at": text_of(seen.at), "by": seen.by, "note": seen.note},
    }


def _head(row: ListedConnote, state: str, now: datetime) -> dict[str, Any]:
    return {
        "connote": row.connote,
        "state": state,
        "members": row.under_way + row.delivered,
        "under_way": row.under_way,
        "delivered": row.delivered,
        "exported_at": text_of(row.exported_at),
        "delivered_at": text_of(row.delivered_at),
        "days_under_way": _days(row, now),
        "exception_id": None,
        "acknowledged": None,
    }


def _days(row: ListedConnote, now: datetime) -> int | None:
    """Whole days since the export, to now while anything is under way, else to the delivery."""
    until = now if row.under_way else row.delivered_at
    if row.exported_at is None or until is None:
        return None
    return max((until - row.exported_at).days, 0)


def head_item(found: Connote, now: datetime) -> dict[str, Any]:
    """What is said of a connote as lists say it; its state may be NOT_EXPORTED, too."""
    head = found.head
    if head.under_way or head.delivered:
        return connote_item(head, now)
    if found.statuses:
        return _head(head, NOT_EXPORTED, now)
    delivery = found.deliveries[0] if found.deliveries else None
    known = head._replace(delivered_at=None if delivery is None else delivery.occurred_at)
    return _without_members(known, found.acknowledged, now)


def find_connote(
    reading: ConnoteReading, bounds: Bounds, connote: str, limit: int, after: PageKey | None, now: datetime
) -> tuple[dict[str, Any], Page] | None:
    """A connote without its members, and a page of them in the order of their creation. None for one that nothing names, or
    of which nothing is seen. Raises WrongPageKey and Retryable.
    """
    (return_no,) = (0,) if after is None else key_of(after, MEMBERS)
    found = reading.connote(bounds, connote, return_no, limit + 1)
    if found is None:
        return None
    document = {**head_item(found, now), "deliveries": [_delivery(each) for each in found.deliveries]}
    return document, page_of(MEMBERS, found.members, limit, lambda member: _member(member, connote))


def travels(member: Member, connote: str) -> bool:
    """Whether the return's export under this connote counts."""
    return member.connote == connote and member.status in _TRAVELLING


def _member(member: Member, connote: str) -> dict[str, Any]:
    is_travelling = travels(member, connote)
    return {
        "return_id": member.return_id,
        "retailer": member.retailer,
        "status": member.status,
        "status_name": None if member.status is None else NAMES[Milestone(member.status)],
        "status_at": text_of(member.status_at),
        "complete": member.complete,
        "travels": is_travelling,
        "connote": member.connote,
        "exported_at": text_of(member.exported_at) if is_travelling else None,
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "source": delivery.source,
        "id": delivery.id,
        "occurred_at": text_of(delivery.occurred_at),
        "recorded_at": text_of(delivery.recorded_at),
        "location": location_of(CONNOTE_DELIVERED, delivery.data),
    }
