"""What the public may see of a return: from its state and history to a view without a name, address, order, item or hub code.

Nothing of a return reaches a public page but what stands in these views. Texts that people wrote are not repeated,
with one exception: the name of a place, and that only where it is no other thing that the events say of the return.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, unique
from typing import Any, Final, NamedTuple, Protocol

from service.application.local_time import LocalTime, local_time
from service.application.tracking import RecordedEvent, counts
from service.domain.events import key_digest
from service.domain.journey import State
from service.domain.milestones import FIRST_MILE, RANKED, RANKS, Milestone, Route
from service.domain.timeline import Sighting
from service.wire.carriers import CarrierTables
from service.wire.models import CARRIER_SCANNED, NUMBER_PATTERN, compiled
from service.wire.stored import to_micros

RC, RT, RDTPF, DS, RP, RE, RDBTC = RANKED
RR: Final = Milestone.RR

_MOST_CHARACTERS: Final = 200  # of a number as people type it, spaces and all
_LONGEST_PLACE: Final = 60
_MOST_HAPPENINGS: Final = 60  # a parcel that is scanned more often than that is not told better by all of it
_is_number: Final = compiled(NUMBER_PATTERN)


class Position(NamedTuple):
    """How far a return is: it moves with everything that is recorded of it."""

    version: int
    seq: int


class Found(NamedTuple):
    """A return that a number leads to; `number` is the return_id or tracking number that was asked for."""

    number: str
    state: State
    rows: Sequence[RecordedEvent]


class PublicReading(Protocol):
    """What the public pages ask of the store. Every method may raise Retryable."""

    def find(self, numbers: Sequence[str]) -> Found | None:
        """The return of the first of these numbers that leads to one, with its newest rows in order of recording.

        A return_id goes before a tracking number; of several returns with one tracking number the newest is meant.
        """

    def positions(self, asked: Sequence[Sequence[str]]) -> list[Position | None]:
        """How far the return of each of these is."""

    def completed(self, limit: int) -> Sequence[State]:
        """The newest returns of each route that reached the route's last milestone."""


@unique
class StepState(StrEnum):
    """Where a milestone stands on the way."""

    DONE = "done"
    SKIPPED = "skipped"  # nobody scanned it, and nobody will: a later one counts
    CURRENT = "current"
    TO_COME = "to_come"


@unique
class Rejection(StrEnum):
    """Why a hub rejected a return, as far as there are words for it."""

    WRONG_ITEM = "wrong_item"
    ITEM_MISSING = "item_missing"
    WORN_OR_USED = "worn_or_used"
    DAMAGED = "damaged"
    PROHIBITED_GOODS = "prohibited_goods"
    EMPTY_PARCEL = "empty_parcel"
    LATE = "late"
    OTHER = "other"  # any other reason: what a hub writes is for the retailer, and may name anybody


# Other words that hubs use for the same.
_REJECTIONS: Final[dict[str, Rejection]] = {
    **{rejection.value: rejection for rejection in Rejection},
    "not_in_order": Rejection.WRONG_ITEM,
    "missing_item": Rejection.ITEM_MISSING,
    "worn": Rejection.WORN_OR_USED,
    "used": Rejection.WORN_OR_USED,
    "prohibited": Rejection.PROHIBITED_GOODS,
    "empty": Rejection.EMPTY_PARCEL,
    "too_late": Rejection.LATE,
}


class Place(NamedTuple):
    """Where something happened, as far as it may be told; `country` is ISO 3166-1 alpha-2."""

    name: str | None
    country: str | None


class Step(NamedTuple):
    """One milestone of the way that this return takes; `at` where it was reached."""

    milestone: Milestone
    state: StepState
    at: LocalTime | None


class Happening(NamedTuple):
    """An event that consumers understand. `milestone` says who told it; `is_first` tells the one that asserts it from
    another scan on the way.
    """

    milestone: Milestone
    is_first: bool
    at: LocalTime
    place: Place | None


class Scan(NamedTuple):
    """A carrier's own scan: its code, and its table's words for it where it has any."""

    code: str
    words: str | None
    at: LocalTime
    place: Place | None


@dataclass(frozen=True, slots=True)
class ReturnView:
    """The page of a return."""

    number: str
    position: Position
    route: Route
    status: Milestone
    complete: bool
    carrier: str | None  # its name; None where there is no table for it, or where the table is nobody's
    steps: tuple[Step, ...]
    happenings: tuple[Happening, ...]  # the newest first
    rejection: Rejection | None
    usually: timedelta | None = None  # how long it mostly takes to the next status


@dataclass(frozen=True, slots=True)
class FirstMileView:
    """OmniParcel's page: the carrier's scans, and nothing from behind the first-mile destination."""

    number: str
    position: Position
    carrier: str | None
    scans: tuple[Scan, ...]  # the newest first
    delivered: bool
    goes_on: bool  # the route leads further than the first mile


def numbers_of(text: str) -> tuple[str, ...]:
    """The numbers that a person may have meant by what was typed; none where it cannot be a number."""
    if len(text) > _MOST_CHARACTERS:
        return ()
    typed = "".join(unicodedata.normalize("NFKC", text).split())
    return tuple(number for number in dict.fromkeys((typed, typed.upper())) if _is_number(number))


def view_return(found: Found, tables: CarrierTables) -> ReturnView:
    """What a consumer sees."""
    reader = _Reader(found, tables)
    timeline = found.state.timeline
    if timeline.status is None or timeline.route is None:
        raise ValueError("a return without its creation is not to be shown")
    rejected = timeline.counts.get(RR)
    return ReturnView(
        number=found.number,
        position=Position(found.state.version, found.state.seq),
        route=timeline.route,
        status=timeline.status,
        complete=timeline.complete,
        carrier=reader.carrier_name(),
        steps=tuple(_steps(reader)),
        happenings=tuple(_happenings(reader)),
        rejection=None if rejected is None else reader.rejection(rejected),
    )


def view_first_mile(found: Found, tables: CarrierTables) -> FirstMileView:
    """What OmniParcel shows: what was scanned after the delivery belongs to nobody's first mile."""
    reader = _Reader(found, tables)
    delivered = found.state.timeline.counts.get(RDTPF)
    shown = [
        row
        for row in reader.rows
        if row.type == CARRIER_SCANNED
        and key_digest(row.source, row.id) not in found.state.voided
        and (delivered is None or to_micros(row.occurred_at) <= delivered.at)
    ]
    return FirstMileView(
        number=found.number,
        position=Position(found.state.version, found.state.seq),
        carrier=reader.carrier_name(),
        scans=tuple(reader.scan(row) for row in sorted(shown, key=_order, reverse=True)),
        delivered=delivered is not None,
        goes_on=found.state.timeline.route is Route.OMNIRPS,
    )


def _steps(reader: _Reader) -> Iterable[Step]:
    """The milestones of the way; after a rejection those that were not reached are none."""
    timeline = reader.state.timeline
    way = [m for m in RANKED if timeline.route is Route.OMNIRPS or m in FIRST_MILE]
    furthest = max(RANKS[milestone] for milestone in timeline.counts if milestone is not RR)
    for milestone in [*way, RR] if RR in timeline.counts else way:
        sighting = timeline.counts.get(milestone)
        if sighting is not None:
            state = StepState.CURRENT if milestone is timeline.status else StepState.DONE
            yield Step(milestone, state, reader.time_of(milestone, sighting))
        elif RANKS[milestone] < furthest:
            yield Step(milestone, StepState.SKIPPED, None)
        elif RR not in timeline.counts:
            yield Step(milestone, StepState.TO_COME, None)


def _happenings(reader: _Reader) -> list[Happening]:
    """What counts, and the carrier's scans on the way up to the moment when its part was over."""
    timeline = reader.state.timeline
    told = [
        (sighting.order, Happening(m, True, reader.time_of(m, sighting), reader.place(sighting.location)))
        for m, sighting in timeline.counts.items()
    ]
    first = timeline.counts.get(RT)
    over = min((s.at for m, s in timeline.counts.items() if m not in (RC, RT)), default=None)
    for row in reader.rows:
        if row.milestone != RT or first is None or (row.source, row.id) == (first.source, first.id):
            continue
        if counts(row, reader.state) and (over is None or to_micros(row.occurred_at) <= over):
            scan = Happening(RT, False, reader.time_of_row(row), reader.place(row.data.get("location")))
            told.append((_order(row), scan))
    # Of one moment, the further milestone is the newer one.
    told.sort(key=lambda each: (each[0][0], RANKS[each[1].milestone], each[0]), reverse=True)
    return [happening for _, happening in told[:_MOST_HAPPENINGS]]


def _order(row: RecordedEvent) -> tuple[int, str, str]:
    return (to_micros(row.occurred_at), row.source, row.id)


class _Reader:
    """A return's rows, each event once, and what may be said of them."""

    def __init__(self, found: Found, tables: CarrierTables) -> None:
        self.state = found.state
        # An event that was evaluated again stands there twice; the later row is what it is taken for now.
        self._by_event = {(row.source, row.id): row for row in found.rows}
        self.rows = list(self._by_event.values())
        self._tables = tables
        self._private = _private_texts(found)
        counting = found.state.timeline.counts
        door = next((counting[m].location for m in (DS, RDTPF) if m in counting and counting[m].location), None)
        self._hub_country = (door or {}).get("country")

    def carrier_name(self) -> str | None:
        """`generic` is how an integration says that its carrier has no table."""
        attributes = self.state.evidence.attributes
        table = None if attributes is None else self._tables.table(attributes.carrier)
        return None if table is None or table.carrier == "generic" else table.name

    def time_of(self, milestone: Milestone, sighting: Sighting) -> LocalTime:
        """A hub's events but the depot scan name no place: they happen where the first mile ended."""
        row = self._by_event.get((sighting.source, sighting.id))
        country = (sighting.location or {}).get("country")
        if country is None and milestone is RC and row is not None:
            country = row.data.get("origin_country")
        if country is None and milestone in (DS, RP, RE, RR):
            country = self._hub_country
        return self._local(sighting.at, row, country)

    def time_of_row(self, row: RecordedEvent) -> LocalTime:
        return self._local(to_micros(row.occurred_at), row, (row.data.get("location") or {}).get("country"))

    def _local(self, at: int, row: RecordedEvent | None, country: str | None) -> LocalTime:
        zone = None
        if row is not None and row.zone_source == "carrier_table":
            zone = self._tables.zone(str(row.data.get("carrier")))
        return local_time(at, zone, country)

    def place(self, location: Mapping[str, Any] | None) -> Place | None:
        """The place without its code. A name that says anything else of the return is left out."""
        name, country = (location or {}).get("name"), (location or {}).get("country")
        if name is not None and not self._is_public(name):
            name = None
        return Place(name, country) if name or country else None

    def _is_public(self, name: str) -> bool:
        # Addresses and codes have digits, and a town has none; what is all capitals and short may be a code, too.
        words = _words(name)
        return (
            len(name) <= _LONGEST_PLACE
            and all(c.isalpha() or c in " -'’.,()" or unicodedata.category(c) in {"Mn", "Mc"} for c in name)
            and not (len(name) <= 4 and name.isupper())
            and not any(text in words for text in self._private)
        )

    def rejection(self, sighting: Sighting) -> Rejection:
        row = self._by_event.get((sighting.source, sighting.id))
        said = "" if row is None else str(row.data.get("reason", ""))
        return _REJECTIONS.get("_".join(said.casefold().replace("-", " ").split()), Rejection.OTHER)

    def scan(self, row: RecordedEvent) -> Scan:
        code = row.code or ""
        known = self._tables.lookup(str(row.data.get("carrier")), code)
        place = self.place(row.data.get("location"))
        return Scan(code, None if known is None else known.description, self.time_of_row(row), place)


# Members of data, at any depth, that hold no secret: places are looked at, the rest is shown or says nothing of anybody.
_NOT_PRIVATE: Final = frozenset(
    {"name", "country", "carrier", "route", "tracking_number", "return_id", "origin_country", "destination_country"}
)
_SHORTEST_NAME: Final = 3  # a shorter part of a person's name would strike out half of all towns
_WORD: Final = re.compile(r"\w+")


def _private_texts(found: Found) -> frozenset[str]:
    """Every text that the events say of the return and that no page may say, as `_words`."""
    texts: set[str] = set()
    attributes = found.state.evidence.attributes
    if attributes is not None and attributes.order_number:
        texts.add(attributes.order_number)
    pending: list[tuple[str, Any]] = [("", row.data) for row in found.rows]
    while pending:
        member, value = pending.pop()
        if isinstance(value, Mapping):
            pending.extend(value.items())
        elif isinstance(value, list):
            pending.extend((member, each) for each in value)
        elif isinstance(value, str) and member not in _NOT_PRIVATE:
            texts.add(value)
            if member == "signed_by":
                texts.update(part for part in value.split() if len(part) >= _SHORTEST_NAME)
    return frozenset(words for words in map(_words, texts) if words.strip())


def _words(text: str) -> str:
    """The words of a text with a space around each, so that one text is found in another by whole words."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "
