"""What lists can be narrowed by: each filter is declared here once, for the API's queries, the desk's forms and SQL.

A class is a list's filters: `service.web.api.lists` adds the page to it and has the query of the API, its fields with
their types and descriptions are the parameters that OpenAPI shows; `service.web.ops.forms` makes a form of it and reads
what people typed; `service.adapters.postgres.reading.listing` compares every field with the column of its name. To add a
filter on a column of text that the list has is to add a field, and its words at the desk.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum, unique
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from service.domain.milestones import Milestone, Reason, Route
from service.wire.models import NUMBER_PATTERN, SLUG_PATTERN, TIME_PATTERN, compiled
from service.wire.reasons import Invalid

PARKED: Final = "parked"
_OF_PARKED: Final = (None, Reason.UNKNOWN_CARRIER, Reason.UNKNOWN_CODE, Reason.VOID_WITHOUT_EVENT)
MOST_CHARACTERS: Final = 128  # of a text without a pattern

_LOOKS_LIKE_A_TIME: Final = compiled(TIME_PATTERN)

Number = Annotated[str, Field(pattern=NUMBER_PATTERN)]
Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]
# PostgreSQL keeps no NUL, so none is found either.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$", min_length=1, max_length=MOST_CHARACTERS)]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


def _several(value: object) -> object:
    """Texts as they are given, once or several times, with commas between or without."""
    given = value if isinstance(value, list | tuple) else (value,)
    return tuple(part for text in given for part in (text.split(",") if isinstance(text, str) else (text,)))


MOST_NUMBERS: Final = 500  # in one question
Numbers = Annotated[tuple[Number, ...], BeforeValidator(_several), Field(min_length=1, max_length=MOST_NUMBERS)]


def _is_rfc3339(value: object) -> object:
    """By itself pydantic takes a number for seconds since 1970, which nobody was told."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _LOOKS_LIKE_A_TIME(value):
        raise ValueError("RFC 3339 with an offset is expected")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_is_rfc3339)]


class Filter(BaseModel):
    """Filters of a list, which narrow it together; None: any. Raises pydantic's ValidationError for what cannot be meant.

    A filter that nobody knows is an error: one that is misspelt would give everything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReturnFilter(Filter):
    """Which returns. `stuck` is judged at the time of asking.

    >>> ReturnFilter(status=Milestone.RDTPF, stuck=True)  # delivered, says the carrier, and no depot scan since
    """

    status: Milestone | None = Field(default=None, description="The status, by its code.")
    retailer: Slug | None = None
    return_id: Numbers | None = Field(
        default=None, description="Any of these: given several times, or with commas between them."
    )
    tracking_number: Numbers | None = Field(
        default=None,
        description="The one on a label of it, any of these: given several times, or with commas between them.",
    )
    order_number: Text | None = Field(default=None, description="The retailer's.")
    connote: Number | None = Field(default=None, description="Everything that was exported under it.")
    route: Route | None = None
    carrier: Slug | None = Field(default=None, description="The first-mile carrier.")
    hub: Slug | None = Field(default=None, description="The hub whose event moved the return last.")
    stuck: bool | None = Field(
        default=None,
        description="true: neither complete nor closed, and in its status for longer than is usual, by a threshold for each "
        "status. false: all others.",
    )
    updated_since: Moment | None = Field(
        default=None, description="Something of it was recorded at this time or later: its `updated_at`."
    )


@unique
class ExceptionState(StrEnum):
    """Where an exception is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class ExceptionFilter(Filter):
    """Which exceptions. `verdict` may be `parked`; `open` is what `state` was before anybody could acknowledge one."""

    verdict: Literal["held", "refused", "unmapped", "parked", "advanced", "backfilled", "repeated"] | None = Field(
        default=None, description="advanced, backfilled, repeated: it counts, and there is a reason to look at it."
    )
    reason: Reason | None = None
    carrier: Slug | None = None
    code: Text | None = Field(default=None, description="A carrier's own scan code.")
    return_id: Number | None = None
    open: bool | None = Field(default=None, description="true: as `state=open`. false: as `state=resolved`.")
    state: ExceptionState | None = Field(
        default=None,
        description="open: somebody should look at it. acknowledged: it is open, and somebody has, which hides it from those "
        "until it changes. resolved: nothing gives its reason any more. By default all of them, each with its state.",
    )

    @property
    def states(self) -> frozenset[ExceptionState]:
        """Those that both filters let through; none where they contradict each other."""
        older = {None: ExceptionState, True: (ExceptionState.OPEN,), False: (ExceptionState.RESOLVED,)}[self.open]
        return frozenset(state for state in older if self.state in (None, state))

    @property
    def acknowledged(self) -> bool | None:
        """Of those that nothing has resolved: whether such as somebody has seen are wanted, or others; None: all."""
        found = {state is ExceptionState.ACKNOWLEDGED for state in self.states - {ExceptionState.RESOLVED}}
        return found.pop() if len(found) == 1 else None

    @property
    def wants_parked(self) -> bool:
        """Parked events are never resolved, and have few reasons: no table knows a scan's code, a void names nothing."""
        is_open = bool(self.states - {ExceptionState.RESOLVED})
        return self.verdict in (None, PARKED) and self.reason in _OF_PARKED and is_open

    @property
    def wants_unclaimed(self) -> bool:
        """Deliveries of connotes without members wait like parked events, and have nothing else to go by than their state."""
        return self.wants_parked and not any((self.reason, self.carrier, self.code, self.return_id))

    @property
    def wants_recorded(self) -> bool:
        """Whether others than those that wait are wanted."""
        return self.verdict != PARKED and bool(self.states)


@unique
class ConnoteState(StrEnum):
    """Where a connote is."""

    UNDER_WAY = "under_way"
    DELIVERED = "delivered"
    WITHOUT_MEMBERS = "without_members"


class ConnoteFilter(Filter):
    """Which connotes. Of one retailer: those with returns of it, and what is told of them is told of those alone."""

    state: ConnoteState | None = Field(
        default=None,
        description="under_way: some return is exported under it and not delivered. delivered: none is, any more. "
        "without_members: a delivery names it, and no export does.",
    )
    retailer: Slug | None = None
    acknowledged: bool | None = Field(
        default=None,
        description="Of those delivered without members. true: only such as somebody has acknowledged, which hides them until "
        "they are delivered once more. false: all connotes but those.",
    )


class LetterFilter(Filter):
    """Which dead letters. `since` (inclusive) and `until` (exclusive) are of when they were kept."""

    reason: Invalid | None = None
    topic: TopicName | None = Field(default=None, description="The input topic.")
    since: Moment | None = Field(default=None, description="Kept at this time or later.")
    until: Moment | None = Field(default=None, description="Kept before this time.")
    open: bool | None = Field(default=None, description="true: not resolved by a replay. false: resolved.")
