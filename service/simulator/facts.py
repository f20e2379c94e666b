"""What a story is told of, and what it consists of."""

from __future__ import annotations

from typing import Any, NamedTuple

from service.domain.events import Event
from service.domain.milestones import Route
from service.simulator import cast


class Fact(NamedTuple):
    """Something that happened, with the event that reports it.

    `subject` is the return_id that the event concerns, for a delivery the connote; `key` the message's. `time` is
    the envelope's, None where data.local_time stands for it. `is_scan` tells what carriers and hubs can miss.
    """

    kind: int  # index into options.Topics
    key: str
    subject: str
    type: str
    time: str | None
    data: dict[str, Any]
    event: Event
    is_scan: bool = False


class Parcel(NamedTuple):
    """What stays the same through a story."""

    return_id: str
    tracking_number: str
    order_number: str
    route: Route
    country: cast.Country
    carrier: cast.Carrier
    retailer: cast.Retailer
    items: tuple[dict[str, Any], ...]
