"""What waits and is no return's, as subscribers are told of it: what opens after an hour, and what is over."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.queries import load_queries

LOOK_LOCK: Final = 0x72_74_73_04  # any number that nothing else in this database locks

_Q: Final = load_queries("waits.sql")

_Move = tuple[str, str, str, datetime, str]
"""Kind, subject, state, since when, and the first event as JSON."""


class TellsWaits:
    """`wait_ports.TellsWaits`."""

    _connection: Connection[Any]
    _batch_id: int

    def tell_waits(self, new: int, known: int) -> int:
        ((is_alone,),) = self._ask("try_look", (LOOK_LOCK,))
        if not is_alone:
            return 0
        ((parked, deliveries, *place),) = self._ask("place", ())
        place, moves = self._go_round(place, known)
        parked, of_parked = self._open("parked", parked, new)
        deliveries, of_connotes = self._open("deliveries", deliveries, new)
        # What was over may wait again since.
        moved = {move[:2]: move for move in (*moves, *of_parked, *of_connotes)}
        if moved:
            columns = [list(column) for column in zip(*moved.values(), strict=True)]
            self._connection.execute(_Q["moved"], (str(self._batch_id), *columns))
        else:  # to look at the same again after a crash finds the same: no need to wait for the disk
            self._connection.execute("SET LOCAL synchronous_commit = off")
        self._connection.execute(_Q["go_on"], (parked, deliveries, *place))
        return len(moved)

    def tell_waits_again(self) -> None:
        self._connection.execute(_Q["tell_again"])

    def _open(self, name: str, after: Any, most: int) -> tuple[Any, list[_Move]]:
        """What came after that time and waits still after an hour; and up to when it was looked at."""
        ((upto,),) = self._ask(f"{name}_upto", {"after": after, "most": most})
        begun = self._ask(name, {"after": after, "upto": upto})
        return upto, [(kind, subject, "open", since, event) for kind, subject, since, event in begun]

    def _go_round(self, place: list[str], most: int) -> tuple[list[str], list[_Move]]:
        """The next of those that are open: which are over, or told of again; and the place up to which they were looked at."""
        kind, subject = place
        found = self._ask("open", {"kind": kind, "subject": subject, "most": most})
        over = [row for row in found if not row[5]]
        again = [row for row in found if row[5] and not row[4]]
        for statement, rows in (("ended", over), ("told_again", again)):
            if rows:
                self._connection.execute(_Q[statement], ([row[0] for row in rows], [row[1] for row in rows]))
        states = [("resolved", row) for row in over] + [("open", row) for row in again]
        moves = [(kind, subject, state, since, event) for state, (kind, subject, since, event, *_) in states]
        return ["", ""] if len(found) < most else [found[-1][0], found[-1][1]], moves

    def _ask(self, name: str, parameters: Any) -> list[Any]:
        return self._connection.execute(_Q[name], parameters).fetchall()
