"""Faults planted in the service's own code, one at a time: the world must find each of them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from service.adapters.kafka.publishing.sink import KafkaSink
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.transaction import PostgresTransaction
from service.application.journal import ingest, sweep
from service.application.journal.labels import spreading
from service.application.ports import Stored
from service.domain import journey
from service.runtime import relay
from service.runtime.ingest import assignment, custody, progress, taking_up
from tests.world.play import plan, play
from tests.world.postgres import Tx
from tests.world.scheduler import Plan
from tests.world.statements import STATEMENTS, newest

Planted = Callable[[], Any]


class Stale(AssertionError):
    """The code that a mutation changes is not there any more: change the mutation with it."""


class Mutation(NamedTuple):
    """What is wrong, and how it is planted: what `plant` gives are patches.

    Found in some seconds from `seen`; where the world draws otherwise by now, the first seeds are tried again.
    It shows in no history without these kinds of `faults`: others need not be played to find it. `draws` says what a seed stands
    for; where much has to come together, other histories than those of `make world` have it more often.
    """

    name: str
    plant: Callable[[], list[Any]]
    faults: frozenset[str] = frozenset()
    seen: int | None = None  # the first seed that showed it, when that was looked for
    draws: Callable[[int], Plan] = plan


def _with_a_successor_that_dies(seed: int) -> Plan:
    """A worker sleeps over its batch, the topic is made anew, who took over dies, and then the sleeper commits.

    What else protects the new topic's offset (its id, epochs, the end of the log) hides all but this from most histories.
    """
    random = Random(seed * 7 + 3)
    faults = {
        ("zombie", random.randint(1, 10)): random.choice((12.0, 15.0, 20.0)),
        ("topic_anew", random.randint(2, 12)): float(random.randrange(4)),
    }
    return Plan(seed, faults | {("kill", random.randint(100, 1500)): 20.0 for _ in range(5)})


def _with_logs_that_are_cut(seed: int) -> Plan:
    """Logs lose their ends, and the database its last commits."""
    random = Random(seed * 11 + 5)
    cuts = [(float(random.randrange(4)), random.randint(1, 20)) for _ in range(3)]
    losses = [(random.choice((3.0, 6.0, 10.0)), random.randint(1, 12)) for _ in range(2)]
    faults = {("log_cut", at): topic for topic, at in cuts} | {("server_loses", at): many for many, at in losses}
    return Plan(seed, faults)


def _with_a_log_that_is_cut_again(seed: int) -> Plan:
    """The first topic's log loses its end several times in a row, and the database its last commits before and after."""
    random = Random(seed * 7 + 1)
    at, other = random.randint(2, 8), random.randint(10, 20)
    faults: dict[tuple[str, int], float] = {("log_cut", other): 2.0, ("log_cut", at): 0.0, ("log_cut", at + 1): 0.0}
    if random.random() < 0.5:
        faults["log_cut", at + 2] = 0.0
    faults["server_loses", random.randint(1, 4)] = 10.0
    faults["server_loses", random.randint(5, 14)] = 3.0
    return Plan(seed, faults)


def _with_one_that_sleeps(seed: int) -> Plan:
    """Somebody stands still for some seconds: another worker in the middle of its sweep, say."""
    world, when = divmod(seed, 10)  # ten moments for each world
    return Plan(world, {("freeze", Random(world * 13 + 3 + when).randint(60, 600)): 5.0})


def _rewritten(owner: Any, name: str, *changes: tuple[str, str]) -> Any:
    """A patch: the function with these pieces of its text replaced."""
    function = inspect.getattr_static(owner, name)
    text = textwrap.dedent(inspect.getsource(function))
    for old, new in changes:
        if old not in text:
            raise Stale(f"{name} has no {old!r}")
        text = text.replace(old, new)
    space: dict[str, Any] = {}
    exec(
        compile("from __future__ import annotations\n" + text, f"<{name}, mutated>", "exec"),
        function.__globals__,
        space,
    )
    return patch.object(owner, name, space[function.__name__])


def _no_reading_again() -> list[Any]:
    change = ("tx.load(lost), joined, lost)", "states, joined, lost)")
    return [_rewritten(who, "append", change) for who in (ingest, sweep)]  # who call it by a name of their own


def _cached_after_a_collision() -> list[Any]:
    return [
        _rewritten(
            PostgresTransaction, "load", ("if self._is_contended or self.has_collided:", "if self._is_contended:")
        )
    ]


def _offsets_first() -> list[Any]:
    apart = "tx.advance(moves)\n    with journal.transaction() as tx:\n"
    return [_rewritten(ingest, "write", ("tx.advance(moves)\n", apart))]


def _no_compare_and_set() -> list[Any]:
    set_ = PostgresTransaction.advance

    def advance(self: PostgresTransaction, moves: Any) -> None:
        keys = sorted(moves)
        stored = {
            row[:2]: row[2] for row in self._rows("stored_offsets", [key[0] for key in keys], [key[1] for key in keys])
        }
        set_(
            self,
            {key: moves[key]._replace(expected=stored.get(key, moves[key].expected), topic_id=None) for key in keys},
        )

    return [patch.object(PostgresTransaction, "advance", advance)]


def _position_before_fencing() -> list[Any]:
    early = "self._early = committed(self._look(), self._home); self._begin()"
    return [
        _rewritten(KafkaSink, "__init__", ("self._begin()", early)),
        _rewritten(KafkaSink, "position", ("found = committed(self._look(), self._home)", "found = self._early")),
    ]


def _position_apart() -> list[Any]:
    publish = KafkaSink.publish

    def apart(self: KafkaSink, messages: Any, position: Any) -> None:
        if messages:
            publish(self, messages, None)
        publish(self, (), position)

    return [patch.object(KafkaSink, "publish", apart)]


def _cursor_before_placing() -> list[Any]:
    apart = (
        "spread = ",
        "if swept.upto is not None:\n            tx.end_sweep(swept.upto)\n    with journal.transaction() as tx:\n        spread = ",
    )
    return [_rewritten(sweep, "sweep", apart)]


def _parking_race() -> list[Any]:
    return [
        _rewritten(
            PostgresTransaction, "begin_sweep", ('self._rows("unpark", ids, ids,', 'self._rows("unpark", [], ids,')
        )
    ]


def _delivery_race() -> list[Any]:
    return [
        _rewritten(
            PostgresTransaction,
            "begin_sweep",
            (
                'self._rows("undelivered", days, ids, days, ids, left)',
                'self._rows("undelivered", days, ids, days, [], left)',
            ),
        )
    ]


_SEQUENCE: Final = "-- n from a sequence, when the batch begins to be written"


def _number_without_the_lock() -> list[Any]:
    def numbered(tx: Tx, params: Any) -> list[Any]:
        number = getattr(tx, "number", None)
        if number is None:
            tx.server.sequences["n"] = number = max(tx.server.sequences.get("n", 0), newest(tx)) + 1
            tx.number = number  # type: ignore[attr-defined] # of the mutation alone
            return []
        batch_id, events = params
        from tests.world.statements import _now

        tx.insert("batches", number, {"batch_id": int(batch_id), "events": events, "recorded_at": _now(tx)})
        return []

    number = STATEMENTS | {_SEQUENCE: ("nextval", numbered, True)}

    def seal(self: PostgresTransaction, events: int) -> None:
        self._connection.execute(_SEQUENCE, ())  # takes the number
        self._connection.execute(_SEQUENCE, (str(self._batch_id), events))

    return [patch.dict(STATEMENTS, number), patch.object(PostgresTransaction, "number_batch", seal)]


def _held_over_a_loss() -> list[Any]:
    return [_rewritten(assignment.Assignment, "_forget", ("self.give_back(partitions)", "pass"))]


def _buried_apart() -> list[Any]:
    plain = "outcome = take_in(tx, items, step)\n"
    apart = (
        "outcome = take_in(tx, [i for i in items if isinstance(i, Arrival)], step)\n"
        "    with journal.transaction() as tx:\n"
        "        take_in(tx, [i for i in items if not isinstance(i, Arrival)], step)\n"
    )
    return [_rewritten(ingest, "write", (plain, apart))]


def _memory_that_outlives() -> list[Any]:
    return [_rewritten(PostgresJournal, "close", ("self._memory = Memory(self._remembered)", "pass"))]


def _another_past_believed() -> list[Any]:
    return [patch.object(relay, "believe", lambda *_: None)]


def _cut_without_its_epoch() -> list[Any]:
    bare = ("Stored(epoch_end.end, found, epoch_end.epoch)", "Stored(epoch_end.end, found)")
    return [_rewritten(taking_up, "judge", bare)]


def _drain_too_early() -> list[Any]:
    goal = "{p: each for p, each in bounds.items()"
    early = (goal, goal.replace("each for", "each._replace(end=each.end - 1) for"))
    return [_rewritten(progress.Drain, "__init__", early)]


def _drain_before_the_sweep() -> list[Any]:
    early = ("swept.upto >= self._batch", "swept.upto >= self._batch - 1")
    return [_rewritten(progress.Drain, "is_done", early)]


def _drain_before_the_second_sweep() -> list[Any]:
    return [_rewritten(progress.Drain, "is_done", ("not self._is_last", "False"))]


def _own_position_believed() -> list[Any]:
    """As it was before the world found it: what a worker remembers takes the place of offsets that are gone."""

    own = "self._journal.stored_offsets({p: stored_at(self._assignment.positions[p], each) for p, each in ids.items()})"
    return [
        patch.object(custody, "stored_at", Stored, create=True),
        _rewritten(custody.Custody, "_look_again", ("self._journal.known_offsets(ids)", own)),
    ]


def _place_in_an_earlier_log_believed() -> list[Any]:
    """As it was before the world found it: what a database that went back has stored is where the worker reads on."""
    settled = "strange = self._assignment.settle({p: each.next for p, each in stored.items()})"
    read = settled.replace("strange = ", "self.read_again(source, ") + ")\n    strange = set()"
    epochs = "{p for p, each in stored.items() if each.epoch != source.epoch(p, each.next)}"
    return [_rewritten(custody.Custody, "_look_again", (settled, read), (epochs, "set()"))]


def _bound_scans_placed_with_anybody() -> list[Any]:
    known = "if scan.retailers and (attributes is None or attributes.retailer not in scan.retailers):"
    return [_rewritten(journey, "is_doubtful", (known, "if False:"))]


def _bound_windows_untold() -> list[Any]:
    return [_rewritten(spreading, "_tell_bound", ("for view in found.bound:", "for view in ():"))]


def _bound_scans_left_where_they_were() -> list[Any]:
    return [_rewritten(spreading, "_missing", ("for view in label.views", "for view in label.views[:1]"))]


_LOSES: Final = frozenset({"server_loses"})

MUTATIONS: Final = (
    Mutation("no re-read after a collision", _no_reading_again, seen=0),
    Mutation("offsets moved before the append", _offsets_first, seen=0),
    Mutation("the compare-and-set dropped", _no_compare_and_set, seen=247, draws=_with_a_successor_that_dies),
    Mutation(
        "the relay reads its position before it fences",
        _position_before_fencing,
        frozenset({"zombie_relay", "hesitate"}),
        seen=846,
    ),
    Mutation("the position kept outside the transaction", _position_apart, seen=13),
    Mutation("the sweep's cursor moved before placing", _cursor_before_placing, seen=3),
    Mutation("a parked event's race with its return's creation left open", _parking_race, seen=19),
    Mutation("a delivery's race with its members left open", _delivery_race, seen=1),
    Mutation("n taken without the lock", _number_without_the_lock, seen=4),
    Mutation("held records kept over a lost partition", _held_over_a_loss, seen=113),
    Mutation("a cached state believed after a collision", _cached_after_a_collision, seen=39),
    Mutation("dead letters buried outside the transaction", _buried_apart, seen=59),
    Mutation("a worker's memory that outlives a database gone back", _memory_that_outlives, _LOSES, seen=145),
    Mutation("a position believed by a journal that has another past", _another_past_believed, _LOSES, seen=102),
    Mutation("the drain that ends one batch too early", _drain_too_early, seen=12),
    Mutation("the drain that ends before the last batch is swept", _drain_before_the_sweep, seen=130),
    Mutation(
        "the drain that ends before what a sweep recorded is swept",
        _drain_before_the_second_sweep,
        seen=624,
        draws=_with_one_that_sleeps,
    ),
    Mutation("a bound scan placed with whoever's label it is", _bound_scans_placed_with_anybody, seen=5),
    Mutation("a window for bound scans that no history says", _bound_windows_untold, seen=9),
    Mutation("a bound scan left where it was when windows move", _bound_scans_left_where_they_were, seen=9),
    Mutation("a worker's own position in place of offsets that are gone", _own_position_believed, _LOSES, seen=186),
    Mutation(
        "a place in a log from before it was cut believed",
        _place_in_an_earlier_log_believed,
        seen=275,
        draws=_with_logs_that_are_cut,
    ),
    Mutation(
        "the place where a log was cut kept without its epoch",
        _cut_without_its_epoch,
        seen=70,
        draws=_with_a_log_that_is_cut_again,
    ),
)


@contextmanager
def planted(mutation: Mutation) -> Iterator[None]:
    """Within the block the service has this fault."""
    patches = mutation.plant()
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in reversed(patches):
            each.stop()


def hunt(mutation: Mutation, seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first of these seeds whose history fails, and how."""
    with planted(mutation):
        for seed in seeds:
            drawn = mutation.draws(seed)
            if not mutation.faults <= {kind for kind, _ in drawn.faults}:
                continue
            failure = play(drawn).failure
            if failure is not None:
                return seed, failure
    return None
