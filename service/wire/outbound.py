"""Domain to Kafka messages: what the relay publishes. The same row always makes the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from service.domain.changes import Change
from service.domain.events import told_place
from service.domain.journey import State
from service.domain.milestones import NAMES
from service.wire.cloudevents import STRUCTURED_HEADERS, encode
from service.wire.documents import closed, labels, return_document, tracking_url
from service.wire.explanations import EXPLANATIONS, WAITS_FOR_CREATION, WAITS_FOR_EXPORT
from service.wire.published import CURRENT_STATUS, EXCEPTION, STATUS_CHANGED
from service.wire.record import Record
from service.wire.rows.exception_ids import Waits, exception_id, subject_of, waiting_id
from service.wire.rows.logged import Given, LogRow
from service.wire.rows.waits import WaitMove
from service.wire.times import rfc3339

SOURCE: Final = "/returns-status"


class Message(NamedTuple):
    """What goes to a topic."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def status_changed(
    return_id: str, state: State, change: Change, recorded_at: datetime, public_url: str | None = None
) -> Message:
    """One milestone of the return's timeline moved; `state` is the one after the event that moved it."""
    attributes = state.evidence.attributes
    if attributes is None or change.status is None:
        raise ValueError("nothing counts of a return without its creation, so nothing of it can change")
    recorded = _text(recorded_at)
    previous = change.previous_status
    # Texts, not enumeration members: the encoder takes five times as long over one of those.
    data = {
        "return_id": return_id,
        "version": change.version,
        "kind": change.kind.value,
        "milestone": change.milestone.value,
        "occurred_at": rfc3339(change.occurred_at),
        "status": change.status.value,
        "status_name": NAMES[change.status],
        "previous_status": None if previous is None else previous.value,
        "complete": change.complete,
        "route": attributes.route.value,
        "retailer": attributes.retailer,
        "order_number": attributes.order_number,
        "carrier": attributes.carrier,
        "tracking_number": attributes.tracking_number,
        "tracking_url": tracking_url(public_url, return_id),
        "labels": labels(state),
        "connote": state.evidence.connote,
        "closed": closed(state.timeline),
        "location": told_place(change.location),
        "cause": {"source": change.cause[0], "id": change.cause[1]},
        "recorded_at": recorded,
    }
    return _message(STATUS_CHANGED, return_id, f"{return_id}/{change.version}", recorded, data)


def current_status(return_id: str, state: State, recorded_at: datetime, public_url: str | None = None) -> Message:
    """The return as it is now, for the compacted topic.

    The id goes by `state.seq`: what the document says may change (a connote becomes known) while the version stays.
    """
    recorded = _text(recorded_at)
    data = return_document(return_id, state, public_url, place=told_place, updated_at=recorded)
    return _message(CURRENT_STATUS, return_id, f"{return_id}/current/{state.seq}", recorded, data)


def exceptions(row: LogRow, state: State) -> Iterator[Message]:
    """What a row tells of the exceptions of its return: which are open since it, by what event, and which are not any more.

    `state` is the one after it. Who folds these by `exception_id` holds those that are open.
    """
    for each in row.given(state):
        yield _exception(row, state, each, "open")
    for reason in row.settled:
        yield _exception(row, state, row.ended(reason), "resolved")


def open_again(row: LogRow, state: State, reason: str, said_at: datetime) -> Iterator[Message]:
    """That the exception which the row began with this reason is open, for whoever was told since that it is over.

    Under an id of its own: who leaves out messages that came before would leave out this one.
    """
    for each in row.given(state):
        if each.reason == reason:
            yield _exception(row, state, each, "open", f"/again/{_text(said_at)}")


def over(told: Mapping[str, Any], said_at: datetime) -> Message:
    """That the exception which a message `told` to be open is over, though no row of the journal says when."""
    id_, recorded = told["exception_id"], _text(said_at)
    data = {**told, "state": "resolved", "recorded_at": recorded}
    return _message(EXCEPTION, subject_of(id_), f"{id_}/over/{recorded}", recorded, data)


def _exception(row: LogRow, state: State, given: Given, moved: str, again: str = "") -> Message:
    named, explanation, recorded = row.named(state), EXPLANATIONS[given.reason], _text(row.recorded_at)
    reason = given.reason.value
    data = {
        "return_id": row.return_id,
        "exception_id": exception_id(row.return_id, reason),
        "state": moved,
        "verdict": given.verdict,
        "reason": reason,
        "expected": explanation.expected,
        "resolution": explanation.resolution,
        "milestone": given.milestone,
        "event_type": given.type,
        "code": given.code,
        "carrier": named.carrier,
        "tracking_number": named.tracking_number,
        "connote": named.connote,
        "occurred_at": _text(given.occurred_at),
        "cause": {"source": given.source, "id": given.id},
        "origin": {"topic": row.topic, "partition": row.partition, "offset": row.offset},
        "recorded_at": recorded,
    }
    is_own = moved == "open" and given.number == row.seq
    id_ = f"{row.return_id}/exception/{row.seq}" if is_own else f"{row.return_id}/exception/{row.seq}/{reason}"
    return _message(EXCEPTION, row.return_id, f"{id_}{again}", recorded, data)


def waiting(wait: WaitMove) -> Message:
    """What waits and is no return's: that it does, or does not any more. Who folds these holds what waits, as of exceptions."""
    named, recorded = wait.named, _text(wait.recorded_at)
    explanation = WAITS_FOR_EXPORT if named.kind is Waits.CONNOTE else WAITS_FOR_CREATION
    carrier, _, number = named.subject.partition("/")
    is_label = named.kind is Waits.LABEL
    event = wait.event
    data = {
        "return_id": named.subject if named.kind is Waits.RETURN else None,
        "exception_id": waiting_id(named),
        "state": wait.state,
        "verdict": "parked",
        "reason": named.reason,
        "expected": explanation.expected,
        "resolution": explanation.resolution,
        "milestone": event["milestone"],
        "event_type": event["type"],
        "code": event["code"],
        "carrier": carrier if is_label else None,
        "tracking_number": number if is_label else None,
        "connote": named.subject if named.kind is Waits.CONNOTE else None,
        "occurred_at": _text(datetime.fromisoformat(event["occurred_at"])),
        "cause": {"source": event["source"], "id": event["id"]},
        "origin": event["origin"],
        "since": _text(wait.since),
        "recorded_at": recorded,
    }
    # Of a wait that ends and begins again each message has an id of its own, and of one that is published again the same.
    return _message(EXCEPTION, named.subject, f"{waiting_id(named)}/{wait.batch_id}", recorded, data)


def dead_letter(record: Record, reason: str, error: str) -> Message:
    """The message as it came, byte for byte, with headers behind its own that say what is wrong and where it stood."""
    told = told_of_letter(record, reason, error)
    headers = (*record.headers, *((name, str(value).encode()) for name, value in told.items()))
    return Message(record.key, record.value, headers)


def told_of_letter(record: Record, reason: str, error: str) -> dict[str, object]:
    """The headers that say what is wrong with a message and where it stood."""
    return {
        "dlq.reason": reason,
        "dlq.error": error,
        "dlq.topic": record.topic,
        "dlq.partition": record.partition,
        "dlq.offset": record.offset,
        "dlq.timestamp": record.timestamp,
    }


def _message(event_type: str, return_id: str, event_id: str, recorded: str, data: Mapping[str, Any]) -> Message:
    attributes = {
        "id": event_id,
        "source": SOURCE,
        "type": event_type,
        "subject": return_id,
        "time": recorded,
        "datacontenttype": "application/json",
    }
    return Message(return_id.encode(), encode(attributes, data), STRUCTURED_HEADERS)


@lru_cache(maxsize=256)  # everything of one batch was recorded at one moment
def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
