"""Links to the page that makes a return: what a retailer says of an order, signed with its secret.

    LINK = base64url(JSON) + "." + hex(HMAC-SHA256(secret, base64url(JSON)))      https://.../returns/new?link=LINK
    JSON = {"retailer": "fjord-outdoor", "order_number": "A-4711", "expires": 1796000000,
            "items": [{"sku": "SHOE-42", "quantity": 1, "description": "Running shoe"}]}

`expires` is in seconds since 1970. One link makes one return.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import ServiceError
from service.wire.models import Slug
from service.wire.omnireturns.portals import Portal

LONGEST_LINK: Final = 8000  # characters; what every browser and proxy lets through
MOST_ITEMS: Final = 20
MOST_OF_AN_ITEM: Final = 99


class WrongLink(ServiceError):
    """Not a link that one of our retailers signed."""


class ExpiredLink(ServiceError):
    """One that was signed, and whose time is over."""


class OrderedItem(BaseModel):
    """An item of the order."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    sku: Annotated[str, Field(min_length=1, max_length=100)]
    quantity: Annotated[int, Field(ge=1, le=MOST_OF_AN_ITEM)]
    description: Annotated[str, Field(max_length=200)] | None = None


class Order(BaseModel):
    """What the link says."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    retailer: Slug
    order_number: Annotated[str, Field(min_length=1, max_length=100)]
    items: Annotated[tuple[OrderedItem, ...], Field(min_length=1, max_length=MOST_ITEMS)]
    expires: Annotated[int, Field(ge=0, le=2**40)]


class Invitation(NamedTuple):
    """A link that holds: whose, what for, and the key under which its return is kept."""

    portal: Portal
    order: Order
    key: str


def sign(order: Mapping[str, Any], secret: str) -> str:
    """The link's value for an order, as retailers make it.

    >>> sign({"retailer": "acme"}, "secret").partition(".")[0]
    'eyJyZXRhaWxlciI6ImFjbWUifQ'
    """
    payload = urlsafe_b64encode(json.dumps(order, separators=(",", ":")).encode()).rstrip(b"=").decode()
    return f"{payload}.{_signature(payload, secret)}"


def read_link(link: str, portals: Mapping[str, Portal], now: float) -> Invitation:
    """What the link invites to, at `now` in seconds since 1970. Raises WrongLink and ExpiredLink.

    Nothing is believed before the signature is found to be its retailer's.
    """
    payload, dot, signature = link.partition(".")
    if not dot or len(link) > LONGEST_LINK or not link.isascii():
        raise WrongLink("no link of ours")
    try:
        said = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        portal = portals.get(said["retailer"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise WrongLink("no link of ours") from None
    if portal is None:
        raise WrongLink("no retailer of ours")
    if not any(hmac.compare_digest(_signature(payload, secret), signature) for secret in portal.secrets):
        raise WrongLink("not signed by its retailer")
    try:
        order = Order.model_validate(said)
    except ValidationError:
        raise WrongLink("not what a link says") from None
    if order.expires < now:
        raise ExpiredLink("its time is over")
    return Invitation(portal, order, f"link/{sha256(payload.encode()).hexdigest()}")


def _signature(payload: str, secret: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), sha256).hexdigest()
