"""The exports of a return under one connote, and the deliveries of that connote."""

from __future__ import annotations

from typing import NamedTuple

from service.domain.events import Event
from service.domain.evidence import RE, STRAY, Against
from service.domain.lines import Line
from service.domain.milestones import Reason, Verdict
from service.domain.rules import Rules


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
