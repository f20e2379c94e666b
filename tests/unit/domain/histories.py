"""Histories for tests of the domain: events by hand, sets of events by hypothesis, and a player of arrivals."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from pydantic_core import from_json

from service.domain.events import Attributes, Effect, Event, Sense, Words
from service.domain.evidence import PastNeeded
from service.domain.journey import NEW, Entry, State, re_evaluate, record
from service.domain.labels import FOREVER, Label, Retailers, Window, bound_of
from service.domain.milestones import Milestone, Reason, Route
from service.domain.whole import Whole
from service.wire.stored import decode_state, encode_state
from tests.support import oracle

# A busy machine is no reason to fail; the blob repeats a failure anywhere. 100 examples unless a profile says otherwise.
THOROUGH: Final = settings(max_examples=2 * settings().max_examples, deadline=None, print_blob=True)
QUICK: Final = settings(THOROUGH, max_examples=3 * settings().max_examples // 5)

ACME: Final = Attributes("acme", Route.OMNIRPS, "omniparcel", "OP1", "order-1")
DOMESTIC: Final = Attributes("acme", Route.FIRST_MILE_ONLY, "omniparcel", "OP1")
OTHER: Final = Attributes("zenith", Route.OMNIRPS, "generic", "GX7")

DAY: Final = 24 * 3600 * 1_000_000  # microseconds

Key = tuple[str, str]


def happened(
    code: str,
    at: int,
    *,
    source: str = "s",
    id: str | None = None,  # noqa: A002 -- the event's word
    attributes: Attributes | None = None,
    connote: str = "CN-A",
    location: Mapping[str, str] | None = None,
) -> Event:
    """The event that asserts the milestone `code` at time `at`."""
    milestone = Milestone(code)
    return Event(
        source,
        f"{code}@{at}" if id is None else id,
        at,
        Sense.ASSERTS,
        milestone,
        location=location,
        attributes=(attributes or ACME) if code == "RC" else None,
        connote=connote if code in {"RE", "RDBTC"} else None,
    )


def story(text: str, *, attributes: Attributes = ACME) -> list[Event]:
    """Events from words like "RC@1 RT@2"; "RE@5/CN-B" names a connote, other than CN-A."""
    events = []
    for word in text.split():
        code, _, rest = word.partition("@")
        at, _, connote = rest.partition("/")
        events.append(happened(code, int(at), id=word, attributes=attributes, connote=connote or "CN-A"))
    return events


def void(target: Key, *, at: int = 99, source: str = "ops", id: str | None = None) -> Event:  # noqa: A002
    """The event that declares `target` a mistake."""
    return Event(source, id or f"void {target}", at, Sense.VOIDS, voids=target)


def unheard(name: Key) -> Event:
    """The service's own row: no event had this name an hour after a void of it."""
    words = Words(
        "com.omnirps.return.void-unheard.v1", json.dumps({"source": name[0], "id": name[1]}).encode(), is_timed=False
    )
    return Event("/service", f"unheard {name}", 999 * DAY, Sense.INFORMS, words=words, unheard=name)


def key_of(event: Event) -> Key:
    """What names the event within its return."""
    return (event.source, event.id)


_TYPES: Final = {
    "RC": "com.omnirps.return.created.v1",
    "DS": "com.omnirps.hub.depot-scanned.v1",
    "RP": "com.omnirps.hub.processed.v1",
    "RE": "com.omnirps.hub.exported.v1",
    "RR": "com.omnirps.hub.rejected.v1",
    "RDBTC": "com.omnirps.connote.delivered.v1",
}
_SCANNED: Final = "com.omnirps.carrier.scanned.v1"


def worded(event: Event, note: str | None = None) -> Event:
    """The event with the words in which its publisher says it; a `note` describes it otherwise."""
    data: dict[str, object] = {}
    if event.voids is not None:
        type_ = "com.omnirps.event.voided.v1"
        data = {"return_id": "R", "source": event.voids[0], "id": event.voids[1], "by": "me", "reason": "wrong"}
    elif event.window is not None:
        type_ = "com.omnirps.label.claimed.v1"
        data = {"label": event.label, "window": event.window, "bound": event.bound}
    elif event.sense in (Sense.CLOSES, Sense.REOPENS):
        type_ = f"com.omnirps.return.{'closed' if event.sense is Sense.CLOSES else 'reopened'}.v1"
        data = {"return_id": "R", "by": "me", "reason": event.because or "found"}
    elif event.milestone in _TYPES:
        type_ = _TYPES[event.milestone]
        data = {"return_id": "R", "hub": "akl1"}
    else:
        type_ = _SCANNED
        carrier, number = event.label or ACME.label
        data = {
            "carrier": carrier,
            "tracking_number": number,
            "code": event.effect or event.milestone or event.sense,
        }
    if event.attributes is not None:
        data = {"return_id": "R", **event.attributes._asdict()}
    if event.connote is not None:
        data["connote"] = event.connote
    if event.location:
        data["location"] = event.location
    if note is not None:
        data["note"] = note
    return replace(event, words=Words(type_, json.dumps(data, sort_keys=True).encode()))


def identity_of(event: Event) -> bytes:
    """What names the event among all that its publishers said."""
    return event.identity


def not_understood(event: Event) -> Event:
    """The event as it looks while the carrier's table does not know its code."""
    return replace(event, sense=Sense.UNMAPPED, milestone=None, unmapped_because=Reason.UNKNOWN_CODE, effect=None)


def reloaded(state: State) -> State:
    """The state as another worker, or the next batch, reads it from the history."""
    return decode_state(from_json(encode_state(state)), state.seq, state.version, state.seen)


class Arrival(NamedTuple):
    """An event comes in, maybe in a new batch, maybe once more; a remap makes the carrier's table know its code."""

    event: Event
    new_batch: bool = False
    remap: bool = False


class Step(NamedTuple):
    """One row of the history, with all events known before and after it as they were understood then."""

    entry: Entry
    was: State
    before: Sequence[Event]
    after: Sequence[Event]

    @property
    def is_known(self) -> bool:
        """Whether the return's creation is known after it."""
        return self.entry.state.timeline.route is not None


class Played(NamedTuple):
    """What came of a sequence of arrivals."""

    steps: list[Step]
    state: State
    duplicates: int


class _Player:
    """Records arrivals as ingestion does, with the return's recorded events only where they are asked for."""

    def __init__(self, *, parks: bool) -> None:
        self.parks = parks
        self.state = NEW
        self.rows: list[Event] = []  # as recorded, in order
        self.known: dict[bytes, Event] = {}  # as understood now
        self.steps: list[Step] = []
        self.duplicates = 0
        self.parked: list[Event] = []
        self.to_remap: dict[bytes, Event] = {}

    def arrive(self, arrival: Arrival) -> None:
        if arrival.new_batch:
            self.state = reloaded(self.state)
        event = arrival.event
        if arrival.remap:
            self.to_remap[event.identity] = event
        elif self.parks and self.state.timeline.route is None and event.milestone is not Milestone.RC:
            self.parked.append(event)
        else:
            self._record(event)
            if event.milestone is Milestone.RC:
                adopted, self.parked = self.parked, []
                for waiting in adopted:
                    self._record(waiting)
        for key in self.to_remap.keys() & self.known.keys():
            self._decide(re_evaluate, self.to_remap.pop(key))

    def pass_hour(self) -> None:
        """The service says of voids that named nothing of the return that they still do."""
        known = [*self.known.values()]
        for name in sorted({event.voids for event in known if event.voids is not None}):
            if not oracle.called(name, known):
                self._record(unheard(name))

    def _record(self, event: Event) -> None:
        self._decide(record, event)

    def _decide(self, how: Callable[..., Entry | None], event: Event) -> None:
        try:
            entry = how(self.state, event)
        except PastNeeded:
            entry = how(self.state, event, Whole([*self.rows, event]))
        self._took(entry)

    def _took(self, entry: Entry | None) -> None:
        if entry is None:
            self.duplicates += 1
            return
        before = tuple(self.known.values())
        self.rows.append(entry.event)
        self.known[entry.event.identity] = entry.event
        self.steps.append(Step(entry, self.state, before, tuple(self.known.values())))
        self.state = entry.state


def play(arrivals: Iterable[Arrival], *, parks: bool = True, hours: Container[int] = ()) -> Played:
    """Record them one by one; before the creation is known the others wait, unless `parks` is off.

    An hour passes after those whose places are in `hours`.
    """
    player = _Player(parks=parks)
    for place, arrival in enumerate(arrivals):
        player.arrive(arrival)
        if place in hours:
            player.pass_hour()
    return Played(player.steps, player.state, player.duplicates)


def in_order(events: Iterable[Event]) -> list[Arrival]:
    """Each once, as given."""
    return [Arrival(event) for event in events]


# Few values, so that events tie in time, name one another, and compete for the first place of a milestone.
_keys = st.tuples(st.sampled_from(("hub", "carrier", "Ωmega")), st.sampled_from("abcdefg"))
_times = st.one_of(
    st.integers(0, 6),
    # Exports and deliveries a day apart, or four months.
    st.builds(lambda days, micros: days * DAY + micros, st.sampled_from((0, 1, 120, 121)), st.integers(0, 3)),
)
_places: st.SearchStrategy[Mapping[str, str] | None] = st.sampled_from(
    (None, {"country": "NZ"}, {"name": "Auckland", "code": "AKL"})
)
_connotes = st.sampled_from(("CN-A", "CN-A", "CN-B"))
_creations = st.sampled_from((ACME, ACME, OTHER, DOMESTIC))
_windows = st.builds(
    Window,
    st.sampled_from((FOREVER, FOREVER, 4, DAY, 120 * DAY)),
    st.sampled_from(((), (), ((1, 3),), ((2, DAY + 2), (120 * DAY, 121 * DAY)))),
    st.booleans(),
    st.booleans(),
)
_labels: st.SearchStrategy[Label | None] = st.sampled_from((None, ACME.label, ACME.label, OTHER.label))
# For whose claims alone a scan counts; mostly for all.
_bounds: st.SearchStrategy[Retailers] = st.sampled_from(
    ((), (), (), (ACME.retailer,), (OTHER.retailer,), (ACME.retailer, OTHER.retailer))
)
_senses: Final = (
    *("closes", "reopens", "window", "window"),
    *("RC", "RC", "RT", "RDTPF", "DS", "RP", "RP", "RE", "RE", "RDBTC", "RDBTC", "RR", "RR"),
    *("void", "void", "informs", "unmapped", "collected", "returning"),
)


@st.composite
def events(draw: st.DrawFn, what: Sequence[str] = _senses, keys: st.SearchStrategy[Key] = _keys) -> Event:
    """Any one event, in its words."""
    event = draw(_plain_events(what, keys))
    if event.window is not None:  # the service's own
        return worded(replace(event, bound=bound_of(draw(_bounds))))
    if event.label is not None:
        event = replace(event, retailers=draw(_bounds))
    event = replace(event, is_ahead=draw(st.integers(0, 15)) == 0)
    return worded(event, draw(st.sampled_from((None, None, None, "a", "b"))))


@st.composite
def _plain_events(draw: st.DrawFn, what: Sequence[str], keys: st.SearchStrategy[Key]) -> Event:
    source, event_id = draw(keys)
    at, kind = draw(_times), draw(st.sampled_from(what))
    if kind == "void":
        return Event(source, event_id, at, Sense.VOIDS, voids=draw(keys))
    if kind == "closes":
        return Event(source, event_id, at, Sense.CLOSES, because=draw(st.sampled_from(("lost", "cancelled"))))
    if kind == "reopens":
        return Event(source, event_id, at, Sense.REOPENS)
    place, label = draw(_places), draw(_labels)
    if kind == "informs":
        return Event(source, event_id, at, Sense.INFORMS, location=place, label=label)
    if kind == "window":
        return Event("labels", event_id, at, Sense.INFORMS, label=label or ACME.label, window=draw(_windows))
    if kind == "unmapped":
        because = draw(st.sampled_from((Reason.UNKNOWN_CODE, Reason.UNKNOWN_CARRIER)))
        return Event(source, event_id, at, Sense.UNMAPPED, location=place, unmapped_because=because, label=label)
    if kind == "returning":
        return Event(source, event_id, at, Sense.INFORMS, location=place, effect=Effect.RETURNING, label=label)
    if kind == "collected":
        return Event(source, event_id, at, Sense.ASSERTS, Milestone.RT, place, effect=Effect.COLLECTED, label=label)
    attributes = draw(_creations) if kind == "RC" else None
    found = happened(
        kind, at, source=source, id=event_id, attributes=attributes, connote=draw(_connotes), location=place
    )
    return replace(found, label=label) if kind in {"RT", "RDTPF"} else found


@st.composite
def event_sets(draw: st.DrawFn) -> list[Event]:
    """Any set of distinct events of one return, as a list; nearly always with a creation.

    In some no two events have one name, in others an event comes again in other words.
    """
    by_name = draw(st.booleans())
    chosen = draw(st.lists(events(), max_size=12, unique_by=key_of if by_name else identity_of))
    if chosen and not by_name and draw(st.booleans()):
        again = draw(st.sampled_from(chosen))
        chosen.append(worded(replace(again, location={"name": "Auckland"}), "again"))
    if draw(st.integers(0, 15)):
        created = happened("RC", draw(_times), source="portal", id="rc", attributes=draw(_creations))
        chosen.append(worded(created))
    return chosen


def _in_turn(windows: Sequence[Event], order: Sequence[Event]) -> list[Event]:
    """The same, with those that say how windows moved in the order in which they did: the last one is believed."""
    left = iter(windows)
    return [event if event.window is None else next(left, windows[-1]) for event in order]


@st.composite
def orders(draw: st.DrawFn, chosen: Sequence[Event]) -> list[Event]:
    """Any order of these events, but of the windows that a return is told of."""
    return _in_turn([event for event in chosen if event.window is not None], draw(st.permutations(chosen)))


@st.composite
def arrivals(draw: st.DrawFn, chosen: Sequence[Event]) -> list[Arrival]:
    """Any way for these events to come in: order, repeats, batches, scans understood only later."""
    scans = [event for event in chosen if event.milestone in {Milestone.RT, Milestone.RDTPF}]
    puzzling = [event for event in scans if draw(st.booleans())]
    coming = [Arrival(not_understood(event) if event in puzzling else event) for event in chosen]
    repeats = draw(st.lists(st.sampled_from(coming), max_size=4)) if coming else []
    remaps = [Arrival(event, remap=True) for event in puzzling]
    drawn = draw(st.permutations([*coming, *repeats, *remaps]))
    turn = _in_turn([event for event in chosen if event.window is not None], [each.event for each in drawn])
    order = [each._replace(event=event) for each, event in zip(drawn, turn, strict=True)]
    batches = draw(st.integers(0, 2 ** len(order) - 1))
    return [arrival._replace(new_batch=bool(batches >> n & 1)) for n, arrival in enumerate(order)]


@st.composite
def recordings(draw: st.DrawFn) -> Played:
    """The history of any return as ingestion records it."""
    return play(draw(arrivals(draw(event_sets()))))
