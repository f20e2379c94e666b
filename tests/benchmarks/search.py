"""Every list and search call of the API and the pages over millions of returns: how long each takes at the database,
and by which indexes.

A list is asked with every combination of its filters, on its first page and on one that is deep in it, by values that
go together, and by values of different rows, of which little or nothing is found. The caches are warm.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import Connection, sql

from service.adapters.postgres.access.audit import PostgresAudit
from service.adapters.postgres.reading.listing import PostgresListing
from service.adapters.postgres.reading.public import PostgresPublicReading
from service.adapters.postgres.reading.queues import PostgresQueues
from service.adapters.postgres.reading.returns import Pool, PostgresReading, open_pool
from service.application.access.bounds import UNBOUND
from service.application.reading.filters import ExceptionFilter, LetterFilter, ReturnFilter
from service.application.reading.listing import STUCK_HOURS
from service.application.reading.pages import PageKey, due_times, list_exceptions, list_letters, list_returns
from service.wire.stored import to_micros
from tests.benchmarks.bed import Bed
from tests.benchmarks.filled import Unfilled
from tests.benchmarks.multiply import NOW, multiply
from tests.support.plans import Explained, indexes, scans

LIMIT = 100  # the API's default
_VALUES = 5  # sets of values for each combination
_TRIES = 3  # of each; the least is taken, for the rest is other programs' time
_DURATIONS_SAMPLE = 1000
# Of a world that was taken in: events a return at least, and letters an event at most.
_EVENTS = 5
_LETTERS = 0.02
_NOW = datetime.fromtimestamp(NOW, UTC)
_DUE = due_times(STUCK_HOURS, _NOW)


class Call(NamedTuple):
    """One call with one combination of filters."""

    name: str
    seconds: list[float]  # at the database, by values
    indexes: list[str]
    scans: list[str]  # tables that were read from end to end

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)


def run(bed: Bed, returns: int, existing: str | None = None) -> tuple[dict[str, int], list[Call]]:
    """How much there is, and every call; on a new database with so many returns, or on one that was filled before."""
    if existing is not None:
        return measure(existing)
    with bed.database() as database:
        multiply(database, returns)
        return measure(database)


def measure(database: str) -> tuple[dict[str, int], list[Call]]:
    """How much there is, and every call."""
    with open_pool(database, 1) as pool, pool.connection() as connection:
        connection.execute("SET statement_timeout = 0")
        sizes = {
            table: int(_one(connection, f"SELECT count(*) FROM {table}"))
            for table in ("returns", "search_returns", "history", "search_exceptions", "dead_letters", "parked")
        }
        _require_usable(sizes)
        calls = [_taken(connection, name, asked) for name, asked in _calls(connection)]
    return sizes, calls


def _require_usable(sizes: Mapping[str, int]) -> None:
    """What a database that was filled before holds is told by itself only."""
    returns, events = sizes["returns"], sizes["history"]
    if events < returns * _EVENTS or sizes["dead_letters"] > events * _LETTERS or sizes["search_returns"] != returns:
        raise Unfilled("no journal to measure lists on: " + ", ".join(f"{n:,} {table}" for table, n in sizes.items()))


Ask = Callable[[Pool], object]


def _taken(connection: Connection[Any], name: str, asked: Sequence[Ask]) -> Call:
    explained = Explained(connection)
    seconds: list[float] = []
    plans: list[str] = []
    for ask in asked:
        explained.plans = []
        ask(explained.pool)  # warms the caches, too
        plans += explained.plans
        explained.plans = None
        tries: list[float] = []
        for _ in range(_TRIES):
            explained.seconds = 0.0
            ask(explained.pool)
            tries.append(explained.seconds)
        seconds.append(min(tries))
    plan = "\n".join(plans)
    return Call(name, seconds, sorted(indexes(plan)), sorted(scans(plan)))


def _calls(connection: Connection[Any]) -> Iterator[tuple[str, list[Ask]]]:
    rng = random.Random(1)
    yield from _single(connection, rng)
    yield from _returns(connection, rng)
    yield from _exceptions(connection, rng)
    yield from _letters(connection, rng)


def _returns(connection: Connection[Any], rng: random.Random) -> Iterator[tuple[str, list[Ask]]]:
    names = [name for name in ReturnFilter.model_fields if name != "stuck"]
    rows = _sample(connection, "search_returns", "return_no", [*names, "return_no"], rng)
    deep: PageKey = ("r", int(_one(connection, "SELECT max(return_no) / 5 FROM search_returns")))
    stuck = connection.execute(
        "SELECT status_recorded_at, return_no FROM search_returns WHERE NOT complete AND status_recorded_at < %s "
        "ORDER BY 1, 2 OFFSET (SELECT count(*) * 4 / 5 FROM search_returns WHERE NOT complete "
        "AND status_recorded_at < %s) LIMIT 1",
        (_NOW - timedelta(days=14),) * 2,
    ).fetchone()
    assert stuck is not None
    deep_stuck: PageKey = ("s", to_micros(stuck[0]), stuck[1])

    def ask(wanted: Mapping[str, Any], after: PageKey | None) -> Ask:
        filters = ReturnFilter(**wanted)
        return lambda pool: list_returns(PostgresListing(pool), UNBOUND, filters, LIMIT, after, _DUE)

    for is_stuck in (None, False, True):
        place = deep_stuck if is_stuck else deep
        yield from _combinations("returns", names, rows, {"stuck": is_stuck}, place, ask)


def _exceptions(connection: Connection[Any], rng: random.Random) -> Iterator[tuple[str, list[Ask]]]:
    names = [name for name in ExceptionFilter.model_fields if name != "open"]
    rows = _sample(connection, "search_exceptions", "return_no", names, rng)
    row = connection.execute(
        "SELECT recorded_at, return_no, seq FROM search_exceptions ORDER BY 1, 2, 3 "
        "OFFSET (SELECT count(*) / 5 FROM search_exceptions) LIMIT 1"
    ).fetchone()
    assert row is not None
    deep: PageKey = ("e", to_micros(row[0]), row[1], row[2])

    def ask(wanted: Mapping[str, Any], after: PageKey | None) -> Ask:
        filters = ExceptionFilter(**wanted)
        return lambda pool: list_exceptions(PostgresListing(pool), UNBOUND, filters, LIMIT, after)

    for is_open in (None, False, True):
        yield from _combinations("exceptions", names, rows, {"open": is_open}, deep, ask)
        parked = [{**each, "verdict": "parked", "reason": None} for each in rows]
        yield from _combinations(
            "parked", ["verdict", "carrier", "code", "return_id"], parked, {"open": is_open}, deep, ask
        )


def _letters(connection: Connection[Any], rng: random.Random) -> Iterator[tuple[str, list[Ask]]]:
    names = ["reason", "topic", "since", "until"]
    found = _sample(connection, "dead_letters", "letter_no", ["reason", "topic", "recorded_at"], rng)
    rows = [
        {**each, "since": each["recorded_at"] - timedelta(days=1), "until": each["recorded_at"] + timedelta(days=1)}
        for each in found
    ]
    row = connection.execute(
        "SELECT recorded_at, letter_no FROM dead_letters ORDER BY 1, 2 OFFSET (SELECT count(*) / 5 FROM dead_letters) LIMIT 1"
    ).fetchone()
    assert row is not None
    deep: PageKey = ("d", to_micros(row[0]), row[1])

    def ask(wanted: Mapping[str, Any], after: PageKey | None) -> Ask:
        filters = LetterFilter(**wanted)
        return lambda pool: list_letters(PostgresListing(pool), UNBOUND, filters, LIMIT, after)

    for is_open in (None, False, True):
        yield from _combinations("letters", names, rows, {"open": is_open}, deep, ask)


def _combinations(
    call: str,
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    more: Mapping[str, Any],
    deep: PageKey,
    ask: Callable[[Mapping[str, Any], PageKey | None], Ask],
) -> Iterator[tuple[str, list[Ask]]]:
    """Every combination of the filters, with values of one row and with each value of another row."""
    said = [f"{name}={str(value).lower()}" for name, value in more.items() if value is not None]
    for count in range(len(names) + 1):
        for chosen in itertools.combinations(names, count):
            together = [{name: row[name] for name in chosen} for row in rows]
            apart = [
                {name: rows[(start + i) % len(rows)][name] for i, name in enumerate(chosen)}
                for start in range(len(rows))
            ]
            for where, after in (("", None), (", deep", deep)):
                for kind, values in (("", together), (", of different rows", apart))[: 1 + (count > 1)]:
                    title = f"{call}: {' + '.join((*chosen, *said)) or 'all'}{kind}{where}"
                    yield title, [ask({**each, **more}, after) for each in values]


def _single(connection: Connection[Any], rng: random.Random) -> Iterator[tuple[str, list[Ask]]]:
    """What is about one return, and what the operations desk counts."""
    rows = _sample(connection, "search_returns", "return_no", ["return_id", "tracking_number"], rng)
    ids, labels = [row["return_id"] for row in rows], [row["tracking_number"] for row in rows]
    yield "return", [_of(PostgresReading, "state", each) for each in ids]
    yield "return, unknown", [_of(PostgresReading, "state", "nobody")]
    yield "history", [_of(PostgresReading, "history", each, 0, LIMIT + 1) for each in ids]
    yield "track, return_id", [_of(PostgresPublicReading, "find", [each]) for each in ids]
    yield "track, tracking number", [_of(PostgresPublicReading, "find", [each]) for each in labels]
    yield "track, unknown", [_of(PostgresPublicReading, "find", [])]
    watched = [[each] for each in (*ids, *labels)] * 10
    yield f"track, {len(watched)} watched", [_of(PostgresPublicReading, "revisions", watched)]
    yield "durations", [_of(PostgresPublicReading, "completed", _DURATIONS_SAMPLE)]
    yield "dead letter", [_of(PostgresListing, "letter", 1)]
    yield "queues, sizes", [_of(PostgresQueues, "sizes", _DUE)]
    yield "queues, unmapped codes", [_of(PostgresQueues, "unmapped")]
    yield "figures, counts", [_of(PostgresQueues, "counts")]
    yield "figures, days", [_of(PostgresQueues, "days", (_NOW - timedelta(days=90)).date())]
    yield "figures, minutes", [_of(PostgresQueues, "minutes", _NOW - timedelta(hours=3))]
    yield "figures, progress", [_of(PostgresQueues, "projection_lag")]
    yield "audit", [_of(PostgresAudit, "entries", None, None, LIMIT)]
    yield "audit of a subject", [_of(PostgresAudit, "entries", each, None, LIMIT) for each in ids]


def _of(adapter: Callable[[Pool], object], method: str, *arguments: Any) -> Ask:
    return lambda pool: getattr(adapter(pool), method)(*arguments)


def _sample(
    connection: Connection[Any], table: str, key: str, columns: Sequence[str], rng: random.Random
) -> list[dict[str, Any]]:
    """Some rows, the same ones in each run, from anywhere in the table."""
    newest = int(_one(connection, f"SELECT max({key}) FROM {table}"))
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    found: list[dict[str, Any]] = []
    while len(found) < _VALUES:
        statement = sql.SQL("SELECT {} FROM {} WHERE {} >= %s ORDER BY {} LIMIT 1").format(
            names, sql.Identifier(table), sql.Identifier(key), sql.Identifier(key)
        )
        row = connection.execute(statement, (rng.randrange(newest),)).fetchone()
        if row is not None:
            found.append(dict(zip(columns, row, strict=True)))
    return found


def _one(connection: Connection[Any], statement: str) -> Any:
    ((value,),) = connection.execute(statement.encode()).fetchall()
    return value
