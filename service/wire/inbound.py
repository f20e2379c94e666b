"""Input messages to domain events: every rule of what a publisher may send, and nothing of what it means for a return."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from enum import StrEnum, unique
from functools import lru_cache
from typing import Any, Final

import msgspec
import pydantic_core
from pydantic import TypeAdapter

from service.domain.events import WHITE_SPACE, Attributes, Event, Sense, Words
from service.domain.milestones import Milestone, Route
from service.errors import InvalidEvent
from service.topic_names import covers
from service.wire import cloudevents, models
from service.wire.carriers import CarrierTables
from service.wire.judging.descriptions import forgiven, location_of, order_number
from service.wire.judging.faults import Faults
from service.wire.judging.legible import ILLEGIBLE, legible
from service.wire.judging.moments import BY_EVENT, Moments
from service.wire.judging.publishers import Publishers
from service.wire.reasons import Invalid
from service.wire.record import Record


@unique
class SubjectKind(StrEnum):
    """How an event finds the return or returns that it concerns."""

    RETURN = "return"  # by return_id
    LABEL = "label"  # by "carrier/tracking_number"
    CONNOTE = "connote"  # by connote


def label(carrier: str, tracking_number: str) -> str:
    """A label in one word, as scans are parked and placed by; a carrier has no slash.

    >>> label("omniparcel", "OP-1")
    'omniparcel/OP-1'
    """
    return f"{carrier}/{tracking_number}"


class Inbound(msgspec.Struct, frozen=True, gc=False):
    """A valid input message: the event as the domain sees it, and what the history keeps beside it.

    `type` is the CloudEvent's, `code` a scan's own. `zone_source` is "event" where `time` carried its offset,
    "carrier_table" where the carrier's table turned a local time into an instant. `utc_offset` is the one that `time`
    carried, in minutes east of UTC. `data` is the event's data as compact JSON, unknown members kept; `extensions` its
    further attributes as a JSON object; `not_understood` the members of `data` that describe, and are wrong.
    """

    kind: SubjectKind
    subject: str
    event: Event
    type: str
    data: bytes
    code: str | None = None
    zone_source: str = BY_EVENT
    utc_offset: int | None = None
    extensions: bytes | None = None
    not_understood: tuple[str, ...] = ()

    def without(self, ignored: tuple[str, ...]) -> Inbound:
        """The same where these members of `data` are not understood either."""
        return msgspec.structs.replace(self, not_understood=tuple(dict.fromkeys((*self.not_understood, *ignored))))


_ROUTES: Final[dict[str, Route]] = {route.value: route for route in Route}
_MILESTONES: Final[dict[str, Milestone]] = {
    models.RETURN_CREATED: Milestone.RC,
    models.HUB_DEPOT_SCANNED: Milestone.DS,
    models.HUB_PROCESSED: Milestone.RP,
    models.HUB_EXPORTED: Milestone.RE,
    models.HUB_REJECTED: Milestone.RR,
    models.CONNOTE_DELIVERED: Milestone.RDBTC,
}
_VALIDATORS: Final[dict[str, Callable[..., Any]]] = {
    event_type: TypeAdapter(model).validator.validate_python for event_type, model in models.MODELS.items()
}
_RETURN, _LABEL, _CONNOTE = SubjectKind.RETURN, SubjectKind.LABEL, SubjectKind.CONNOTE
_ASSERTS: Final = Sense.ASSERTS
_SCANNED: Final = models.CARRIER_SCANNED
_new: Final = tuple.__new__  # half the time of a named tuple's own
_compact: Final = msgspec.json.Encoder(order="sorted").encode  # what is the same in another order is the same
_CORE_ATTRIBUTES: Final = frozenset(
    {"specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64"}
)


class Parser:
    """Turns records into events; built once, with the carrier tables.

    `types_by_topic` says which event types a topic, or all topics with a prefix, may carry, because who may write a topic may assert what its
    types assert. A topic that it does not name carries any. `now` is the clock of who receives, in microseconds since
    1970-01-01 UTC; without one Kafka's timestamp is all that the future is judged by. Without `publishers` whoever may
    write a topic may say anything that it takes. A creation that is older than `oldest_creation` microseconds when it comes
    is none: who names an earlier time takes a return over.
    """

    def __init__(
        self,
        tables: CarrierTables,
        types_by_topic: Mapping[str, Collection[str]] | None = None,
        now: Callable[[], int] | None = None,
        publishers: Publishers | None = None,
        oldest_creation: int | None = None,
    ) -> None:
        self._but_for_age = tables, types_by_topic, now, publishers
        self._tables = tables
        self._moments = Moments(tables, now, oldest_creation)
        self._publishers = publishers
        self._validators: dict[str, Mapping[str, Callable[..., Any]]] = {
            topic: {event_type: _VALIDATORS[event_type] for event_type in types}
            for topic, types in (types_by_topic or {}).items()
        }
        self._named = dict(self._validators)  # names and prefixes; the former grows by the topics that are met

    def of_kept(self) -> Parser:
        """The same for events that were judged when they came: a creation may be of any age now."""
        return Parser(*self._but_for_age)

    def parse(self, record: Record) -> Inbound:
        """The record's event. Raises InvalidEvent, and nothing else, whatever the record holds."""
        envelope: dict[str, Any] | None = None
        try:
            try:
                envelope = cloudevents.decode(record)
            except InvalidEvent as error:
                if error.reason not in ILLEGIBLE:
                    raise
                envelope, ignored = legible(record, error)
                return self._understand(record, envelope).without(ignored)
            return self._understand(record, envelope)
        except InvalidEvent as first:
            whole = first if envelope is None else self._every_fault(record, envelope) or first
            whole.source = cloudevents.source_of(record, envelope)
            try:
                raise whole from None
            finally:
                # The error refers to this frame: it would be kept, with the message, until somebody collects what is cyclic.
                del whole

    def _understand(self, record: Record, envelope: dict[str, Any]) -> Inbound:
        event_type, validate = self._type(envelope, record.topic)
        ignored: tuple[str, ...] = ()
        try:
            # The models only judge: the data is taken from the dictionary as it came, and no copy of it is made whole.
            validate(envelope, extra="ignore")
        except pydantic_core.ValidationError as error:
            ignored = forgiven(event_type, envelope.get("data"), error)
        data: dict[str, Any] = envelope["data"]
        at, zone_source, utc_offset = self._moments.of(event_type, envelope, record)
        said = _compact(data)
        words = _new(Words, (event_type, said, zone_source is BY_EVENT))
        kind, subject, event = self._event(event_type, envelope, at, words)
        if self._moments.is_ahead(at, record):
            event = replace(event, is_ahead=True)
        if self._publishers is not None:
            retailers = self._publishers.require(record, event_type, event.source, data, subject)
            if retailers:
                event = replace(event, retailers=retailers)
        extensions = None
        if not _CORE_ATTRIBUTES.issuperset(envelope):
            kept = {k: v for k, v in envelope.items() if k not in _CORE_ATTRIBUTES and v is not None}
            extensions = _compact(kept) if kept else None
        code = _code(data) if kind is _LABEL else None
        return Inbound(kind, subject, event, event_type, said, code, zone_source, utc_offset, extensions, ignored)

    def _every_fault(self, record: Record, came: dict[str, Any]) -> InvalidEvent | None:
        """What `_understand` refuses an event for, all of it: it stops at the first judgement that does."""
        found = Faults()
        found.judge(self._type, came, record.topic)
        envelope = {**came, "specversion": "1.0"}
        found.judge(self._type, envelope, record.topic)
        event_type, data, source = envelope.get("type"), envelope.get("data"), envelope.get("source")
        if type(event_type) is not str or event_type not in _VALIDATORS:
            return found.error()
        found.judge(_require_members, event_type, envelope)
        if found.are_sound("time", *(("data.local_time", "data.carrier") if event_type == _SCANNED else ())):
            found.judge(self._moments.of, event_type, envelope, record)
        subject = None
        if found.are_sound("id", "source", "data"):
            made = found.judge(self._event, event_type, envelope, 0, Words())
            subject = None if made is None else made[1]
        if event_type == _SCANNED and found.are_sound("data.code"):
            found.judge(_code, envelope["data"])
        if self._publishers is not None and isinstance(data, dict) and isinstance(source, str):
            found.judge(self._publishers.require, record, event_type, source, data, subject)
        return found.error()

    def _type(self, envelope: dict[str, Any], topic: str) -> tuple[str, Callable[..., Any]]:
        """The event's type and what validates it."""
        if envelope["specversion"] != "1.0":
            raise InvalidEvent(Invalid.UNSUPPORTED_SPECVERSION, 'specversion: the string "1.0" is expected')
        event_type, taken = envelope.get("type"), self._validators.get(topic)
        if type(event_type) is str and taken is not None and (validate := taken.get(event_type)) is not None:
            return event_type, validate
        if event_type is None:
            raise InvalidEvent(Invalid.MISSING_FIELD, "type: missing")
        if type(event_type) is not str or event_type not in _VALIDATORS:
            raise InvalidEvent(
                Invalid.UNKNOWN_TYPE, f"type: not one that this service takes in: {', '.join(_VALIDATORS)}"
            )
        if taken is None:
            taken = next((types for entry, types in self._named.items() if covers(entry, topic)), _VALIDATORS)
            self._validators[topic] = taken
        validate = taken.get(event_type)
        if validate is None:
            right = " or ".join(other for other, types in self._named.items() if event_type in types)
            raise InvalidEvent(
                Invalid.WRONG_TOPIC, f"type: {event_type} does not belong on this topic but on {right or 'none'}"
            )
        return event_type, validate

    def _event(
        self, event_type: str, envelope: dict[str, Any], at: int, words: Words
    ) -> tuple[SubjectKind, str, Event]:
        source, event_id, data = _shared(envelope["source"]), envelope["id"], envelope["data"]
        location = location_of(event_type, data)
        if event_type == _SCANNED:
            name = carrier, number = _shared(data["carrier"]), data["tracking_number"]
            said = self._tables.understand(carrier, data["code"])
            event = Event(
                source, event_id, at, said.sense, said.milestone, location, effect=said.effect, words=words, label=name
            )
            if said.unmapped_because is not None:
                event = replace(event, unmapped_because=said.unmapped_because)
            return _LABEL, label(carrier, number), event
        if event_type == models.CONNOTE_DELIVERED:
            connote = data["connote"]
            event = Event(source, event_id, at, _ASSERTS, Milestone.RDBTC, location, connote=connote, words=words)
            return _CONNOTE, connote, event
        if event_type == models.EVENT_VOIDED:
            event = Event(source, event_id, at, Sense.VOIDS, voids=(data["source"], data["id"]), words=words)
            if "return_id" not in data:
                if "connote" not in data:
                    raise InvalidEvent(Invalid.MISSING_FIELD, "data.return_id: missing")
                return _CONNOTE, data["connote"], event
        elif event_type == models.RETURN_CLOSED:
            event = Event(source, event_id, at, Sense.CLOSES, because=data["reason"], words=words)
        elif event_type == models.RETURN_REOPENED:
            event = Event(source, event_id, at, Sense.REOPENS, words=words)
        else:
            milestone = _MILESTONES[event_type]
            attributes = attributes_of(data) if milestone is Milestone.RC else None
            connote = data["connote"] if milestone is Milestone.RE else None
            event = Event(source, event_id, at, _ASSERTS, milestone, location, attributes, connote, words=words)
        return _RETURN, data["return_id"], event


def _require_members(event_type: str, envelope: Mapping[str, Any]) -> None:
    """Raises InvalidEvent for what the model of its type has against its envelope and the facts in its data."""
    try:
        _VALIDATORS[event_type](envelope, extra="ignore")
    except pydantic_core.ValidationError as error:
        forgiven(event_type, envelope.get("data"), error)


def _code(data: Mapping[str, Any]) -> str:
    """A scan's code. Raises InvalidEvent where it says nothing."""
    code: str = data["code"].strip(WHITE_SPACE)
    if not code:
        raise InvalidEvent(Invalid.BAD_VALUE, "data.code: more than white space is expected")
    return code


@lru_cache(4096)
def _shared(text: str) -> str:
    """The same text as one object, of texts that come with event after event."""
    return text


def attributes_of(data: Mapping[str, Any]) -> Attributes:
    """What the data of a valid creation says of its return."""
    return Attributes(
        _shared(data["retailer"]),
        _ROUTES[data["route"]],
        _shared(data["carrier"]),
        data["tracking_number"],
        order_number(data),
    )
