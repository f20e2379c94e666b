"""A model of PostgreSQL beneath the service's own adapter: sessions, transactions, locks, and what goes wrong.

The adapter's code runs as it is; what it sends is known by its text and done by the functions in `statements`. Modelled is
what bites: a snapshot a statement (READ COMMITTED), rows and keys that wait for the transaction that holds them,
compare-and-set that looks again after it waited, savepoints, advisory locks of sessions and transactions, deadlocks,
time-outs, numbers of sequences that are used up by what is rolled back, a COMMIT whose answer is lost or that takes
effect after its client has gone, a server that goes away, takes no writes or no connections, or comes back without its
last commits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final, Self

import psycopg
from psycopg.rows import tuple_row

from service.wire.rows.letters import KeptLetter
from tests.world.scheduler import Killed, Scheduler, WorldError

TABLES: Final = (
    "returns",  # by return_id
    "labels",  # by carrier, tracking_number
    "label_claims",  # by carrier, tracking_number, return_no
    "history",  # by return_no, seq
    "connote_members",  # by connote, return_no
    "connote_deliveries",  # by connote, source, id, words
    "parked",  # by kind, subject, retailers, source, id, words
    "bound_scans",  # by carrier, tracking_number, retailers, return_no
    "dead_letters",  # by topic, topic_id, partition, offset, published_at, value
    "batches",  # by n
    "offsets",  # by topic, partition
    "cursors",  # by name
    "sweep_turns",  # by name
    "search_returns",  # by return_no
    "search_exceptions",  # by return_no, seq
    "search_counts",  # by route, status
    "search_days",  # by day, milestone, route
    "search_connotes",  # by connote, retailer, carrier
    "search_minutes",  # by minute
)
_LOCK_SECONDS: Final = 15.0
_DEADLOCK_SECONDS: Final = 1.0
_IDLE_IN_TRANSACTION_SECONDS: Final = 60.0
_KEPT_PASTS: Final = 12
_MISSING: Final = object()

Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]


class Gone(psycopg.OperationalError):
    """The connection is gone."""


class Tx:
    """A transaction: what it has written and not yet committed, and the keys that others wait for it about."""

    def __init__(self, session: ModelConnection) -> None:
        self.session = session
        self.server = session.server
        self.written: dict[str, dict[Any, Row | None]] = {}
        self.undo: list[tuple[str, Any, Any]] = []
        self.held: list[tuple[str, Any]] = []
        self.is_over = False
        self.is_async = False
        self.frozen: Tables | None = None  # the snapshot of a repeatable read

    def rows(self, table: str) -> Iterator[tuple[Any, Row]]:
        """What a statement sees that begins now."""
        committed = (self.frozen or self.server.tables)[table]
        own = self.written.get(table)
        if not own:
            yield from committed.items()
            return
        for key, row in committed.items():
            if key not in own:
                yield key, row
        for key, mine in own.items():
            if mine is not None:
                yield key, mine

    def get(self, table: str, key: Any) -> Row | None:
        """One row, as a statement sees it that begins now."""
        own = self.written.get(table)
        if own is not None and key in own:
            return own[key]
        return (self.frozen or self.server.tables)[table].get(key)

    def lock(self, table: str, key: Any) -> None:
        """Hold a key until the end; waits for whoever holds it."""
        pending, place = self.server.pending, (table, key)
        while (holder := pending.get(place)) is not None and holder is not self:
            self.session.wait_for(holder, lambda: pending.get(place) is not holder, f"{table} {key}")
        if holder is None:
            pending[place] = self
            self.held.append(place)

    def insert(self, table: str, key: Any, row: Row) -> bool:
        """Insert, or answer False because the key is there; waits for a transaction that may yet bring it."""
        self.lock(table, key)
        if self.get(table, key) is not None:
            return False
        self._write(table, key, row)
        return True

    def update(self, table: str, key: Any, row: Row | None) -> None:
        """Write a row whose key is held; None deletes it."""
        self._write(table, key, row)

    def _write(self, table: str, key: Any, row: Row | None) -> None:
        written = self.written.setdefault(table, {})
        self.undo.append((table, key, written.get(key, _MISSING)))
        written[key] = row

    def roll_back_to(self, mark: tuple[int, int]) -> None:
        """To a savepoint: what was written since, and the keys that were held since, are let go."""
        written, held = mark
        for table, key, before in reversed(self.undo[written:]):
            if before is _MISSING:
                del self.written[table][key]
            else:
                self.written[table][key] = before
        del self.undo[written:]
        for place in self.held[held:]:
            del self.server.pending[place]
        del self.held[held:]

    def end(self, *, commit: bool) -> None:
        """Take effect, or not; and let the others go on."""
        if self.is_over:
            return
        self.is_over = True
        if commit and self.written:
            self.server.apply(self)
        for place in self.held:
            del self.server.pending[place]
        self.server.release(self)


class Server:
    """The database, with all who are connected to it."""

    def __init__(self, world: Scheduler) -> None:
        self.world = world
        self.tables: Tables = {name: {} for name in TABLES}
        self.tables["cursors"]["search"] = {"n": 0}
        self.sequences = {"returns": 0, "dead_letters": 0, "sessions": 0}
        self.pending: dict[tuple[str, Any], Tx] = {}
        self.locks: dict[int, Tx | ModelConnection] = {}  # advisory ones, by whoever holds them
        self.sessions: list[ModelConnection] = []
        self.is_up = True
        self.is_read_only = False
        self.is_full = False
        self.commits = 0
        self.losses = 0  # how often it came back without its last commits
        self.refuses: Callable[[Row], bool] = lambda _: False  # whether a value is one that it does not take
        self.on_commit: Callable[[Tx], object] = lambda _: None
        self.late: list[Tx] = []  # whose COMMIT is under way, and whose client is gone
        self._pasts: deque[tuple[Tables, dict[str, int], bool]] = deque(maxlen=_KEPT_PASTS)

    def connect(self, name: str, *, writes: bool = True) -> ModelConnection:
        """A session; errors are psycopg's."""
        self.world.step(f"connects to PostgreSQL as {name}")
        if not self.is_up:
            raise Gone("connection refused")
        if self.is_full:
            self.world.saw("out of connections")
            raise Gone("FATAL:  sorry, too many clients already")
        connection = ModelConnection(self, name)
        if writes and self.is_read_only:
            raise psycopg.errors.ReadOnlySqlTransaction("read-only")
        self.sessions.append(connection)
        return connection

    def next_number(self, sequence: str) -> int:
        """Used up, whatever becomes of the transaction."""
        self.sequences[sequence] += 1
        return self.sequences[sequence]

    def apply(self, tx: Tx) -> None:
        """Commit."""
        tables = dict(self.tables)
        for table, written in tx.written.items():
            rows = tables[table] = dict(tables[table])
            for key, row in written.items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        self._pasts.append((self.tables, {"returns": self.sequences["returns"]}, tx.is_async))
        self.tables = tables  # snapshots keep the old ones
        self.commits += 1
        for n in tx.written.get("batches") or ():
            for session in self.sessions:
                session.hint(n)
        self.on_commit(tx)

    def release(self, tx: Tx) -> None:
        """Its advisory locks."""
        for key in [key for key, holder in self.locks.items() if holder is tx]:
            del self.locks[key]

    def stop(self) -> None:
        """Go away; what is not committed is gone, and of what was committed asynchronously perhaps the last."""
        self.world.tell("PostgreSQL goes away")
        self.is_up = False
        self._end_all()
        while self._pasts and self._pasts[-1][2] and self.world.choices.draw(2, 0.5):
            self.tables = self._pasts.pop()[0]
            self.world.saw("a crash took an asynchronous commit")

    def start(self) -> None:
        """Come back."""
        self.world.tell("PostgreSQL is back")
        self.is_up = True

    def lose(self, commits: int) -> None:
        """Come back as a standby that lagged: so many commits never were; whoever was connected is not any more."""
        self._end_all()
        lost = 0
        while self._pasts and lost < commits:
            self.tables, sequences, _ = self._pasts.pop()
            self.sequences |= sequences
            lost += 1
        self.losses += 1
        self.world.tell(f"PostgreSQL comes back without its last {lost} commits")
        self.world.saw("a database that lost commits")

    def _end_all(self) -> None:
        for session in list(self.sessions):
            session.break_off()
        for tx in self.late:
            tx.end(commit=False)
        self.late.clear()

    def reap(self) -> None:
        """End the sessions that were idle for too long."""
        now = self.world.now
        for session in list(self.sessions):
            idle = now - session.active_at
            if session.waits or session.is_committing:
                continue
            if session.tx is not None and idle > _IDLE_IN_TRANSACTION_SECONDS:
                self.world.saw("a session that idled in a transaction was ended")
                session.break_off()
            elif session.tx is None and idle > session.idle_limit:
                self.world.saw("an idle leader's session was ended")
                session.break_off()


class ModelConnection:
    """What the adapter takes for a psycopg connection."""

    autocommit = True
    while_waiting: Callable[[], bool] | None = None
    isolation_level: Any = None
    read_only = False

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name, self.world = server, name, server.world
        self.owner = server.world.current
        self.tx: Tx | None = None
        self.closed = False
        self.is_broken = False
        self.is_failed = False  # an error aborted the transaction
        self.is_committing = False
        self.waits: Tx | ModelConnection | None = None
        self.active_at = server.world.now
        self.idle_limit = float("inf")
        self.lock_seconds = _LOCK_SECONDS
        self.adapters = self
        self.listens = False
        self._told: list[int] = []  # of new batches
        self._depth = 0

    def register_dumper(self, *_: Any) -> None:
        """Values come as they are."""

    # what the adapter calls

    def execute(
        self, query: Any, params: Any = None, *, binary: bool | None = None, prepare: bool | None = None
    ) -> ModelCursor:
        del binary, prepare
        return ModelCursor(self).execute(query, params)

    def cursor(self, *, binary: bool = False, name: str | None = None, row_factory: Any = None) -> ModelCursor:
        del binary, name
        return ModelCursor(self, is_of_letters=row_factory not in {None, tuple_row})

    @contextmanager
    def patient(self) -> Iterator[None]:
        yield

    @contextmanager
    def working(self, while_waiting: Callable[[], bool] | None) -> Iterator[None]:
        before, self.while_waiting = self.while_waiting, while_waiting
        try:
            yield
        finally:
            self.while_waiting = before

    def hint(self, n: int) -> None:
        """A batch is there."""
        if self.listens:
            self._told.append(n)

    def notifies(self, *, timeout: float) -> Iterator[SimpleNamespace]:
        """What the session hears within so many seconds."""
        self.world.wait(f"{self.name}: listens", self.world.now + timeout, lambda: bool(self._told) or self.is_broken)
        self._check()
        self.active_at = self.world.now
        told, self._told = self._told, []
        for n in told:
            yield SimpleNamespace(payload=str(n))

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        if self._depth:
            yield from self._savepoint()
            return
        self._check()
        self._depth = 1
        tx = self.tx = Tx(self)
        if self.isolation_level is not None:
            tx.frozen = self.server.tables
        try:
            yield tx
        except Killed:
            raise
        except BaseException:
            self._depth = 0
            self._roll_back()
            raise
        self._depth = 0
        self._commit(tx)

    def _savepoint(self) -> Iterator[Tx]:
        tx = self._tx()
        mark = len(tx.undo), len(tx.held)
        try:
            yield tx
        except psycopg.Error:
            if not self.is_broken:
                self.enter("ROLLBACK TO SAVEPOINT", is_rollback=True)
                tx.roll_back_to(mark)
                self.is_failed = False
            raise

    def close(self) -> None:
        if self.closed:
            return
        self.world.step(f"{self.name}: closes its connection")
        self.break_off()
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.world.current is None or not self.world.current.is_dead:
            self.close()

    # the server's side

    def break_off(self) -> None:
        """The session ends; what it had not committed is rolled back, unless its COMMIT is on its way."""
        self.is_broken = True
        if self in self.server.sessions:
            self.server.sessions.remove(self)
        if self.tx is not None and not self.is_committing:
            self.tx.end(commit=False)
            self.tx = None
        for key in [key for key, holder in self.server.locks.items() if holder is self]:
            del self.server.locks[key]

    def enter(self, doing: str, *, is_rollback: bool = False) -> None:
        """A statement begins; raises what a connection may raise there."""
        if self.while_waiting is not None and self.tx is not None:
            self.while_waiting()
        self.world.step(f"{self.name}: {doing}")
        self.server.reap()
        if not is_rollback and self.world.fault("cut") is not None:
            self.break_off()
        self._check()
        self.active_at = self.world.now
        if is_rollback:
            return
        if self.is_failed:
            raise psycopg.errors.InFailedSqlTransaction("in failed transaction")
        if self.world.fault("statement_timeout") is not None:
            if self.tx is not None and self.world.opportunities["statement_timeout"] % 2:
                # Its own transactions lock in one order. Somebody else's, at a terminal, need not.
                self.world.saw("a deadlock")
                self.fail(psycopg.errors.DeadlockDetected("deadlock"))
            self.fail(psycopg.errors.QueryCanceled("statement timeout"))

    def fail(self, error: psycopg.Error) -> None:
        """Raise it; the transaction is aborted."""
        self.is_failed = self.tx is not None
        raise error

    def wait_for(self, holder: Tx | ModelConnection, is_free: Callable[[], bool], what: str) -> None:
        """Wait until it is free; raises psycopg's deadlock, lock time-out, or that the connection is gone."""
        world, began = self.world, self.world.now
        self.waits = holder
        world.saw("a transaction waited for another")
        looks_at = began + _DEADLOCK_SECONDS
        until = began + self.lock_seconds
        try:
            while True:
                world.wait(f"{self.name}: waits for {what}", min(looks_at, until), lambda: is_free() or self.is_broken)
                self._check()
                if is_free():
                    return
                if world.now >= until:
                    world.saw("a lock time-out")
                    self.fail(psycopg.errors.LockNotAvailable("lock timeout"))
                if world.now >= looks_at:
                    looks_at = float("inf")
                    if self._is_in_a_circle(holder):
                        world.saw("a deadlock")
                        self.fail(psycopg.errors.DeadlockDetected("deadlock"))
        finally:
            self.waits = None
            self.active_at = world.now

    def _is_in_a_circle(self, holder: Tx | ModelConnection) -> bool:
        seen = set[int]()
        at: Tx | ModelConnection | None = holder
        while at is not None and id(at) not in seen:
            seen.add(id(at))
            session = at.session if isinstance(at, Tx) else at
            if session is self:
                return True
            at = session.waits
        return False

    def _check(self) -> None:
        if self.is_broken or self.closed or not self.server.is_up:
            self.break_off()
            self.closed = True
            raise Gone("server closed the connection unexpectedly")

    def _tx(self) -> Tx:
        if self.tx is None:
            raise WorldError("there is no transaction")
        return self.tx

    def _roll_back(self) -> None:
        if self.is_broken or self.tx is None:
            self.tx = None
            return
        try:
            self.enter("ROLLBACK", is_rollback=True)
        except Gone:
            return
        self._tx().end(commit=False)
        self.tx, self.is_failed = None, False

    def _commit(self, tx: Tx) -> None:
        self.enter("COMMIT")
        if tx.written and self.world.fault("commit_lost_done") is not None:
            self._end(tx)
            self.break_off()
        elif tx.written and self.world.fault("commit_lost_undone") is not None:
            tx.end(commit=False)
            self.break_off()
        elif tx.written and (late := self.world.fault("commit_late")) is not None:
            # The client gives up, or is cut off; the server is still at it.
            self.is_committing = True
            self.break_off()
            self.server.late.append(tx)
            self.world.at(late, lambda: self._end_late(tx))
        else:
            self._end(tx)
            return
        self.tx = None
        self.closed = True
        raise Gone("server closed the connection unexpectedly")

    def _end(self, tx: Tx) -> None:
        tx.end(commit=True)
        self.tx = None
        self.active_at = self.world.now

    def _end_late(self, tx: Tx) -> None:
        if not tx.is_over:
            self.server.late.remove(tx)
            self.world.tell(f"{self.name}: the COMMIT whose client is gone takes effect")
            tx.end(commit=True)


class ModelCursor:
    """What the adapter takes for a cursor: its rows are there at once."""

    itersize = 100

    def __init__(self, connection: ModelConnection, *, is_of_letters: bool = False) -> None:
        self._connection = connection
        self._is_of_letters = is_of_letters  # the one class that rows are asked for as
        self._rows: list[Any] = []
        self.rowcount = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def execute(self, query: Any, params: Any = None) -> ModelCursor:
        from tests.world.statements import STATEMENTS, setting

        text = query.decode() if isinstance(query, bytes) else query
        connection = self._connection
        found = STATEMENTS.get(text)
        if found is None:
            if not setting(connection, text):
                raise WorldError(f"not modelled: {text}")
            return self
        name, does, writes = found
        if name == "advance_offsets" and (seconds := connection.world.fault("zombie")) is not None:
            connection.world.pause(seconds)  # while others take over what it is about to write
        connection.enter(name)
        if writes and connection.server.is_read_only:
            connection.world.saw("read-only")
            connection.fail(psycopg.errors.ReadOnlySqlTransaction("read-only"))
        tx, is_alone = connection.tx, False
        if tx is None:
            tx, is_alone = Tx(connection), True
            connection.tx = tx
        try:
            self._rows = list(does(tx, params))
            if self._is_of_letters:
                self._rows = [KeptLetter(**row) for row in self._rows]
        except psycopg.Error:
            if is_alone:
                tx.end(commit=False)
                connection.tx, connection.is_failed = None, False
            else:
                connection.is_failed = True
            raise
        self.rowcount = len(self._rows)
        if is_alone:
            tx.end(commit=True)
            connection.tx = None
        return self

    @contextmanager
    def copy(self, query: str) -> Iterator[ModelCopy]:
        from tests.world.statements import copied

        copy = ModelCopy()
        yield copy
        self._connection.enter(query.split("(", maxsplit=1)[0].strip().lower())
        if self._connection.server.is_read_only:
            self._connection.fail(psycopg.errors.ReadOnlySqlTransaction("read-only"))
        tx = self._connection.tx
        if tx is None:
            raise WorldError("COPY outside of a transaction")
        copied(tx, query, copy.rows)

    def fetchall(self) -> list[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return self._rows[0] if self._rows else None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)


class ModelCopy:
    """Takes the rows of a COPY."""

    def __init__(self) -> None:
        self.rows: list[Sequence[Any]] = []

    def set_types(self, types: Iterable[str]) -> None:
        """Values come as they are."""

    def write_row(self, row: Sequence[Any]) -> None:
        self.rows.append(row)


Statement = Callable[[Tx, Any], Iterable[Any]]
Parameters = Mapping[str, Any] | Sequence[Any]
