"""The consumer's way in: a return is made by whoever has the link that the retailer signed, and by nobody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum, unique
from typing import Any, Final, NamedTuple

from service.application.access.bounds import UNBOUND
from service.application.clocks import SYSTEM
from service.application.commands.closing import Closed, Closing
from service.application.commands.creation import Creating, Creation, CreationRequest, KeyReused
from service.domain.milestones import Milestone
from service.errors import ServiceError
from service.wire.omnireturns.links import Invitation, read_link
from service.wire.omnireturns.portals import Portal

BY: Final = "consumer"
CANCELLED: Final = "cancelled by the consumer on the page where the return was made"


@unique
class ReturnReason(StrEnum):
    """Why an item goes back: words that are sent with it."""

    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    NOT_AS_DESCRIBED = "not_as_described"
    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    CHANGED_MIND = "changed_mind"
    OTHER = "other"


class NotChosen(ServiceError):
    """What was chosen makes no return; `where` names the places in the form."""

    def __init__(self, where: Sequence[str]) -> None:
        super().__init__("nothing, or not enough, is chosen")
        self.where = tuple(where)


class UnderWay(ServiceError):
    """The carrier has the parcel: it cannot be cancelled any more."""


class Made(NamedTuple):
    """The return of a link.

    `cancelled`: by its consumer, so it is closed, with its status as it was; `under_way`: the carrier has the parcel all
    the same, which opens it again.
    """

    return_id: str
    document: Mapping[str, Any]
    cancelled: bool
    under_way: bool = False


class Portals:
    """The use case. `status_of` is a return's status now; None until its event is ingested."""

    def __init__(
        self,
        portals: Mapping[str, Portal],
        creating: Creating,
        closing: Closing,
        status_of: Callable[[str], str | None],
        now: Callable[[], datetime] = SYSTEM.now,
    ) -> None:
        self._portals, self._creating, self._closing = portals, creating, closing
        self._status_of, self._now = status_of, now

    def invitation(self, link: str) -> Invitation:
        """What the link invites to. Raises WrongLink and ExpiredLink."""
        return read_link(link, self._portals, self._now().timestamp())

    def made(self, invitation: Invitation) -> Made | None:
        """The return that was made with the link; None: none yet. Raises Retryable."""
        found = self._creating.kept(invitation.key)
        if found is None or not found[0].published:
            return None
        made = _made(*found)
        return made._replace(under_way=self._is_under_way(made.return_id)) if made.cancelled else made

    def make(self, invitation: Invitation, chosen: Mapping[str, str]) -> Made:
        """Make the return, once: whoever sends the form again gets the same, whatever is chosen then.

        `chosen` has `quantity.N` and `reason.N` for the items of the order, from 0. Raises NotChosen, NumbersExhausted and
        Retryable.
        """
        found = self._creating.kept(invitation.key)
        if found is not None and found[0].published:
            return _made(*found)
        data = _data(invitation, chosen)
        try:
            created = self._creating.create(CreationRequest(None, invitation.key, data, UNBOUND))
        except KeyReused:  # what Kafka did not take then, with other choices
            created = self._creating.resume(invitation.key)
        return Made(created.return_id, created.document, cancelled=False)

    def cancel(self, invitation: Invitation) -> None:
        """Close the return, in the consumer's name, and give no label any more.

        Raises UnderWay once the carrier has the parcel, and Retryable.
        """
        found = self._creating.kept(invitation.key)
        if found is None or found[0].cancelled:
            return
        kept: Creation = found[0]
        if self._is_under_way(kept.return_id):
            raise UnderWay("the carrier has it")
        self._closing.close(Closed(kept.return_id, BY, "cancelled", CANCELLED, self._now()))
        self._creating.cancel(invitation.key)

    def _is_under_way(self, return_id: str) -> bool:
        return self._status_of(return_id) not in (None, Milestone.RC)


def _made(kept: Creation, document: Mapping[str, Any]) -> Made:
    return Made(kept.return_id, document, kept.cancelled)


def _data(invitation: Invitation, chosen: Mapping[str, str]) -> dict[str, Any]:
    portal, order = invitation.portal, invitation.order
    items, wrong = [], []
    for number, ordered in enumerate(order.items):
        quantity = chosen.get(f"quantity.{number}", "0")
        if not (
            quantity.isascii() and quantity.isdecimal() and len(quantity) <= 3 and int(quantity) <= ordered.quantity
        ):
            wrong.append(f"quantity.{number}")
        elif int(quantity):
            reason = chosen.get(f"reason.{number}", "")
            if reason not in list(ReturnReason):
                wrong.append(f"reason.{number}")
            described = {"description": ordered.description} if ordered.description else {}
            items.append({"sku": ordered.sku, "quantity": int(quantity), **described, "reason": reason})
    if wrong or not items:
        raise NotChosen(wrong or ["quantity.0"])
    known = {
        "origin_country": portal.origin_country,
        "destination_country": portal.destination_country,
    }
    return {
        "retailer": portal.retailer,
        "route": portal.route.value,
        "carrier": portal.carrier,
        "order_number": order.order_number,
        **{name: value for name, value in known.items() if value is not None},
        "items": items,
    }
