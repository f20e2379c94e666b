"""What waits for somebody: queues with their length and the age of their oldest entry, and the lists behind them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Final, NamedTuple

from fastapi.responses import Response

from service.application.reading.exceptions.queues import CODE_COLUMNS, EMPTY, Size, Sizes, UnmappedCode
from service.application.reading.filters import PARKED, ExceptionFilter, ExceptionState, ReturnFilter
from service.application.reading.listing import EXCEPTIONS, RETURNS
from service.application.reading.pages import Page, PageKey, list_exceptions, list_returns
from service.domain.exceptional import HELD_REASONS, QUEUED
from service.domain.milestones import Milestone, Reason, Verdict
from service.web.ops.desk import Desk, Visit
from service.web.ops.forms import Field, Form, address, options, values
from service.web.ops.lists import List, narrowed, register
from service.web.ops.return_detail import is_number
from service.wire.rows.exception_ids import waiting_named_by

# Which reasons an event is refused for.
_REFUSED: Final = (
    Reason.ALREADY_EXPORTED,
    Reason.ALREADY_REJECTED,
    Reason.ROUTE_ENDS_AT_FIRST_MILE,
    Reason.RETURNED_TO_SENDER,
    Reason.BEFORE_EXPORT,
    Reason.NOT_VOIDABLE,
)


# Of a queue those that wait are shown, and what was acknowledged where somebody asks for it.
_STATE: Final = Field(
    "state", "seen.state", {ExceptionState.ACKNOWLEDGED.value: "seen.acknowledged"}, any="seen.not_acknowledged"
)


class Queue(NamedTuple):
    """A queue as the desk shows it: the key of its words, how much waits in it, and where to look at it."""

    name: str
    size: Size
    address: str


class Board(NamedTuple):
    """All queues, in the order in which people should look at them."""

    first: Queue  # the carrier says delivered, and no depot has scanned it
    stuck: tuple[Queue, ...]
    others: tuple[Queue, ...]


def stuck_hours(visit: Visit) -> dict[str, float]:
    """For how long a return may stay in a status."""
    return {status.value: hours for status, hours in visit.parts.services.stuck_hours.items()}


def board(visit: Visit) -> Board:
    """The queues as they are now."""
    sizes = visit.parts.queues.sizes(visit.bounds, visit.due)

    def stuck(status: Milestone) -> Queue:
        path = address("/ops/queues/stuck", {"status": status.value})
        return Queue(f"stuck_{status.value}", sizes.stuck.get(status.value, EMPTY), path)

    rest = [status for status in visit.parts.services.stuck_hours if status is not Milestone.RDTPF]
    return Board(stuck(Milestone.RDTPF), tuple(stuck(status) for status in rest), tuple(_others(sizes)))


def _others(sizes: Sizes) -> Iterable[Queue]:
    yield Queue("letters", together(sizes.letters.values()), "/ops/dead-letters?open=yes")
    yield Queue("unmapped", sizes.exceptions.get(Verdict.UNMAPPED, EMPTY), "/ops/queues/unmapped")
    yield Queue("held", sizes.exceptions.get(Verdict.HELD, EMPTY), "/ops/queues/held")
    yield Queue("refused", sizes.exceptions.get(Verdict.REFUSED, EMPTY), "/ops/queues/refused")
    yield Queue("parked", sizes.parked, "/ops/queues/parked")
    yield Queue("in_use", sizes.in_use, "/ops/queues/in-use")
    for reason in QUEUED:
        yield Queue(reason.value, sizes.circumstances.get(reason, EMPTY), _path(reason))


def _path(reason: Reason) -> str:
    return f"/ops/queues/{reason.value.replace('_', '-')}"


EXCEPTION_QUEUES: Final = frozenset(
    {
        *(f"/ops/queues/{name}" for name in ("held", "refused", "in-use", "unmapped/scans")),
        *map(_path, QUEUED),
    }
)


def together(sizes: Iterable[Size]) -> Size:
    """Several queues as one."""
    found = list(sizes)
    return Size(
        sum(size.number for size in found),
        min((s.oldest for s in found if s.oldest is not None), default=None),
        sum(size.acknowledged for size in found),
    )


class QueuePages:
    """The overview, and a list a queue."""

    def __init__(self, desk: Desk) -> None:
        for name, template, columns, ask in (
            ("stuck", "ops/stuck.html", RETURNS.file_columns, self.stuck),
            ("held", "ops/exceptions.html", EXCEPTIONS.file_columns, self.held),
            ("refused", "ops/exceptions.html", EXCEPTIONS.file_columns, self.refused),
            ("parked", "ops/parked.html", EXCEPTIONS.file_columns, self.parked),
            ("in-use", "ops/exceptions.html", EXCEPTIONS.file_columns, self.in_use),
            ("unmapped/scans", "ops/exceptions.html", EXCEPTIONS.file_columns, self.scans),
            ("unmapped", "ops/unmapped.html", CODE_COLUMNS, self.unmapped),
        ):
            register(desk, f"/ops/queues/{name}", template, columns, ask, section="queues")
        for reason in QUEUED:
            found = partial(self.circumstance, reason)
            register(desk, _path(reason), "ops/exceptions.html", EXCEPTIONS.file_columns, found, section="queues")
        desk.page("/ops/queues", self.show, section="queues")

    def show(self, visit: Visit) -> Response:
        """All queues."""
        return visit.show("ops/queues.html", board=board(visit), hours=stuck_hours(visit))

    def stuck(self, visit: Visit) -> List:
        """Returns that have not moved for too long; the one that has not for longest first."""
        hours = stuck_hours(visit)
        form = Form(
            ReturnFilter,
            (
                Field("status", "list.status", options(hours, "queue.stuck_")),
                Field("route", "list.route", values(ReturnFilter, "route", "route.")),
                *(Field(name, f"list.{name}") for name in ("retailer", "carrier", "hub")),
            ),
        )
        listing, due = visit.parts.services.listing, visit.due

        def read(wanted: ReturnFilter, after: PageKey | None, limit: int) -> Page:
            return list_returns(listing, visit.bounds, wanted, limit, after, due)

        return narrowed(visit, form, read, {"hours": hours}, stuck=True)

    def held(self, visit: Visit) -> List:
        return self._exceptions(visit, "held", HELD_REASONS, verdict=Verdict.HELD.value)

    def refused(self, visit: Visit) -> List:
        return self._exceptions(visit, "refused", _REFUSED, verdict=Verdict.REFUSED.value)

    def parked(self, visit: Visit) -> List:
        """Events of returns that nobody has created yet."""
        return self._exceptions(visit, PARKED, (), verdict=PARKED)

    def in_use(self, visit: Visit) -> List:
        """Returns whose tracking number another return had claimed before."""
        return self._exceptions(visit, "in_use", (), reason=Reason.TRACKING_NUMBER_IN_USE.value)

    def circumstance(self, reason: Reason, visit: Visit) -> List:
        """Returns whose events together say something that one of them need not."""
        return self._exceptions(visit, reason.value, (), reason=reason.value)

    def scans(self, visit: Visit) -> List:
        """Scans with a code that no table knows, those of one carrier and code in most cases."""
        return self._exceptions(visit, "unmapped", (), verdict=Verdict.UNMAPPED.value)

    def unmapped(self, visit: Visit) -> List:
        """Codes that a carrier's table lacks."""

        def read(_: PageKey | None, limit: int) -> Page:
            del limit
            return Page([_code_item(code) for code in visit.parts.queues.unmapped(visit.bounds)], None)

        return List(read)

    def _exceptions(self, visit: Visit, name: str, reasons: Iterable[Reason], **fixed: str) -> List:
        why = options((reason.value for reason in reasons), "why.")
        fields = [Field("reason", "list.why", why)] if why else []
        fields += [Field(name, f"list.{name}") for name in (("carrier",) if why else ("carrier", "code"))]
        form, listing = Form(ExceptionFilter, (*fields, _STATE)), visit.parts.services.listing

        def read(wanted: ExceptionFilter, after: PageKey | None, limit: int) -> Page:
            state = wanted.state or ExceptionState.OPEN
            return list_exceptions(listing, visit.bounds, wanted.model_copy(update={"state": state}), limit, after)

        return narrowed(visit, form, read, {"queue": name, "acknowledged": _done(visit, name)}, **fixed)


def _done(visit: Visit, queue: str) -> str | None:
    """What was acknowledged just now: the return, or what waits by its name."""
    done = visit.request.query_params.get("acknowledged", "")
    if queue == PARKED:
        named = waiting_named_by(done)
        return None if named is None else named.subject.replace("/", " ")
    return done if is_number(done) else None


def _code_item(code: UnmappedCode) -> dict[str, Any]:
    """A code as a row; `more` says that there are more scans than were counted."""
    return {
        "carrier": code.carrier,
        "code": code.code,
        "reason": code.reason,
        "scans": code.size.number,
        "size": code.size,
        "oldest": None if code.size.oldest is None else code.size.oldest.isoformat(),
        "newest": code.newest.isoformat(),
        "example": code.example,
        "address": address("/ops/queues/unmapped/scans", {"carrier": code.carrier, "code": code.code}),
    }
