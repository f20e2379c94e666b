"""The columns of an event, once: what COPY sends, what an array sends, and what is read back are made from this table.

An event stands in `history`, or waits in `parked` or `connote_deliveries`; all three have `EVENT_COLUMNS`. A new column of
an event is a line here, a field of `stored.KeptEvent`, and a migration.

The .sql files name lists of columns in braces, `{event}` for one: see `LISTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, cast

from service.adapters.postgres.journal.rows import FIRST_MS, LAST_MS, as_uuid, clamped
from service.application.ports import Arrival, HistoryRow
from service.domain.events import KEY_DIGEST_BYTES
from service.domain.milestones import Milestone
from service.wire.rows.claimed import said_retailers
from service.wire.rows.logged import LogRow
from service.wire.stored import encode_changes, encode_moves, encode_state

# So many keys stand in each row, two of an event; beyond that a return's rows would grow with their square.
MAX_KEYS_IN_ROW: Final = 64

_PG_EPOCH: Final = 946_684_800_000_000  # 2000-01-01 UTC in microseconds; what PostgreSQL counts from


class Column(NamedTuple):
    """A column, and how its value is found in a row to be.

    `type` is PostgreSQL's name of what is sent. `at` is where the value is, from one of the names that `_COPIED` binds.
    What is there is sent as it is, or as `copied` (by COPY) and `sent` (in an array) make it; an expression of `{0}` spares
    COPY a call for each event. COPY sends what the column holds on the wire, which spares a conversion each: timestamptz as
    an integer, json and uuid as bytes; `wire` is its type where that is another one. `made` is the expression that turns
    what an array sent into what the column holds, `read` the one that is selected.
    """

    name: str
    type: str
    at: str
    copied: Callable[[Any], Any] | str | None = None
    sent: Callable[[Any], Any] | None = None
    wire: str | None = None
    made: str = "{}"
    read: str = "{}"


def _code(milestone: Milestone | None) -> str | None:
    return None if milestone is None else milestone.value


def _true(is_so: object) -> bool | None:
    return True if is_so else None


def _text(said: bytes | None) -> str | None:
    return None if said is None else said.decode()


def _time(
    name: str, at: str, copied: Callable[[Any], int] | str, sent: Callable[[Any], int] | None, unit: str
) -> Column:
    return Column(name, "int8", at, copied, sent, made=f"timestamptz 'epoch' + {{}} * interval '1 {unit}'")


def _json(name: str, at: str) -> Column:
    return Column(name, "text", at, sent=_text, wire="bytea", made="{}::json", read="{}::text")


# In the order of the fields of `stored.KeptEvent`.
EVENT_COLUMNS: Final = (
    Column("source", "text", "event.source"),
    Column("id", "text", "event.id"),
    Column("type", "text", "inbound.type"),
    _time("occurred_at", "event.at", f"{{0}} - {_PG_EPOCH}", None, "microsecond"),
    Column("zone_source", "text", "inbound.zone_source"),
    Column("utc_offset", "int2", "inbound.utc_offset"),
    Column("code", "text", "inbound.code"),
    Column("milestone", "text", "event.milestone", sent=_code),
    _json("data", "inbound.data"),
    _json("extensions", "inbound.extensions"),
    Column("topic", "text", "record.topic"),
    Column("topic_id", "uuid", "record.topic_id", sent=as_uuid, wire="bytea", read="uuid_send({})"),
    Column("partition", "int4", "record.partition"),
    Column("offset", "int8", "record.offset"),
    _time(
        "published_at",
        "record.timestamp",
        f"({{0}} if {FIRST_MS} <= {{0}} <= {LAST_MS} else clamped({{0}})) * 1000 - {_PG_EPOCH}",
        clamped,
        "millisecond",
    ),
    Column("is_ahead", "bool", "event.is_ahead", "{0} or None", _true),
    # What waits has a text always, which is a part of its key.
    Column("retailers", "text", "event.retailers", "said_retailers({0}) if {0} else None", said_retailers),
)


HISTORY_COLUMNS: Final = (
    Column("return_no", "int8", "row.return_no"),
    Column("seq", "int4", "state.seq"),
    Column("batch_id", "int8", "batch_id"),
    *EVENT_COLUMNS,
    Column("verdict", "text", "entry.verdict"),
    Column("reason", "text", "entry.reason"),
    Column("changes", "bytea", "entry.changes", "encode_changes({0}) if {0} else None"),
    Column("version", "int4", "state.version"),
    Column("status", "text", "state.timeline.status"),
    Column("state", "bytea", "state", encode_state),
    Column("effect", "text", "event.effect"),
    Column("exceptions", "bytea", "entry", "encode_moves({0}) if {0}.raised or {0}.settled else None"),
    # Of the event's name, and of the event.
    Column("key", "bytea", "state.seen", f"{{0}}[-{2 * KEY_DIGEST_BYTES} :]"),
    Column("seen", "bytea", "state.seen", f"{{0}} if len({{0}}) <= {MAX_KEYS_IN_ROW * KEY_DIGEST_BYTES} else None"),
)
"""All that the history has of a row; `recorded_at` is PostgreSQL's."""

# In the order of the columns of the statement `copy_parked`.
_PARKED_COLUMNS: Final = (
    Column("batch_id", "int8", "batch_id"),
    Column("words", "bytea", "identity"),
    Column("kind", "text", "inbound.kind"),
    Column("subject", "text", "inbound.subject"),
    Column("unmapped", "text", "event.unmapped_because"),
    *(
        column._replace(copied="said_retailers({0}) if {0} else ''") if column.name == "retailers" else column
        for column in EVENT_COLUMNS
    ),
)

HISTORY_TYPES: Final = tuple(column.wire or column.type for column in HISTORY_COLUMNS)
PARKED_TYPES: Final = tuple(column.wire or column.type for column in _PARKED_COLUMNS)

_COPIED: Final = """
def copied(row, batch_id):
    entry, arrival = row.entry, row.arrival
    event, state, inbound, record = entry.event, entry.state, arrival.inbound, arrival.record
    return ({values},)
"""
_PARKED: Final = """
def copied(arrival, batch_id, identity):
    inbound, record = arrival.inbound, arrival.record
    event = inbound.event
    return ({values},)
"""


def _copied_value(column: Column) -> str:
    if column.copied is None:
        return column.at
    return column.copied.format(column.at) if isinstance(column.copied, str) else f"_{column.name}({column.at})"


def _compiled(text: str, columns: Sequence[Column]) -> Callable[..., tuple[Any, ...]]:
    """A function as it would be written by hand: to fetch column by column takes twice its time, for each event."""
    made: dict[str, Any] = {name.__name__: name for name in (said_retailers, encode_changes, encode_moves, clamped)}
    made |= {f"_{column.name}": column.copied for column in columns}
    values = ", ".join(map(_copied_value, columns))
    exec(text.format(values=values), made)  # noqa: S102 - the text is the table's above
    return cast("Callable[..., tuple[Any, ...]]", made["copied"])


copied: Final[Callable[[HistoryRow, int], tuple[Any, ...]]] = _compiled(_COPIED, HISTORY_COLUMNS)
"""The values of a row of the history, as `{history}` names its columns and `HISTORY_TYPES` their types."""

copied_parked: Final[Callable[[Arrival, int, bytes], tuple[Any, ...]]] = _compiled(_PARKED, _PARKED_COLUMNS)
"""The values of a parked event, as the statement `copy_parked` names its columns and `PARKED_TYPES` their types."""


def sent(arrivals: Sequence[Arrival]) -> Iterator[list[Any]]:
    """The columns of events that are kept, each as the list that `{arrays}` takes."""
    roots = {"event": "inbound.event", "inbound": "inbound", "record": "record"}
    for column in EVENT_COLUMNS:
        root, dot, rest = column.at.partition(".")
        values = map(attrgetter(f"{roots[root]}{dot}{rest}"), arrivals)
        yield list(values if column.sent is None else map(column.sent, values))


def _quoted(columns: Iterable[Column]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


_LOGGED: Final = {"n": "b.n", "return_id": "r.return_id"}

LISTS: Final = {
    "history": _quoted(HISTORY_COLUMNS),
    "event": _quoted(EVENT_COLUMNS),
    "made": ", ".join(column.made.format(f'"{column.name}"') for column in EVENT_COLUMNS),
    "arrays": ", ".join(f"%b::{column.type}[]" for column in EVENT_COLUMNS),
    "read": ", ".join(column.read.format(f'"{column.name}"') for column in EVENT_COLUMNS),
    "logged": ", ".join(_LOGGED.get(name, f'h."{name}"') for name in LogRow._fields if name != "data"),
    "exceptional": "h.verdict IN ('held', 'refused', 'unmapped') AND h.reason IS DISTINCT FROM 'voided'"
    " OR h.reason = 'tracking_number_in_use'",
}
"""Lists of columns, and a condition, that statements name in braces.

`{history}`: the history's, as `copied` gives their values. `{event}`: an event's names, `{made}` their values from the
arrays `{arrays}` that `sent` gives, `{read}` as `stored.KeptEvent` takes them. `{logged}`: those of a `logged.LogRow` but
for `data`, which is its last field. `{exceptional}`: what `exceptional.is_exceptional` says of a row `h` of the history.
"""
