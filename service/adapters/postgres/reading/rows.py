"""Rows of a history as pages read them: so many, so many bytes of what publishers said, and no more.

An event may have 256 KiB, and a page hundreds of events. What is read of them bounds the time and the memory of whoever
asks, and the size of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple

from psycopg import Connection

from service.adapters.postgres.queries import load_queries
from service.application.reading.tracking import RecordedEvent, is_anothers
from service.domain.events import key_digest
from service.domain.evidence import VOIDS_UNLISTED, WINDOWED
from service.domain.journey import State
from service.domain.labels import Label, Window, Windows
from service.wire.rows.claimed import bound_in, label_of, window_of

MOST_BYTES: Final = 1 << 20  # of the data of a page's events, as JSON; an event by itself has less
_QUERIES: Final = load_queries("reading.sql")
_MOST_LOOKED_AT: Final = 5000  # rows, the newest
_FIRST: Final = 16  # rows; few returns have more, and no more than these are read in vain


class Rows(NamedTuple):
    """`is_cut`: there is another row, and there would have been room for it but for its bytes."""

    rows: list[tuple[Any, ...]]
    is_cut: bool


def read_rows(
    connection: Connection[Any], way: Literal["history", "newest"], return_no: int, start: int, limit: int
) -> Rows:
    """Up to `limit` rows, at least one where there are any: those with a `seq` above `start` in the order of recording, or of
    those with one below it the newest first. Columns are those of `RecordedEvent`.
    """
    rows, left, piece = list[tuple[Any, ...]](), MOST_BYTES, _FIRST
    while len(rows) < limit:
        asked = min(piece, limit - len(rows))
        behind = rows[-1][0] if rows else start
        found = connection.execute(_QUERIES[way], (return_no, behind, asked)).fetchall()
        for *row, size in found:  # of its data
            left -= size
            if left < 0 and rows:
                return Rows(rows, is_cut=True)
            rows.append(tuple(row))
        if len(found) < asked:
            break
        piece *= 2
    return Rows(rows, is_cut=False)


def windows_of(connection: Connection[Any], return_ids: Sequence[str]) -> dict[str, Windows]:
    """What the histories of these returns say of the windows of their labels."""
    asked = {"return_ids": list(return_ids), "most": _MOST_LOOKED_AT}
    found = dict[str, dict[tuple[Label, str], Window]]()
    for return_id, data in connection.execute(_QUERIES["windows"], asked).fetchall():
        found.setdefault(return_id, {})[label_of(data), bound_in(data)] = window_of(data)
    return dict(found)


def with_others(
    connection: Connection[Any], return_id: str, state: State, rows: list[RecordedEvent]
) -> list[RecordedEvent]:
    """The rows, with the scans marked that are another return's by now."""
    if not state.evidence.flags & WINDOWED:
        return rows
    windows = windows_of(connection, [return_id]).get(return_id, {})
    return [row._replace(is_anothers=is_anothers(row, windows, state)) for row in rows]


def with_voids(connection: Connection[Any], return_no: int, state: State) -> State:
    """The state with all that is void, where there is too much of that for it to be listed there."""
    if not state.evidence.flags & VOIDS_UNLISTED:
        return state
    names = connection.execute(_QUERIES["voided"], (return_no, _MOST_LOOKED_AT)).fetchall()
    return replace(state, voided=frozenset(key_digest(source, id_) for source, id_ in names))
