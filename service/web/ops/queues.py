"""What waits for somebody: queues with their length and the age of their oldest entry, and the lists behind them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from fastapi.responses import Response

from service.application.reading.export import CODE_COLUMNS, EXCEPTION_COLUMNS, RETURN_COLUMNS
from service.application.reading.listing import PARKED, ExceptionFilter, ReturnFilter
from service.application.reading.pages import Page, PageKey, due_times, list_exceptions, list_returns
from service.application.reading.queues import EMPTY, Size, Sizes, UnmappedCode
from service.domain.milestones import Milestone, Reason, Route, Verdict
from service.web.ops import query
from service.web.ops.desk import Desk, Visit
from service.web.ops.lists import List, register

# Which reasons an event is held, or refused, for.
_HELD: Final = (Reason.AWAITING_PROCESSED, Reason.AWAITING_EXPORTED)
_REFUSED: Final = (
    Reason.ALREADY_EXPORTED,
    Reason.ALREADY_REJECTED,
    Reason.ROUTE_ENDS_AT_FIRST_MILE,
    Reason.OTHER_CONNOTE,
    Reason.VOIDED,
    Reason.NOT_VOIDABLE,
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


def due(visit: Visit) -> dict[str, datetime]:
    """Since when a return of each status is stuck."""
    services = visit.parts.services
    return due_times(services.stuck_hours, services.now())


def stuck_hours(visit: Visit) -> dict[str, float]:
    """For how long a return may stay in a status."""
    return {status.value: hours for status, hours in visit.parts.services.stuck_hours.items()}


def board(visit: Visit) -> Board:
    """The queues as they are now."""
    sizes = visit.parts.queues.sizes(due(visit))

    def stuck(status: Milestone) -> Queue:
        address = query.address("/ops/queues/stuck", {"status": status.value})
        return Queue(f"stuck_{status.value}", sizes.stuck.get(status.value, EMPTY), address)

    rest = [status for status in visit.parts.services.stuck_hours if status is not Milestone.RDTPF]
    return Board(stuck(Milestone.RDTPF), tuple(stuck(status) for status in rest), tuple(_others(sizes)))


def _others(sizes: Sizes) -> Iterable[Queue]:
    yield Queue("letters", together(sizes.letters.values()), "/ops/dead-letters?open=yes")
    yield Queue("unmapped", sizes.exceptions.get(Verdict.UNMAPPED, EMPTY), "/ops/queues/unmapped")
    yield Queue("held", sizes.exceptions.get(Verdict.HELD, EMPTY), "/ops/queues/held")
    yield Queue("refused", sizes.exceptions.get(Verdict.REFUSED, EMPTY), "/ops/queues/refused")
    yield Queue("parked", sizes.parked, "/ops/queues/parked")
    yield Queue("in_use", sizes.in_use, "/ops/queues/in-use")


def together(sizes: Iterable[Size]) -> Size:
    """Several queues as one."""
    found = list(sizes)
    return Size(
        sum(size.number for size in found), min((s.oldest for s in found if s.oldest is not None), default=None)
    )


class QueuePages:
    """The overview, and a list a queue."""

    def __init__(self, desk: Desk) -> None:
        desk.page("/ops/queues", self.show, section="queues")
        register(desk, "/ops/queues/stuck", "ops/stuck.html", RETURN_COLUMNS, self.stuck, section="queues")
        for name, template, ask in (
            ("held", "ops/exceptions.html", self.held),
            ("refused", "ops/exceptions.html", self.refused),
            ("parked", "ops/parked.html", self.parked),
            ("in-use", "ops/exceptions.html", self.in_use),
            ("unmapped/scans", "ops/exceptions.html", self.scans),
        ):
            register(desk, f"/ops/queues/{name}", template, EXCEPTION_COLUMNS, ask, section="queues")
        register(desk, "/ops/queues/unmapped", "ops/unmapped.html", CODE_COLUMNS, self.unmapped, section="queues")

    def show(self, visit: Visit) -> Response:
        """All queues."""
        return visit.show("ops/queues.html", board=board(visit), hours=stuck_hours(visit))

    def stuck(self, visit: Visit) -> List:
        """Returns that have not moved for too long; the one that has not for longest first."""
        hours = stuck_hours(visit)
        status = query.choice(visit, "status", hours)
        filters = {
            "status": status,
            "retailer": query.text(visit, "retailer"),
            "carrier": query.text(visit, "carrier"),
            "hub": query.text(visit, "hub"),
            "route": query.choice(visit, "route", [route.value for route in Route]),
        }
        wanted, since = ReturnFilter(**filters, stuck=True), due(visit)
        listing = visit.parts.services.listing

        def read(after: PageKey | None, limit: int) -> Page:
            return list_returns(listing, wanted, limit, after, since)

        return List(read, filters, {"hours": hours})

    def held(self, visit: Visit) -> List:
        return self._exceptions(visit, "held", _HELD, verdict=Verdict.HELD.value)

    def refused(self, visit: Visit) -> List:
        return self._exceptions(visit, "refused", _REFUSED, verdict=Verdict.REFUSED.value)

    def parked(self, visit: Visit) -> List:
        """Events of returns that nobody has created yet."""
        return self._exceptions(visit, "parked", (), verdict=PARKED)

    def in_use(self, visit: Visit) -> List:
        """Returns whose tracking number another return had claimed before."""
        return self._exceptions(visit, "in_use", (), reason=Reason.TRACKING_NUMBER_IN_USE.value)

    def scans(self, visit: Visit) -> List:
        """Scans with a code that no table knows, those of one carrier and code in most cases."""
        return self._exceptions(visit, "unmapped", (), verdict=Verdict.UNMAPPED.value)

    def unmapped(self, visit: Visit) -> List:
        """Codes that a carrier's table lacks."""

        def read(_: PageKey | None, limit: int) -> Page:
            del limit
            return Page([_code_item(code) for code in visit.parts.queues.unmapped()], None)

        return List(read, {})

    def _exceptions(self, visit: Visit, name: str, reasons: Iterable[Reason], **fixed: str) -> List:
        words = [reason.value for reason in reasons]
        filters = {"carrier": query.text(visit, "carrier"), "code": query.text(visit, "code")}
        if words:
            filters = {"reason": query.choice(visit, "reason", words), "carrier": filters["carrier"]}
        wanted = ExceptionFilter(**{**filters, **fixed}, open=True)
        listing = visit.parts.services.listing

        def read(after: PageKey | None, limit: int) -> Page:
            return list_exceptions(listing, wanted, limit, after)

        return List(read, filters, {"queue": name, "reasons": words})


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
        "address": query.address("/ops/queues/unmapped/scans", {"carrier": code.carrier, "code": code.code}),
    }
