"""Creates returns for OmniReturns: an event on Kafka, and the answer once Kafka has it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol
from uuid import uuid4

from service.application.access.bounds import Bounds
from service.application.clocks import SYSTEM
from service.application.commands.speaking import require_creation
from service.application.journal.ingest import Parser
from service.domain.journey import NEW, record
from service.errors import Retryable, ServiceError
from service.wire.cloudevents import STRUCTURED_HEADERS, encode
from service.wire.documents import return_document
from service.wire.models import RETURN_CREATED
from service.wire.record import Record
from service.wire.stored import to_micros
from service.wire.times import rfc3339

SOURCE: Final = "/omnireturns/api"
RETURN_ID_FORMAT: Final = "OR and 12 characters of 0-9 and A-Z without I, L, O and U"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that people take for something else
_CHARACTERS: Final = 12  # 60 bits: whoever has no label cannot guess one


class KeyReused(ServiceError):
    """The idempotency key came with another request before."""


class ReturnExists(ServiceError):
    """There is a return of this number, or one is being created by another request."""


class CreationRequest(NamedTuple):
    """A request: whose token it came with, its idempotency key, the `data` of the event to be, and the token's bounds."""

    token: str
    key: str | None
    data: Mapping[str, Any]
    bounds: Bounds


class Creation(NamedTuple):
    """A creation that may be asked for again. `fingerprint` is a digest of the request, `event` the message."""

    fingerprint: bytes
    return_id: str
    event: bytes
    published: bool = False


class Created(NamedTuple):
    """The return as it is once its event is ingested; `again` tells that it had been created before."""

    return_id: str
    document: dict[str, Any]
    again: bool


class Creations(Protocol):
    """Keeps creations by token and key, so that a request that comes again finds its own. Every method may raise
    Retryable.
    """

    def keep(self, token: str, key: str, new: Creation) -> Creation | None:
        """What is kept under the token's key: `new`, or an earlier one; None where a return of the number exists."""

    def is_published(self, token: str, key: str) -> None:
        """Note that Kafka has the event that is kept under the token's key."""


class Creating:
    """The use case.

    `creations` keeps what was asked for; `parser` is ingestion's, so that nothing is published that it would refuse;
    `topic` is the one of creations, and `publish` puts a message under a key there, and may raise Retryable.

    >>> created = creating.create(CreationRequest(token, idempotency_key, {"retailer": "acme", ...}, bounds))
    >>> created.return_id, created.again
    ('OR7Z3K9Q2M5D1X', False)
    """

    def __init__(
        self,
        creations: Creations,
        parser: Parser,
        topic: str,
        publish: Callable[[str, bytes], None],
        now: Callable[[], datetime] = SYSTEM.now,
    ) -> None:
        self._creations, self._parser, self._topic, self._publish, self._now = creations, parser, topic, publish, now

    def create(self, request: CreationRequest) -> Created:
        """Create a return, or answer as before where it is the same request again.

        Without a `return_id` in its data the return gets a new one. Raises InvalidEvent for what ingestion would refuse,
        and for what is not within the token's bounds (`detail` names the member), KeyReused, ReturnExists, and Retryable: it may or may not have been created then, and
        the same request with the same key does it once.
        """
        require_creation(request.bounds, request.data)
        given = request.data.get("return_id")
        new = self._new(request, given or new_return_id())
        document = self._document(new)
        key = f"key:{request.key}" if request.key is not None else f"return:{given}" if given is not None else None
        if key is None:
            self._publish(new.return_id, new.event)
            return Created(new.return_id, document, again=False)
        kept = self._creations.keep(request.token, key, new)
        if kept is None:
            raise ReturnExists(f"there is a return {new.return_id} already")
        if kept.fingerprint != new.fingerprint:
            if request.key is None:
                raise ReturnExists(f"there is a return {new.return_id} already, created with other data")
            raise KeyReused("the key came with another request before")
        if not kept.published:
            self._publish(kept.return_id, kept.event)
            # Without the note the same request would publish the same event again, which changes nothing.
            with suppress(Retryable):
                self._creations.is_published(request.token, key)
        return Created(kept.return_id, self._document(kept), again=kept.event != new.event)

    def _new(self, request: CreationRequest, return_id: str) -> Creation:
        attributes = {
            "id": uuid4().hex,
            "source": SOURCE,
            "type": RETURN_CREATED,
            "time": rfc3339(to_micros(self._now())),
            "datacontenttype": "application/json",
            "subject": return_id,
        }
        event = encode(attributes, {**request.data, "return_id": return_id})
        canonical = json.dumps(request.data, sort_keys=True, separators=(",", ":")).encode()
        return Creation(sha256(canonical).digest(), return_id, event)

    def _document(self, creation: Creation) -> dict[str, Any]:
        """What ingestion makes of the event: whatever it would refuse is refused here, with its words."""
        at = to_micros(self._now()) // 1000
        inbound = self._parser.parse(
            Record(self._topic, 0, 0, at, creation.return_id.encode(), creation.event, STRUCTURED_HEADERS)
        )
        entry = record(NEW, inbound.event)
        if entry is None:
            raise ValueError("a first event is no duplicate")
        return return_document(creation.return_id, entry.state)


def new_return_id() -> str:
    """A number for a return that has none: see RETURN_ID_FORMAT."""
    return "OR" + "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
