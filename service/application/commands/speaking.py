"""For whom a token may speak: a carrier's scans, a hub's events, a retailer's own returns, and nobody else's.

A refusal says which member is outside of the token's bounds, and what those are; it tells of no return that is not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from msgspec.json import Decoder

from service.application.access.bounds import UNBOUND, Bounds
from service.domain.journey import State
from service.domain.labels import Windows
from service.errors import InvalidEvent
from service.wire import models
from service.wire.inbound import Inbound, SubjectKind
from service.wire.reasons import Invalid

_HUBS: Final = frozenset({models.HUB_DEPOT_SCANNED, models.HUB_PROCESSED, models.HUB_EXPORTED, models.HUB_REJECTED})
_OF_ENDS: Final = frozenset({models.RETURN_CLOSED, models.RETURN_REOPENED})
# Of these the data does not tell for whom they speak: it is a return that has to be seen.
_OF_OWN_RETURN: Final = _OF_ENDS | {models.EVENT_VOIDED}
_decode: Final = Decoder().decode


class Subjects(Protocol):
    """Finds returns by what events name. May raise Retryable."""

    def states(self, bounds: Bounds, kind: SubjectKind, subject: str, limit: int) -> Sequence[tuple[str, State]]:
        """The returns within bounds, by return_id, and their states; of a connote so many members and no more."""

    def windows(self, return_ids: Sequence[str]) -> Mapping[str, Windows]:
        """What the histories of these returns say of the windows of their labels; nothing of those that say nothing."""


def require_creation(bounds: Bounds, data: Mapping[str, Any]) -> None:
    """Raises InvalidEvent for a creation that is not within bounds. Its numbers may be anybody's: see `Speaking`."""
    if bounds.hubs and not bounds.carriers and not bounds.retailers:
        raise _refusal("type", "a hub creates no returns, and the token is bound", bounds.hubs)
    _named(data, "retailer", bounds.retailers)
    _named(data, "carrier", bounds.carriers)


def require_speaker(bounds: Bounds, event_type: str, data: Mapping[str, Any]) -> None:
    """Raises InvalidEvent for what a carrier or a hub says, where it is none of those that bind."""
    if not bounds.carriers and not bounds.hubs:
        return
    if event_type == models.CARRIER_SCANNED:
        _named(data, "carrier", bounds.carriers, bounds.hubs)
    elif event_type == models.CONNOTE_DELIVERED:
        _named(data, "carrier", bounds.carriers)  # a hub may know as well that its connote arrived
    elif event_type in _HUBS:
        _named(data, "hub", bounds.hubs, bounds.carriers)
    elif event_type in _OF_ENDS and not bounds.carriers and not bounds.retailers:
        raise _refusal("type", "a hub closes no returns, and the token is bound", bounds.hubs)


def require_said(bounds: Bounds, event_type: str | None, data: object) -> None:
    """Raises InvalidEvent for what is outside of the bounds by its words alone, however wrong they are beside that."""
    if not isinstance(data, dict):
        return
    if event_type == models.RETURN_CREATED:
        require_creation(bounds, data)
    elif event_type is not None:
        require_speaker(bounds, event_type, data)


class Speaking:
    """Whether an event may be said within bounds. `subjects` says whose the return is that an event names."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects

    def require(self, bounds: Bounds, inbound: Inbound) -> None:
        """Raises InvalidEvent where it may not, and Retryable."""
        if bounds.everything:
            return
        data = _decode(inbound.data)
        if inbound.type == models.RETURN_CREATED:
            require_creation(bounds, data)
            self._require_number(bounds, inbound.subject)
            return
        require_speaker(bounds, inbound.type, data)
        # A void names its publisher's own event by its `source`; the return has to be one that is seen.
        if bounds.retailers or (bounds.carriers and inbound.type in _OF_OWN_RETURN):
            self._require_own(bounds, inbound)

    def _require_own(self, bounds: Bounds, inbound: Inbound) -> None:
        """The return is known, and within the bounds."""
        if inbound.kind is SubjectKind.CONNOTE:
            raise _refusal("data.connote", "it may hold returns of others, and the token is bound", bounds.retailers)
        own = narrowed(Bounds(bounds.retailers, bounds.carriers), inbound)
        if own is None or not self._subjects.states(own, inbound.kind, inbound.subject, 1):
            member = "data.return_id" if inbound.kind is SubjectKind.RETURN else "data.tracking_number"
            raise _refusal(
                member, "no return of it is known, and the token is bound", (*bounds.retailers, *bounds.carriers)
            )

    def _require_number(self, bounds: Bounds, return_id: str) -> None:
        """A creation with an earlier time would take a return over: one that is not seen is not created again."""
        known = self._subjects.states(UNBOUND, SubjectKind.RETURN, return_id, 1)
        if known and not self._subjects.states(bounds, SubjectKind.RETURN, return_id, 1):
            raise InvalidEvent(Invalid.NOT_ALLOWED, "data.return_id: the number is taken")


def narrowed(bounds: Bounds, inbound: Inbound) -> Bounds | None:
    """The bounds, and those of a scan whose publisher is bound to retailers; None: nothing is within both."""
    retailers = frozenset(inbound.event.retailers)
    if not retailers:
        return bounds
    both = bounds.retailers & retailers if bounds.retailers else retailers
    return replace(bounds, retailers=both) if both else None


def _named(
    data: Mapping[str, Any], member: str, allowed: Collection[str], others: Collection[str] = frozenset()
) -> None:
    """Raises InvalidEvent unless the member names one of those allowed; where there are none, `others` are what binds."""
    value = data.get(member)
    if allowed and not (isinstance(value, str) and value in allowed):  # a description may be of any kind
        raise _refusal(f"data.{member}", "the token is bound", allowed)
    if not allowed and others:
        raise _refusal("type", f"it is said by a {member}, and the token is bound", others)


def _refusal(where: str, what: str, allowed: Collection[str]) -> InvalidEvent:
    return InvalidEvent(Invalid.NOT_ALLOWED, f"{where}: {what} to {', '.join(sorted(allowed))}")
