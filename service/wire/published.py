"""What subscribers get, as it is on the wire: one model a type, from which the JSON Schemas are generated.

Messages are built in `outbound`, by hand for speed; tests hold them to these models. A subscriber ignores members
that it does not know, so members may be added.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config

# Below Python 3.12 pydantic cannot use the one of `typing`.
from typing_extensions import TypedDict

from service.wire.judging.countries import Country
from service.wire.models import Number, Slug

STATUS_CHANGED: Final = "com.omnirps.return.status-changed.v1"
CURRENT_STATUS: Final = "com.omnirps.return.current-status.v1"
EXCEPTION: Final = "com.omnirps.return.exception.v1"

_published = with_config(ConfigDict(extra="allow", strict=True))

Code = Literal["RC", "RT", "RDTPF", "DS", "RP", "RE", "RDBTC", "RR"]
Status = Annotated[Code, Field(description="The furthest milestone that counts, or RR.")]
RouteName = Literal["omnirps", "first_mile_only"]
Text = Annotated[str, Field(min_length=1)]
Instant = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z$",
        json_schema_extra={"format": "date-time"},
    ),
]


@_published
class KnownLocation(TypedDict):
    """Where it happened, as far as the publisher of the event knew."""

    name: NotRequired[
        Annotated[str, Field(description="Of a facility, which has a code; any other place may be an address.")]
    ]
    code: NotRequired[str]
    country: NotRequired[Country]


@_published
class EventName(TypedDict):
    """The CloudEvents source and id of an input event."""

    source: Text
    id: Text


@_published
class Origin(TypedDict):
    """Where an input event stood in Kafka."""

    topic: str
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]


# Not in messages of before it was told.
TrackingUrl = Annotated[
    str | None, Field(description="Where the consumer sees the return; null where no public address is set.")
]


@_published
class Label(TypedDict):
    """A carrier and its tracking number that a creation of the return named."""

    carrier: Slug
    tracking_number: Number


Labels = Annotated[
    list[Label], Field(min_length=1, max_length=8, description="Those that creations named, the earliest first.")
]


@_published
class Closed(TypedDict):
    """That a return was closed: when, and why."""

    reason: Annotated[Text, Field(description="cancelled, lost, abandoned or other; more may come.")]
    at: Instant


@_published
class StatusChangedData(TypedDict):
    """The timeline of a return moved by one milestone. Applied in the order of `version`, these are the timeline."""

    return_id: Number
    version: Annotated[int, Field(ge=1, description="1, 2, 3, ... per return, without gaps.")]
    kind: Annotated[
        Literal["reached", "backfilled", "retimed", "revoked", "closed", "reopened", "detailed"],
        Field(
            description="reached: counts now, and moved the status; backfilled: counts now, behind the status; "
            "retimed: counted already, when, where or by whom it was first seen changed; revoked: no longer counts; "
            "closed, reopened: no milestone moved, nothing further is expected, or something is again; "
            "detailed: no milestone moved, but what is known beside them (the connote, the labels). With these three the "
            "milestone is the status."
        ),
    ]
    milestone: Code
    occurred_at: Annotated[Instant, Field(description="When the milestone was first seen; of a revoked one, had been.")]
    status: Annotated[Status, Field(description="The return's status once this one message is applied.")]
    status_name: Text
    previous_status: Annotated[Code | None, Field(description="Null at first.")]
    complete: Annotated[bool, Field(description="Nothing further is expected.")]
    route: RouteName
    retailer: Slug
    order_number: str | None
    carrier: Slug
    tracking_number: Number
    tracking_url: NotRequired[TrackingUrl]
    labels: NotRequired[Labels]
    connote: Number | None
    closed: NotRequired[Closed | None]
    location: KnownLocation | None
    cause: Annotated[EventName, Field(description="The event that asserts the milestone now, or that revoked it.")]
    recorded_at: Annotated[Instant, Field(description="When the service recorded it.")]


@_published
class TimelineStep(TypedDict):
    """One milestone of the timeline: when, where and by whom it was first seen."""

    code: Code
    name: Text
    state: Annotated[
        Literal["reached", "skipped", "upcoming", "not_applicable"],
        Field(
            description="skipped: a later one of the seven counts; not_applicable: the route or a rejection ends "
            "before it."
        ),
    ]
    occurred_at: Instant | None
    location: KnownLocation | None
    source: Text | None


@_published
class CurrentStatusData(TypedDict):
    """A return as it is now: the document of `GET /v1/returns/{return_id}`."""

    return_id: Number
    retailer: Slug
    order_number: str | None
    route: RouteName
    carrier: Slug
    tracking_number: Number
    tracking_url: NotRequired[TrackingUrl]
    labels: NotRequired[Labels]
    connote: Number | None
    status: Status
    status_name: Text
    version: Annotated[int, Field(ge=1, description="Of the newest status change that is in it.")]
    complete: bool
    closed: NotRequired[Annotated[Closed | None, Field(description="Null: it is open.")]]
    updated_at: NotRequired[Annotated[Instant, Field(description="When the last event of it was recorded.")]]
    timeline: Annotated[
        list[TimelineStep],
        Field(
            min_length=7,
            max_length=8,
            description="The seven milestones in order, and RR as an eighth only when it counts.",
        ),
    ]


@_published
class ExceptionData(TypedDict):
    """An event did not simply count: why, what was expected, and what would resolve it.

    With the verdict `parked` it has waited for an hour for what is not known yet, its return or the members of its connote. Of
    `return_id`, the pair of `carrier` and `tracking_number`, and `connote` the one that it waits by is given then, and the
    event is the first that waits there.
    """

    return_id: Annotated[Number | None, Field(description="null: parked, and known by its label or connote alone.")]
    exception_id: NotRequired[
        Annotated[
            Text,
            Field(
                description="What is open or resolved: return/{return_id}/{reason}; of what is parked, "
                "label/{carrier}/{tracking_number}/parked and connote/{connote}/without_members too."
            ),
        ]
    ]
    state: NotRequired[
        Annotated[
            Literal["open", "resolved"],
            Field(
                description="open: some event gives this reason; one that is open may be told again for another event. "
                "resolved: none gives it any more, since the cause."
            ),
        ]
    ]
    verdict: Annotated[
        Literal["advanced", "backfilled", "repeated", "held", "refused", "unmapped", "parked"],
        Field(
            description="held: waits for another event; refused: contradicts what is known; unmapped: a carrier code "
            "that no table knows; parked: waits for what is not known. With any other the event counts and only the reason is exceptional."
        ),
    ]
    reason: Annotated[Text, Field(description="A stable word; more may come.")]
    expected: Annotated[Text, Field(description="In plain words, what was expected.")]
    resolution: Annotated[Text, Field(description="In plain words, what would resolve it.")]
    milestone: Annotated[Code | None, Field(description="What the event asserts.")]
    event_type: Text
    code: Annotated[str | None, Field(description="The carrier's own code, of a scan.")]
    carrier: Slug | None
    tracking_number: Number | None
    connote: Number | None
    occurred_at: Instant
    cause: Annotated[EventName, Field(description="The event.")]
    origin: Origin
    since: NotRequired[Annotated[Instant, Field(description="Of what is parked: when the first of it was recorded.")]]
    recorded_at: Instant


class _Message(TypedDict):
    specversion: Literal["1.0"]
    id: Text
    source: Literal["/returns-status"]
    time: Annotated[Instant, Field(description="When the service recorded it.")]
    datacontenttype: Literal["application/json"]


class _Envelope(_Message):
    subject: Annotated[Number, Field(description="The return_id.")]


@_published
class StatusChanged(_Envelope):
    """One message per milestone of a return that moved. Its id is `{return_id}/{version}`."""

    type: Literal["com.omnirps.return.status-changed.v1"]
    data: StatusChangedData


@_published
class CurrentStatus(_Envelope):
    """The latest of each return, on a compacted topic."""

    type: Literal["com.omnirps.return.current-status.v1"]
    data: CurrentStatusData


@_published
class ReturnException(_Message):
    """An event was held, refused or unmapped, or counts under circumstances that a person should see; or something waits for
    a return that is not known.
    """

    subject: Annotated[
        Text, Field(description="The return_id, or carrier/tracking_number, or the connote: as the key.")
    ]
    type: Literal["com.omnirps.return.exception.v1"]
    data: ExceptionData


MODELS: Final[dict[str, Any]] = {
    STATUS_CHANGED: StatusChanged,
    CURRENT_STATUS: CurrentStatus,
    EXCEPTION: ReturnException,
}
