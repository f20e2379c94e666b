"""Feeds whose numbers are connotes: a final-mile carrier's scans of the consignments that hubs export.

Of a connote its delivery is recorded, and nothing else: what the carrier's table reads as `delivered` becomes a
`connote.delivered`, every other scan whose code is known is told in the answer and published nowhere. A code that the table
lacks is never guessed, and not lost either: the scan is published as it is, and waits, unmapped, for people to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.domain.milestones import Milestone
from service.wire.models import CONNOTE_DELIVERED
from service.wire.times import rfc3339

DELIVERED: Final = Milestone.RDTPF.value  # what the tables of carriers call delivered
_OF_SCANS: Final = frozenset({"tracking_number", "local_time"})


def delivery_of(scan: Mapping[str, Any], at: int) -> dict[str, Any]:
    """The delivery that a carrier's scan of a connote says, `at` in microseconds since 1970: it has the same id, so a request
    that comes again repeats nothing. The code and what describes the scan stay members of its data.
    """
    said = scan["data"]
    data = {"connote": said["tracking_number"]} | {name: said[name] for name in said if name not in _OF_SCANS}
    # A local time was read by the zone of the carrier's table; a delivery has an offset.
    return {**scan, "type": CONNOTE_DELIVERED, "time": scan.get("time") or rfc3339(at), "data": data}
