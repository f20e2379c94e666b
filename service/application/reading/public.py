"""What the public may see of a return: from its state and history to views without a name, address, order, item or hub code.

Nothing of a return reaches a public page but what stands in these views.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, NamedTuple, Protocol

from service.application.reading.local_time import LocalTime
from service.application.reading.numbers import Match
from service.application.reading.redaction import Found, Place, RedactedReturn, Rejection
from service.application.reading.tracking import RecordedEvent, counts
from service.domain.events import key_digest
from service.domain.evidence import RETURNING
from service.domain.journey import State
from service.domain.labels import Label
from service.domain.milestones import FIRST_MILE, RANKED, RANKS, Milestone, Reason, Route
from service.wire.carriers import CarrierTables, CodeList
from service.wire.models import CARRIER_SCANNED
from service.wire.stored import to_micros

RC, RT, RDTPF, DS, RP, RE, RDBTC = RANKED
RR: Final = Milestone.RR

_MOST_HAPPENINGS: Final = 60  # a parcel that is scanned more often than that is not told better by all of it


class Revision(NamedTuple):
    """How far a return is: it moves with everything that is recorded of it."""

    version: int
    seq: int


class PublicReading(Protocol):
    """What the public pages ask of the store. Every method may raise Retryable.

    >>> found = reading.find(numbers_of("op 123456789 gb"))
    >>> page = None if found is None else view_return(found, tables)
    """

    def find(self, numbers: Sequence[str]) -> Found | None:
        """The return of the first of these numbers that leads to one, with its newest rows in order of recording.

        `numbers` are the forms that a person may have meant, as `numbers_of` gives them; none takes as long to look up
        as one that leads nowhere. A return_id goes before a tracking number; of several returns with one tracking number
        the one that claimed it last is meant. None where no number leads to a return.
        """

    def sharing(self, number: str) -> Sequence[str]:
        """The returns in one box: those whose window of the tracking number overlaps that of the newest claim, which is the
        first. Of a number that is nobody else's at the time there is none; they are a bounded number.
        """

    def alike(self, numbers: Sequence[str]) -> Sequence[Match]:
        """Every stored number that looks like one of these (`numbers.look`), a bounded number of each look."""

    def states_of(self, numbers: Sequence[str]) -> dict[str, State]:
        """The return of each of these numbers, exactly as they are stored; of those without one nothing."""

    def revisions(self, queries: Sequence[Sequence[str]]) -> list[Revision | None]:
        """How far the return of each of these is, in their order; each is what `find` is given. None: it leads nowhere."""

    def completed(self, limit: int) -> Sequence[State]:
        """The newest returns that reached the last milestone of their route, up to `limit` of each route."""


@unique
class StepState(StrEnum):
    """Where a milestone stands on the way."""

    DONE = "done"
    SKIPPED = "skipped"  # nobody scanned it, and nobody will: a later one counts
    CURRENT = "current"
    TO_COME = "to_come"


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
    revision: Revision
    route: Route
    status: Milestone
    complete: bool
    carrier: str | None  # its name; None where there is no table for it, or where the table is nobody's
    steps: tuple[Step, ...]
    happenings: tuple[Happening, ...]  # the newest first
    rejection: Rejection | None
    going_back: bool = False  # the carrier is taking it back to the sender, or has
    closed: str | None = None  # why nothing further is expected of it, though it is not complete


@dataclass(frozen=True, slots=True)
class FirstMileView:
    """OmniParcel's page: the carrier's scans, and nothing from behind the first-mile destination."""

    number: str
    revision: Revision
    carrier: str | None
    scans: tuple[Scan, ...]  # the newest first
    delivered: bool
    goes_on: bool  # the route leads further than the first mile
    closed: str | None = None  # as above


def view_return(found: Found, tables: CarrierTables) -> ReturnView:
    """What a consumer sees."""
    redacted = RedactedReturn(found, tables)
    timeline = found.state.timeline
    if timeline.status is None or timeline.route is None:
        raise ValueError("a return without its creation is not to be shown")
    rejected = timeline.counts.get(RR)
    return ReturnView(
        number=found.number,
        revision=Revision(found.state.version, found.state.seq),
        route=timeline.route,
        status=timeline.status,
        complete=timeline.complete,
        carrier=redacted.carrier_name(),
        steps=tuple(steps(redacted)),
        happenings=tuple(_happenings(redacted)),
        rejection=None if rejected is None else redacted.rejection(rejected),
        going_back=_is_going_back(redacted),
        closed=_closed(found),
    )


def _closed(found: Found) -> str | None:
    closing = found.state.timeline.closed
    return None if closing is None else closing.reason


def _is_going_back(redacted: RedactedReturn) -> bool:
    """Whether the last scan that tells the parcel's direction says so, and no hub has seen it."""
    flags, status = redacted.state.evidence.flags, redacted.state.timeline.status
    if not flags & RETURNING or status not in (RC, RT, RDTPF):
        return False
    told = list[tuple[tuple[int, str, str], bool]]()
    for row in redacted.rows:
        if (
            row.type == CARRIER_SCANNED
            and redacted.is_own(row)
            and key_digest(row.source, row.id) not in redacted.state.voided
        ):
            known = redacted.tables.lookup(str(row.data.get("carrier")), row.code or "")
            if known is not None and known.listed in (CodeList.COLLECTED, CodeList.RETURNING):
                told.append((_order(row), known.returning))
    return bool(told) and max(told)[1]


def view_first_mile(found: Found, tables: CarrierTables) -> FirstMileView:
    """What OmniParcel shows: what was scanned after the delivery belongs to nobody's first mile."""
    redacted = RedactedReturn(found, tables)
    delivered = found.state.timeline.counts.get(RDTPF)
    numbers = {number for _, number in labels_of(found.state)}
    shown = [
        row
        for row in redacted.rows
        if row.type == CARRIER_SCANNED
        and redacted.is_own(row)
        and row.reason != Reason.BEFORE_LABEL
        # Of two labels that a return has, each shows its own way.
        and (found.number not in numbers or row.data.get("tracking_number") == found.number)
        and key_digest(row.source, row.id) not in found.state.voided
        and (delivered is None or to_micros(row.occurred_at) <= delivered.at)
    ]
    return FirstMileView(
        number=found.number,
        revision=Revision(found.state.version, found.state.seq),
        carrier=redacted.carrier_name(),
        scans=tuple(_scan(redacted, row) for row in sorted(shown, key=_order, reverse=True)),
        delivered=delivered is not None,
        goes_on=found.state.timeline.route is Route.OMNIRPS,
        closed=_closed(found),
    )


def steps(redacted: RedactedReturn) -> Iterable[Step]:
    """The milestones of the way; after a rejection those that were not reached are none."""
    timeline = redacted.state.timeline
    way = [m for m in RANKED if timeline.route is Route.OMNIRPS or m in FIRST_MILE]
    furthest = max(RANKS[milestone] for milestone in timeline.counts if milestone is not RR)
    for milestone in [*way, RR] if RR in timeline.counts else way:
        sighting = timeline.counts.get(milestone)
        if sighting is not None:
            state = StepState.CURRENT if milestone is timeline.status else StepState.DONE
            yield Step(milestone, state, redacted.time_of(milestone, sighting))
        elif RANKS[milestone] < furthest:
            yield Step(milestone, StepState.SKIPPED, None)
        elif RR not in timeline.counts:
            yield Step(milestone, StepState.TO_COME, None)


def _happenings(redacted: RedactedReturn) -> list[Happening]:
    """What counts, and the carrier's scans on the way up to the moment when its part was over."""
    timeline = redacted.state.timeline
    told = [
        (sighting.order, Happening(m, True, redacted.time_of(m, sighting), redacted.place(sighting.location)))
        for m, sighting in timeline.counts.items()
    ]
    first = timeline.counts.get(RT)
    over = min((s.at for m, s in timeline.counts.items() if m not in (RC, RT)), default=None)
    for row in redacted.rows:
        if not redacted.is_own(row):
            continue
        if row.milestone != RT or first is None or (row.source, row.id) == (first.source, first.id):
            continue
        if counts(row, redacted.state) and (over is None or to_micros(row.occurred_at) <= over):
            scan = Happening(RT, False, redacted.time_of_row(row), redacted.place(row.location))
            told.append((_order(row), scan))
    # Of one moment, the further milestone is the newer one.
    told.sort(key=lambda each: (each[0][0], RANKS[each[1].milestone], each[0]), reverse=True)
    return [happening for _, happening in told[:_MOST_HAPPENINGS]]


def labels_of(state: State) -> tuple[Label, ...]:
    """The labels of a return."""
    attributes = state.evidence.attributes
    return () if attributes is None else (attributes.label, *state.evidence.labels)


def _order(row: RecordedEvent) -> tuple[int, str, str]:
    return (to_micros(row.occurred_at), row.source, row.id)


def _scan(redacted: RedactedReturn, row: RecordedEvent) -> Scan:
    code = row.code or ""
    known = redacted.tables.lookup(str(row.data.get("carrier")), code)
    place = redacted.place(row.location)
    return Scan(code, None if known is None else known.description, redacted.time_of_row(row), place)
