"""Takes in what carriers and aggregators send in their own words: verified, read, and on Kafka once it is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from service.application.access.bounds import Bounds
from service.application.access.callers import Caller
from service.application.commands.speaking import Speaking
from service.errors import InvalidEvent, ServiceError
from service.wire.feeds.definition import Feed
from service.wire.feeds.enabled import Enabled
from service.wire.feeds.reading import Onto, Reader, Scan, Source
from service.wire.feeds.signatures import Request, Scheme

_BY_BODY: Final = frozenset({Scheme.HMAC, Scheme.DIGEST})


class NoSuchFeed(ServiceError):
    """No feed of that name is open here."""


class NotAuthentic(ServiceError):
    """The request does not show that its sender knows the secret; the text says what it must have."""


class OutOfBounds(ServiceError):
    """The token may not speak for what the request is of; nothing of it was used. `faults` are (where, what)."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("outside of the token's bounds")
        self.faults = tuple(faults)


class Feeding:
    """The use case: of the feeds that are open to their senders' signatures, and with a token of any that is defined.

    `publish` returns once Kafka has the messages of all scans; it may raise Retryable. Then some may be there and others
    not: the same request, sent again, brings the rest, and repeats nothing.
    """

    def __init__(
        self,
        enabled: Mapping[str, Enabled],
        defined: Mapping[str, Feed],
        reader: Reader,
        publish: Callable[[Sequence[Scan]], None],
        speaking: Speaking,
    ) -> None:
        self._enabled, self._defined, self._reader = enabled, defined, reader
        self._publish, self._speaking = publish, speaking

    def is_open(self, name: str) -> bool:
        """Whether there is a secret for it; whoever else sends it needs a token."""
        return name in self._enabled

    def may_be_signed(self, name: str, request: Request) -> bool:
        """Whether a request to a feed that is open is signed, as far as that can be told without its body."""
        enabled = self._enabled[name]
        signature = enabled.source.feed.signature
        if signature.scheme in _BY_BODY:
            return signature.header in request.headers
        return signature.is_of(enabled.secrets, request)

    def expects(self, name: str) -> str:
        """What a request to a feed that is open has to have, for people; it says nothing of a secret."""
        return f"expected: {self._enabled[name].source.feed.signature.expects}"

    def take(self, name: str, request: Request) -> list[Scan]:
        """Take in one request that is signed; none where it is about something else than scans.

        Raises NoSuchFeed, NotAuthentic, Unreadable, all before anything is published, and Retryable.
        """
        enabled = self._enabled.get(name)
        if enabled is None:
            raise NoSuchFeed("no such feed")
        if not enabled.source.feed.signature.is_of(enabled.secrets, request):
            raise NotAuthentic(self.expects(name))
        return self._taken(self._reader.read(enabled.source, request.body))

    def take_from(self, caller: Caller, name: str, request: Request) -> list[Scan]:
        """Take in one request that came with a token, in the name of its publisher.

        Raises NoSuchFeed, OutOfBounds, Unreadable, all before anything is published, and Retryable.
        """
        source = self._source(name)
        carrier, allowed = source.feed.carrier, caller.bounds.carriers
        if allowed and carrier is not None and carrier not in allowed:
            raise OutOfBounds([("feed", f"it is of {carrier}, and the token is bound to {', '.join(sorted(allowed))}")])
        scans = self._reader.read(replace(source, prefix=f"/{caller.publisher}"), request.body)
        faults = [fault for scan in scans for fault in self._faults(caller.bounds, scan)]
        if faults:
            raise OutOfBounds(faults)
        return self._taken(scans)

    def _source(self, name: str) -> Source:
        if name in self._enabled:
            return self._enabled[name].source
        if name not in self._defined:
            raise NoSuchFeed("no such feed")
        return Source(name, self._defined[name])

    def _faults(self, bounds: Bounds, scan: Scan) -> Iterator[tuple[str, str]]:
        """Why a scan may not be said within bounds. What is no event may be a carrier's own, by the carrier that it names."""
        if bounds.everything:
            return
        if scan.inbound is not None:
            try:
                self._speaking.require(bounds, scan.inbound)
            except InvalidEvent as error:
                yield from ((f"{scan.path} {path}", detail) for path, detail in error.faults)
        elif bounds.retailers or scan.key.partition("/")[0] not in bounds.carriers:
            yield scan.path, "it is no event, so it is not known to be within what the token is bound to"

    def _taken(self, scans: list[Scan]) -> list[Scan]:
        if published := [scan for scan in scans if scan.onto is not Onto.NOWHERE]:
            self._publish(published)
        return scans
