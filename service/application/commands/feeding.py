"""Takes in what carriers and aggregators send in their own words: verified, read, and on Kafka once it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from service.errors import ServiceError
from service.wire.feeds.enabled import Enabled
from service.wire.feeds.reading import Reader, Scan
from service.wire.feeds.signatures import Request


class NoSuchFeed(ServiceError):
    """No feed of that name is open here."""


class NotAuthentic(ServiceError):
    """The request does not show that its sender knows the secret; the text says what it must have."""


class Feeding:
    """The use case. `publish` returns once Kafka has the messages of all scans; it may raise Retryable.

    Then some may be there and others not: the same request, sent again, brings the rest, and repeats nothing.
    """

    def __init__(
        self, enabled: Mapping[str, Enabled], reader: Reader, publish: Callable[[Sequence[Scan]], None]
    ) -> None:
        self._enabled, self._reader, self._publish = enabled, reader, publish

    def take(self, name: str, request: Request) -> list[Scan]:
        """Take in one request; none where it is about something else than scans.

        Raises NoSuchFeed, NotAuthentic, Unreadable, all before anything is published, and Retryable.
        """
        enabled = self._enabled.get(name)
        if enabled is None:
            raise NoSuchFeed("no such feed")
        signature = enabled.source.feed.signature
        if not signature.is_of(enabled.secrets, request):
            raise NotAuthentic(f"expected: {signature.expects}")
        scans = self._reader.read(enabled.source, request.body)
        if scans:
            self._publish(scans)
        return scans
