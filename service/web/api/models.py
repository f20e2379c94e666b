"""The answers of the API, for OpenAPI. They are built in service.wire and service.application; tests hold both together."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonValue

from service.domain.milestones import NAMES, Milestone, Reason, Route, Verdict


class Answer(BaseModel):
    """What is answered has the members that are described, and no others."""

    model_config = ConfigDict(extra="forbid")


class Location(BaseModel):
    """Where something happened."""

    name: str | None = None
    code: str | None = None
    country: str | None = Field(default=None, description="ISO 3166-1 alpha-2.")


class Step(Answer):
    """One milestone of the timeline."""

    code: Milestone
    name: str = Field(description="The name shown to people.")
    state: Literal["reached", "skipped", "upcoming", "not_applicable"] = Field(
        description="skipped: a later one of the seven counts. not_applicable: the route or a rejection ends before it."
    )
    occurred_at: AwareDatetime | None
    location: Location | None
    source: str | None = Field(description="Who saw it first.")


def _upcoming(code: Milestone) -> JsonValue:
    return {
        "code": code,
        "name": NAMES[code],
        "state": "upcoming",
        "occurred_at": None,
        "location": None,
        "source": None,
    }


_TIMELINE: list[JsonValue] = [
    {
        "code": "RC",
        "name": NAMES[Milestone.RC],
        "state": "reached",
        "occurred_at": "2026-11-20T09:15:00Z",
        "location": None,
        "source": "/omnireturns/portal",
    },
    {
        "code": "RT",
        "name": NAMES[Milestone.RT],
        "state": "reached",
        "occurred_at": "2026-11-21T14:02:11Z",
        "location": {"name": "Leeds depot", "country": "GB"},
        "source": "/carriers/omniparcel",
    },
    *(_upcoming(code) for code in (Milestone.RDTPF, Milestone.DS, Milestone.RP, Milestone.RE, Milestone.RDBTC)),
]


EXAMPLE_HEAD: Final[dict[str, JsonValue]] = {
    "return_id": "R-1001",
    "retailer": "acme",
    "order_number": "A-4711",
    "route": "omnirps",
    "carrier": "omniparcel",
    "tracking_number": "OP123456789GB",
    "tracking_url": "https://returns.example/track/R-1001",
    "connote": None,
    "status": "RT",
    "status_name": NAMES[Milestone.RT],
    "version": 2,
    "complete": False,
    "closed": None,
}


_LABELS: Final[JsonValue] = [{"carrier": "omniparcel", "tracking_number": "OP123456789GB"}]


class Label(Answer):
    """A carrier and its tracking number, which a creation of the return named."""

    carrier: str
    tracking_number: str


class Closed(Answer):
    """That a return was closed: when, and why."""

    reason: str = Field(description="cancelled, lost, abandoned or other; more may come.")
    at: AwareDatetime


class ReturnHead(Answer):
    """What a return says of itself, alone or in a list."""

    return_id: str
    retailer: str
    order_number: str | None
    route: Route
    carrier: str
    tracking_number: str
    tracking_url: str | None = Field(
        description="Where the consumer sees the return; null where no public address is set."
    )
    connote: str | None = Field(description="The consignment note under which it is exported.")
    status: Milestone = Field(description="The furthest milestone that counts, or RR.")
    status_name: str
    version: int = Field(description="How many changes the timeline has seen.")
    complete: bool = Field(description="It reached the end of its route, or was rejected.")
    closed: Closed | None = Field(
        description="Nothing further is expected of it, whatever its status is; null: it is open."
    )


class Return(ReturnHead):
    """A return and its timeline."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {**EXAMPLE_HEAD, "labels": _LABELS, "updated_at": "2026-11-21T14:02:12.5Z", "timeline": _TIMELINE}
            ]
        }
    )

    labels: list[Label] = Field(description="Those that creations named, that of the earliest first.")
    updated_at: AwareDatetime | None = Field(
        description="When the last event of it was recorded; null: its creation was accepted, and is not recorded yet."
    )
    timeline: list[Step] = Field(description="The seven milestones in order, and RR where it counts.")


class EventHead(Answer):
    """An event in the history of a return."""

    source: str
    id: str
    type: str
    code: str | None = Field(description="A carrier's own scan code.")
    milestone: Milestone | None = Field(description="What it asserts.")
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime


class HistoryItem(EventHead):
    """An event, the verdict it got when it was recorded, and whether it counts now."""

    verdict: Verdict
    reason: Reason | None = Field(description="Why it was held, refused or unmapped, or what is exceptional about it.")
    counts: bool = Field(description="Whether it asserts a milestone that counts now.")
    zone_source: Literal["event", "carrier_table"] = Field(
        description="Where the time's offset is from: the event, or the carrier's table for a local time."
    )
    location: Location | None
    topic: str
    partition: int
    offset: int
    data: dict[str, Any] = Field(description="As published, unknown members kept.")


class HistoryPage(Answer):
    """Events in the order of their recording."""

    items: list[HistoryItem]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one.")


class Health(Answer):
    """Whether the process can do its work."""

    status: Literal["ok", "unready"]
    problems: list[str] = Field(default=[], description="What is wrong, in sentences.")
