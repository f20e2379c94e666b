"""A retailer whose consumers make returns, with a memory in place of PostgreSQL and lists in place of Kafka."""

from __future__ import annotations

from typing import Any, Final

from service.application.commands.closing import Closing
from service.application.commands.portal import Portals
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.omnireturns.links import sign
from service.wire.omnireturns.portals import parse_portals
from tests.support.creations import NOW, RANGES, World

SECRET: Final = "a secret of sixteen"
FILE: Final = f"""
[acme]
name = "Acme <Outdoor>"
secret = "{SECRET}"
route = "omnirps"
carrier = "generic"
origin_country = "GB"
[acme.destination]
name = "Returns hub"
lines = ["2 Dock Road", "London E16 2AB"]
country = "GB"
"""
ORDER: Final[dict[str, Any]] = {
    "retailer": "acme",
    "order_number": "A-4711",
    "items": [{"sku": "SHOE-42", "quantity": 2, "description": "Running shoe"}, {"sku": "HAT-1", "quantity": 1}],
    "expires": int(NOW.timestamp()) + 3600,
}


def link(**changed: Any) -> str:
    """A link that the retailer signed."""
    return sign({**ORDER, **changed}, SECRET)


class Consumers:
    """The use case, and what it did."""

    def __init__(self, file: str = FILE) -> None:
        self.world, self.closed, self.status = World(RANGES), list[bytes](), dict[str, str]()
        parser = Parser(CarrierTables.load())
        closing = Closing(parser, "returns", lambda _, event: self.closed.append(event))
        portals = parse_portals(file, "", RANGES)
        self.portals = Portals(portals, self.world.creating, closing, self.status.get, lambda: NOW)
