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

from service.application.access.bounds import UNBOUND, Bounds
from service.application.clocks import SYSTEM
from service.application.commands.speaking import require_creation
from service.domain.journey import NEW, record
from service.errors import InvalidEvent, Retryable, ServiceError
from service.wire.cloudevents import STRUCTURED_HEADERS, decode, encode
from service.wire.documents import return_document
from service.wire.inbound import Inbound, Parser
from service.wire.judging.descriptions import require_understood
from service.wire.judging.faults import Faults
from service.wire.models import RETURN_CREATED
from service.wire.numbering.ranges import NumberRanges
from service.wire.reasons import Invalid
from service.wire.record import Record
from service.wire.stored import to_micros
from service.wire.times import rfc3339

SOURCE: Final = "/omnireturns/api"
RETURN_ID_FORMAT: Final = "OR and 12 characters of 0-9 and A-Z without I, L, O and U"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that people take for something else
_ANY: Final = "000"  # a number like any other
_CHARACTERS: Final = 12  # 60 bits: whoever has no label cannot guess one


class KeyReused(ServiceError):
    """The idempotency key came with another request before."""


class ReturnExists(ServiceError):
    """There is a return of this number, or one is being created by another request."""


class NumbersExhausted(ServiceError):
    """No tracking number is left in the carrier's ranges: somebody must declare a further one."""


class CreationRequest(NamedTuple):
    """A request: whose token it came with (None: our own), its idempotency key, and the `data` of the event to be.

    Data without a `tracking_number` gets one from the carrier's own range.
    """

    token: str | None
    key: str | None
    data: Mapping[str, Any]
    bounds: Bounds


class Creation(NamedTuple):
    """A creation that may be asked for again. `fingerprint` is a digest of the request, `event` the message."""

    fingerprint: bytes
    return_id: str
    event: bytes
    published: bool = False
    cancelled: bool = False

    @property
    def event_id(self) -> str:
        """By which, with our source, the creation is known."""
        return str(json.loads(self.event)["id"])


class Created(NamedTuple):
    """The return as it is once its event is ingested; `again` tells that it had been created before."""

    return_id: str
    document: dict[str, Any]
    again: bool


class Creations(Protocol):
    """Keeps creations by token and key, so that a request that comes again finds its own. Every method may raise
    Retryable.
    """

    def keep(self, token: str | None, key: str, new: Creation) -> Creation | None:
        """What is kept under the token's key: `new`, or an earlier one; None where a return of the number exists."""

    def keep_numbered(
        self, token: str | None, key: str, carrier: str, make: Callable[[str], Creation]
    ) -> Creation | None:
        """The same with what `make` makes of the carrier's next tracking number, which is taken for that alone.

        May raise NumbersExhausted.
        """

    def take_number(self, carrier: str) -> str:
        """A tracking number that nobody had before. May raise NumbersExhausted."""

    def known(self, token: str | None, key: str) -> Creation | None:
        """What is kept under the token's key."""

    def is_cancelled(self, key: str) -> None:
        """Note that its consumer took back what is kept under our own key."""

    def created(self, return_id: str) -> Creation | None:
        """What is kept of the return of this number, whoever asked for it; None where nothing is."""

    def is_published(self, token: str | None, key: str) -> None:
        """Note that Kafka has the event that is kept under the token's key."""


class Creating:
    """The use case.

    `creations` keeps what was asked for; `parser` is ingestion's, so that nothing is published that it would refuse;
    `topic` is the one of creations, and `publish` puts a message under a key there, and may raise Retryable. `ranges`
    are the carriers' own numbers, for returns that come without one.

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
        ranges: NumberRanges | None = None,
    ) -> None:
        self._creations, self._parser, self._topic, self._publish, self._now = creations, parser, topic, publish, now
        self._parser_of_kept = parser.of_kept()
        self._ranges = ranges or NumberRanges()

    def create(self, request: CreationRequest) -> Created:
        """Create a return, or answer as before where it is the same request again.

        Without a `return_id` in its data the return gets a new one. Raises InvalidEvent for what ingestion would refuse,
        and for what is not within the token's bounds (`detail` names the member), KeyReused, ReturnExists,
        NumbersExhausted, and Retryable: it may or may not have been created then, and the same request with the same key
        does it once.
        """
        given = request.data.get("return_id")
        draft, carrier = self._judged(request.bounds, request.data)
        key = _under(request.key) if request.key is not None else f"return:{given}" if given is not None else None
        if key is None:
            new = draft.made(None if carrier is None else self._creations.take_number(carrier))
            self._publish(new.return_id, new.event)
            return Created(new.return_id, self._document(new), again=False)
        if carrier is None:
            kept = self._creations.keep(request.token, key, draft.made())
        else:
            kept = self._creations.keep_numbered(request.token, key, carrier, draft.made)
        if kept is None:
            raise ReturnExists(f"there is a return {draft.return_id} already")
        if kept.fingerprint != draft.fingerprint:
            if request.key is None:
                raise ReturnExists(f"there is a return {draft.return_id} already, created with other data")
            raise KeyReused("the key came with another request before")
        created = self._published(request, key, kept)
        return created._replace(again=draft.event_id.encode() not in kept.event)

    def _published(self, request: CreationRequest, key: str, kept: Creation) -> Created:
        if not kept.published:
            self._publish(kept.return_id, kept.event)
            # Without the note the same request would publish the same event again, which changes nothing.
            with suppress(Retryable):
                self._creations.is_published(request.token, key)
        return Created(kept.return_id, self._document(kept), again=True)

    def kept(self, key: str) -> tuple[Creation, dict[str, Any]] | None:
        """What was created here in our own name under this key, and its document. Raises Retryable."""
        kept = self._creations.known(None, _under(key))
        return None if kept is None else (kept, self._document(kept))

    def resume(self, key: str) -> Created:
        """Publish what is kept in our own name under this key, if Kafka is not known to have it. Raises Retryable."""
        kept = self._creations.known(None, _under(key))
        if kept is None:
            raise KeyError(key)
        return self._published(CreationRequest(None, key, {}, UNBOUND), _under(key), kept)

    def cancel(self, key: str) -> None:
        """Note that its consumer took it back. Raises Retryable."""
        self._creations.is_cancelled(_under(key))

    def find(self, bounds: Bounds, return_id: str) -> dict[str, Any] | None:
        """A return that was created here, as it was then: for the moment until its event is ingested. Raises Retryable.

        None where nothing is kept of it, Kafka is not known to have it, or it is outside of the bounds.
        """
        kept = self._creations.created(return_id)
        if kept is None or not kept.published:
            return None
        attributes = self._kept(kept).event.attributes
        return self._document(kept) if attributes is not None and bounds.cover(attributes) else None

    def check(self, bounds: Bounds, data: Mapping[str, Any]) -> None:
        """Raises InvalidEvent for what `create` would refuse by its data alone, or by the token's bounds."""
        self._judged(bounds, data)

    def _judged(self, bounds: Bounds, data: Mapping[str, Any]) -> tuple[_Draft, str | None]:
        """The creation to be, within bounds. Raises InvalidEvent with all that is against it."""
        found = Faults()
        found.judge(require_creation, bounds, data)
        return found.require(found.judge(self._drafted, data))

    def _drafted(self, data: Mapping[str, Any]) -> tuple[_Draft, str | None]:
        """The creation to be, and whose range its number comes from: checked, before a number is taken for it."""
        carrier = self._numbered_by(data)
        draft = _Draft(data, data.get("return_id") or new_return_id(), rfc3339(to_micros(self._now())))
        made = draft.made(None if carrier is None else self._ranges.sample(carrier))
        decode(self._record(made))  # what nobody can read costs others' events the description alone
        try:
            inbound = self._parsed(made)
        except InvalidEvent as error:
            if error.reason in (Invalid.MISSING_FIELD, Invalid.WRONG_TYPE, Invalid.BAD_VALUE):
                self._understood(data, draft)  # tells all that is wrong, descriptions too
            raise
        if inbound.not_understood:  # of others it is ignored; what we make ourselves is right
            self._understood(data, draft)
        return draft, carrier

    def _numbered_by(self, data: Mapping[str, Any]) -> str | None:
        """The carrier whose range the return's number comes from; None where it has one. Raises InvalidEvent."""
        if data.get("tracking_number") is not None:
            return None
        carrier = data.get("carrier")
        if isinstance(carrier, str) and self._ranges.of(carrier):
            return carrier
        known = ", ".join(self._ranges.carriers) or "no carrier"
        detail = f"data.tracking_number: a number is expected; {known} has a range of numbers here to take one from"
        raise InvalidEvent(Invalid.MISSING_FIELD, detail)

    @staticmethod
    def _understood(data: Mapping[str, Any], draft: _Draft) -> None:
        require_understood(
            RETURN_CREATED,
            {**data, "return_id": draft.return_id, "tracking_number": data.get("tracking_number") or _ANY},
        )

    def _document(self, creation: Creation) -> dict[str, Any]:
        entry = record(NEW, self._kept(creation).event)
        if entry is None:
            raise ValueError("a first event is no duplicate")
        return return_document(creation.return_id, entry.state)

    def _parsed(self, creation: Creation) -> Inbound:
        """What ingestion makes of the event: whatever it would refuse is refused here, with its words."""
        return self._parser.parse(self._record(creation))

    def _kept(self, creation: Creation) -> Inbound:
        """The same of one that was judged when it was made, however long ago."""
        return self._parser_of_kept.parse(self._record(creation))

    def _record(self, creation: Creation) -> Record:
        at = to_micros(self._now()) // 1000
        return Record(self._topic, 0, 0, at, creation.return_id.encode(), creation.event, STRUCTURED_HEADERS)


def _under(key: str) -> str:
    """As it is kept: what a client calls a request is no number of a return."""
    return f"key:{key}"


class _Draft:
    """A creation to be, of one request: the same event whatever its tracking number."""

    def __init__(self, data: Mapping[str, Any], return_id: str, time: str) -> None:
        self.return_id, self.event_id = return_id, uuid4().hex
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
        self.fingerprint = sha256(canonical).digest()
        self._data, self._time = data, time

    def made(self, number: str | None = None) -> Creation:
        """With this tracking number where the data has none."""
        attributes = {
            "id": self.event_id,
            "source": SOURCE,
            "type": RETURN_CREATED,
            "time": self._time,
            "datacontenttype": "application/json",
            "subject": self.return_id,
        }
        data = {**self._data, "return_id": self.return_id}
        if number is not None:
            data["tracking_number"] = number
        return Creation(self.fingerprint, self.return_id, encode(attributes, data))


def new_return_id() -> str:
    """A number for a return that has none: see RETURN_ID_FORMAT."""
    return "OR" + "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
