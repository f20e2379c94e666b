"""What the API can do beyond reading one return; each application is given its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from fastapi import Request

from service.application.commands.creation import Creating
from service.application.commands.voiding import Voiding
from service.application.journal.replay import Replayed
from service.application.reading.listing import STUCK_HOURS, Listing
from service.domain.milestones import Milestone


class Services(NamedTuple):
    """Lists, creations, voids and replays. `replay` tries one dead letter again; None: there is no such letter."""

    listing: Listing
    creating: Creating
    replay: Callable[[int], Replayed | None]
    voiding: Voiding
    stuck_hours: Mapping[Milestone, float] = STUCK_HOURS
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


async def services_of(request: Request) -> Services:
    """Those of this application."""
    found: Services = request.app.state.services
    return found
