"""One strict model a type: the structured CloudEvents that publishers send, as they are on the wire.

Typed dictionaries rather than classes: validation is on the path of every event. Unknown members are allowed
everywhere, so a publisher may add one first. A null stands for an absent optional member, as CloudEvents has it.
The JSON Schemas under schemas/ are generated from here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # below Python 3.12 pydantic cannot use the one of `typing`

from service.wire.judging.countries import Country
from service.wire.judging.members import (
    JSON_MEDIA_TYPE_PATTERN,
    LOCAL_TIME_PATTERN,
    NUMBER_PATTERN,
    SLUG_PATTERN,
    TIME_PATTERN,
    EventId,
    LocalTime,
    Location,
    Number,
    ProcessedItem,
    ReturnedItem,
    Slug,
    Time,
    compiled,
    text,
)
from service.wire.judging.strictness import data, event, of_return_or_connote, scanned

__all__ = [
    "LOCAL_TIME_PATTERN",
    "NUMBER_PATTERN",
    "SLUG_PATTERN",
    "TIME_PATTERN",
    "Country",
    "Number",
    "Slug",
    "compiled",
]

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


@data
class ReturnCreatedData(TypedDict):
    """A label exists."""

    return_id: Number
    retailer: Slug
    route: Literal["omnirps", "first_mile_only"]
    carrier: Slug
    tracking_number: Number
    order_number: NotRequired[Annotated[str, text(128)] | None]
    origin_country: NotRequired[Country | None]
    destination_country: NotRequired[Country | None]
    items: NotRequired[Annotated[list[ReturnedItem], Field(fail_fast=True)] | None]


@data
class ReturnClosedData(TypedDict):
    """Nothing further is expected of the return, whatever its status is."""

    return_id: Number
    by: Annotated[str, text(256)]
    reason: Literal["cancelled", "lost", "abandoned", "other"]
    note: NotRequired[str | None]


@data
class ReturnReopenedData(TypedDict):
    """A return that was closed is expected to go on after all."""

    return_id: Number
    by: Annotated[str, text(256)]
    reason: Annotated[str, text(1024)]
    note: NotRequired[str | None]


@data
class CarrierScannedData(TypedDict):
    """A carrier scanned the parcel; `code` is the carrier's own, leading zeros kept."""

    carrier: Slug
    tracking_number: Number
    code: Annotated[str, text(128)]
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
    omnirps_tracking_number: NotRequired[Annotated[str, text(128)] | None]


@data
class ExportedData(TypedDict):
    """Consolidated under a connote and exported."""

    return_id: Number
    hub: Slug
    connote: Number
    mawb: NotRequired[Annotated[str, text(128)] | None]
    destination_country: NotRequired[Country | None]


@data
class RejectedData(TypedDict):
    """Rejected during processing; the end."""

    return_id: Number
    hub: Slug
    reason: Annotated[str, text(4096)]
    note: NotRequired[str | None]


@data
class ConnoteDeliveredData(TypedDict):
    """The connote, and with it every return exported under it, arrived at the retailer's chosen location."""

    connote: Number
    carrier: NotRequired[Slug | None]
    location: NotRequired[Location | None]
    signed_by: NotRequired[str | None]


@of_return_or_connote
class EventVoidedData(TypedDict):
    """The event `source`, `id` was a mistake: of the return, or, with `connote` in its place, of all members.

    A return's creation cannot be voided, unless another one contradicts it in retailer or route.
    """

    return_id: NotRequired[Number]
    connote: NotRequired[Number]
    source: EventId
    id: EventId
    by: Annotated[str, text(256)]
    reason: Annotated[str, text(1024)]


class _Envelope(TypedDict):
    specversion: Literal["1.0"]
    id: Annotated[
        EventId, Field(description="With `source`: names the event. The same pair with the same words is a duplicate.")
    ]
    source: Annotated[EventId, Field(description="The publisher; with `id`, names the event.")]
    datacontenttype: NotRequired[Annotated[str, Field(pattern=JSON_MEDIA_TYPE_PATTERN)] | None]


@event
class ReturnCreated(_Envelope):
    """OmniReturns made a label: the return exists."""

    type: Literal["com.omnirps.return.created.v1"]
    time: Time
    data: ReturnCreatedData


@event
class ReturnClosed(_Envelope):
    """Somebody closed the return: it was cancelled, or lost, or is given up."""

    type: Literal["com.omnirps.return.closed.v1"]
    time: Time
    data: ReturnClosedData


@event
class ReturnReopened(_Envelope):
    """Somebody opened a closed return again."""

    type: Literal["com.omnirps.return.reopened.v1"]
    time: Time
    data: ReturnReopenedData


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
    RETURN_CLOSED: ReturnClosed,
    RETURN_REOPENED: ReturnReopened,
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
    "topic_returns": (RETURN_CREATED, RETURN_CLOSED, RETURN_REOPENED),
    "topic_scans": (CARRIER_SCANNED,),
    "topic_hub_events": (HUB_DEPOT_SCANNED, HUB_PROCESSED, HUB_EXPORTED, HUB_REJECTED, EVENT_VOIDED),
    "topic_deliveries": (CONNOTE_DELIVERED,),
}
