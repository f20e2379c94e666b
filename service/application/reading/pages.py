"""Pages of the lists: their documents, and for each page where the next one starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from service.application.access.bounds import Bounds
from service.application.reading.connotes.listing import WITHOUT_MEMBERS, ConnoteReading
from service.application.reading.documents import exception_item, letter_item, return_item
from service.application.reading.exceptions.given import Giving
from service.application.reading.filters import ConnoteFilter, ExceptionFilter, LetterFilter, ReturnFilter
from service.application.reading.listing import (
    EXCEPTIONS,
    LETTERS,
    PARKED_EVENTS,
    RETURNS,
    STUCK_RETURNS,
    KeyType,
    Listing,
    ListSpec,
    Window,
)
from service.domain.milestones import Milestone
from service.wire.stored import from_micros, to_micros

LIST_VALUE_BYTES: Final = 4096  # a list shows what it can of a dead letter; the letter by itself shows all

_LATEST_MICROS: Final = 253_402_300_799_999_999  # the last moment of the year 9999
_KEPT: Final = re.compile(r"[^\0\ud800-\udfff]*")  # what PostgreSQL keeps of a text
_LARGEST: Final[dict[KeyType, int]] = {"int4": 2**31 - 1, "int8": 2**63 - 1, "timestamptz": _LATEST_MICROS}

# Where a page ends: the mark of its list, and the key of its last row, as JSON has it. Moments are microseconds since
# 1970-01-01 UTC.
PageKey = tuple[int | str, ...]
_OF_EXCEPTIONS: Final[tuple[ListSpec[Any], ...]] = (EXCEPTIONS, PARKED_EVENTS, WITHOUT_MEMBERS)
_LAST: Final = "~"  # behind every kind of parked event, and every connote
_EMPTY_PAGES: Final = 20  # in a row; a person waits no longer
_Row = TypeVar("_Row")


class Page(NamedTuple):
    """The items of a page, and where it ends if there may be another one behind it."""

    items: list[dict[str, Any]]
    end: PageKey | None


class WrongPageKey(ValueError):
    """No page of this list ends there."""


def list_returns(
    listing: Listing,
    bounds: Bounds,
    wanted: ReturnFilter,
    limit: int,
    after: PageKey | None,
    due: Mapping[str, datetime],
) -> Page:
    """Returns, the newest first; of the stuck ones, the one that has not moved for longest.

    At most `limit` items from behind the page that ended at `after` on (None: the first page); `due` is that of
    `due_times`. Raises WrongPageKey where no page of this list ends there, and Retryable.
    """
    if wanted.stuck:
        key = None if after is None else key_of(after, STUCK_RETURNS)
        return page_of(
            STUCK_RETURNS, listing.stuck_returns(bounds, wanted, due, key, limit + 1), limit, return_item(due)
        )
    (return_no,) = (None,) if after is None else key_of(after, RETURNS)
    return page_of(RETURNS, listing.returns(bounds, wanted, due, return_no, limit + 1), limit, return_item(due))


def list_exceptions(
    listing: Listing,
    bounds: Bounds,
    wanted: ExceptionFilter,
    limit: int,
    after: PageKey | None,
    *,
    connotes: ConnoteReading | None = None,
    giving: Giving | None = None,
) -> Page:
    """Exceptions and what waits, the newest first; of one moment the parked events come last, and behind them the deliveries of
    connotes without members, which are listed where `connotes` reads them and nobody is bound. With `giving` each says which
    events give it.

    Raises WrongPageKey and Retryable, as `list_returns` does.
    """
    recorded_key, parked_key, unclaimed_key = _exception_keys(after)
    none, everything = Window[Any]([]), bounds.everything
    recorded = listing.exceptions(bounds, wanted, recorded_key, limit + 1) if wanted.wants_recorded else none
    parked = listing.parked(bounds, wanted, parked_key, limit + 1) if wanted.wants_parked else none
    unclaimed = none
    if connotes is not None and everything is not None and wanted.wants_unclaimed:
        state = ConnoteFilter(acknowledged=wanted.acknowledged)
        unclaimed = connotes.without_members(everything, state, unclaimed_key, limit + 1)
    windows = list(enumerate(zip(_OF_EXCEPTIONS, (recorded, parked, unclaimed), strict=True)))
    # Of those that were looked through further, what is behind the end of another has to wait for another page.
    ends = [(at.upto[0], -place, _page_key(spec, at.upto)) for place, (spec, at) in windows if at.upto is not None]
    end = max(ends, key=lambda each: each[:2], default=None)
    rows = [(row.recorded_at, -place, spec, row) for place, (spec, found) in windows for row in found.rows]
    if end is not None:
        rows = [row for row in rows if row[:2] >= end[:2]]
    rows.sort(key=lambda row: row[0], reverse=True)  # stable: each keeps its own order within a moment
    shown = [row for *_, row in rows[:limit]]
    items = [exception_item(row) for row in shown]
    if giving is not None:
        items = [item | told for item, told in zip(items, giving.of(shown), strict=True)]
    if len(rows) > limit:
        _, _, spec, last = rows[limit - 1]
        return Page(items, _page_key(spec, spec.key_of(last)))
    return Page(items, None if end is None else end[2])


def list_letters(
    listing: Listing,
    bounds: Bounds,
    wanted: LetterFilter,
    limit: int,
    after: PageKey | None,
    *,
    value_bytes: int = LIST_VALUE_BYTES,
) -> Page:
    """Dead letters, the newest first, with values of up to `value_bytes` bytes; none within bounds, for they are nobody's.

    Raises WrongPageKey and Retryable, as `list_returns` does.
    """
    key = None if after is None else key_of(after, LETTERS)
    if bounds.everything is None:
        return Page([], None)
    return page_of(LETTERS, listing.letters(bounds.everything, wanted, key, limit + 1, value_bytes), limit, letter_item)


def read_on(read: Callable[[PageKey | None], Page], after: PageKey | None) -> Page:
    """The next page with anything on it, for a person: within reason, past those on which looking found nothing.

    `read` answers with the page from behind a key on.
    """
    page = read(after)
    for _ in range(_EMPTY_PAGES):
        if page.items or page.end is None:
            break
        page = read(page.end)
    return page


def due_times(stuck_hours: Mapping[Milestone, float], now: datetime) -> dict[str, datetime]:
    """For each status, the time since which a return in it is stuck.

    >>> due_times({Milestone.DS: 24}, datetime(2026, 11, 25, tzinfo=UTC))
    {'DS': datetime.datetime(2026, 11, 24, 0, 0, tzinfo=datetime.timezone.utc)}
    """
    return {status.value: now - timedelta(hours=hours) for status, hours in stuck_hours.items()}


def page_of(spec: ListSpec[_Row], found: Window[_Row], limit: int, item: Callable[[_Row], dict[str, Any]]) -> Page:
    """A page of up to `limit` items: one row more than it holds tells that there is another page."""
    rows = found.rows
    end = spec.key_of(rows[limit - 1]) if len(rows) > limit else found.upto
    return Page([item(row) for row in rows[:limit]], None if end is None else _page_key(spec, end))


def _page_key(spec: ListSpec[Any], key: tuple[Any, ...]) -> PageKey:
    return (spec.mark, *(to_micros(value) if isinstance(value, datetime) else value for value in key))


def _exception_keys(
    after: PageKey | None,
) -> tuple[
    tuple[datetime, int, int] | None,
    tuple[datetime, str, str, str, str] | None,
    tuple[datetime, str, str, str] | None,
]:
    """Where the recorded ones, the parked ones and the deliveries go on: of one moment they come in this order."""
    if after is None:
        return None, None, None
    if after[:1] == (EXCEPTIONS.mark,):
        at, return_no, seq = key_of(after, EXCEPTIONS)
        return (at, return_no, seq), (at, _LAST, "", "", ""), (at, _LAST, "", "")  # all of that moment
    if after[:1] == (WITHOUT_MEMBERS.mark,):
        at, connote, source, id_ = key_of(after, WITHOUT_MEMBERS)
        return (at, 0, 0), (at, "", "", "", ""), (at, connote, source, id_)  # none of that moment
    at, kind, subject, source, id_ = key_of(after, PARKED_EVENTS)
    return (at, 0, 0), (at, kind, subject, source, id_), (at, _LAST, "", "")


def key_of(after: PageKey, spec: ListSpec[Any]) -> tuple[Any, ...]:
    """The key of the last row of a page of this list. Raises WrongPageKey: whoever sends a cursor may have made it up."""
    if len(after) != len(spec.key) + 1 or after[0] != spec.mark:
        raise WrongPageKey
    return tuple(_checked(type_, value) for (_, type_), value in zip(spec.key, after[1:], strict=True))


def _checked(type_: KeyType, value: int | str) -> Any:
    if type_ == "text":
        if type(value) is not str or not _KEPT.fullmatch(value):
            raise WrongPageKey
        return value
    # What a return's events give together is listed below 0, and what was recorded is not.
    least = -_LARGEST[type_] if type_ == "int4" else 0
    if type(value) is not int or not least <= value <= _LARGEST[type_]:
        raise WrongPageKey
    return from_micros(value) if type_ == "timestamptz" else value
