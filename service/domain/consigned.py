"""The exports of a return under its connotes, and the deliveries of these."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from service.domain.events import Event
from service.domain.evidence import RE, STRAY, TWO_CONNOTES, Against
from service.domain.lines import Line
from service.domain.milestones import Reason, Verdict
from service.domain.rules import Rules


class Consignments:
    """All of them. One event more costs what is known of its own connote, however many others there are."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._consigned: dict[str, Consigned] = {}
        self._changed: set[str] = set()
        self._known: dict[str, _Found] = {}  # as they stand in what follows
        self._exported: set[str] = set()
        self._brought, self._flags = Line(), Counter[int]()

    def __getitem__(self, connote: str) -> Consigned:
        return self._consigned[connote]

    def changing(self, connote: str) -> Consigned:
        """One that an event is put into, or dropped from."""
        self._changed.add(connote)
        if connote not in self._consigned:
            self._consigned[connote] = Consigned(self._rules)
        return self._consigned[connote]

    def found(self) -> tuple[Event | None, int]:
        """The delivery that brought the return home, and what is known of exports and of the other deliveries."""
        for connote in self._changed:
            consigned = self._consigned[connote]
            if connote in self._known:
                self._count(self._known[connote], -1)
            self._known[connote] = consigned.found()
            self._count(self._known[connote], 1)
            (self._exported.add if consigned.exports else self._exported.discard)(connote)
        self._changed.clear()
        flags = TWO_CONNOTES if len(self._exported) > 1 else 0
        for each in self._flags:
            flags |= each
        return (self._brought.first if self._brought else None), flags

    def _count(self, found: _Found, more: int) -> None:
        if found.delivered is not None:
            (self._brought.put if more > 0 else self._brought.drop)(found.delivered)
        self._flags[found.flags] += more
        if not self._flags[found.flags]:
            del self._flags[found.flags]


class Consigned:
    """The exports under one connote, and its deliveries."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.exports, self.deliveries = Line(), Line()
        self._found: _Found | None = None

    def put(self, event: Event) -> None:
        if event.milestone is RE:
            self.exports.put(event)
            self._found = None
            return
        self.deliveries.put(event)
        if self._found is not None:
            self._found = self._with(self._found, event)

    def drop(self, event: Event) -> None:
        (self.exports if event.milestone is RE else self.deliveries).drop(event)
        self._found = None

    def against(self, delivery: Event) -> Against:
        """What the exports' times have against it; None: it is within the window of one."""
        at, rules = delivery.at, self._rules
        if self.exports.within(at - rules.after_export, at + rules.before_export):
            return None
        if not self.exports:
            return Reason.AWAITING_EXPORTED
        is_early = self.exports.last.at > at + rules.before_export
        return Reason.BEFORE_EXPORT if is_early else Verdict.INFORMATIONAL

    def found(self) -> _Found:
        if self._found is None:
            self._found = _Found(None, 0)
            for delivery in self.deliveries:
                self._found = self._with(self._found, delivery)
        return self._found

    def _with(self, found: _Found, delivery: Event) -> _Found:
        against = self.against(delivery)
        if against is not None:
            return found._replace(flags=found.flags | STRAY[against])
        if found.delivered is None or delivery.place < found.delivered.place:
            return found._replace(delivered=delivery)
        return found


class _Found(NamedTuple):
    """The earliest delivery within a window, and flags of those that are in none."""

    delivered: Event | None
    flags: int
