"""The documents of what stands in lists, as the API gives them: every value is JSON.

A document is its row, member by member, without the keys that only the store knows, and with what is said of it besides.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from service.application.reading.connotes.listing import UnclaimedDelivery
from service.application.reading.filters import PARKED, ExceptionState
from service.application.reading.listing import ListedException, ListedReturn, ParkedEvent
from service.domain.milestones import NAMES, Milestone, Reason, Route
from service.domain.timeline import is_complete
from service.wire.explanations import EXPLANATIONS, WAITS_FOR_CREATION, WAITS_FOR_EXPORT, Explanation
from service.wire.models import CONNOTE_DELIVERED
from service.wire.rows.exception_ids import NamedWait, Waits, exception_id, waiting_id
from service.wire.rows.letters import KeptLetter
from service.wire.stored import to_micros
from service.wire.times import rfc3339

_KEYS: Final = frozenset({"return_no", "seq"})  # the store's own


def return_item(due: Mapping[str, datetime]) -> Callable[[ListedReturn], dict[str, Any]]:
    """Makes the document of a return in a list: that of the return without its timeline, and what lists know.

    `due` says for each status since when a return in it is stuck.
    """

    def item(row: ListedReturn) -> dict[str, Any]:
        is_stuck = not row.complete and row.status in due and row.status_recorded_at < due[row.status]
        status = Milestone(row.status)
        named = {"status_name": NAMES[status]}
        # The address of the tracking page is the web's to know.
        known = _members(row._asdict(), after="tracking_number", more={"tracking_url": None})
        at, reason = known.pop("closed_at"), known.pop("closed_reason")
        closed = {"closed": None if at is None else {"reason": reason, "at": at}}
        known["complete"] = is_complete(Route(row.route), {status})
        known = _members(known, after="complete", more=closed)
        return {**_members(known, after="status", more=named), "stuck": is_stuck}

    return item


def exception_item(row: ListedException | ParkedEvent | UnclaimedDelivery) -> dict[str, Any]:
    """The document of an exception, of a parked event, or of a delivery that waits for the members of its connote."""
    if isinstance(row, ParkedEvent):
        return _parked_item(row)
    if isinstance(row, UnclaimedDelivery):
        return _unclaimed_item(row)
    named = exception_id(row.return_id, row.reason)
    return _standing(row._asdict(), named, _explained(EXPLANATIONS[Reason(row.reason)]))


def letter_item(row: KeptLetter) -> dict[str, Any]:
    """The document of a dead letter."""
    return {
        "id": row.letter_no,
        "reason": row.reason,
        "error": row.error,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "published_at": text_of(row.published_at),
        "recorded_at": text_of(row.recorded_at),
        "attempts": row.attempts,
        "resolved_at": text_of(row.resolved_at),
        "key": None if row.key is None else _bytes(row.key),
        "value": None if row.size is None else {**_bytes(row.value), "size": row.size},
        "headers": [{"name": name, "base64": encoded} for name, encoded in row.headers],
    }


def _parked_item(row: ParkedEvent) -> dict[str, Any]:
    """A parked event has the members of an exception; what its return would say is not known."""
    carrier, _, tracking_number = row.subject.partition("/") if row.kind == "label" else ("", "", "")
    known = row._asdict() | {
        "return_id": row.subject if row.kind == "return" else None,
        "verdict": PARKED,
        "carrier": carrier or None,
        "tracking_number": tracking_number or None,
    }
    members = {name: known.get(name) for name in ListedException._fields}
    more = _explained(WAITS_FOR_CREATION)
    if row.reason is not None:  # to be mended whether its return comes or not
        why = EXPLANATIONS[Reason(row.reason)]
        more = {"expected": why.expected, "resolution": f"{why.resolution} {WAITS_FOR_CREATION.resolution}"}
    return _standing(members, waiting_id(NamedWait(Waits(row.kind), row.subject)), more)


def _unclaimed_item(row: UnclaimedDelivery) -> dict[str, Any]:
    """The same members; it is nobody's yet."""
    known = row._asdict() | {
        "verdict": PARKED,
        "milestone": Milestone.RDBTC.value,
        "type": CONNOTE_DELIVERED,
        "occurred_at": row.delivered_at,
    }
    members = {name: known.get(name) for name in ListedException._fields}
    return _standing(members, waiting_id(NamedWait(Waits.CONNOTE, row.connote)), _explained(WAITS_FOR_EXPORT))


def _standing(row: Mapping[str, Any], named: str, explained: Mapping[str, str]) -> dict[str, Any]:
    """The members of an exception, and behind them the id of what it belongs to and its state."""
    known = dict(row)
    at, by, note = (known.pop(f"acknowledged_{name}") for name in ("at", "by", "note"))
    state = ExceptionState.OPEN if at is None else ExceptionState.ACKNOWLEDGED
    return {
        **_members(known, after="reason", more=explained),
        "exception_id": named,
        "state": (state if row["resolved_at"] is None else ExceptionState.RESOLVED).value,
        "acknowledged": None if at is None else {"at": text_of(at), "by": by, "note": note},
    }


def _explained(explanation: Explanation) -> dict[str, str]:
    return {"expected": explanation.expected, "resolution": explanation.resolution}


def _members(row: Mapping[str, Any], *, after: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a row as JSON, and behind one of them what is said besides."""
    document: dict[str, Any] = {}
    for name, value in row.items():
        if name not in _KEYS:
            document[name] = text_of(value) if isinstance(value, datetime) else value
        if name == after:
            document |= more
    return document


def _bytes(value: bytes | None) -> dict[str, Any]:
    """Bytes as base64, and as text where they are one; both null for what is left out."""
    if value is None:
        return {"base64": None, "text": None}
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = None
    return {"base64": b64encode(value).decode(), "text": text}


def text_of(moment: datetime | None) -> str | None:
    """A moment as documents have it."""
    return None if moment is None else rfc3339(to_micros(moment))
