"""What the web can do beyond reading one return; each application is given its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from service.application.access.audit import Audit
from service.application.access.bounds import Everything
from service.application.commands.accepting import Accepting
from service.application.commands.acknowledging import Acknowledging
from service.application.commands.creation import Creating
from service.application.commands.feeding import Feeding
from service.application.commands.labelling import Labelling
from service.application.commands.portal import Portals
from service.application.commands.resending import Changes
from service.application.commands.voiding import Voiding
from service.application.commands.waiting import Waiting
from service.application.journal.replay import Replayed
from service.application.reading.connotes.listing import ConnoteReading
from service.application.reading.exceptions.given import Giving
from service.application.reading.listing import STUCK_HOURS, Listing
from service.application.reading.pages import due_times
from service.domain.milestones import Milestone


class Services(NamedTuple):
    """The use cases of the API and the desk, wired by `service.wiring.serving`.

    `listing` reads the lists, `connotes` those of connotes; `creating` and `voiding` publish events and answer once Kafka has them,
    `accepting` those that publishers send as they are. `audit` keeps who did what, `acknowledging` and `waiting` what they have seen,
    `giving` says which events give an exception. `replay` tries the dead letter of a number again, with
    these members set, for who is not bound, and answers with what became of it; None: there is no such letter; it may raise Retryable.
    `feeding` takes in what carriers send in words of their own, `labelling` prints labels. `stuck_hours` is for how many hours a return may stay in a
    status before it counts as stuck, `now` the clock that this is judged by.

    >>> list_returns(services.listing, bounds, ReturnFilter(stuck=True), 50, None, services.due())
    """

    listing: Listing
    connotes: ConnoteReading
    creating: Creating
    replay: Callable[[Everything, int, Changes], Replayed | None]
    voiding: Voiding
    accepting: Accepting
    audit: Audit
    acknowledging: Acknowledging
    waiting: Waiting
    giving: Giving
    stuck_hours: Mapping[Milestone, float] = STUCK_HOURS
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    feeding: Feeding | None = None  # None: no feed is open
    portals: Portals | None = None  # None: no retailer's consumers make returns here
    public_url: str | None = None  # where people reach the pages
    labelling: Labelling | None = None  # None: where the API is only described

    def due(self) -> dict[str, datetime]:
        """For each status, the time since which a return in it is stuck now."""
        return due_times(self.stuck_hours, self.now())


async def services_of(request: Request) -> Services:
    """Those of the application that was asked."""
    found: Services = request.app.state.services
    return found


# A parameter of an endpoint that needs them.
Wired = Annotated[Services, Depends(services_of)]
