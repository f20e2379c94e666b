"""What subscribers hold of a return, as a document: read from the output topics, kept with what `reconcile` records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.domain.events import Attributes, Published, told_place
from service.domain.milestones import BESIDE, NAMES, RANKS, Milestone, Route
from service.domain.timeline import status_of
from service.wire.documents import REACHED
from service.wire.times import micros

RECONCILED: Final = "com.omnirps.return.reconciled.v1"
"""The type of the row in a return's history that says what subscribers held; no publisher may send it."""

SOURCE: Final = "/returns-status/reconcile"

_ATTRIBUTES: Final = ("retailer", "route", "carrier", "tracking_number", "order_number")


def published_of(document: Mapping[str, Any]) -> Published:
    """What a document of a return says; raises KeyError, TypeError or ValueError where it is none of ours.

    Of a place what subscribers are told of it: documents of releases before said more.
    """
    counts = {
        Milestone(step["code"]): (
            micros(step["occurred_at"]),
            str(step["source"]),
            told_place(step["location"]) or None,
        )
        for step in document["timeline"]
        if step["state"] == REACHED
    }
    attributes = Attributes(
        document["retailer"],
        Route(document["route"]),
        document["carrier"],
        document["tracking_number"],
        document["order_number"],
    )
    named = tuple((each["carrier"], each["tracking_number"]) for each in document.get("labels") or ())
    closed = document.get("closed")  # documents of before there was such a thing have none
    return Published(
        int(document["version"]),
        counts,
        attributes,
        document["connote"],
        None if closed is None else (micros(closed["at"]), str(closed["reason"])),
        tuple(label for label in named if label != attributes.label),
    )


def folded(changes: Iterable[Mapping[str, Any]], begin: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The document that status changes, applied in their order on top of `begin`, amount to; None without any."""
    document: dict[str, Any] | None = None if begin is None else dict(begin)
    steps: dict[str, Any] = {} if begin is None else {s["code"]: s for s in begin["timeline"] if s["state"] == REACHED}
    for change in changes:
        code = change["milestone"]
        if change["kind"] == "revoked":
            steps.pop(code, None)
        elif change["kind"] not in BESIDE:
            seen = {"occurred_at": change["occurred_at"], "location": change["location"]}
            steps[code] = {"code": code, "state": REACHED, **seen, "source": change["cause"]["source"]}
        document = {name: change[name] for name in ("return_id", "version", "connote", *_ATTRIBUTES)}
        document |= {name: change[name] for name in ("labels", "closed") if name in change}
    if document is None:
        return None
    return document | {"timeline": sorted(steps.values(), key=lambda step: RANKS[Milestone(step["code"])])}


def summary(published: Published) -> str:
    """In a few words for people: version and status."""
    status = status_of(published.counts)
    return f"version {published.version}, {'nothing' if status is None else NAMES[status]}"


def event_data(return_id: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
    """The data of the row that a reconciliation records: what subscribers held; None: they knew nothing of the return."""
    return {"return_id": return_id, "published": document}


def of_event(data: Mapping[str, Any]) -> Published:
    """What `event_data` holds."""
    document = data["published"]
    return NOTHING if document is None else published_of(document)


NOTHING: Final = Published(0, {}, None, None)
"""What subscribers hold of a return of which they were told nothing."""
