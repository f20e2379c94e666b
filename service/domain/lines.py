"""Events in their order, and what stands before and behind another one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from service.domain.events import Event, Words

_Place = tuple[int, str, str, int, Words]


class Line:
    """Events in their order."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def __bool__(self) -> bool:
        return bool(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def put(self, event: Event) -> None:
        events = self._events
        if events and event.place < events[-1].place:
            insort(events, event, key=_place)
        else:
            events.append(event)  # as most come

    def drop(self, event: Event) -> None:
        at = bisect_left(self._events, event.place, key=_place)
        while self._events[at] is not event:  # in one place there are two at most
            at += 1
        del self._events[at]

    @property
    def first(self) -> Event:
        return self._events[0]

    @property
    def last(self) -> Event:
        return self._events[-1]

    def after(self, place: _Place) -> Event | None:
        """The next one behind it."""
        at = bisect_right(self._events, place, key=_place)
        return self._events[at] if at < len(self._events) else None

    def before(self, place: _Place) -> Event | None:
        """The last one before it."""
        at = bisect_left(self._events, place, key=_place)
        return self._events[at - 1] if at else None

    def within(self, earliest: int, latest: int) -> bool:
        """Whether one is from between these times, both included."""
        at = bisect_left(self._events, earliest, key=_time)
        return at < len(self._events) and self._events[at].at <= latest


def _place(event: Event) -> _Place:
    return event.place


def _time(event: Event) -> int:
    return event.at
