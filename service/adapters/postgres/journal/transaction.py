"""One transaction of the journal: what ingestion reads, and what it appends, in the order that all workers keep."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import psycopg
from psycopg import Connection

from service.adapters.postgres.database import set_local
from service.adapters.postgres.journal import fuses, offsets
from service.adapters.postgres.journal.batch_ids import new_batch_id
from service.adapters.postgres.journal.columns import (
    HISTORY_TYPES,
    LISTS,
    PARKED_TYPES,
    copied,
    copied_parked,
    sent,
)
from service.adapters.postgres.journal.memory import Coordinates, Memory
from service.adapters.postgres.journal.parts.claims import LabelQueries
from service.adapters.postgres.journal.parts.sweeping import Sweeping
from service.adapters.postgres.journal.parts.unheard import UnheardVoids
from service.adapters.postgres.journal.parts.waits import TellsWaits
from service.adapters.postgres.journal.rows import (
    carriers_and_numbers,
    coordinates,
    distinct,
    kept_by,
    order_of_rows,
    others,
    parked_by,
    pieces,
    published_at,
    remembered,
    topic_ids,
)
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.session import SESSION
from service.application.ports import (
    Arrival,
    DeadLetter,
    HistoryRow,
    Move,
    Partition,
    Rebinding,
)
from service.domain.events import Event
from service.domain.journey import State, continued
from service.domain.rules import DEFAULT, Rules
from service.wire.carriers import CarrierTables
from service.wire.inbound import label
from service.wire.rows.letters import headers_text
from service.wire.rows.reconciled import published_of
from service.wire.stored import decode_state, stored_event

# Any numbers that nothing else in this database locks.
BATCH_LOG_LOCK: Final = 0x72_74_73_01
TURN_LOCK: Final = 0x72_74_73_03

# What is appended after a first collision may be out of the order that all workers keep. Two that wait for each other
# would be told so after a second (deadlock_timeout, which a superuser alone may change); who waits this long gives way.
_IMPATIENT: Final = "50ms"

_Q: Final = load_queries("journal.sql", LISTS)


class PostgresTransaction(UnheardVoids, TellsWaits, LabelQueries, Sweeping):
    """`ports.SweepTransaction`.

    One that `is_contended` expects other workers on the same returns: it trusts no state in memory, and takes turns.
    """

    def __init__(
        self,
        connection: Connection,
        tables: CarrierTables,
        memory: Memory | None = None,
        rules: Rules = DEFAULT,
        *,
        is_contended: bool = False,
    ) -> None:
        self.rules, self._connection, self._tables = rules, connection, tables
        self._memory = memory or Memory(0)
        self._is_contended = is_contended
        self.has_collided = self._is_second_round = False
        self._batch_id = new_batch_id()
        self._states: dict[int, State] = {}
        self._returns: dict[str, int] = {}
        self._labels: dict[str, int] = {}
        self._waiting: dict[Coordinates, Arrival] = {}
        self._continued: dict[int, str] = {}  # new returns that subscribers know from another past of the journal

    @property
    def has_appended(self) -> bool:
        return bool(self._states)

    def remember(self) -> None:
        """Keep what this transaction found and made, now that it is committed."""
        self._memory.states.keep(self._states)
        self._memory.returns.keep(self._returns)
        self._memory.labels.keep(self._labels)
        self._memory.waiting.keep(self._waiting)

    def _count(self, name: str, *parameters: Any) -> int:
        return self._connection.execute(_Q[name], parameters).rowcount

    def advance(self, moves: Mapping[Partition, Move]) -> None:
        offsets.advance(self._connection, moves)

    def rebind(self, rebindings: Mapping[Partition, Rebinding]) -> None:
        offsets.rebind(self._connection, rebindings)

    def number_returns(self, return_ids: Collection[str], created: Collection[str]) -> tuple[dict[str, int], set[int]]:
        known = self._memory.returns.find(return_ids)
        new: set[int] = set()
        # What is created is new nearly always, so that is tried first.
        if wanted := sorted(return_id for return_id in created if return_id not in known):
            made = dict[str, int]()
            for return_id, return_no, is_continued in self._rows("create_returns", str(self._batch_id), wanted):
                made[return_id] = return_no
                if is_continued:
                    self._continued[return_no] = return_id
            new.update(made.values())
            self._returns |= made
            known |= made
        if others := [return_id for return_id in return_ids if return_id not in known]:
            found = dict(self._rows("find_returns", others))
            self._returns |= found
            known |= found
        return known, new

    def find_labels(self, labels: Collection[str]) -> dict[str, int]:
        known = self._memory.labels.find(labels)
        if others := [name for name in labels if name not in known]:
            found = self._label_rows("find_labels", *carriers_and_numbers(others))
            self._labels |= found
            known |= found
        return known

    def claim_labels(self, claims: Mapping[str, int]) -> dict[str, int]:
        owners = self._label_rows(
            "claim_labels", str(self._batch_id), *carriers_and_numbers(claims), list(claims.values())
        )
        self._labels |= owners
        others = claims.keys() - owners.keys()
        return owners | self.find_labels(others) if others else owners

    def _label_rows(self, name: str, *parameters: Any) -> dict[str, int]:
        return {label(carrier, number): return_no for carrier, number, return_no in self._rows(name, *parameters)}

    def take_turn(self) -> None:
        if self._is_contended:
            self._connection.execute(_Q["lock"], (TURN_LOCK,))

    def load(self, return_nos: Collection[int]) -> dict[int, State]:
        if self._is_contended or self.has_collided:
            known = self._load(return_nos)
        else:
            known = self._memory.states.find(return_nos)
            others = [return_no for return_no in return_nos if return_no not in known]
            known = known | self._load(others) if others else known
        return self._beginnings() | known if self._continued else known

    def stored_states(self, return_nos: Collection[int]) -> dict[int, State]:
        return self._load(return_nos)

    def _beginnings(self) -> dict[int, State]:
        """The states that new returns begin with of which subscribers know already."""
        numbers = {return_id: return_no for return_no, return_id in self._continued.items()}
        rows = self._rows("continuations", list(numbers))
        return {numbers[return_id]: continued(published_of(document)) for return_id, document in rows}

    def _load(self, return_nos: Collection[int]) -> dict[int, State]:
        rows = self._rows("load_states", list(return_nos))
        crowded = [return_no for return_no, _, _, seen, _ in rows if seen is None]
        keys = dict(self._rows("load_keys", crowded)) if crowded else {}
        return {
            return_no: decode_state(state, seq, version, bytes(keys[return_no] if seen is None else seen))
            for return_no, seq, version, seen, state in rows
        }

    def past(self, return_nos: Collection[int]) -> dict[int, list[Event]]:
        found = dict[int, list[Event]]((return_no, []) for return_no in return_nos)
        for return_no, *event in self._rows("load_past", list(return_nos)):
            found[return_no].append(stored_event(*event))
        return found

    def append(self, rows: Sequence[HistoryRow]) -> bool:
        self._keep_bound(rows)
        try:
            with self._connection.transaction():  # a savepoint
                self._copy("copy_history", rows)
        except psycopg.errors.UniqueViolation:
            self.has_collided = True
            return False
        self._note(rows)
        return True

    def append_contested(self, rows: Sequence[HistoryRow]) -> set[int]:
        self._keep_bound(rows)
        first: dict[int, HistoryRow] = {}
        rest = [row for row in rows if first.setdefault(row.return_no, row) is not row]
        self._connection.execute(_Q["make_contested"])
        self._connection.execute(_Q["clear_contested"])
        self._copy("copy_contested", first.values())
        with self._impatient() if self._is_second_round else nullcontext():
            won = {return_no for (return_no,) in self._rows("append_first")}
        self._is_second_round = True
        self.has_collided |= len(won) < len(first)
        # Nobody can have built on a first row that is not committed, so the rest cannot collide.
        self._copy("copy_history", [row for row in rest if row.return_no in won])
        self._note([row for row in rows if row.return_no in won])
        return first.keys() - won

    @contextmanager
    def _impatient(self) -> Iterator[None]:
        set_local(self._connection, "lock_timeout", _IMPATIENT)
        yield  # then not TO DEFAULT: that would be the server's
        set_local(self._connection, "lock_timeout", SESSION["lock_timeout"])

    def _note(self, rows: Sequence[HistoryRow]) -> None:
        """The states after these rows, which stand in order."""
        self._states.update((row.return_no, row.entry.state) for row in rows)
        self._watch(rows)

    def _copy(self, name: str, rows: Iterable[HistoryRow]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(_Q[name]) as copy:
            copy.set_types(HISTORY_TYPES)
            write_row, batch_id = copy.write_row, self._batch_id
            # In one order for all workers, or two of them could wait for each other.
            for row in sorted(rows, key=order_of_rows):
                write_row(copied(row, batch_id))

    def park(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        new, identities = distinct(arrivals)
        is_all_new = self._copy_parked(new, identities)
        self._waiting.update(remembered(new))
        if is_all_new:
            return others(arrivals, map(coordinates, (each.record for each in new))) if len(new) < len(arrivals) else []
        return others(arrivals, self._rows("park", str(self._batch_id), identities, *parked_by(new), *sent(new)))

    def _copy_parked(self, arrivals: Iterable[Arrival], identities: Iterable[bytes]) -> bool:
        """Whether none of them waited already, and all do now: so it is nearly always, at a third of the cost."""
        batch_id = self._batch_id
        try:
            with (
                self._connection.transaction(),
                self._connection.cursor() as cursor,
                cursor.copy(_Q["copy_parked"]) as copy,
            ):
                copy.set_types(PARKED_TYPES)
                for arrival, identity in zip(arrivals, identities, strict=True):
                    copy.write_row(copied_parked(arrival, batch_id, identity))
        except psycopg.errors.UniqueViolation:
            return False
        return True

    def keep_deliveries(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        kept = self._rows("keep_deliveries", str(self._batch_id), *kept_by(arrivals), *sent(arrivals))
        return others(arrivals, kept)

    def join_connotes(self, members: Mapping[tuple[str, int], int]) -> None:
        connotes, return_nos = zip(*members, strict=True)
        self._count("join_connotes", str(self._batch_id), list(connotes), list(return_nos), list(members.values()))

    def keep_dead_letters(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        kept = [letter for piece in pieces(letters) for letter in self._keep_piece(piece)]
        fuses.count_thin(self._connection, kept)
        return kept

    def _keep_piece(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        records = [letter.record for letter in letters]
        rows = self._rows(
            "keep_dead_letters",
            str(self._batch_id),
            [r.topic for r in records],
            topic_ids(records),
            [r.partition for r in records],
            [r.offset for r in records],
            [published_at(r) for r in records],
            [r.key for r in records],
            [r.value for r in records],
            [headers_text(r.headers) for r in records],
            [letter.reason for letter in letters],
            [letter.error for letter in letters],
        )
        kept = set(rows)
        return [letter for letter in letters if coordinates(letter.record) in kept]

    def number_batch(self, events: int) -> None:
        self._connection.execute(_Q["lock"], (BATCH_LOG_LOCK,))
        self._connection.execute(_Q["number_batch"], (str(self._batch_id), events))
