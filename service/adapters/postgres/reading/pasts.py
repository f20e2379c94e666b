"""Whole histories for whoever has to know the set of a return's events: so many rows, so many bytes, and no more."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.returns import Pool
from service.application.reading.exceptions.given import PastEvent
from service.wire.stored import stored_event

MOST_BYTES: Final = 4 << 20  # of the data of all events together, as JSON
MOST_ROWS: Final = 5000
MOST_EACH: Final = 200  # rows of one return; a parcel has some ten
_QUERIES: Final = load_queries("reading.sql")


class PostgresPasts:
    """`service.application.reading.exceptions.given.Pasts` on PostgreSQL, on the web process's pool of connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def pasts(self, return_nos: Collection[int]) -> dict[int, list[PastEvent]]:
        with translated(), self._pool.connection() as connection:
            return read_pasts(connection, return_nos)


def read_pasts(
    connection: Connection[Any], return_nos: Collection[int], most_each: int = MOST_EACH
) -> dict[int, list[PastEvent]]:
    """The histories of these returns, each whole; none of one that is longer, or of those for which there is no room."""
    wanted = {"return_nos": list(return_nos), "most_each": most_each, "most_rows": MOST_ROWS, "most_bytes": MOST_BYTES}
    found = dict[int, list[PastEvent]]()
    rows = connection.execute(_QUERIES["pasts"], wanted).fetchall()
    for return_no, of_one in groupby(rows, key=itemgetter(0)):
        past = list(of_one)
        if len(past) == past[0][2]:  # rows are numbered from 1 without gaps
            found[return_no] = [PastEvent(row[1], stored_event(*row[5:]), row[3], row[4]) for row in past]
    return found
