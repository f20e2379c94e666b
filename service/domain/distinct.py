"""What is distinct among the events of one return: their names, what several of one name say, and which are voided."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Final

from service.domain.events import KEY_DIGEST_BYTES, WHITE_SPACE, Event, Sense, key_digest
from service.domain.lines import Line
from service.domain.milestones import RANKED

RC: Final = RANKED[0]

FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "com.omnirps.return.created.v1": ("carrier", "retailer", "return_id", "route", "tracking_number"),
    "com.omnirps.return.closed.v1": ("by", "reason", "return_id"),
    "com.omnirps.return.reopened.v1": ("by", "reason", "return_id"),
    "com.omnirps.carrier.scanned.v1": ("carrier", "code", "local_time", "tracking_number"),
    "com.omnirps.hub.depot-scanned.v1": ("hub", "return_id"),
    "com.omnirps.hub.processed.v1": ("hub", "return_id"),
    "com.omnirps.hub.exported.v1": ("connote", "hub", "return_id"),
    "com.omnirps.hub.rejected.v1": ("hub", "reason", "return_id"),
    "com.omnirps.connote.delivered.v1": ("connote",),
    "com.omnirps.event.voided.v1": ("by", "connote", "id", "reason", "return_id", "source"),
}
"""The members of `data` that are the fact; all others describe it. Of a type that is not here, all are."""


def is_firm(event: Event) -> bool:
    """Whether it stays when its name is voided: a void, what is said of one, and a creation where none contradicts it."""
    return event.milestone is RC or event.sense is Sense.VOIDS or event.unheard is not None


def fact_of(event: Event) -> bytes:
    """A digest of what an event says without what describes it."""
    words = event.words
    said = json.loads(words.data) if words.data else {}
    members = FACTS.get(words.type)
    if members is not None:
        said = {member: said[member] for member in members if said.get(member) not in (None, "")}
        if isinstance(code := said.get("code"), str):
            said["code"] = code.strip(WHITE_SPACE)
    what = [words.type, event.at if words.is_timed else None, said]
    return blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=KEY_DIGEST_BYTES).digest()


class Names:
    """The events of each name, which of them are void, and which names tell of more than one fact."""

    def __init__(self, voided: Collection[bytes]) -> None:
        self.voided: set[bytes] = set(voided)
        self._reused: tuple[set[bytes], set[bytes]] = (set(), set())  # with creations that a void names, and without
        self._events: dict[bytes, list[Event]] = {}
        self._known: dict[bytes, Event] = {}  # by identity, as understood now
        self._again: set[bytes] = set()
        self.given: dict[bytes, tuple[str, str]] = {}  # names that voids give
        self.unheard: set[bytes] = set()  # those of them that no event had for an hour
        self._away: set[bytes] = set()  # the identities of those that are not the return's, by its labels' windows
        # Those of all events, of events that stay, and of events that stay whatever becomes of creations.
        self._facts: dict[bytes, tuple[Counter[bytes], Counter[bytes], Counter[bytes]]] = {}

    def take(self, event: Event, name: bytes, identity: bytes) -> Event | None:
        """Take it in; the same as it was there before, not understood or otherwise. Itself: it changes nothing."""
        known = self._known.get(identity)
        if known is not None:
            self._again.add(identity)
            is_otherwise = event.unmapped_because is None and _meaning(known) != _meaning(event)
            if not is_otherwise:
                return event
            self._events[name] = [event if each is known else each for each in self._events[name]]
            self._known[identity] = event
            return known
        self._known[identity] = event
        if event.voids is not None:
            self.given[key_digest(*event.voids)] = event.voids
        if event.unheard is not None:
            self.unheard.add(key_digest(*event.unheard))
        self._events.setdefault(name, []).append(event)
        self._note_fact(event, name)
        return None

    def is_one_reused(self, *, are_creations_out: bool) -> bool:
        """Whether a name tells of more than one fact; voided creations tell of theirs or not."""
        return bool(self._reused[are_creations_out])

    def is_reused(self, event: Event, *, are_creations_out: bool) -> bool:
        """Whether its name is one of those."""
        return event.key in self._reused[are_creations_out]

    def every(self) -> list[Event]:
        """Each event, as it is understood now."""
        return list(self._known.values())

    def is_repeated(self, event: Event) -> bool:
        """Whether it was taken in more than once."""
        return event.identity in self._again

    def void(self, name: bytes) -> list[Event]:
        """Declare the events of a name a mistake; those that go for good."""
        self.voided.add(name)
        self._note_reuse(name)
        return [event for event in self._events.get(name, ()) if not is_firm(event)]

    def of(self, name: bytes) -> list[Event]:
        """The events of this name."""
        return self._events.get(name, [])

    def called(self, voids: tuple[str, str]) -> list[Event]:
        """The same, by the name itself."""
        return [event for event in self.of(key_digest(*voids)) if (event.source, event.id) == voids]

    def leave(self, event: Event) -> None:
        """It is not the return's, by its label's window; so it says nothing of its name."""
        identity, name = event.identity, event.key
        if identity not in self._away:
            self._away.add(identity)
            self._count(event, name, -1)

    def stand(self, event: Event) -> None:
        """It is the return's, as it is before anything is said of it."""
        if self._away and event.identity in self._away:
            self._away.discard(event.identity)
            self._count(event, event.key, 1)

    def _note_fact(self, event: Event, name: bytes) -> None:
        events = self._events[name]
        if len(events) == 1:
            return  # as it is with nearly all names
        if name not in self._facts:
            self._facts[name] = (Counter(), Counter(), Counter())
            for each in events[:-1]:
                if each.identity not in self._away:
                    self._count(each, name, 1)
        self._count(event, name, 1)

    def _count(self, event: Event, name: bytes, more: int) -> None:
        if name not in self._facts:
            return
        fact = fact_of(event)
        counts = 1 if not is_firm(event) else 2 if event.milestone is RC else 3
        for counted in self._facts[name][:counts]:
            counted[fact] += more
            if not counted[fact]:
                del counted[fact]
        self._note_reuse(name)

    def _note_reuse(self, name: bytes) -> None:
        if name in self._facts:
            every, firm, lasting = self._facts[name]
            is_voided = name in self.voided
            for reused, facts in zip(self._reused, (firm, lasting), strict=True):
                (reused.add if len(facts if is_voided else every) > 1 else reused.discard)(name)


class Creations:
    """A return's creations. Only where they contradict each other can one be voided, and never all of them."""

    def __init__(self) -> None:
        self._every, self._valid = _Line(), _Line()

    def put(self, event: Event, *, is_voided: bool) -> None:
        self._every.put(event)
        if not is_voided:
            self._valid.put(event)

    def void(self, event: Event) -> None:
        """Its name is declared a mistake."""
        self._valid.drop(event)

    @property
    def can_be_voided(self) -> bool:
        """Whether a void of one is heard."""
        return self._every.contradicts and bool(self._valid)

    @property
    def is_one_out(self) -> bool:
        """Whether one of them is void."""
        return self.can_be_voided and len(self._valid) < len(self._every)

    @property
    def contradict(self) -> bool:
        """Whether those that stand differ in retailer or route."""
        return self._standing.contradicts

    @property
    def first(self) -> Event | None:
        """The earliest that stands."""
        return self._standing.first if self._standing else None

    @property
    def _standing(self) -> _Line:
        return self._valid if self.can_be_voided else self._every


class _Line(Line):
    """Creations in their order, and how many retailers and routes they name."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: Counter[tuple[str, str] | None] = Counter()

    def put(self, event: Event) -> None:
        super().put(event)
        self._kinds[_kind(event)] += 1

    def drop(self, event: Event) -> None:
        super().drop(event)
        self._kinds[_kind(event)] -= 1
        self._kinds += Counter()  # without those of which none is left

    @property
    def contradicts(self) -> bool:
        return len(self._kinds) > 1


def _meaning(event: Event) -> tuple[object, ...]:
    return (event.unmapped_because, event.milestone, event.effect)


def _kind(creation: Event) -> tuple[str, str] | None:
    attributes = creation.attributes
    return None if attributes is None else (attributes.retailer, attributes.route)
