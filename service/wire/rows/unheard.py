"""What the service writes into a return's history an hour after a void of a name that no event of the return has."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

UNHEARD: Final = "com.omnirps.return.void-unheard.v1"
"""The type of that row; no publisher may send it. It says nothing of when: a name is unheard of once."""

SOURCE: Final = "/returns-status/voids"


class Unheard(NamedTuple):
    """A void by the name that it gives, and when that had been watched for an hour.

    `has_event`: an event in the history has the name, be it the return's or not. `is_of_others`: it is of all members of a connote,
    and names a delivery of it, which others may have.
    """

    return_no: int
    return_id: str
    source: str
    id: str
    at: datetime
    has_event: bool
    is_of_others: bool = False


def event_data(return_id: str, source: str, event_id: str) -> dict[str, Any]:
    """Its data: the name that the void gives."""
    return {"return_id": return_id, "source": source, "id": event_id}
