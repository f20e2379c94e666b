"""What of a return is seen within bounds: all of it, all but personal data, or nothing.

Every store that fulfils a reading port lets what it found go through here, with the bounds that the port was given.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import replace
from typing import Any, Final

from service.application.access.bounds import Bounds
from service.application.reading.tracking import RecordedEvent
from service.domain.events import is_facility
from service.domain.evidence import Sighting
from service.domain.journey import State
from service.domain.labels import Label
from service.domain.timeline import decide
from service.wire.models import CARRIER_SCANNED, EVENT_VOIDED, RETURN_CREATED
from service.wire.rows.claimed import LABEL_CLAIMED, label_of

# Members of an event's data that are nobody's. A list of what is shown, not of what is hidden: publishers add members.
_IMPERSONAL: Final = frozenset(
    {
        "return_id",
        "retailer",
        "route",
        "carrier",
        "tracking_number",
        "origin_country",
        "destination_country",
        "code",
        "local_time",
        "hub",
        "connote",
        "mawb",
        "omnirps_tracking_number",
        "source",
        "id",
    }
)
BLINDED: Final = "***"  # in the place of what is another retailer's
_BLIND: Final = frozenset(
    {"return_id", "retailer", "route", "carrier", "tracking_number", "source", "id", "by", "reason"}
)
_OF_ITEMS: Final = frozenset({"sku", "quantity", "condition", "outcome"})
_PLACE: Final = ("name", "code", "country")


def state_within(bounds: Bounds, state: State) -> State | None:
    """What is seen of a return; None where it is not seen. A return without its creation is nobody's."""
    attributes = state.evidence.attributes
    if attributes is None:
        return state if bounds.everything else None
    if not bounds.cover(attributes):
        return None
    if not bounds.is_impersonal:
        return state
    evidence = replace(
        state.evidence,
        earliest={milestone: _placed(sighting) for milestone, sighting in state.evidence.earliest.items()},
        attributes=attributes._replace(order_number=None),
    )
    return replace(state, evidence=evidence, timeline=decide(evidence))


def row_within(
    bounds: Bounds,
    row: RecordedEvent,
    foreign: Collection[tuple[str, str]] = frozenset(),
    labels: Collection[Label] = frozenset(),
) -> RecordedEvent:
    """What is seen of an event of a return that is seen.

    `foreign` names the creations for retailers outside of the bounds: of one, and of its void, nobody within learns more than
    that there was one. No more of what came by the `labels` that these alone name.
    """
    if foreign:
        data = row.data
        is_theirs = row.type == RETURN_CREATED and data.get("retailer") not in bounds.retailers
        if is_theirs or (row.type in (CARRIER_SCANNED, LABEL_CLAIMED) and label_of(data) in labels):
            blind = row._replace(source=BLINDED, id=BLINDED, data=_blinded(data), code=None)
            return blind._replace(topic="", partition=0, offset=0)
        if row.type == EVENT_VOIDED and (data.get("source"), data.get("id")) in foreign:
            row = row._replace(data=_blinded(data))
    return row._replace(data=data_within(bounds, row.data)) if bounds.is_impersonal else row


def _blinded(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value if name == "return_id" else BLINDED for name, value in data.items() if name in _BLIND}


def data_within(bounds: Bounds, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is seen of an event's data."""
    if not bounds.is_impersonal:
        return data
    seen: dict[str, Any] = _plain(data, _IMPERSONAL)
    if isinstance(location := data.get("location"), dict) and (place := _impersonal_place(location)):
        seen["location"] = place
    if isinstance(items := data.get("items"), list):
        seen["items"] = [_plain(item, _OF_ITEMS) for item in items if isinstance(item, dict)]
    return seen


def _plain(data: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    """These members, but no object or list in the place of a text, which may hold anything."""
    return {name: value for name, value in data.items() if name in names and isinstance(value, str | int | float)}


def _placed(sighting: Sighting) -> Sighting:
    location = sighting.location
    return sighting if location is None else sighting._replace(location=_impersonal_place(location))


def _impersonal_place(location: Mapping[str, str]) -> dict[str, str] | None:
    """A place by its name only if it is a facility, which has a code: it may be somebody's address."""
    names = _PLACE if is_facility(location) else ("country",)
    return {name: value for name in names if isinstance(value := location.get(name), str) and value} or None


def may_ask(bounds: Bounds, *, retailer: str | None, carrier: str | None, order_number: str | None) -> bool:
    """Whether returns may be looked for by these: nobody finds by what is not shown, or not seen."""
    if order_number is not None and bounds.is_impersonal:
        return False
    kinds = ((bounds.retailers, retailer), (bounds.carriers, carrier))
    return all(not allowed or value is None or value in allowed for allowed, value in kinds)
