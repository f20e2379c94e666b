"""Takes events in from publishers that do not speak Kafka: judged as ingestion judges them, then put on its topics.

Whatever ingestion would refuse is refused here, with its words, while the publisher still listens. An event's `source`
begins with the publisher's name, whatever token it came with: nobody speaks in another's name, and an event that is sent
again with a new token is the same event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum, unique
from typing import Any, Final, NamedTuple

from service.application.access.bounds import Bounds
from service.application.access.scopes import Scope
from service.application.clocks import SYSTEM
from service.application.commands.speaking import Speaking, Subjects, narrowed, require_said
from service.application.journal.ingest import Parser
from service.domain.events import Event
from service.domain.evidence import RC, WINDOWED, PastNeeded
from service.domain.journey import State, record
from service.domain.labels import Label, Windows, window_for
from service.domain.milestones import Milestone
from service.domain.rules import DEFAULT
from service.errors import InvalidEvent
from service.wire import models
from service.wire.cloudevents import STRUCTURED_HEADERS, encode_event
from service.wire.http_events import Mended
from service.wire.inbound import Inbound, SubjectKind
from service.wire.judging.faults import Faults
from service.wire.reasons import Invalid
from service.wire.record import Record
from service.wire.stored import to_micros

# What each scope may say.
MAY_SEND: Final[dict[Scope, tuple[str, ...]]] = {
    "create": (models.RETURN_CREATED, models.RETURN_CLOSED, models.RETURN_REOPENED),
    "scan": (models.CARRIER_SCANNED, models.CONNOTE_DELIVERED),
    "hub": (
        models.HUB_DEPOT_SCANNED,
        models.HUB_PROCESSED,
        models.HUB_EXPORTED,
        models.HUB_REJECTED,
        models.CONNOTE_DELIVERED,
        models.EVENT_VOIDED,
    ),
}
_NO_SLUG: Final = re.compile(r"[^a-z0-9]+")
_OWN_NAMES: Final = frozenset({"omnireturns", "returns-status"})  # see creation.SOURCE, voiding.SOURCE
_OF_TOKEN: Final = re.compile(r"token-[0-9]+")
_LONGEST_NAME: Final = 40


@unique
class Status(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    INVALID = "invalid"


class Sender(NamedTuple):
    """Who sends: the name of the publisher, which its tokens share, and what this token allows and is bound to.

    Without a name an event stands as it is: it would go straight to Kafka, and is judged only.
    """

    publisher: str | None
    scopes: Collection[str]
    bounds: Bounds


class InputMessage(NamedTuple):
    """A message for an input topic, in structured mode."""

    topic: str
    key: bytes
    value: bytes


class Judged(NamedTuple):
    """An event and what was found: with `inbound` and `message` if it is valid, with `error` if not."""

    id: str | None
    source: str | None
    type: str | None
    inbound: Inbound | None = None
    message: InputMessage | None = None
    error: InvalidEvent | None = None

    @property
    def status(self) -> Status:
        return Status.INVALID if self.error else Status.ACCEPTED


class Concerned(NamedTuple):
    """A return that an event would concern, and what it would be there.

    `verdict` and `reason` are those that its history row would have; both None where that takes the whole history (a void).
    """

    return_id: str
    verdict: str | None
    reason: str | None
    status: Milestone | None  # the return's, after it


class Accepting:
    """The use case.

    `topics` says where each type goes. `publish` answers once Kafka has all messages; it raises Retryable where that is not
    known, and the same events may then be sent again: they are the same events.
    """

    def __init__(
        self,
        parser: Parser,
        topics: Mapping[str, str],
        publish: Callable[[Sequence[InputMessage]], None],
        subjects: Subjects,
        now: Callable[[], datetime] = SYSTEM.now,
    ) -> None:
        self._parser, self._topics, self._publish = parser, topics, publish
        self._subjects, self._speaking, self._now = subjects, Speaking(subjects), now

    def judge(self, events: Sequence[Mapping[str, Any] | InvalidEvent], sender: Sender) -> list[Judged]:
        """What ingestion would make of each, if this sender may say it. Raises Retryable."""
        return [
            Judged(None, None, None, error=event) if isinstance(event, InvalidEvent) else self._judge(event, sender)
            for event in events
        ]

    def accept(self, events: Sequence[Mapping[str, Any] | InvalidEvent], sender: Sender) -> list[Judged]:
        """Publish those that are valid, and answer once Kafka has them. Raises Retryable."""
        judged = self.judge(events, sender)
        messages = [each.message for each in judged if each.message is not None]
        if messages:
            self._publish(messages)
        return judged

    def concerned(self, bounds: Bounds, inbound: Inbound, limit: int = 10) -> list[Concerned]:
        """The returns that the event would concern as of now, those within bounds; none where it would wait for one.

        Raises Retryable.
        """
        own = narrowed(bounds, inbound)
        found = [] if own is None else self._subjects.states(own, inbound.kind, inbound.subject, limit)
        if (label := inbound.event.label) is not None:
            claimed = [return_id for return_id, state in found if state.evidence.flags & WINDOWED]
            windows = self._subjects.windows(claimed) if claimed else {}
            first = min((begun for _, state in found if (begun := _begun(state)) is not None), default=0)
            found = [
                (return_id, state)
                for return_id, state in found
                if _is_within(inbound.event, label, state, windows.get(return_id, {}), first)
            ]
        return [_concerned(return_id, state, inbound) for return_id, state in found]

    def _judge(self, event: Mapping[str, Any], sender: Sender) -> Judged:
        judged = Judged(_text(event.get("id")), _text(event.get("source")), _text(event.get("type")))
        found = Faults()
        found.judge(_require, judged.type, sender.scopes)
        made = found.judge(self._made, event, judged.type, sender)
        if found.error() is None and made is not None:
            found.judge(self._speaking.require, sender.bounds, made[0])
        else:
            found.judge(require_said, sender.bounds, judged.type, event.get("data"))
        if (error := found.error()) is not None or made is None:
            return judged._replace(error=error)
        return judged._replace(inbound=made[0], message=made[1])

    def _made(self, event: Mapping[str, Any], event_type: str | None, sender: Sender) -> tuple[Inbound, InputMessage]:
        """The event as ingestion will read it, and the message that it reads. Raises InvalidEvent."""
        topic = self._topics.get(event_type or "", "")
        said = dict(event) if sender.publisher is None else _in_the_name_of(sender.publisher, event)
        value = encode_event(said)
        at = to_micros(self._now()) // 1000
        inbound = self._parser.parse(Record(topic, 0, 0, at, None, value, STRUCTURED_HEADERS))
        if isinstance(event, Mended):
            inbound = inbound.without(event.ignored)
        return inbound, InputMessage(topic, inbound.subject.encode(), value)


def publisher_name(text: str) -> str:
    """A name as it stands in a `source`: the text in lower case, with one dash for everything that is no letter or digit.

    >>> publisher_name("NZ Post (feed)")
    'nz-post-feed'
    """
    return _NO_SLUG.sub("-", text.lower()).strip("-")[:_LONGEST_NAME].strip("-")


def is_reserved(name: str) -> bool:
    """Whether the service speaks under this name itself, or gives it to a token without one.

    >>> is_reserved("omnireturns"), is_reserved("token-7"), is_reserved("nzpost")
    (True, True, False)
    """
    return name in _OWN_NAMES or _OF_TOKEN.fullmatch(name) is not None


def _text(value: object) -> str | None:
    return value if type(value) is str else None


def _in_the_name_of(publisher: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with its source, and that of the event which it voids, below the publisher's name."""
    published = dict(event)
    prefix = f"/{publisher}/"
    if isinstance(source := published.get("source"), str) and source:
        published["source"] = _below(prefix, source)
    data = published.get("data")
    if published.get("type") == models.EVENT_VOIDED and isinstance(data, dict):
        source = data.get("source")
        if isinstance(source, str) and source:
            published["data"] = {**data, "source": _below(prefix, source)}
    return published


def _below(prefix: str, source: str) -> str:
    return source if source.startswith(prefix) else prefix + source.lstrip("/")


def _require(event_type: str | None, scopes: Collection[str]) -> None:
    """Raises InvalidEvent where the token does not allow the type; a type that nobody knows is the parser's to refuse."""
    able = [scope for scope, types in MAY_SEND.items() if event_type in types]
    if able and not any(scope in scopes for scope in able):
        which = " or ".join(able)
        raise InvalidEvent(Invalid.NOT_ALLOWED, f"type: the token may not send it, it lacks the scope {which}")


def _begun(state: State) -> int | None:
    created = state.evidence.earliest.get(RC)
    return None if created is None else created.at


def _is_within(scan: Event, label: Label, state: State, windows: Windows, first: int) -> bool:
    """Whether the scan falls into what its label's window is at this return, as its history says it.

    The newest claimant's says nothing of those before it, the `first` of whom was created then.
    """
    attributes, begun = state.evidence.attributes, _begun(state)
    window = window_for(windows, label, scan.retailers, None if attributes is None else attributes.retailer)
    if window is None:
        return False
    is_first = window.is_first and (begun is None or begun == first)
    if not is_first and begun is not None and scan.at < begun - DEFAULT.label_lead:
        return False  # an earlier claimant's to be told of, if anybody's
    return window.takes(scan.at)


def _concerned(return_id: str, state: State, inbound: Inbound) -> Concerned:
    event = inbound.event
    try:
        entry = record(state, event)
    except PastNeeded:
        return Concerned(return_id, None, None, None)
    if entry is None:
        return Concerned(return_id, "duplicate", None, state.timeline.status)
    reason = entry.reason or event.unmapped_because
    return Concerned(return_id, entry.verdict, reason, entry.state.timeline.status)


def told(index: int, judged: Judged) -> dict[str, Any]:
    """What became of an event, as JSON: its place in the request, what it called itself, everything that is wrong with its
    fact, and the members that describe it and are ignored because they are wrong.
    """
    error = judged.error
    return {
        "index": index,
        "id": judged.id,
        "source": judged.source,
        "type": judged.type,
        "status": judged.status.value,
        "reason": None if error is None else error.reason,
        "faults": [] if error is None else [{"path": path, "detail": detail} for path, detail in error.faults],
        "not_understood": [] if judged.inbound is None else list(judged.inbound.not_understood),
    }


def told_of_check(index: int, judged: Judged, concerns: Sequence[Concerned] | None) -> dict[str, Any]:
    """The same with what the event means, and to which returns; `concerns` is None for whoever may not know them."""
    inbound = judged.inbound
    means = None
    if inbound is not None and inbound.kind is SubjectKind.LABEL:
        means = inbound.event.milestone or inbound.event.sense.name.lower()
    return {
        **told(index, judged),
        "published_source": None if inbound is None else inbound.event.source,
        "means": means,
        "concerns": None if concerns is None else [each._asdict() for each in concerns],
    }
