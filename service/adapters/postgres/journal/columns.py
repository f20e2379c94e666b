"""The columns of an event, once: what COPY sends, what an array sends, and what is read back are made from this table.

An event stands in `history`, or waits in `parked` or `connote_deliveries`; all three have `EVENT_COLUMNS`. A new column of
an event is a line here, a field of `stored.KeptEvent`, and a migration.

The .sql files name lists of columns in braces, `{event}` for one: see `LISTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from service.adapters.postgres.journal.rows import as_uuid, published_at
from service.application.ports import Arrival, HistoryRow
from service.domain.events import KEY_DIGEST_BYTES
from service.domain.journey import Entry
from service.wire.logged import LogRow
from service.wire.stored import encode_changes, encode_state

# The keys of up to so many events stand in each row; beyond that a return's rows would grow with their square.
MAX_KEYS_IN_ROW: Final = 64

_PG_EPOCH: Final = 946_684_800_000_000  # 2000-01-01 UTC in microseconds; what PostgreSQL counts from

Get = Callable[[Any], Any]


class Column(NamedTuple):
    """A column, and how its value is found in a row to be.

    `type` is PostgreSQL's name of what an array sends. `get` is where its value is: an attribute of the object that `of`
    names ("row", "entry", "state", "event", "inbound" or "record"), or a function of the "entry" or "arrival". COPY
    sends what the column holds on the wire, which spares a conversion each (timestamptz goes as an integer, json and
    uuid as bytes): `wire` and `copied` are its type and its getter, where they are not the same. `made` is the
    expression that turns what an array sent into what the column holds, `read` the one that is selected.
    """

    name: str
    type: str
    of: str
    get: str | Get
    wire: str | None = None
    copied: tuple[str, str | Get] | None = None
    made: str = "{}"
    read: str = "{}"

    @property
    def source(self) -> tuple[str, str | Get]:
        """Where COPY finds the value."""
        return self.copied or (self.of, self.get)


def _at(column: str, event_at: Get, copied: Get, unit: str) -> Column:
    made = f"timestamptz 'epoch' + {{}} * interval '1 {unit}'"
    return Column(column, "int8", "arrival", event_at, None, ("arrival", copied), made)


def _json(column: str, get: Get) -> Column:
    return Column(column, "text", "arrival", get, "bytea", ("inbound", column), "{}::json", "{}::text")


def _text(said: bytes | None) -> str | None:
    return None if said is None else said.decode()


# In the order of the fields of `stored.KeptEvent`.
EVENT_COLUMNS: Final = (
    Column("source", "text", "event", "source"),
    Column("id", "text", "event", "id"),
    Column("type", "text", "inbound", "type"),
    _at("occurred_at", lambda a: a.inbound.event.at, lambda a: a.inbound.event.at - _PG_EPOCH, "microsecond"),
    Column("zone_source", "text", "inbound", "zone_source"),
    Column("utc_offset", "int2", "inbound", "utc_offset"),
    Column("code", "text", "inbound", "code"),
    Column("milestone", "text", "arrival", lambda a: a.inbound.event.milestone and a.inbound.event.milestone.value,
           copied=("event", "milestone")),
    _json("data", lambda a: _text(a.inbound.data)),
    _json("extensions", lambda a: _text(a.inbound.extensions)),
    Column("topic", "text", "record", "topic"),
    Column("topic_id", "uuid", "arrival", lambda a: as_uuid(a.record.topic_id), "bytea", ("record", "topic_id")),
    Column("partition", "int4", "record", "partition"),
    Column("offset", "int8", "record", "offset"),
    _at("published_at", lambda a: published_at(a.record), lambda a: published_at(a.record) * 1000 - _PG_EPOCH,
        "millisecond"),
)  # fmt: skip


def _keys(entry: Entry) -> bytes | None:
    seen = entry.state.seen
    return seen if len(seen) <= MAX_KEYS_IN_ROW * KEY_DIGEST_BYTES else None


HISTORY_COLUMNS: Final = (
    Column("return_no", "int8", "row", "return_no"),
    Column("seq", "int4", "state", "seq"),
    *EVENT_COLUMNS,
    Column("verdict", "text", "entry", "verdict"),
    Column("reason", "text", "entry", "reason"),
    Column("changes", "bytea", "entry", lambda entry: encode_changes(entry.changes) if entry.changes else None),
    Column("version", "int4", "state", "version"),
    Column("status", "text", "state", "timeline.status"),
    Column("state", "bytea", "entry", lambda entry: encode_state(entry.state)),
    Column("key", "bytea", "entry", lambda entry: entry.state.seen[-KEY_DIGEST_BYTES:]),
    Column("seen", "bytea", "entry", _keys),
)
"""All that the history has of an entry; `batch_id` is the batch's, and `recorded_at` PostgreSQL's."""

# COPY takes the columns in any order: those that are attributes of one object are fetched at once, which takes half the
# time of fetching each.
_OBJECTS: Final = ("entry", "state", "event", "inbound", "record")


def _sorted(columns: Iterable[Column]) -> Iterator[Column]:
    known = list(columns)
    yield from (column for column in known if column.of == "row")
    for of in _OBJECTS:
        yield from (c for c in known if c.source[0] == of and isinstance(c.source[1], str))
    for of in ("entry", "arrival"):
        yield from (c for c in known if c.source[0] == of and not isinstance(c.source[1], str))


_COPIED: Final = tuple(_sorted(HISTORY_COLUMNS))
COPY_TYPES: Final = ("int8", *(column.wire or column.type for column in _COPIED))


def _attributes(of: str) -> Get:
    return attrgetter(*(get for owner, get in (c.source for c in _COPIED) if owner == of and isinstance(get, str)))


def _functions(of: str) -> tuple[Get, ...]:
    return tuple(get for owner, get in (c.source for c in _COPIED) if owner == of and not isinstance(get, str))


_of_entry, _of_state, _of_event, _of_inbound, _of_record = map(_attributes, _OBJECTS)
_FROM_ENTRY, _FROM_ARRIVAL = _functions("entry"), _functions("arrival")


def copied(row: HistoryRow, batch_id: int) -> tuple[Any, ...]:
    """The values of a row of the history, as `{copied}` names its columns and `COPY_TYPES` their types."""
    entry, arrival = row.entry, row.arrival
    inbound = arrival.inbound
    return (
        batch_id,
        row.return_no,
        *_of_entry(entry),
        *_of_state(entry.state),
        *_of_event(entry.event),
        *_of_inbound(inbound),
        *_of_record(arrival.record),
        *[get(entry) for get in _FROM_ENTRY],
        *[get(arrival) for get in _FROM_ARRIVAL],
    )


_ROOTS: Final = {"event": "inbound.event", "inbound": "inbound", "record": "record"}


def _of_arrival(column: Column) -> Get:
    get = column.get
    return attrgetter(f"{_ROOTS[column.of]}.{get}") if isinstance(get, str) else get


_SENT: Final = tuple(map(_of_arrival, EVENT_COLUMNS))


def sent(arrivals: Sequence[Arrival]) -> Iterator[list[Any]]:
    """The columns of events that are kept, each as the list that `{arrays}` takes."""
    for get in _SENT:
        yield [get(arrival) for arrival in arrivals]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


_LOGGED: Final = {"n": "b.n", "return_id": "r.return_id"}

LISTS: Final = {
    "copied": _quoted(["batch_id", *(column.name for column in _COPIED)]),
    "event": _quoted(column.name for column in EVENT_COLUMNS),
    "made": ", ".join(column.made.format(f'"{column.name}"') for column in EVENT_COLUMNS),
    "arrays": ", ".join(f"%b::{column.type}[]" for column in EVENT_COLUMNS),
    "read": ", ".join(column.read.format(f'"{column.name}"') for column in EVENT_COLUMNS),
    "logged": ", ".join(_LOGGED.get(name, f'h."{name}"') for name in LogRow._fields if name != "data"),
}
"""Lists of columns that statements name in braces.

`{copied}`: the history's, as `copied` gives their values. `{event}`: an event's names, `{made}` their values from the
arrays `{arrays}` that `sent` gives, `{read}` as `stored.KeptEvent` takes them. `{logged}`: those of a `logged.LogRow` but
for `data`, which is its last field.
"""
