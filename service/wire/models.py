"""One strict model a type: the structured CloudEvents that publishers send, as they are on the wire.

Typed dictionaries rather than classes: validation is on the path of every event. Unknown members are allowed
everywhere, so a publisher may add one first. A null stands for an absent optional member, as CloudEvents has it.
The JSON Schemas under schemas/ are generated from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict  # below Python 3.12 pydantic cannot use the one of `typing`

from service.wire.judging.strictness import data, event, scanned

RETURN_CREATED: Final = "com.omnirps.return.created.v1"
RETURN_CLOSED: Final = "com.omnirps.return.closed.v1"
RETURN_REOPENED: Final = "com.omnirps.return.reopened.v1"
CARRIER_SCANNED: Final = "com.omnirps.carrier.scanned.v1"
HUB_DEPOT_SCANNED: Final = "com.omnirps.hub.depot-scanned.v1"
HUB_PROCESSED: Final = "com.omnirps.hub.processed.v1"
HUB_EXPORTED: Final = "com.omnirps.hub.exported.v1"
HUB_REJECTED: Final = "com.omnirps.hub.rejected.v1"
EVENT_VOIDED: Final = "com.omnirps.event.voided.v1"
CONNOTE_DELIVERED: Final = "com.omnirps.connote.delivered.v1"

NUMBER_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{2,63}$"
SLUG_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,39}$"
COUNTRY_PATTERN: Final = r"^[A-Z]{2}$"
_DATE_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
TIME_PATTERN: Final = rf"^{_DATE_TIME}([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
LOCAL_TIME_PATTERN: Final = rf"^{_DATE_TIME}$"
JSON_MEDIA_TYPE_PATTERN: Final = (  # application/json in any letter case, with any parameters
    r"^[ \t]*" + "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in "application/json") + r"[ \t]*(;.*)?$"
)


def compiled(pattern: str) -> Callable[[str], bool]:
    """Whether a text matches one of the patterns above, for callers without a model.

    Python's `$` would let a trailing newline pass.
    """
    match = re.compile(pattern.removeprefix("^").removesuffix("$")).fullmatch
    return lambda text: match(text) is not None


def _integral(value: object) -> object:
    """JSON knows one kind of number, so 2.0 is an integer to JSON Schema and here."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(max_length: int, description: str | None = None, min_length: int = 1) -> Any:
    return Field(min_length=min_length, max_length=max_length, description=description)


Number = Annotated[str, Field(pattern=NUMBER_PATTERN)]
Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]
Country = Annotated[str, Field(pattern=COUNTRY_PATTERN, description="ISO 3166-1 alpha-2")]
# Bounded, because they are kept with every event and repeated in the messages that the event causes.
EventId = Annotated[str, _text(512)]
Quantity = Annotated[int, Field(ge=0, le=2_147_483_647), BeforeValidator(_integral)]
Time = Annotated[
    str,
    Field(
        pattern=TIME_PATTERN,
        max_length=64,
        description="When it happened: RFC 3339 with an offset; digits beyond microseconds are cut.",
        json_schema_extra={"format": "date-time"},
    ),
]
LocalTime = Annotated[
    str,
    Field(
        pattern=LOCAL_TIME_PATTERN,
        max_length=64,
        description="Takes the place of `time` where the carrier's feed has no offset: ISO 8601 date and time in the "
        "zone that the carrier's table names. An hour that a clock change repeats is taken as the first of the two, "
        "one that it skips as if the clock had not been changed yet.",
    ),
]


@data
class Location(TypedDict):
    """Where it happened, as far as the publisher knows."""

    name: NotRequired[Annotated[str, _text(256, min_length=0)] | None]
    code: NotRequired[Annotated[str, _text(64, min_length=0)] | None]
    country: NotRequired[Country | None]


@data
class ReturnedItem(TypedDict):
    """An item that the consumer sends back."""

    sku: Annotated[str, _text(256)]
    quantity: Quantity
    description: NotRequired[str | None]
    reason: NotRequired[str | None]


@data
class ProcessedItem(TypedDict):
    """An item that the hub confirmed."""

    sku: Annotated[str, _text(256)]
    quantity: Quantity
    condition: NotRequired[str | None]
    outcome: NotRequired[Literal["accepted", "rejected"] | None]
    reason: NotRequired[str | None]


@data
class ReturnCreatedData(TypedDict):
    """A label exists."""

    return_id: Number
    retailer: Slug
    route: Literal["omnirps", "first_mile_only"]
    carrier: Slug
    tracking_number: Number
    order_number: NotRequired[Annotated[str, _text(128)] | None]
    origin_country: NotRequired[Country | None]
    destination_country: NotRequired[Country | None]
    items: NotRequired[Annotated[list[ReturnedItem], Field(fail_fast=True)] | None]


@data
class CarrierScannedData(TypedDict):
    """A carrier scanned the parcel; `code` is the carrier's own, leading zeros kept."""

    carrier: Slug
    tracking_number: Number
    code: Annotated[str, _text(128)]
    description: NotRequired[str | None]
    location: NotRequired[Location | None]
    signed_by: NotRequired[str | None]
    local_time: NotRequired[LocalTime | None]


@data
class DepotScannedData(TypedDict):
    """The hub's receipt scan: the parcel is in its possession."""

    return_id: Number
    hub: Slug
    location: NotRequired[Location | None]


@data
class ProcessedData(TypedDict):
    """Opened, items confirmed, ready to consolidate."""

    return_id: Number
    hub: Slug
    items: NotRequired[Annotated[list[ProcessedItem], Field(fail_fast=True)] | None]
    omnirps_tracking_number: NotRequired[Annotated[str, _text(128)] | None]


@data
class ExportedData(TypedDict):
    """Consolidated under a connote and exported."""

    return_id: Number
    hub: Slug
    connote: Number
    mawb: NotRequired[Annotated[str, _text(128)] | None]
    destination_country: NotRequired[Country | None]


@data
class RejectedData(TypedDict):
    """Rejected during processing; the end."""

    return_id: Number
    hub: Slug
    reason: Annotated[str, _text(4096)]
    note: NotRequired[str | None]


@data
class ConnoteDeliveredData(TypedDict):
    """The connote, and with it every return exported under it, arrived at the retailer's chosen location."""

    connote: Number
    carrier: NotRequired[Slug | None]
    location: NotRequired[Location | None]
    signed_by: NotRequired[str | None]


@data
class EventVoidedData(TypedDict):
    """The event `source`, `id` of the return was a mistake. A return's creation cannot be voided."""

    return_id: Number
    source: EventId
    id: EventId
    by: Annotated[str, _text(256)]
    reason: Annotated[str, _text(1024)]


class _Envelope(TypedDict):
    specversion: Literal["1.0"]
    id: Annotated[EventId, Field(description="With `source`: names the event; the same pair again is a duplicate.")]
    source: Annotated[EventId, Field(description="The publisher; with `id`, names the event.")]
    datacontenttype: NotRequired[Annotated[str, Field(pattern=JSON_MEDIA_TYPE_PATTERN)] | None]


@event
class ReturnCreated(_Envelope):
    """OmniReturns made a label: the return exists."""

    type: Literal["com.omnirps.return.created.v1"]
    time: Time
    data: ReturnCreatedData


@scanned
class CarrierScanned(_Envelope):
    """A first-mile carrier scanned the parcel."""

    type: Literal["com.omnirps.carrier.scanned.v1"]
    time: NotRequired[Time | None]
    data: CarrierScannedData


@event
class DepotScanned(_Envelope):
    """A hub scanned the parcel in."""

    type: Literal["com.omnirps.hub.depot-scanned.v1"]
    time: Time
    data: DepotScannedData


@event
class Processed(_Envelope):
    """A hub processed the return."""

    type: Literal["com.omnirps.hub.processed.v1"]
    time: Time
    data: ProcessedData


@event
class Exported(_Envelope):
    """A hub exported the return under a connote."""

    type: Literal["com.omnirps.hub.exported.v1"]
    time: Time
    data: ExportedData


@event
class Rejected(_Envelope):
    """A hub rejected the return."""

    type: Literal["com.omnirps.hub.rejected.v1"]
    time: Time
    data: RejectedData


@event
class ConnoteDelivered(_Envelope):
    """A connote was delivered."""

    type: Literal["com.omnirps.connote.delivered.v1"]
    time: Time
    data: ConnoteDeliveredData


@event
class EventVoided(_Envelope):
    """An earlier event was a mistake."""

    type: Literal["com.omnirps.event.voided.v1"]
    time: Time
    data: EventVoidedData


MODELS: Final[dict[str, Any]] = {
    RETURN_CREATED: ReturnCreated,
    CARRIER_SCANNED: CarrierScanned,
    HUB_DEPOT_SCANNED: DepotScanned,
    HUB_PROCESSED: Processed,
    HUB_EXPORTED: Exported,
    HUB_REJECTED: Rejected,
    EVENT_VOIDED: EventVoided,
    CONNOTE_DELIVERED: ConnoteDelivered,
}

# Which types an input topic carries, by the name of the setting that names the topic.
TYPES_BY_TOPIC_SETTING: Final[dict[str, tuple[str, ...]]] = {
    "topic_returns": (RETURN_CREATED,),
    "topic_scans": (CARRIER_SCANNED,),
    "topic_hub_events": (HUB_DEPOT_SCANNED, HUB_PROCESSED, HUB_EXPORTED, HUB_REJECTED, EVENT_VOIDED),
    "topic_deliveries": (CONNOTE_DELIVERED,),
}
