"""What may be said of a return's events to anybody: places, clocks and reasons, but nothing that people wrote.

Texts are not repeated, with one exception: the name of a place, and that only where it is a facility, which has a code, no
other thing that the events say of the return, and neither an address nor a code by its looks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum, unique
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from service.application.reading.local_time import LocalTime, local_time
from service.application.reading.tracking import RecordedEvent, is_anothers
from service.domain.events import told_place
from service.domain.evidence import UNCREATED, Sighting
from service.domain.journey import State
from service.domain.milestones import RANKED, Milestone
from service.wire.carriers import CarrierTables
from service.wire.judging.descriptions import country
from service.wire.models import CARRIER_SCANNED
from service.wire.rows.claimed import LABEL_CLAIMED, bound_in, label_of, window_of
from service.wire.rows.reconciled import RECONCILED
from service.wire.stored import to_micros

RC, _, RDTPF, DS, RP, RE, _ = RANKED
RR: Final = Milestone.RR

_LONGEST_PLACE: Final = 60


class Found(NamedTuple):
    """A return that a number leads to; `number` is the return_id or tracking number that was asked for.

    `is_whole`: these are all of its rows. Else there are further back more, or larger ones, than a page looks at.
    """

    number: str
    state: State
    rows: Sequence[RecordedEvent]
    is_whole: bool = True


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


class RedactedReturn:
    """A return's rows, each event once, and what may be said of them to anybody who has its number.

    Times are those of the clock on the wall where that is known, see `local_time`.

    >>> redacted = RedactedReturn(found, tables)
    >>> redacted.place({"name": "12 High Street", "code": "LDS", "country": "GB"})
    Place(name=None, country='GB')
    """

    def __init__(self, found: Found, tables: CarrierTables) -> None:
        self.state = found.state
        told = (row for row in found.rows if row.type == LABEL_CLAIMED)  # of a label the last one is believed
        self._windows = {(label_of(row.data), bound_in(row.data)): window_of(row.data) for row in told}
        # An event that was evaluated again stands there twice; the later row is what it is taken for now.
        self._by_event = {(row.source, row.id): row for row in found.rows}
        self.rows = list(self._by_event.values())
        self.tables = tables
        # Of what was not read nobody knows whether it says that name of a person, too.
        self._private = _private_texts(found) if found.is_whole else None
        counting = found.state.timeline.counts
        doors = (counting[milestone].location for milestone in (DS, RDTPF) if milestone in counting)
        self._door: Mapping[str, Any] = next((door for door in doors if door), {})
        self._zones = self._zones_of_places()

    def is_own(self, scan: RecordedEvent) -> bool:
        """Whether it falls into what its label's window is by now: a number is used again by other returns."""
        if scan.type != CARRIER_SCANNED:
            return True
        label, evidence = label_of(scan.data), self.state.evidence
        first = evidence.attributes and evidence.attributes.label
        if evidence.flags & UNCREATED and label not in (first, *evidence.labels):
            return False  # who named it may have been another retailer, whose creation is void
        return not is_anothers(scan, self._windows, self.state)

    def _zones_of_places(self) -> Mapping[tuple[Any, ...], ZoneInfo]:
        """What the clocks of a place show is known for all events there, once one of them came with a known zone."""
        zones: dict[tuple[Any, ...], set[ZoneInfo]] = {}
        for row in self.rows:
            zone = self.tables.zone(str(row.data.get("carrier"))) if row.zone_source == "carrier_table" else None
            location = row.location
            if zone is not None and location and location.get("name"):
                zones.setdefault(_where(location), set()).add(zone)
        return {place: found.pop() for place, found in zones.items() if len(found) == 1}

    def carrier_name(self) -> str | None:
        """`generic` is how an integration says that its carrier has no table."""
        attributes = self.state.evidence.attributes
        table = None if attributes is None else self.tables.table(attributes.carrier)
        return None if table is None or table.carrier == "generic" else table.name

    def time_of(self, milestone: Milestone, sighting: Sighting) -> LocalTime:
        """A hub's events but the depot scan name no place: they happen where the first mile ended."""
        row = self._by_event.get((sighting.source, sighting.id))
        location: Mapping[str, Any] = sighting.location or {}
        if not location and milestone is RC and row is not None:
            location = {"country": country(row.data.get("origin_country"))}
        elif not location and milestone in (DS, RP, RE, RR):
            location = self._door
        return self._local(sighting.at, row, location)

    def time_of_row(self, row: RecordedEvent) -> LocalTime:
        """The clock on the wall, for a scan."""
        return self._local(to_micros(row.occurred_at), row, row.location or {})

    def _local(self, at: int, row: RecordedEvent | None, location: Mapping[str, Any]) -> LocalTime:
        if row is not None and row.zone_source == "carrier_table":
            zone = self.tables.zone(str(row.data.get("carrier")))
        else:
            zone = self._zones.get(_where(location))
        return local_time(at, zone, location.get("country"), row and row.utc_offset)

    def place(self, location: Mapping[str, Any] | None) -> Place | None:
        """The place without its code: its name if it has one, which a facility does, and the name says nothing else of the
        return; without one it may be anybody's address, and its country is told alone.
        """
        known = told_place(location) or {}
        name, country = known.get("name"), known.get("country")
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
            and self._private is not None
            and not any(run in self._private for run in _runs(words))
        )

    def rejection(self, sighting: Sighting) -> Rejection:
        """Why, in one of our words."""
        row = self._by_event.get((sighting.source, sighting.id))
        said = "" if row is None else str(row.data.get("reason", ""))
        return _REJECTIONS.get("_".join(said.casefold().replace("-", " ").split()), Rejection.OTHER)


def _where(location: Mapping[str, Any]) -> tuple[Any, ...]:
    return (location.get("name"), location.get("country"))


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
    pending: list[tuple[str, Any]] = [("", _told(row)) for row in found.rows]
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


def _told(row: RecordedEvent) -> Mapping[str, Any]:
    """What its publisher said. Of what subscribers held, which `reconcile` keeps, that is what publishers had said: where
    a milestone is from, and the statuses and their names, are no data of an event either.
    """
    if row.type != RECONCILED:
        return row.data
    document: Mapping[str, Any] = row.data["published"] or {}
    said = {name: document.get(name) for name in ("retailer", "order_number", "connote")}
    return {**said, "locations": [step["location"] for step in document.get("timeline", ()) if "location" in step]}


def _runs(words: str) -> Iterator[str]:
    """Every run of words in a short text, as `_words` writes it: one of them is each text that stands in it."""
    each = words.split()
    for first in range(len(each)):
        for last in range(first, len(each)):
            yield f" {' '.join(each[first : last + 1])} "


def _words(text: str) -> str:
    """The words of a text with a space around each, so that one text is found in another by whole words."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "
