"""What the domain knows of an event: enough to decide, nothing of how it travelled."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from hashlib import blake2b
from typing import Final, NamedTuple

from service.domain.labels import Label, Window
from service.domain.milestones import Milestone, Reason, Route
from service.domain.values import value

KEY_DIGEST_BYTES: Final = 8


@unique
class Sense(StrEnum):
    """What an event says, once its type and, for a scan, its carrier's code are understood."""

    ASSERTS = "asserts"  # a milestone
    INFORMS = "informs"  # a known carrier code without a milestone
    UNMAPPED = "unmapped"  # a carrier code, or a carrier, that no table knows
    VOIDS = "voids"  # another event was a mistake
    CLOSES = "closes"  # nothing further is expected of the return
    REOPENS = "reopens"  # something is again
    RECONCILES = "reconciles"  # what subscribers were told is not what the journal says


@unique
class Effect(StrEnum):
    """What a scan did to the parcel's direction, where that matters."""

    COLLECTED = "collected"  # from whoever sends it
    RETURNING = "returning"  # on its way back to the sender


class Attributes(NamedTuple):
    """What a return's creation says of it."""

    retailer: str
    route: Route
    carrier: str
    tracking_number: str
    order_number: str | None = None

    @property
    def label(self) -> Label:
        """The label that the creation names."""
        return self.carrier, self.tracking_number


@value(frozen=True, slots=True)
class Published:
    """What subscribers hold of a return: the newest version they were told, and what it says.

    `counts` has, for each milestone that counts there, when (microseconds since 1970-01-01 UTC), by which source, where.
    """

    version: int
    counts: Mapping[Milestone, tuple[int, str, Mapping[str, str] | None]]
    attributes: Attributes | None
    connote: str | None
    closed: tuple[int, str] | None = None  # when, and why
    labels: tuple[Label, ...] = ()  # beside that of the attributes


@value(frozen=True, slots=True)
class Event:
    """One distinct event that concerns a return.

    `at` is when it happened, in microseconds since 1970-01-01 UTC. `milestone` is set where `sense` is ASSERTS;
    `attributes` with RC, `connote` with RE and RDBTC, `voids` (the source and id of the mistaken event) with VOIDS.
    `location` is opaque to the domain, `effect` is a scan's. `unmapped_because` tells an unknown code from an unknown carrier. `published` is
    set with RECONCILES, `because` with CLOSES. `label` is the one that a scan came by; with `window` the event says what other
    returns' claims make of that label's window.
    """

    source: str
    id: str
    at: int
    sense: Sense
    milestone: Milestone | None = None
    location: Mapping[str, str] | None = None
    attributes: Attributes | None = None
    connote: str | None = None
    voids: tuple[str, str] | None = None
    unmapped_because: Reason | None = None
    published: Published | None = None
    effect: Effect | None = None
    label: Label | None = None
    window: Window | None = None
    because: str | None = None

    @property
    def key(self) -> bytes:
        """The event's identity among the events of its return, as a digest."""
        return key_digest(self.source, self.id)

    @property
    def order(self) -> tuple[int, str, str]:
        """The earliest event of a milestone is the one that is smallest in this order."""
        return (self.at, self.source, self.id)


def key_digest(source: str, event_id: str) -> bytes:
    """Eight bytes that name (source, id) among the events of one return."""
    # NUL cannot occur in either, so the pair is unambiguous.
    return blake2b(f"{source}\0{event_id}".encode(), digest_size=KEY_DIGEST_BYTES).digest()
