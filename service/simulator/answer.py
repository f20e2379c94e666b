"""What a service must make of a world: worked out from the world's own knowledge, without reading a byte of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from service.domain.events import Event, Sense, key_digest
from service.domain.milestones import Milestone
from service.domain.timeline import Timeline, decide
from service.domain.whole import gather
from service.simulator.messages import Message, Nature


class Answer:
    """The valid distinct events of the messages it is shown, and what follows from them. Order does not matter."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.sent: Counter[Nature] = Counter()
        self._events: dict[str, dict[tuple[str, str], Event]] = defaultdict(dict)
        self._deliveries: dict[str, dict[tuple[str, str], Event]] = defaultdict(dict)
        for message in messages:
            self.add(message)

    def add(self, message: Message) -> None:
        """Take one more message into account."""
        self.sent[message.nature] += 1
        event = message.event
        if event is None:
            return
        told = self._deliveries if event.milestone is Milestone.RDBTC else self._events
        told[message.subject][event.source, event.id] = event

    @property
    def invalid(self) -> int:
        """How many messages must become dead letters."""
        return self.sent[Nature.INVALID]

    @property
    def repeats(self) -> int:
        """How many messages carry an event that another one carried."""
        return self.sent[Nature.REPEAT]

    @property
    def returns(self) -> set[str]:
        """The return_ids that some creation named; the events of all others stay parked."""
        return {return_id for return_id, events in self._events.items() if _is_created(events.values())}

    @property
    def unmapped(self) -> int:
        """How many distinct events of known returns have a code that no table knows."""
        return sum(event.sense is Sense.UNMAPPED for return_id in self.returns for event in self.events(return_id))

    @property
    def parked(self) -> int:
        """How many distinct events wait for their return's creation when all is done; deliveries never do."""
        return sum(len(events) for events in self._events.values() if not _is_created(events.values()))

    def events(self, return_id: str) -> list[Event]:
        """The distinct events of a return, with the deliveries of every connote that an export of it named."""
        own = list(self._events.get(return_id, {}).values())
        connotes = {event.connote for event in own if event.milestone is Milestone.RE and event.connote}
        return own + [event for connote in sorted(connotes) for event in self._deliveries.get(connote, {}).values()]

    def timeline(self, return_id: str) -> Timeline:
        """The timeline that the return must have."""
        events = self.events(return_id)
        voided = frozenset(key_digest(*event.voids) for event in events if event.voids is not None)
        return decide(gather(events, voided))

    def timelines(self) -> dict[str, Timeline]:
        """The timeline of each known return."""
        return {return_id: self.timeline(return_id) for return_id in self.returns}


def _is_created(events: Iterable[Event]) -> bool:
    return any(event.milestone is Milestone.RC for event in events)
