"""Lists: returns by what they are now, exceptions, and dead letters, each a page at a time.

A page goes on where the last one ended, by the key of its last row: it costs the same however far into a list it is,
and nothing is repeated or skipped when rows come while somebody turns pages. No page looks at more than so many rows of a
list: where a combination of filters lets few of very many through, it holds fewer than were asked for, and the next one
goes on from where it stopped looking.

What a list is (its rows, the key of its order, the columns of its file) is declared here once; its filters are in
`service.application.reading.filters`. The API's pages, the desk's and the files are made from it in
`service.application.reading.pages`. To add a column that the table has is to add a field to the row, and to the file's
columns where it is to be taken away; the API's model in `service.web.api.lists` describes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Literal, NamedTuple, Protocol, TypeVar

from service.application.access.bounds import Bounds, Everything
from service.application.reading.filters import ExceptionFilter, LetterFilter, ReturnFilter
from service.domain.milestones import Milestone
from service.wire.rows.letters import KeptLetter

# How long a return may stay in a status before it counts as stuck, in hours. The longest waits are for the consumer,
# who has a label and time, and for consignments that cross borders.
STUCK_HOURS: Final[dict[Milestone, float]] = {
    Milestone.RC: 14 * 24,
    Milestone.RT: 7 * 24,
    Milestone.RDTPF: 3 * 24,
    Milestone.DS: 3 * 24,
    Milestone.RP: 7 * 24,
    Milestone.RE: 14 * 24,
}


class ListedReturn(NamedTuple):
    """A return as lists know it, in the order of its document; `complete` is true of one that was closed, too."""

    return_no: int
    return_id: str
    retailer: str
    order_number: str | None
    route: str
    carrier: str
    tracking_number: str
    connote: str | None
    status: str
    version: int
    complete: bool
    hub: str | None
    status_at: datetime
    status_recorded_at: datetime
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    closed_reason: str | None = None


class ListedException(NamedTuple):
    """An event that was held, refused, unmapped, or that counts with a reason to look at it; as its document has it.

    What stands at its end is of the acknowledgement of its exception, where one holds.
    """

    return_no: int
    seq: int
    return_id: str
    retailer: str
    verdict: str
    reason: str
    milestone: str | None
    type: str
    source: str
    id: str
    code: str | None
    carrier: str
    tracking_number: str
    connote: str | None
    occurred_at: datetime
    recorded_at: datetime
    resolved_at: datetime | None
    topic: str | None
    partition: int | None
    offset: int | None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_note: str | None = None


class ParkedEvent(NamedTuple):
    """An event whose return is not known yet. `subject` names it by its kind: a return_id, a connote, or `carrier/number`.

    `reason` is that of a scan which no carrier's table knew when it came, or of a void that has waited for an hour. What
    stands at its end is of the acknowledgement of all that waits under its name, where one holds.
    """

    kind: str
    subject: str
    milestone: str | None
    reason: str | None
    type: str
    source: str
    id: str
    code: str | None
    occurred_at: datetime
    recorded_at: datetime
    topic: str
    partition: int
    offset: int
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_note: str | None = None


DueTimes = Mapping[str, datetime]  # since when a return is stuck, by its status
KeyType = Literal["timestamptz", "int8", "int4", "text"]
Row = TypeVar("Row")


@dataclass(frozen=True)
class ListSpec(Generic[Row]):
    """What a list is, wherever it is shown.

    `mark` begins the keys of its pages, and so its cursors: those of another list lead nowhere. `key` names the columns of
    its order, each with its type; the last of them make it unambiguous. `file_columns` are the columns of its file, by
    their names in the document, a member of a member with a dot.
    """

    mark: str
    row: type[Row]
    key: tuple[tuple[str, KeyType], ...]
    file_columns: tuple[str, ...] = ()

    def key_of(self, row: Row) -> tuple[Any, ...]:
        """Where a page that ends with this row ends."""
        return tuple(getattr(row, name) for name, _ in self.key)


RETURNS: Final = ListSpec(
    "r",
    ListedReturn,
    (("return_no", "int8"),),
    (
        "return_id",
        "status",
        "status_at",
        "status_recorded_at",
        "stuck",
        "complete",
        "closed.at",
        "closed.reason",
        "route",
        "retailer",
        "order_number",
        "carrier",
        "tracking_number",
        "hub",
        "connote",
        "version",
        "created_at",
        "updated_at",
    ),
)
STUCK_RETURNS: Final = ListSpec(
    "s", ListedReturn, (("status_recorded_at", "timestamptz"), ("return_no", "int8")), RETURNS.file_columns
)
EXCEPTIONS: Final = ListSpec(
    "e",
    ListedException,
    (("recorded_at", "timestamptz"), ("return_no", "int8"), ("seq", "int4")),
    (
        "recorded_at",
        "verdict",
        "reason",
        "return_id",
        "retailer",
        "milestone",
        "code",
        "carrier",
        "tracking_number",
        "connote",
        "occurred_at",
        "resolved_at",
        "type",
        "source",
        "id",
        "topic",
        "partition",
        "offset",
        "state",
    ),
)
PARKED_EVENTS: Final = ListSpec(
    "p",
    ParkedEvent,
    (("recorded_at", "timestamptz"), ("kind", "text"), ("subject", "text"), ("source", "text"), ("id", "text")),
    EXCEPTIONS.file_columns,
)
LETTERS: Final = ListSpec(
    "d",
    KeptLetter,
    (("recorded_at", "timestamptz"), ("letter_no", "int8")),
    (
        "id",
        "recorded_at",
        "reason",
        "error",
        "topic",
        "partition",
        "offset",
        "published_at",
        "attempts",
        "resolved_at",
    ),
)


class Window(NamedTuple, Generic[Row]):
    """The rows that were found, and how far was looked.

    `upto` is the key of the last row that was looked at, where there may be more behind it; None: there are no more,
    or as many were found as were asked for.
    """

    rows: list[Row]
    upto: tuple[Any, ...] | None = None


class Listing(Protocol):
    """The lists, a window at a time. Every method may raise Retryable.

    `bounds` are those of whoever asks, `wanted` narrows the list. `after` is the key of the last row of the window before, the columns that the list's
    ListSpec names; None: from the beginning. `limit` is how many rows are wanted: a caller that asks for one more than it
    shows knows whether there are more. `due` tells for each status since when a return in it is stuck (see
    `pages.due_times`).

    >>> first = listing.returns(bounds, ReturnFilter(retailer="acme"), due, None, 51)
    >>> second = listing.returns(bounds, ReturnFilter(retailer="acme"), due, first.rows[49].return_no, 51)
    """

    def returns(
        self, bounds: Bounds, wanted: ReturnFilter, due: DueTimes, after: int | None, limit: int
    ) -> Window[ListedReturn]:
        """Returns, the newest first: by RETURNS. Of `stuck` only False is looked at; see `stuck_returns`."""

    def stuck_returns(
        self, bounds: Bounds, wanted: ReturnFilter, due: DueTimes, after: tuple[datetime, int] | None, limit: int
    ) -> Window[ListedReturn]:
        """Those that moved before `due` and are not complete, the one that has not moved for longest first: by
        STUCK_RETURNS.
        """

    def exceptions(
        self, bounds: Bounds, wanted: ExceptionFilter, after: tuple[datetime, int, int] | None, limit: int
    ) -> Window[ListedException]:
        """Exceptions, the newest first: by EXCEPTIONS."""

    def parked(
        self, bounds: Bounds, wanted: ExceptionFilter, after: tuple[datetime, str, str, str, str] | None, limit: int
    ) -> Window[ParkedEvent]:
        """Parked events, the newest first: by PARKED_EVENTS. They have no verdict or retailer to go by; within bounds
        only a carrier's scans are seen.
        """

    def letters(
        self, _: Everything, wanted: LetterFilter, after: tuple[datetime, int] | None, limit: int, most: int
    ) -> Window[KeptLetter]:
        """Dead letters, the newest first: by LETTERS. Values of more than `most` bytes are left out."""

    def letter(self, _: Everything, letter_no: int) -> KeptLetter | None:
        """This one, its value whole; None where there is none of this number."""
