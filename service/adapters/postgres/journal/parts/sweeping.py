"""What the sweep reads of the batch log, and how far it is: to the batch, and within batches to the label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.journal.memory import Memory
from service.adapters.postgres.queries import load_queries
from service.application.ports import Arrival, Swept, Waiting
from service.domain.labels import Label
from service.domain.rules import Rules
from service.wire.carriers import CarrierTables
from service.wire.inbound import Inbound
from service.wire.stored import KeptEvent

SWEEP_LOCK: Final = 0x72_74_73_02  # any number that nothing else in this database locks

_Q: Final = load_queries("journal.sql", LISTS)


class Sweeping:
    """The part of `ports.SweepTransaction` that moves the sweep."""

    rules: Rules
    _connection: Connection[Any]
    _tables: CarrierTables
    _memory: Memory

    @property
    def has_appended(self) -> bool:
        """Whether there is something that somebody might have read."""
        raise NotImplementedError

    def begin_sweep(self, batches: int, events: int) -> Swept | None:
        if not self._rows("try_sweep", SWEEP_LOCK)[0][0]:
            return None
        unswept = self._rows("unswept", batches)
        if not unswept:
            return None
        begun = [each for each in unswept if each[2] is not None]
        if begun:
            # What waited for something in these batches is placed; their labels are looked at, up to this one.
            upto, _, *after = begun[-1]
            return Swept(upto, (), [batch_id for _, batch_id, *_ in begun], tuple(after))
        ids = [batch_id for _, batch_id, *_ in unswept]
        rows = self._rows("unpark", ids, ids, ids, events)
        waiting = self._unparked(rows)
        left, days = events - len(rows), self.rules.connote_days
        rows += self._rows("undelivered", days, ids, days, ids, left) if left > 0 else []
        kept: dict[tuple[Any, ...], Arrival] = {}  # a delivery waits for all members of its connote
        for return_no, kind, subject, *event in rows[len(waiting) :]:
            key = subject, *event
            arrival = kept.get(key) or kept.setdefault(key, self._arrival(kind, subject, *event))
            waiting.append(Waiting(return_no, arrival))
        # Creations are recorded already; the rest in the order in which it happened makes the plainest history.
        waiting.sort(key=lambda item: item.arrival.inbound.event.order)
        # With all that was asked for there may be more: the next sweep looks at the same batches again.
        return Swept(unswept[-1][0] if len(rows) < events else None, waiting, ids)

    def end_sweep(self, upto: int) -> None:
        self._move("end_sweep", upto)

    def stop_sweep(self, upto: int, label: Label) -> None:
        self._move("stop_sweep", upto, *label)

    def _move(self, name: str, *position: Any) -> None:
        # To sweep the same batches again after a crash finds nothing new: no need to wait for the disk.
        if not self.has_appended:  # there is nothing that somebody might have read
            self._connection.execute("SET LOCAL synchronous_commit = off")
        self._connection.execute(_Q[name], position, binary=True)

    def _rows(self, name: str, *parameters: Any) -> list[Any]:
        with self._connection.cursor(binary=True) as cursor:
            return cursor.execute(_Q[name], parameters).fetchall()

    def _unparked(self, rows: Iterable[Sequence[Any]]) -> list[Waiting]:
        """Most were parked by this worker a moment ago, which spares to read their JSON and to understand it once more."""
        kept = [(return_no, kind, subject, KeptEvent._make(event)) for return_no, kind, subject, *event in rows]
        places = [event.coordinates for *_, event in kept]
        known = self._memory.waiting.find(places)
        waiting = list[Waiting]()
        for place, (return_no, kind, subject, event) in zip(places, kept, strict=True):
            arrival = known.get(place)
            if arrival is None or not _is_of(event, subject, arrival.inbound):
                arrival = self._arrival(kind, subject, *event)
            waiting.append(Waiting(return_no, arrival))
        return waiting

    def _arrival(self, kind: str, subject: str, *columns: Any) -> Arrival:
        event = KeptEvent._make(columns)
        return Arrival(event.inbound(kind, subject, self._tables), event.record())


def _is_of(event: KeptEvent, subject: str, inbound: Inbound) -> bool:
    """Whether it is this one: a broker that lost records gives their offsets to others."""
    return inbound.subject == subject and (inbound.event.source, inbound.event.id) == (event.source, event.id)
