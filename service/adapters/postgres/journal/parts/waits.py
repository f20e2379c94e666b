"""What waits and is no return's, as subscribers are told of it: what opens after an hour, and what is over."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.queries import load_queries

LOOK_LOCK: Final = 0x72_74_73_04  # any number that nothing else in this database locks

_Q: Final = load_queries("waits.sql")


class TellsWaits:
    """`wait_ports.TellsWaits`."""

    _connection: Connection[Any]
    _batch_id: int

    def tell_waits(self, new: int, known: int) -> int:
        ((is_alone,),) = self._ask("try_look", (LOOK_LOCK,))
        if not is_alone:
            return 0
        ((parked, deliveries, *place),) = self._ask("place", ())
        place, moved = self._go_round(place, known)
        parked, of_parked = self._open("parked", parked, new)
        deliveries, of_connotes = self._open("deliveries", deliveries, new)
        moved += of_parked + of_connotes
        if not moved:  # to look at the same again after a crash finds the same: no need to wait for the disk
            self._connection.execute("SET LOCAL synchronous_commit = off")
        self._connection.execute(_Q["go_on"], (parked, deliveries, *place))
        return moved

    def tell_waits_again(self) -> None:
        self._connection.execute(_Q["tell_again"])

    def _open(self, name: str, after: Any, most: int) -> tuple[Any, int]:
        """What came after that time and waits still after an hour: up to when it was looked at, and how much it was."""
        ((upto,),) = self._ask(f"{name}_upto", {"after": after, "most": most})
        return upto, len(self._ask(name, {"after": after, "upto": upto, "batch_id": str(self._batch_id)}))

    def _go_round(self, place: list[str], most: int) -> tuple[list[str], int]:
        """The next of those that are open: the place up to which they were looked at, and how many are told of."""
        kind, subject = place
        found = self._ask("open", {"kind": kind, "subject": subject, "most": most})
        over = [row for row in found if not row[4]]
        again = [row for row in found if row[4] and not row[3]]
        moved = [(*row[:2], "resolved", row[2]) for row in over] + [(*row[:2], "open", row[2]) for row in again]
        if over:
            self._connection.execute(_Q["ended"], ([row[0] for row in over], [row[1] for row in over]))
        if again:
            self._connection.execute(_Q["told_again"], ([row[0] for row in again], [row[1] for row in again]))
        if moved:
            columns = [list(column) for column in zip(*moved, strict=True)]
            self._connection.execute(_Q["moved"], (str(self._batch_id), *columns))
        return ["", ""] if len(found) < most else [found[-1][0], found[-1][1]], len(moved)

    def _ask(self, name: str, parameters: Any) -> list[Any]:
        return self._connection.execute(_Q[name], parameters).fetchall()
