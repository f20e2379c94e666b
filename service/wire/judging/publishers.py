"""Who may say what: the file that RETURNS_PUBLISHERS names. Kafka's ACLs say who may write a topic; this says what that means.

[nzpost]                                    # a name to tell it by
topics = ["first-mile.scans.nzpost"]        # the topics that it writes, or prefixes of them that end in *
sources = ["/carriers/nzpost"]              # its sources: these, and what is below them as a path
types = ["com.omnirps.carrier.scanned.v1"]  # optional, as is all below: without it, all that the topic takes
carriers = ["nzpost"]                       # likewise `hubs` and `retailers`
return_ids = ["NZ-"]                        # how the numbers of its returns begin

[desk]
topics = ["omnirps.hub-events"]
sources = ["/returns-status"]
voids = "any"                               # it may void the events of others, too; without it, of its own sources only

`retailers` bounds what names a retailer, and that are creations; a scan names none, and counts for claims of those retailers
only, whoever else claims its label.

A topic may have several publishers; an event has to be within what one of them may say. Of several that may say a scan the
least bound counts: for all, if one of them names no retailers, else for those that any of them names. A topic that no
publisher names takes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_type_hints

from service.domain.labels import Retailers
from service.errors import InvalidEvent, SettingsError
from service.topic_names import NAME, covers, overlap
from service.wire import models
from service.wire.reasons import Invalid
from service.wire.record import Record
from service.wire.toml_files import entries_of, read_file

Voids = Literal["own", "any"]

_NAMED_BY: Final = {"carriers": "carrier", "hubs": "hub", "retailers": "retailer"}  # lists, and the members they bound
_MEMBERS: Final = frozenset({"topics", "sources", "types", "return_ids", "voids", *_NAMED_BY})
_TOLD: Final = 10  # names of what is allowed, in one fault
_BOUND: Final[dict[str, frozenset[str]]] = {
    event_type: frozenset({*_NAMED_BY.values(), "return_id"} & get_type_hints(get_type_hints(model)["data"]).keys())
    for event_type, model in models.MODELS.items()
}
_KEYS: Final[dict[str, str]] = {
    event_type: {
        models.CARRIER_SCANNED: "carrier/tracking_number",
        models.CONNOTE_DELIVERED: "connote",
        models.EVENT_VOIDED: "return_id, or connote",
    }.get(event_type, "return_id")
    for event_type in models.MODELS
}
_is_topic: Final = models.compiled(rf"^{NAME}\*?$")
_is_retailer: Final = models.compiled(models.SLUG_PATTERN)
_Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Publisher:
    """What whoever writes the topics may say; a list that is None bounds nothing."""

    name: str
    topics: tuple[str, ...]
    sources: tuple[str, ...]
    types: frozenset[str] | None = None
    named: Mapping[str, frozenset[str]] | None = None  # by member: what it may name there
    return_ids: tuple[str, ...] | None = None
    voids: Voids = "own"
    retailers: Retailers = ()  # those that it is bound to, sorted; none: to none in particular

    def writes(self, topic: str) -> bool:
        """Whether the topic is one of its own."""
        return any(covers(each, topic) for each in self.topics)

    def owns(self, source: object) -> bool:
        """Whether the source is one of its own."""
        return isinstance(source, str) and any(_is_below(prefix, source) for prefix in self.sources)

    def faults(self, event_type: str, data: Mapping[str, Any]) -> list[_Fault]:
        """All that an event of one of its sources says and it may not say."""
        if self.types is not None and event_type not in self.types:
            return [("type", f"{self.name} may send {_told(self.types)}")]
        faults, members = [], _BOUND[event_type]
        for member, allowed in (self.named or {}).items():
            value = data.get(member) if member in members else None
            # What is no text is a description that nobody understands.
            if isinstance(value, str) and value and value not in allowed:
                faults.append((f"data.{member}", f"{self.name} may name {_told(allowed)}"))
        if self.return_ids is not None and "return_id" in members:
            value = data.get("return_id")
            if isinstance(value, str) and not value.startswith(self.return_ids):
                faults.append(("data.return_id", f"of {self.name} it begins with {_told(self.return_ids)}"))
        if event_type == models.EVENT_VOIDED and self.voids == "own" and not self.owns(data.get("source")):
            faults.append(("data.source", f"{self.name} may void events of its own sources: {_told(self.sources)}"))
        return faults


class Publishers:
    """All of them."""

    def __init__(self, publishers: Sequence[Publisher]) -> None:
        self._publishers = publishers
        self._of_topic: dict[str, list[Publisher]] = {}
        self._owning: Callable[[str, str], list[Publisher]] = lru_cache(4096)(self._find_owning)

    def unnamed(self, topics: Sequence[str]) -> list[str]:
        """Those of the topics, and prefixes of topics, that nobody may write."""
        written = [entry for each in self._publishers for entry in each.topics]
        return [topic for topic in topics if not any(overlap(entry, topic) for entry in written)]

    def require(
        self, record: Record, event_type: str, source: str, data: Mapping[str, Any], subject: str | None
    ) -> Retailers:
        """For whose claims it counts, where it is a scan. Raises InvalidEvent for what is outside of what the topic's
        publishers may say, and for a key that contradicts the data. A message without a key contradicts nothing, nor is
        one contradicted by data without a `subject`.
        """
        found: list[_Fault] | None = None
        bound: Retailers | None = None
        for publisher in self._owning(record.topic, source):
            faults = publisher.faults(event_type, data)
            if not faults:
                bound = publisher.retailers if bound is None else _either(bound, publisher.retailers)
                if not bound:
                    break
            else:
                found = faults if found is None or len(faults) < len(found) else found
        is_other_key = record.key and subject is not None and record.key != subject.encode()
        other_key = [("key", f"that of the data is expected: {_KEYS[event_type]}")] if is_other_key else ()
        if bound is None:
            raise _refused(Invalid.NOT_ALLOWED, [*(found or [_stranger(self._writing(record.topic))]), *other_key])
        if other_key:
            raise _refused(Invalid.KEY_MISMATCH, other_key)
        return bound if event_type == models.CARRIER_SCANNED else ()

    def _writing(self, topic: str) -> list[Publisher]:
        found = self._of_topic.get(topic)
        if found is None:  # the topics of a worker, or of an API, are few
            found = self._of_topic[topic] = [each for each in self._publishers if each.writes(topic)]
        return found

    def _find_owning(self, topic: str, source: str) -> list[Publisher]:
        return [each for each in self._writing(topic) if each.owns(source)]


def load_publishers(path: Path) -> Publishers:
    """The publishers of the file. Raises SettingsError, which names the place."""
    return parse_publishers(read_file(path), str(path))


def parse_publishers(text: str, origin: str) -> Publishers:
    """The publishers that the TOML `text` names. Raises SettingsError that starts with `origin`."""
    entries = entries_of(text, origin, _MEMBERS)
    return Publishers([_publisher(f"{origin}: {name}", name, entry) for name, entry in entries.items()])


def _publisher(where: str, name: str, entry: Mapping[str, Any]) -> Publisher:
    topics, sources = _texts(where, entry, "topics"), _texts(where, entry, "sources")
    if topics is None or not all(map(_is_topic, topics)):
        raise SettingsError(f"{where}.topics: names of topics are expected, or prefixes that end in *")
    if sources is None:
        raise SettingsError(f"{where}.sources: prefixes of its sources are expected")
    types, voids = _texts(where, entry, "types"), entry.get("voids", "own")
    if types is not None and (unknown := set(types) - models.MODELS.keys()):
        raise SettingsError(f"{where}.types: {min(unknown)}: there are {', '.join(models.MODELS)}")
    if voids not in get_args(Voids):
        raise SettingsError(f"{where}.voids: one of {', '.join(get_args(Voids))} is expected")
    named = {
        member: frozenset(texts)
        for key, member in _NAMED_BY.items()
        if (texts := _texts(where, entry, key)) is not None
    }
    retailers = tuple(sorted(named.get("retailer", ())))
    if not all(map(_is_retailer, retailers)):
        raise SettingsError(f"{where}.retailers: names of retailers are expected, as creations have them")
    return_ids = _texts(where, entry, "return_ids")
    allowed = None if types is None else frozenset(types)
    return Publisher(name, topics, sources, allowed, named, return_ids, voids, retailers)


def _texts(where: str, entry: Mapping[str, Any], member: str) -> tuple[str, ...] | None:
    found = entry.get(member)
    if found is None:
        return None
    if not isinstance(found, list) or not found or not all(isinstance(each, str) and each for each in found):
        raise SettingsError(f"{where}.{member}: a list of texts is expected, of one at least")
    return tuple(found)


@lru_cache(4096)
def _either(one: Retailers, other: Retailers) -> Retailers:
    return tuple(sorted({*one, *other})) if one and other else ()


def _is_below(prefix: str, source: str) -> bool:
    return source.startswith(prefix) and (
        len(source) == len(prefix) or prefix.endswith("/") or source[len(prefix)] in "/?#"
    )


def _stranger(of_topic: Sequence[Publisher]) -> _Fault:
    if not of_topic:
        return "source", "nobody may write this topic: RETURNS_PUBLISHERS names no publisher of it"
    return "source", f"on this topic it begins with {_told([each for p in of_topic for each in p.sources])}"


def _told(allowed: Sequence[str] | frozenset[str]) -> str:
    shown = sorted(allowed)[:_TOLD]
    return ", ".join(shown) + (f" and {len(allowed) - _TOLD} more" if len(allowed) > _TOLD else "")


def _refused(reason: Invalid, faults: Sequence[_Fault]) -> InvalidEvent:
    return InvalidEvent(reason, "; ".join(f"{path}: {what}" for path, what in faults), faults)
