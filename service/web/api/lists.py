"""The lists of the API: their queries, and what a page holds, for OpenAPI.

The filters are declared in service.application.reading.filters; pages are made in service.application.reading.pages.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonValue

from service.application.commands.resending import LONGEST_NAME, LONGEST_PATH, MOST_CHANGES, PATH_PATTERN
from service.application.reading.exceptions.given import MOST_EVENTS
from service.application.reading.filters import ExceptionFilter, ExceptionState, LetterFilter, ReturnFilter
from service.domain.milestones import NAMES, Milestone, Reason, Verdict
from service.web.api.acknowledging import Seen
from service.web.api.models import EXAMPLE_HEAD, Answer, EventHead, ReturnHead
from service.wire.reasons import Invalid

NEXT_CURSOR: Final = (
    "Give it as `cursor` to get the next page; null on the last one. A page that is not the last may be short, or empty: "
    "no page looks at more than some thousands of rows for those that all filters let through."
)


class PageQuery(BaseModel):
    """Which page. A parameter that nobody knows is an error, as with `service.application.reading.filters.Filter`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=500, description="Most items on a page.")
    cursor: str | None = Field(default=None, max_length=2048, description="The `next_cursor` of the page before.")


class ReturnsQuery(ReturnFilter, PageQuery):
    """A page of the list of returns."""


class ExceptionsQuery(ExceptionFilter, PageQuery):
    """A page of the list of exceptions."""


class LettersQuery(LetterFilter, PageQuery):
    """A page of the list of dead letters."""


_EXAMPLE_RETURN: Final[JsonValue] = {
    **EXAMPLE_HEAD,
    "status": "RDTPF",
    "status_name": NAMES[Milestone.RDTPF],
    "version": 3,
    "hub": None,
    "status_at": "2026-11-17T08:40:00Z",
    "status_recorded_at": "2026-11-17T08:41:12.5Z",
    "created_at": "2026-11-14T09:15:00Z",
    "updated_at": "2026-11-17T08:41:12.5Z",
    "stuck": True,
}


class ListedReturn(ReturnHead):
    """A return without its timeline, which the return by itself has."""

    hub: str | None = Field(description="The hub whose event moved the timeline last.")
    status_at: AwareDatetime = Field(description="When the milestone of the status happened.")
    status_recorded_at: AwareDatetime = Field(description="When it became known: what `stuck` goes by.")
    created_at: AwareDatetime = Field(description="When the label was made.")
    updated_at: AwareDatetime = Field(description="When the last event that mattered was recorded.")
    stuck: bool = Field(description="Neither complete nor closed, and in its status for longer than is usual.")


class ReturnsPage(Answer):
    """Returns, the newest first; of stuck ones, the one that has not moved for longest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_EXAMPLE_RETURN], "next_cursor": "WyJyIiwxMDAxXQ"}]}
    )

    items: list[ListedReturn]
    next_cursor: str | None = Field(description=NEXT_CURSOR)


_EXAMPLE_EXCEPTION: Final[JsonValue] = {
    "return_id": "R-1001",
    "retailer": "acme",
    "verdict": "unmapped",
    "reason": "unknown_code",
    "expected": "The carrier's table says what each of its scan codes means, and has none for this one.",
    "resolution": "Add the code to the carrier's table and run `remap`: the scan is evaluated again.",
    "milestone": None,
    "type": "com.omnirps.carrier.scanned.v1",
    "source": "/carriers/omniparcel",
    "id": "7f3a",
    "code": "OP-99",
    "carrier": "omniparcel",
    "tracking_number": "OP123456789GB",
    "connote": None,
    "occurred_at": "2026-11-20T09:15:00Z",
    "recorded_at": "2026-11-20T09:15:02Z",
    "resolved_at": None,
    "topic": "first-mile.scans",
    "partition": 3,
    "offset": 4711,
    "exception_id": "return/R-1001/unknown_code",
    "state": "open",
    "acknowledged": None,
    "events": [
        {
            "source": "/carriers/omniparcel",
            "id": "7f3a",
            "type": "com.omnirps.carrier.scanned.v1",
            "code": "OP-99",
            "milestone": None,
            "occurred_at": "2026-11-20T09:15:00Z",
            "recorded_at": "2026-11-20T09:15:02Z",
        }
    ],
    "events_cut": False,
}


class Exceptional(Answer):
    """An event that was held, refused or unmapped, that counts with a reason to look at it, or that waits (parked)."""

    return_id: str | None = Field(
        description="null: parked, and known only by its carrier and tracking number, or by its connote."
    )
    retailer: str | None
    verdict: Verdict | Literal["parked"]
    reason: Reason | None = Field(description="null: parked, and nothing more is wrong with it.")
    expected: str = Field(description="What was expected, for people.")
    resolution: str = Field(description="What would resolve it, for people.")
    milestone: Milestone | None = Field(description="What it asserts.")
    type: str
    source: str
    id: str
    code: str | None = Field(description="A carrier's own scan code.")
    carrier: str | None
    tracking_number: str | None
    connote: str | None
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    resolved_at: AwareDatetime | None = Field(description="Since then nobody needs to look at it.")
    topic: str | None
    partition: int | None
    offset: int | None
    exception_id: str = Field(
        description="The exception that it belongs to, `return/{return_id}/{reason}`, as on the topic; what is acknowledged. "
        "Parked events are together, by their return, `return/{return_id}/parked`, or label, `label/{carrier}/{tracking_number}/parked`; "
        "a connote without members is `connote/{connote}/without_members`."
    )
    state: ExceptionState
    acknowledged: Seen | None = Field(description="null where the exception is open or resolved.")
    events: list[EventHead] | None = Field(
        max_length=MOST_EVENTS,
        description="All events of the return that give the exception now, the earliest first, whatever became of the one above; "
        "none of a resolved one. null: it waits, and each event that does is listed itself.",
    )
    events_cut: bool = Field(description="There are more, or the history is too long to say which: it has all of them.")


class ExceptionsPage(Answer):
    """Exceptions, the newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE_EXCEPTION], "next_cursor": None}]})

    items: list[Exceptional]
    next_cursor: str | None = Field(description=NEXT_CURSOR)


class Octets(Answer):
    """Bytes as they came."""

    base64: str | None
    text: str | None = Field(description="The same as text; null where they are not UTF-8.")


class LetterValue(Octets):
    """The value of a message. Where it is long, only the letter by itself holds it."""

    size: int = Field(description="In bytes.")


class LetterHeader(Answer):
    """A header of a message."""

    name: str
    base64: str | None


class DeadLetter(Answer):
    """A message that is no event, as it came, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 12,
                    "reason": "missing_field",
                    "error": "data.tracking_number: missing",
                    "topic": "omnireturns.returns",
                    "partition": 0,
                    "offset": 815,
                    "published_at": "2026-11-20T09:15:00Z",
                    "recorded_at": "2026-11-20T09:15:00.05Z",
                    "attempts": 1,
                    "resolved_at": None,
                    "key": {"base64": "Ui0xMDAx", "text": "R-1001"},
                    "value": {"base64": "e30=", "text": "{}", "size": 2},
                    "headers": [{"name": "content-type", "base64": "YXBwbGljYXRpb24vanNvbg=="}],
                }
            ]
        }
    )

    id: int
    reason: Invalid
    error: str = Field(description="Names the field, never echoes its value.")
    topic: str
    partition: int
    offset: int
    published_at: AwareDatetime = Field(description="Kafka's timestamp.")
    recorded_at: AwareDatetime = Field(description="When it was kept.")
    attempts: int = Field(description="How often it was tried, the first time included.")
    resolved_at: AwareDatetime | None = Field(description="When a replay made an event of it.")
    key: Octets | None = Field(description="In a list null where it is over 4 KiB.")
    value: LetterValue | None
    headers: list[LetterHeader] = Field(description="In a list none where they are over some 12 KiB.")


class LettersPage(Answer):
    """Dead letters, the newest first."""

    items: list[DeadLetter]
    next_cursor: str | None = Field(description=NEXT_CURSOR)


class LetterCorrection(BaseModel):
    """How a dead letter is read in place of what it says."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"set": {"data.hub": "akl-1"}, "by": "J. Doe"}]}
    )

    set: dict[Annotated[str, Field(pattern=PATH_PATTERN, max_length=LONGEST_PATH)], Any] = Field(
        min_length=1,
        max_length=MOST_CHANGES,
        description="Values by their path within the event, as in `data.items[0].quantity`; null takes an optional one away.",
        json_schema_extra={"additionalProperties": False, "propertyNames": {"maxLength": LONGEST_PATH}},
    )
    by: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=r"^[^\u0000-\u001f]*$",
        description="Who corrects it, for the audit log.",
    )


class Replayed(Answer):
    """What became of a dead letter that was tried again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": 12, "fate": "recorded", "attempts": 2, "verdict": "advanced", "reason": None, "error": None}
            ]
        }
    )

    id: int
    fate: Literal["recorded", "waiting", "duplicate", "failed", "resolved_before"] = Field(
        description="recorded: its event is in a return's history. waiting: for its return, or the members of its "
        "connote. duplicate: its event had come by other means. failed: it is no event today either. resolved_before: "
        "nothing was to be done."
    )
    attempts: int
    verdict: Verdict | None = Field(description="With recorded: what its event did.")
    reason: Invalid | None = Field(description="With failed: what is wrong now.")
    error: str | None
