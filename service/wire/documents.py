"""A return as the outside sees it: one document, given over HTTP and published on the topic of current statuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from service.domain.journey import State
from service.domain.milestones import FIRST_MILE, NAMES, RANKED, RANKS, Milestone, Route
from service.domain.timeline import Timeline
from service.wire.times import rfc3339

REACHED: Final = "reached"
SKIPPED: Final = "skipped"  # a later milestone counts: nobody scanned it, and nobody will
UPCOMING: Final = "upcoming"
NOT_APPLICABLE: Final = "not_applicable"  # the route, or a rejection, ends before it


def tracking_url(public_url: str | None, return_id: str) -> str | None:
    """Where the consumer sees the return; None where nobody said how the pages are reached.

    >>> tracking_url("https://returns.example/", "R-1001")
    'https://returns.example/track/R-1001'
    """
    return None if public_url is None else f"{public_url.rstrip('/')}/track/{return_id}"


Told = Callable[[Mapping[str, str] | None], Mapping[str, str] | None]
"""What is told of a place."""


def _as_said(location: Mapping[str, str] | None) -> Mapping[str, str] | None:
    return location


def return_document(
    return_id: str,
    state: State,
    public_url: str | None = None,
    *,
    place: Told = _as_said,
    updated_at: str | None = None,
) -> dict[str, Any]:
    """The document of a return whose creation is known; every value is JSON.

    `place` is what is told of places; `updated_at` when the last row of its history was recorded, None: it has none yet.
    """
    attributes = state.evidence.attributes
    if attributes is None:
        raise ValueError("a return without its creation has no document")
    timeline = state.timeline
    status = timeline.status
    return {
        "return_id": return_id,
        "retailer": attributes.retailer,
        "order_number": attributes.order_number,
        "route": attributes.route.value,
        "carrier": attributes.carrier,
        "tracking_number": attributes.tracking_number,
        "tracking_url": tracking_url(public_url, return_id),
        "labels": labels(state),
        "connote": state.evidence.connote,
        "status": None if status is None else status.value,
        "status_name": None if status is None else NAMES[status],
        "version": state.version,
        "complete": timeline.complete,
        "closed": closed(timeline),
        "updated_at": updated_at,
        "timeline": timeline_document(timeline, place),
    }


def labels(state: State) -> list[dict[str, str]]:
    """The labels that creations of the return named, that of the earliest first."""
    attributes = state.evidence.attributes
    if attributes is None:
        raise ValueError("a return without its creation has no label")
    named = (attributes.label, *state.evidence.labels)
    return [{"carrier": carrier, "tracking_number": number} for carrier, number in named]


def closed(timeline: Timeline) -> dict[str, Any] | None:
    """When a return was closed, and why; None for one that is open."""
    closing = timeline.closed
    return None if closing is None else {"reason": closing.reason, "at": rfc3339(closing.at)}


def timeline_document(timeline: Timeline, place: Told = _as_said) -> list[dict[str, Any]]:
    """The seven milestones in rank order, and the rejection where it counts."""
    shown = [*RANKED, Milestone.RR] if Milestone.RR in timeline.counts else RANKED
    furthest = max((RANKS[milestone] for milestone in timeline.counts if milestone is not Milestone.RR), default=0)
    return [_step(milestone, timeline, furthest, place) for milestone in shown]


def _step(milestone: Milestone, timeline: Timeline, furthest: int, place: Told) -> dict[str, Any]:
    sighting = timeline.counts.get(milestone)
    step = {"code": milestone.value, "name": NAMES[milestone], "state": REACHED}
    if sighting is not None:
        told = place(sighting.location)
        location = None if told is None else dict(told)
        return {**step, "occurred_at": rfc3339(sighting.at), "location": location, "source": sighting.source}
    if timeline.route is Route.FIRST_MILE_ONLY and milestone not in FIRST_MILE:
        step["state"] = NOT_APPLICABLE
    elif RANKS[milestone] < furthest:
        step["state"] = SKIPPED
    elif Milestone.RR in timeline.counts:
        step["state"] = NOT_APPLICABLE
    else:
        step["state"] = UPCOMING
    return {**step, "occurred_at": None, "location": None, "source": None}
