"""What a story is told of, and what it consists of."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from service.domain.events import Event
from service.domain.milestones import Route
from service.simulator import cast

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400


@unique
class Oddity(StrEnum):
    """What is odd about a fact, though it is told as it was."""

    MOVED_AFTER_DELIVERY = "moved_after_delivery"  # a movement that is stamped after the delivery
    DELIVERED_ELSEWHERE = "delivered_elsewhere"  # to a locker, or in part
    AT_A_HUB_BY_MISTAKE = "at_a_hub_by_mistake"  # it was to go straight to the retailer
    MISTAKEN_SCAN = "mistaken_scan"  # of another parcel, taken back later
    SENT_BACK = "sent_back"  # the carrier takes the parcel back to its sender, and says so
    RETURNING_AFTER_DELIVERY = "returning_after_delivery"  # delivered, and then on its way back: both cannot be
    DELIVERED_TWICE = "delivered_twice"  # at another time and place
    RECYCLED_NUMBER = "recycled_number"  # the tracking number was that of another return, months ago


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
    oddity: Oddity | None = None


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

    def clock(self, place: cast.Location | None) -> ZoneInfo:
        """The zone of a place where a carrier scans it: Perth is not Sydney, and Dallas not Los Angeles."""
        if place is self.retailer.warehouse:
            return self.retailer.zone
        return cast.ZONES.get((place or {}).get("code", ""), self.country.zone)
