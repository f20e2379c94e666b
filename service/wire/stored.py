"""What stands in the history as JSON: a return's state, an event's changes, and the event itself read back.

The form is compact and private to the service; `decode_state(encode_state(s), ...)` is `s`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from msgspec import Struct, convert
from msgspec.json import Decoder, Encoder
from pydantic_core import from_json

from service.domain.changes import Change
from service.domain.events import Attributes, Effect, Event, Sense
from service.domain.evidence import Closing, Evidence, Sighting, in_rank_order
from service.domain.journey import Entry, State
from service.domain.milestones import BESIDE, Kind, Milestone, Reason, Verdict
from service.domain.rules import EARLIEST
from service.domain.timeline import decide
from service.wire.carriers import CarrierTables
from service.wire.inbound import Inbound, SubjectKind, attributes_of
from service.wire.judging.descriptions import location_of
from service.wire.models import (
    CARRIER_SCANNED,
    CONNOTE_DELIVERED,
    EVENT_VOIDED,
    HUB_DEPOT_SCANNED,
    HUB_EXPORTED,
    HUB_PROCESSED,
    HUB_REJECTED,
    RETURN_CLOSED,
    RETURN_CREATED,
    RETURN_REOPENED,
)
from service.wire.record import Record
from service.wire.rows.claimed import LABEL_CLAIMED, bound_in, label_of, retailers_of, window_of
from service.wire.rows.own import words_of
from service.wire.rows.reassessed import REASSESSED, reasons_of
from service.wire.rows.reconciled import RECONCILED, of_event
from service.wire.rows.unheard import UNHEARD

# Takes named tuples and enumerations as they are, and gives them back, in half the time that others need for plain ones.
_encode: Final = Encoder().encode
_sorted: Final = Encoder(order="sorted").encode
TYPES: Final = {
    Milestone.RC: RETURN_CREATED,
    Milestone.RT: CARRIER_SCANNED,
    Milestone.RDTPF: CARRIER_SCANNED,
    Milestone.DS: HUB_DEPOT_SCANNED,
    Milestone.RP: HUB_PROCESSED,
    Milestone.RE: HUB_EXPORTED,
    Milestone.RDBTC: CONNOTE_DELIVERED,
    Milestone.RR: HUB_REJECTED,
}
"""The types of the events that assert the milestones."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC moment."""
    return _EPOCH + timedelta(microseconds=micros)


class _Stored(Struct, omit_defaults=True, frozen=True, gc=False):
    """The members of a stored state."""

    m: Mapping[Milestone, Sighting]
    a: Attributes | None
    c: str | None = None  # the connote
    d: Mapping[str, Sighting] = {}  # by the first rules: deliveries by connote, that of `c` the return's
    v: Sequence[str] = ()  # what is voided
    r: int = EARLIEST  # the rules by which it came to be so
    f: int = 0  # flags
    t: int = 0  # when a carrier had it under way last
    n: Sequence[tuple[str, str]] = ()  # labels beside the first
    z: Closing | None = None  # what was said last of its end
    u: int = 0  # when something told its direction last


_decode: Final = Decoder(_Stored).decode
_MILESTONES: Final = {milestone.value: milestone for milestone in Milestone}


def encode_state(state: State) -> bytes:
    """The part of a state that has no column of its own (seq, version and seen do)."""
    evidence, voided = state.evidence, state.voided
    keys = sorted(key.hex() for key in voided) if voided else ()
    m, a, c, f, t = evidence.earliest, evidence.attributes, evidence.connote, evidence.flags, evidence.moved
    return _encode(_Stored(m, a, c, {}, keys, state.rules, f, t, evidence.labels, evidence.closing, evidence.turned))


def decode_state(document: str | dict[str, Any], seq: int, version: int, seen: bytes) -> State:
    """The state from its columns; `document` is the JSON of `encode_state`, parsed or, which is faster, as it is."""
    stored = _decode(document) if isinstance(document, str) else convert(document, _Stored)
    earliest = stored.m
    if stored.c is not None and stored.c in stored.d:
        earliest = {**earliest, Milestone.RDBTC: stored.d[stored.c]}
    labels = tuple(stored.n) if stored.n else ()
    evidence = Evidence(in_rank_order(earliest), stored.a, stored.c, stored.f, stored.t, labels, stored.z, stored.u)
    voided = frozenset(map(bytes.fromhex, stored.v))
    return State(seq, version, evidence, seen, voided, decide(evidence), stored.r)


def encode_changes(changes: Sequence[Change]) -> bytes | None:
    """None for no change. What the state after the event tells of a milestone that counts is not said twice."""
    if not changes:
        return None
    if len(changes) == 1:  # nearly always
        return _encode((_plain(changes[0]),))
    return _encode([_plain(change) for change in changes])


def _plain(change: Change) -> tuple[Any, ...]:
    common = (change.kind, change.milestone, change.status, change.previous_status, change.complete)
    return (*common, change.occurred_at, change.location) if change.kind is Kind.REVOKED else common


def decode_changes(document: Sequence[Sequence[Any]] | None, state: State, cause: tuple[str, str]) -> list[Change]:
    """The changes of a history row from its JSON, the state after it and its event's (source, id)."""
    changes: list[Change] = []
    first = state.version - len(document or ()) + 1
    for version, (kind, code, status, previous, complete, *revoked) in enumerate(document or (), start=first):
        milestone = Milestone(code)
        if revoked:
            at, location, why = revoked[0], revoked[1], cause
        else:
            sighting = state.timeline.counts[milestone]
            at, location, why = sighting.at, sighting.location, (sighting.source, sighting.id)
            why = cause if kind in BESIDE else why
        changes.append(
            Change(
                version,
                Kind(kind),
                milestone,
                at,
                location,
                why,
                Milestone(status) if status else None,
                Milestone(previous) if previous else None,
                complete,
            )
        )
    return changes


def encode_moves(entry: Entry) -> bytes | None:
    """The reasons that a row raised for its return, its event's own aside, and those it settled; None for none."""
    if not entry.raised and not entry.settled:
        return None
    return _encode([*(f"+{reason}" for reason in entry.raised), *(f"-{reason}" for reason in entry.settled)])


def decode_moves(document: Sequence[str] | None) -> tuple[list[Reason], list[Reason]]:
    """What was raised, and what was settled."""
    moves = document or ()
    raised = [Reason(each[1:]) for each in moves if each.startswith("+")]
    return raised, [Reason(each[1:]) for each in moves if each.startswith("-")]


_BESIDE: Final[Mapping[str, Callable[[Event, dict[str, Any]], Event]]] = {
    EVENT_VOIDED: lambda event, data: replace(event, sense=Sense.VOIDS, voids=(data["source"], data["id"])),
    RECONCILED: lambda event, data: replace(event, sense=Sense.RECONCILES, published=of_event(data)),
    UNHEARD: lambda event, data: replace(event, unheard=(data["source"], data["id"])),
    RETURN_CLOSED: lambda event, data: replace(event, sense=Sense.CLOSES, because=data["reason"]),
    RETURN_REOPENED: lambda event, _: replace(event, sense=Sense.REOPENS),
    REASSESSED: lambda event, data: replace(event, over=reasons_of(data, "over"), found=reasons_of(data, "found")),
    LABEL_CLAIMED: lambda event, data: replace(
        event, label=label_of(data), window=window_of(data), bound=bound_in(data)
    ),
}
"""Events of these types assert nothing; what they say stands in `data`."""


def stored_event(
    source: str,
    event_id: str,
    event_type: str,
    occurred_at: datetime,
    milestone: str | None,
    data: dict[str, Any],
    verdict: str | None = None,
    reason: str | None = None,
    effect: str | None = None,
    is_ahead: bool | None = None,  # noqa: FBT001 -- rows are passed as they come
    retailers: str | None = None,
) -> Event:
    """The event of a history, parked or delivery row, as it was understood when it was recorded.

    `data` is the event's, parsed. `verdict`, `reason` and `effect` are those of its history row; of an event that has none
    yet (parked, a delivery that waits) they are None, and what its code means is asked of the carrier's table.
    """
    words = words_of(event_type, data, _sorted(data))
    is_scan = event_type == CARRIER_SCANNED
    asserted = None if milestone is None else _MILESTONES[milestone]
    because = Reason(reason) if reason is not None and asserted is None and verdict == Verdict.UNMAPPED else None
    sense = Sense.ASSERTS if asserted is not None else Sense.INFORMS if because is None else Sense.UNMAPPED
    event = Event(
        source,
        event_id,
        to_micros(occurred_at),
        sense,
        asserted,
        location_of(event_type, data),
        attributes_of(data) if asserted is Milestone.RC else None,
        data.get("connote") if asserted is Milestone.RE or asserted is Milestone.RDBTC else None,
        unmapped_because=because,
        effect=None if effect is None else Effect(effect),
        label=label_of(data) if is_scan else None,
        words=words,
    )
    if not is_scan and asserted is None and event_type in _BESIDE:
        event = _BESIDE[event_type](event, data)
    if is_ahead or retailers:  # few are, and to replace takes several times as long as to make one
        event = replace(event, is_ahead=bool(is_ahead), retailers=retailers_of(retailers))
    return event


class KeptEvent(NamedTuple):
    """An event as it stands in a row, in the order of its columns: what it takes to place it later, or once more.

    `data` and `extensions` are JSON as it is kept; `published_at` is Kafka's timestamp, `topic_id` None where it was not
    known. The other members are those of `Inbound`, its event and its record.
    """

    source: str
    id: str
    type: str
    occurred_at: datetime
    zone_source: str
    utc_offset: int | None
    code: str | None
    milestone: str | None
    data: str
    extensions: str | None
    topic: str
    topic_id: bytes | None
    partition: int
    offset: int
    published_at: datetime
    is_ahead: bool | None = None
    retailers: str | None = None

    def inbound(self, kind: str, subject: str, tables: CarrierTables) -> Inbound:
        """The event under the `kind` and `subject` that it was kept by. A scan is understood by the tables of today."""
        members, milestone = from_json(self.data), self.milestone
        told: tuple[str | None, str | None, str | None] = (None, None, None)
        if self.code is not None:
            said = tables.understand(members["carrier"], self.code)
            milestone, why = said.milestone, said.unmapped_because
            told = None if why is None else Verdict.UNMAPPED, why, said.effect
        plain = self.source, self.id, self.type, self.occurred_at, milestone, members
        event = stored_event(*plain, *told, is_ahead=self.is_ahead, retailers=self.retailers)
        return Inbound(
            SubjectKind(kind),
            subject,
            event,
            self.type,
            self.data.encode(),
            code=self.code,
            zone_source=self.zone_source,
            utc_offset=self.utc_offset,
            extensions=None if self.extensions is None else self.extensions.encode(),
        )

    def record(self) -> Record:
        """Where the event stood in Kafka; its bytes are not kept."""
        at = to_micros(self.published_at) // 1000
        return Record(self.topic, self.partition, self.offset, at, None, None, topic_id=self.topic_id)

    @property
    def coordinates(self) -> tuple[str, bytes | None, int, int]:
        """Where it stood in Kafka; the id tells which topic had the name then."""
        return self.topic, self.topic_id, self.partition, self.offset
