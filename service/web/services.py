"""What the API can do beyond reading one return; each application is given its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from fastapi import Request

from service.application.commands.accepting import Accepting
from service.application.commands.creation import Creating
from service.application.commands.voiding import Voiding
from service.application.journal.replay import Replayed
from service.application.reading.listing import STUCK_HOURS, Listing
from service.domain.milestones import Milestone


class Operations(NamedTuple):
    """Lists, creations, voids, replays, and events as they come.

    `replay` tries one dead letter again; None: there is no such letter. `publisher_of` says in whose name a token sends.
    """

    listing: Listing
    creating: Creating
    replay: Callable[[int], Replayed | None]
    voiding: Voiding
    accepting: Accepting
    publisher_of: Callable[[str], str | None]
    stuck_hours: Mapping[Milestone, float] = STUCK_HOURS
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


async def operations(request: Request) -> Operations:
    """Those of this application."""
    found: Operations = request.app.state.operations
    return found
