"""Pages of the lists, as the API gives them: every value is JSON, and each page says where the next one starts."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from service.application.reading.listing import (
    PARKED,
    ExceptionFilter,
    LetterFilter,
    ListedException,
    ListedReturn,
    Listing,
    ParkedEvent,
    ReturnFilter,
    Window,
)
from service.domain.milestones import NAMES, Milestone, Reason
from service.wire.explanations import EXPLANATIONS, Explanation
from service.wire.letters import KeptLetter
from service.wire.stored import from_micros, to_micros
from service.wire.times import rfc3339

LIST_VALUE_BYTES: Final = 4096  # a list shows what it can of a dead letter; the letter by itself shows all

_PARKED: Final = Explanation(
    "An event concerns a return, and the creation of this one has not come yet.",
    "The event counts as soon as the creation arrives. If OmniReturns never sent it, it should now; a carrier's scan is "
    "found by the carrier and tracking number that the creation names.",
)
_LATEST_MICROS: Final = 253_402_300_799_999_999  # the last moment of the year 9999
_KEPT: Final = re.compile(r"[^\0\ud800-\udfff]*")  # what PostgreSQL keeps of a text
_LARGEST: Final = {4: 2**31 - 1, 8: 2**63 - 1}  # by bytes

# Where a page ends: the key of its last row, as JSON has it. Moments are microseconds since 1970-01-01 UTC.
PageKey = tuple[int | str, ...]
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
    wanted: ReturnFilter,
    limit: int,
    after: PageKey | None,
    due: Mapping[str, datetime],
) -> Page:
    """Returns, the newest first; of the stuck ones, the one that has not moved for longest. Raises WrongPageKey."""
    if wanted.stuck:
        key = None if after is None else _checked(after, "s", _moment, _integer(8))
        stuck = listing.stuck_returns(wanted, due, key, limit + 1)
        return _page(stuck, "s", limit, return_item(due), lambda row: (row.status_recorded_at, row.return_no))
    (return_no,) = (None,) if after is None else _checked(after, "r", _integer(8))
    found = listing.returns(wanted, due, return_no, limit + 1)
    return _page(found, "r", limit, return_item(due), lambda row: (row.return_no,))


def list_exceptions(listing: Listing, wanted: ExceptionFilter, limit: int, after: PageKey | None) -> Page:
    """Exceptions and parked events, the newest first; of one moment the parked ones last. Raises WrongPageKey."""
    recorded_key, parked_key = _exception_keys(after)
    recorded = listing.exceptions(wanted, recorded_key, limit + 1) if wanted.wants_recorded else Window([])
    parked = listing.parked(wanted, parked_key, limit + 1) if wanted.wants_parked else Window([])
    # Of the one that was looked through further, what is behind the other's end has to wait for another page.
    ends = [
        (upto[0], is_recorded, _place(kind, upto))
        for kind, is_recorded, upto in (("e", True, recorded.upto), ("p", False, parked.upto))
        if upto is not None
    ]
    end = max(ends, key=lambda each: each[:2], default=None)
    rows: list[ListedException | ParkedEvent] = [*recorded.rows, *parked.rows]
    if end is not None:
        rows = [row for row in rows if (row.recorded_at, isinstance(row, ListedException)) >= end[:2]]
    rows.sort(key=lambda row: row.recorded_at, reverse=True)  # stable: each keeps its own order within a moment
    if len(rows) > limit:
        return Page([exception_item(row) for row in rows[:limit]], _exception_place(rows[limit - 1]))
    return Page([exception_item(row) for row in rows], None if end is None else end[2])


def list_letters(
    listing: Listing, wanted: LetterFilter, limit: int, after: PageKey | None, *, value_bytes: int = LIST_VALUE_BYTES
) -> Page:
    """Dead letters, the newest first, with values of up to so many bytes. Raises WrongPageKey."""
    key = None if after is None else _checked(after, "d", _moment, _integer(8))
    found = listing.letters(wanted, key, limit + 1, value_bytes)
    return _page(found, "d", limit, letter_item, lambda row: (row.recorded_at, row.letter_no))


def read_on(read: Callable[[PageKey | None], Page], after: PageKey | None) -> Page:
    """The next page with anything on it, for a person: within reason, past those on which looking found nothing."""
    page = read(after)
    for _ in range(_EMPTY_PAGES):
        if page.items or page.end is None:
            break
        page = read(page.end)
    return page


def due_times(stuck_hours: Mapping[Milestone, float], now: datetime) -> dict[str, datetime]:
    """For each status, the time since which a return in it is stuck."""
    return {status.value: now - timedelta(hours=hours) for status, hours in stuck_hours.items()}


def return_item(due: Mapping[str, datetime]) -> Callable[[ListedReturn], dict[str, Any]]:
    """Makes the document of a return in a list: that of the return without its timeline, and what lists know."""

    def item(row: ListedReturn) -> dict[str, Any]:
        return {
            "return_id": row.return_id,
            "retailer": row.retailer,
            "order_number": row.order_number,
            "route": row.route,
            "carrier": row.carrier,
            "tracking_number": row.tracking_number,
            "connote": row.connote,
            "status": row.status,
            "status_name": NAMES[Milestone(row.status)],
            "version": row.version,
            "complete": row.complete,
            "hub": row.hub,
            "status_at": _text(row.status_at),
            "status_recorded_at": _text(row.status_recorded_at),
            "created_at": _text(row.created_at),
            "updated_at": _text(row.updated_at),
            "stuck": not row.complete and row.status in due and row.status_recorded_at < due[row.status],
        }

    return item


def exception_item(row: ListedException | ParkedEvent) -> dict[str, Any]:
    """The document of an exception or a parked event."""
    if isinstance(row, ParkedEvent):
        return _parked_item(row)
    explanation = EXPLANATIONS[Reason(row.reason)]
    return {
        "return_id": row.return_id,
        "retailer": row.retailer,
        "verdict": row.verdict,
        "reason": row.reason,
        "expected": explanation.expected,
        "resolution": explanation.resolution,
        "milestone": row.milestone,
        "type": row.type,
        "source": row.source,
        "id": row.id,
        "code": row.code,
        "carrier": row.carrier,
        "tracking_number": row.tracking_number,
        "connote": row.connote,
        "occurred_at": _text(row.occurred_at),
        "recorded_at": _text(row.recorded_at),
        "resolved_at": _text(row.resolved_at),
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
    }


def letter_item(row: KeptLetter) -> dict[str, Any]:
    """The document of a dead letter."""
    return {
        "id": row.letter_no,
        "reason": row.reason,
        "error": row.error,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "published_at": _text(row.published_at),
        "recorded_at": _text(row.recorded_at),
        "attempts": row.attempts,
        "resolved_at": _text(row.resolved_at),
        "key": None if row.key is None else _bytes(row.key),
        "value": None if row.size is None else {**_bytes(row.value), "size": row.size},
        "headers": [{"name": name, "base64": encoded} for name, encoded in row.headers],
    }


def _parked_item(row: ParkedEvent) -> dict[str, Any]:
    carrier, _, tracking_number = row.subject.partition("/") if row.kind == "label" else ("", "", "")
    return {
        "return_id": row.subject if row.kind == "return" else None,
        "retailer": None,
        "verdict": PARKED,
        "reason": None,
        "expected": _PARKED.expected,
        "resolution": _PARKED.resolution,
        "milestone": row.milestone,
        "type": row.type,
        "source": row.source,
        "id": row.id,
        "code": row.code,
        "carrier": carrier or None,
        "tracking_number": tracking_number or None,
        "connote": None,
        "occurred_at": _text(row.occurred_at),
        "recorded_at": _text(row.recorded_at),
        "resolved_at": None,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
    }


def _bytes(value: bytes | None) -> dict[str, Any]:
    """Bytes as base64, and as text where they are one; both null for what is left out."""
    if value is None:
        return {"base64": None, "text": None}
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = None
    return {"base64": b64encode(value).decode(), "text": text}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(to_micros(moment))


def _page(
    found: Window[_Row],
    kind: str,
    limit: int,
    item: Callable[[_Row], dict[str, Any]],
    key: Callable[[_Row], tuple[Any, ...]],
) -> Page:
    """One row more than the page holds tells that there is another page."""
    rows = found.rows
    end = key(rows[limit - 1]) if len(rows) > limit else found.upto
    return Page([item(row) for row in rows[:limit]], None if end is None else _place(kind, end))


def _place(kind: str, key: tuple[Any, ...]) -> PageKey:
    return (kind, *(to_micros(value) if isinstance(value, datetime) else value for value in key))


def _exception_place(row: ListedException | ParkedEvent) -> PageKey:
    if isinstance(row, ParkedEvent):
        return _place("p", (row.recorded_at, row.kind, row.subject, row.source, row.id))
    return _place("e", (row.recorded_at, row.return_no, row.seq))


def _exception_keys(
    after: PageKey | None,
) -> tuple[tuple[datetime, int, int] | None, tuple[datetime, str, str, str, str] | None]:
    """Where the recorded and where the parked ones go on: of one moment the parked ones come last."""
    if after is None:
        return None, None
    if after[:1] == ("e",):
        at, return_no, seq = _checked(after, "e", _moment, _integer(8), _integer(4))
        return (at, return_no, seq), (at, "~", "", "", "")  # all of that moment
    at, kind, subject, source, id_ = _checked(after, "p", _moment, *[_string] * 4)
    return (at, 0, 0), (at, kind, subject, source, id_)  # none of that moment


def _checked(after: PageKey, kind: str, *checks: Callable[[int | str], Any]) -> tuple[Any, ...]:
    if len(after) != len(checks) + 1 or after[0] != kind:
        raise WrongPageKey
    return tuple(check(value) for check, value in zip(checks, after[1:], strict=True))


def _integer(size: int) -> Callable[[int | str], int]:
    def check(value: int | str) -> int:
        if type(value) is not int or not 0 <= value <= _LARGEST[size]:
            raise WrongPageKey
        return value

    return check


def _moment(value: int | str) -> datetime:
    if type(value) is not int or not 0 <= value <= _LATEST_MICROS:
        raise WrongPageKey
    return from_micros(value)


def _string(value: int | str) -> str:
    if type(value) is not str or not _KEPT.fullmatch(value):
        raise WrongPageKey
    return value
