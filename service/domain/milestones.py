"""The words of a return's journey: milestones, routes, verdicts, and who may assert what.

Everything here is data. Which milestones count is decided in `timeline`, what an event changes in `journey`.
"""

from __future__ import annotations

from enum import Enum, StrEnum, unique
from typing import Final


@unique
class Milestone(StrEnum):
    """One of the eight facts that can become true of a return; the value is its code."""

    RC = "RC"
    RT = "RT"
    RDTPF = "RDTPF"
    DS = "DS"
    RP = "RP"
    RE = "RE"
    RDBTC = "RDBTC"
    RR = "RR"

    # Enum's own hash is a Python function; milestones are dictionary keys in the hottest code there is.
    __hash__ = str.__hash__


@unique
class Route(StrEnum):
    """How a return travels."""

    OMNIRPS = "omnirps"  # processed at a hub, exported under a connote
    FIRST_MILE_ONLY = "first_mile_only"  # domestic, or straight to the retailer


@unique
class Verdict(StrEnum):
    """What recording an event did; fixed in its history row."""

    ADVANCED = "advanced"  # it moved the status
    BACKFILLED = "backfilled"  # its milestone counts now, the status stayed: a late event
    REPEATED = "repeated"  # its milestone counted already; an earlier one moves the timeline's time
    INFORMATIONAL = "informational"  # known, asserts no milestone
    HELD = "held"  # waits for another event
    REFUSED = "refused"  # contradicts what is known
    UNMAPPED = "unmapped"  # a carrier code that the carrier's table does not know


@unique
class Kind(StrEnum):
    """How a change moved one milestone of the timeline."""

    REACHED = "reached"  # counts now, and moved the status
    BACKFILLED = "backfilled"  # counts now, behind the status
    RETIMED = "retimed"  # counted already; when, where or by whom it was first seen changed
    REVOKED = "revoked"  # no longer counts
    CLOSED = "closed"  # no milestone moved: nothing further is expected of the return, by somebody's word
    REOPENED = "reopened"  # no milestone moved: something is again
    DETAILED = "detailed"  # no milestone moved: what is known of the return beside them changed


BESIDE: Final[frozenset[Kind]] = frozenset({Kind.CLOSED, Kind.REOPENED, Kind.DETAILED})
"""With these no milestone moves: what a change tells stands beside the timeline."""


@unique
class Reason(StrEnum):
    """Why an event was held or refused, or what is exceptional about one that counts."""

    AWAITING_PROCESSED = "awaiting_processed"
    AWAITING_EXPORTED = "awaiting_exported"
    ALREADY_EXPORTED = "already_exported"
    ALREADY_REJECTED = "already_rejected"
    ROUTE_ENDS_AT_FIRST_MILE = "route_ends_at_first_mile"
    BEFORE_EXPORT = "before_export"  # a delivery of the connote when it was another consignment's
    OTHER_CONNOTE = "other_connote"  # exported under two connotes; the events count
    RETURNED_TO_SENDER = "returned_to_sender"  # delivered back where the parcel came from
    RETURNING_AFTER_DELIVERED = "returning_after_delivered"  # delivered, and then on its way again; the events count
    ID_REUSED = "id_reused"  # one source and id tell of more than one fact; all of them count
    CREATION_CONFLICT = "creation_conflict"  # two creations name another retailer or route; the earliest counts
    CLOCK_AHEAD = "clock_ahead"  # an event lay in the future when it came; it counts
    VOID_WITHOUT_EVENT = "void_without_event"  # a void of a name that no event has, an hour after it came
    VOIDED = "voided"  # a void came before the event itself
    NOT_VOIDABLE = "not_voidable"  # a creation or a void cannot be voided
    TRACKING_NUMBER_IN_USE = "tracking_number_in_use"  # another return's window of the label overlaps; the events count
    BEFORE_LABEL = "before_label"  # a scan from before its label was a return's
    LABEL_CLAIMED = "label_claimed"  # another return's claim moved the window of a label; no exception
    EVENTS_AFTER_CLOSED = "events_after_closed"  # the return was closed, and went on; the events count
    UNKNOWN_CODE = "unknown_code"  # the carrier's table has no such code
    UNKNOWN_CARRIER = "unknown_carrier"  # there is no table for the carrier


class Publisher(Enum):
    """Who may assert a milestone."""

    OMNIRETURNS = "OmniReturns portal or API"
    FIRST_MILE_CARRIER = "first-mile carrier"
    HUB = "hub"
    FINAL_MILE = "final-mile delivery of the connote"


NAMES: Final[dict[Milestone, str]] = {
    Milestone.RC: "Return Created",
    Milestone.RT: "Return In Transit",
    Milestone.RDTPF: "Transferred to Sorting Facility",
    Milestone.DS: "Depot Scan",
    Milestone.RP: "Return Processed",
    Milestone.RE: "Return Exported",
    Milestone.RDBTC: "Return Delivered Back To Retailer",
    Milestone.RR: "Return Rejected",
}

# The seven milestones of the timeline in rank order; RR ends a return without having a rank among them.
RANKED: Final[tuple[Milestone, ...]] = (
    Milestone.RC,
    Milestone.RT,
    Milestone.RDTPF,
    Milestone.DS,
    Milestone.RP,
    Milestone.RE,
    Milestone.RDBTC,
)
# RR sorts last, wherever an order over all eight is needed: it ends the return.
RANKS: Final[dict[Milestone, int]] = {m: i for i, m in enumerate((*RANKED, Milestone.RR), start=1)}

ASSERTED_BY: Final[dict[Milestone, Publisher]] = {
    Milestone.RC: Publisher.OMNIRETURNS,
    Milestone.RT: Publisher.FIRST_MILE_CARRIER,
    Milestone.RDTPF: Publisher.FIRST_MILE_CARRIER,
    Milestone.DS: Publisher.HUB,
    Milestone.RP: Publisher.HUB,
    Milestone.RE: Publisher.HUB,
    Milestone.RDBTC: Publisher.FINAL_MILE,
    Milestone.RR: Publisher.HUB,
}

# What counts on the way that ends at the first-mile destination.
FIRST_MILE: Final[frozenset[Milestone]] = frozenset({Milestone.RC, Milestone.RT, Milestone.RDTPF})

# The milestone that ends a return, by route; RR ends it too where it counts.
LAST: Final[dict[Route, Milestone]] = {Route.OMNIRPS: Milestone.RDBTC, Route.FIRST_MILE_ONLY: Milestone.RDTPF}
