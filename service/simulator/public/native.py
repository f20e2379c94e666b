"""What carriers post in words of their own, and how they sign it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from service.simulator.facts import Fact
from service.wire.feeds.signatures import Scheme, Signature


class OpenFeed(NamedTuple):
    """A feed, and the secret that its sender knows; without one it takes a token in its place."""

    name: str
    signature: Signature | None = None
    secret: str = ""

    def __repr__(self) -> str:
        return f"OpenFeed({self.name})"

    @property
    def path(self) -> str:
        """Where it is posted."""
        ending = f"/{self.secret}" if self.signature is not None and self.signature.scheme is Scheme.PATH else ""
        return f"/v1/feeds/{self.name}{ending}"

    @property
    def headers(self) -> dict[str, str]:
        """What shows that the sender knows the secret."""
        if self.signature is None or self.signature.scheme is Scheme.PATH:
            return {}
        if self.signature.headers is not None:
            user, _, password = self.secret.partition(":")
            return dict(zip(self.signature.headers, (user, password), strict=True))
        if self.signature.scheme is Scheme.BASIC:
            return {"authorization": f"Basic {base64.b64encode(self.secret.encode()).decode()}"}
        return {self.signature.header: self.signature.prefix + self.secret}


# Those that OpenFeed can show: of the others a feed is sent with a token.
SHOWN: Final = frozenset({Scheme.HEADERS, Scheme.BASIC, Scheme.TOKEN, Scheme.PATH})


def _omniparcel(fact: Fact) -> dict[str, Any]:
    """OmniParcel's tracking webhook: a consignment with what is new of it, by the clocks where it is."""
    data = fact.data
    event = {
        "EventDT": data.get("local_time", fact.time),
        "Code": None,
        "OmniCode": data["code"],
        "Description": "",
        "Location": data.get("location", {}).get("name", ""),
        "Part": "1",
    }
    return {"ConsignmentNo": data["tracking_number"], "Status": "", "Events": [event]}


_WORDS: Final[Mapping[str, Callable[[Fact], dict[str, Any]]]] = {"omniparcel": _omniparcel}
CARRIERS: Final = frozenset(_WORDS)


def native(carrier: str, facts: Sequence[Fact]) -> bytes:
    """Scans of one of CARRIERS as that one posts them: an array of parcels, each with what is new of it."""
    return to_json([_WORDS[carrier](fact) for fact in facts])
