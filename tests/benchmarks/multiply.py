"""A large journal in minutes: a small world goes through the service, and PostgreSQL copies it under other numbers.

The small world is ingested and projected by the service's own code, so what stands in the rows is what the service
writes. A copy differs from it in what names a return, a label or a connote, which all hold the world's block of four
letters, and for most copies in the retailer: a few are large. Events keep their names, which name them among the events
of a return and no further, and with them the digests in the states, of names as of words: a copy's event that came again would
be one of other words.

`python -m tests.benchmarks.multiply URL RETURNS` fills a migrated database that is to be kept.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from typing import Final, LiteralString

import psycopg
from psycopg import Connection, sql

from service.domain.events import Sense
from service.domain.milestones import Milestone
from service.simulator.messages import Message
from service.simulator.options import Options
from service.simulator.world import World, beginning
from service.wire.record import Record
from tests.benchmarks.filled import Contents, Unfilled, held, require
from tests.support.api import project
from tests.support.filling import Filler

NOW: Final = 1_795_000_000.0
COPIES: Final = 50
_SPARE: Final = 3  # returns of the small world, and one in 300: of some, OmniReturns never hears
LARGE_RETAILERS: Final = 20  # of the copies keep the retailers of the small world, which have 40 % of all returns
_STEP: Final = 15  # returns of the small world that are copied in one transaction: some 5,000 events, a full batch
_TOLD: Final = 100  # after so many of them
_BATCH: Final = 2000  # messages
_SCANS_KEPT: Final = 16  # of so many scans on the way but the first one is sent: six to seven events a return, not nine
# When a row was recorded, as if each message had been taken in as it was sent: what had to wait for another event, with
# that. A batch of the filler is recorded at once, whenever that is.
_RECORD_AT_THEIR_TIME: Final = """
UPDATE history SET recorded_at = at.recorded_at FROM (
    SELECT return_no, seq, max(published_at) OVER (PARTITION BY return_no ORDER BY seq) + interval '150 ms' AS recorded_at
    FROM history
) at WHERE history.return_no = at.return_no AND history.seq = at.seq;
UPDATE returns SET recorded_at = history.recorded_at FROM history
WHERE history.return_no = returns.return_no AND seq = 1;
UPDATE parked SET recorded_at = published_at + interval '150 ms';
UPDATE connote_deliveries SET recorded_at = published_at + interval '150 ms';
UPDATE dead_letters SET recorded_at = published_at + interval '150 ms';
-- Most of them were replayed a day later, by somebody who had found out what was wrong.
UPDATE dead_letters SET resolved_at = recorded_at + interval '1 day', attempts = 2 WHERE letter_no % 10 < 8
"""
# The small world is kept in a schema of its own. A copy's number follows that of its original, so that numbers go by the
# time of creation still.
_HELPERS: Final[LiteralString] = """
CREATE SCHEMA small;
CREATE FUNCTION small.number_of(bigint, c integer) RETURNS bigint IMMUTABLE RETURN ($1 - 1) * {copies} + c + 1;
CREATE FUNCTION small.text_of(text, c integer) RETURNS text IMMUTABLE
    RETURN replace($1, {block}, 'Z' || lpad(c::text, 3, '0'));
CREATE FUNCTION small.retailer_of(text, c integer) RETURNS text IMMUTABLE
    RETURN CASE WHEN c < {large} THEN $1 ELSE $1 || '-' || c END;
CREATE FUNCTION small.json_of(json, retailer text, c integer) RETURNS json IMMUTABLE
    RETURN replace(small.text_of($1::text, c), '"' || retailer || '"', '"' || small.retailer_of(retailer, c) || '"')::json
"""
_LISTED: Final[dict[str, LiteralString]] = {
    "return_no": "small.number_of(t.return_no, c)",
    "return_id": "small.text_of(t.return_id, c)",
    "retailer": "small.retailer_of(t.retailer, c)",
    "tracking_number": "small.text_of(t.tracking_number, c)",
    "connote": "small.text_of(t.connote, c)",
}
# The tables that go by returns, a piece at a time, and the others; with the columns that a copy has of its own. The
# batch is one of those everywhere.
_BY_RETURN: Final[dict[str, dict[str, LiteralString]]] = {
    "returns": {name: _LISTED[name] for name in ("return_no", "return_id")},
    "labels": {name: _LISTED[name] for name in ("return_no", "tracking_number")},
    "history": {
        "return_no": _LISTED["return_no"],
        "data": "small.json_of(t.data, r.retailer, c)",
        "state": "small.json_of(t.state, r.retailer, c)",
    },
    "connote_members": {name: _LISTED[name] for name in ("return_no", "connote")},
    "search_returns": _LISTED,
    "search_exceptions": _LISTED,
}
_OTHERS: Final[dict[str, dict[str, LiteralString]]] = {
    "connote_deliveries": {"connote": _LISTED["connote"], "data": "small.text_of(t.data::text, c)::json"},
    "parked": {"subject": "small.text_of(t.subject, c)", "data": "small.text_of(t.data::text, c)::json"},
    "dead_letters": {"letter_no": "small.number_of(t.letter_no, c)", "offset": 't."offset" * {copies} + c'},
}
_COPY_RETURNS: Final[LiteralString] = """
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {values}
FROM small.{table} t JOIN small.search_returns r ON r.return_no = t.return_no, generate_series(0, {copies} - 1) c
WHERE t.return_no > {after} AND t.return_no <= {upto}
ORDER BY t.return_no, c
"""
_COPY_OTHERS: Final[LiteralString] = """
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {values} FROM small.{table} t, generate_series(0, {copies} - 1) c
"""
_SEAL: Final = "INSERT INTO batches (n, batch_id) SELECT coalesce(max(n), 0) + 1, pg_current_xact_id() FROM batches"
_FINISH: Final[LiteralString] = """
UPDATE cursors SET n = (SELECT max(n) FROM batches) WHERE name <> 'figures';
UPDATE search_counts SET returns = returns * {copies};
UPDATE search_days SET returns = returns * {copies};
DELETE FROM search_connotes;
INSERT INTO search_connotes
SELECT connote, retailer, carrier, count(*) FILTER (WHERE status = 'RE'), count(*) FILTER (WHERE status = 'RDBTC'),
    coalesce(min(exported_at) FILTER (WHERE status = 'RE'), min(exported_at)), max(status_at) FILTER (WHERE status = 'RDBTC')
FROM search_returns WHERE connote IS NOT NULL AND status IN ('RE', 'RDBTC') GROUP BY connote, retailer, carrier;
UPDATE batches SET events = own.events FROM (SELECT batch_id, count(*) AS events FROM history GROUP BY batch_id) AS own
WHERE own.batch_id = batches.batch_id;
DELETE FROM search_minutes;
INSERT INTO search_minutes SELECT date_trunc('minute', recorded_at), sum(events) FROM batches WHERE events > 0 GROUP BY 1;
SELECT setval(pg_get_serial_sequence('returns', 'return_no'), max(return_no)) FROM returns;
SELECT setval(pg_get_serial_sequence('dead_letters', 'letter_no'), max(letter_no)) FROM dead_letters;
DROP SCHEMA small CASCADE
"""


def multiply(database: str, returns: int, seed: int = 1) -> None:
    """Fill a migrated database with at least so many returns. Raises Unfilled when it holds anything else then."""
    small = -(-returns // COPIES)
    block = ingest(database, small + small // 300 + _SPARE, seed)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'")
        indexes = _set_aside(connection, block)
        _copy(connection)
        for definition in indexes:
            connection.execute(definition.encode())
        _require_copies(connection, returns)
        connection.execute(sql.SQL(_FINISH).format(copies=sql.Literal(COPIES)))
        connection.execute("VACUUM (ANALYZE)")


def ingest(database: str, returns: int, seed: int) -> str:
    """Take in and project a small world; the four letters that all of its numbers hold. Raises Unfilled."""
    sent = list(messages(returns, seed))
    filler = Filler(database)
    filler.fill((record(offset, at, message) for offset, (at, message) in enumerate(sent)), _BATCH)
    filler.close()
    require(Contents.of(message for _, message in sent), held(database))
    with psycopg.connect(database) as connection:
        connection.execute(_RECORD_AT_THEIR_TIME)
        row = connection.execute("SELECT substr(return_id, 3, 4) FROM returns LIMIT 1").fetchone()
    project(database)
    assert row is not None
    return str(row[0])


def messages(returns: int, seed: int) -> Iterator[tuple[float, Message]]:
    """What the publishers of a world have sent by now, and when, in seconds since 1970."""
    begins, scanned = beginning(returns, NOW), set[str]()
    for message in World(Options(returns=returns, seed=seed, rate=0, recycled=0), lambda: NOW).messages():
        at, event = begins + message.moment, message.event
        if at > NOW:
            continue  # reported late: it has happened, and nobody has heard of it
        if event is not None and (event.sense is Sense.INFORMS or event.milestone is Milestone.RT):
            is_first = event.milestone is Milestone.RT and message.subject not in scanned
            if not is_first and zlib.crc32(event.id.encode()) % _SCANS_KEPT:
                continue
            scanned.add(message.subject)
        yield at, message


def record(offset: int, at: float, message: Message) -> Record:
    """The message as Kafka would hand it over."""
    return Record(message.topic, 0, offset, int(at * 1000), message.key, message.value, message.headers)


def _set_aside(connection: Connection, block: str) -> list[str]:
    """Move the small world out of the way; the definitions of the indexes that are made when all rows are there."""
    words = {"copies": sql.Literal(COPIES), "block": sql.Literal(block), "large": sql.Literal(LARGE_RETAILERS)}
    connection.execute(sql.SQL(_HELPERS).format(**words))
    for table in (*_BY_RETURN, *_OTHERS):
        name = sql.Identifier(table)
        connection.execute(sql.SQL("CREATE TABLE small.{} AS TABLE {}").format(name, name))
        connection.execute(sql.SQL("ANALYZE small.{}").format(name))
        if table in _BY_RETURN:
            connection.execute(sql.SQL("CREATE INDEX ON small.{} (return_no)").format(name))
        connection.execute(sql.SQL("TRUNCATE {}").format(name))
    connection.execute("TRUNCATE batches")
    # What a crash would take is made again by another run: nothing has to be written twice.
    for (partition,) in connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = "
        "'history'::regclass AND inhrelid::regclass::text ~ '^history_[0-9]+$'"
    ).fetchall():
        connection.execute(sql.SQL("ALTER TABLE {} SET UNLOGGED").format(sql.Identifier(partition)))
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND NOT indexname ~ '_pkey$' "
        "AND tablename ~ '^search_'"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    return [definition for _, definition in indexes]


def _copy(connection: Connection) -> None:
    (last,) = connection.execute("SELECT max(return_no) FROM small.returns").fetchone() or (0,)
    with connection.transaction():
        for table, own in _OTHERS.items():
            connection.execute(_statement(connection, _COPY_OTHERS, table, own))
        connection.execute(_SEAL)
    for after in range(0, last, _STEP):
        with connection.transaction():
            for table, own in _BY_RETURN.items():
                bounds = {"after": after, "upto": after + _STEP}
                connection.execute(_statement(connection, _COPY_RETURNS, table, own, **bounds))
            connection.execute("SELECT extend_history()")
            connection.execute(_SEAL)
        if after // _STEP % _TOLD == 0 or after + _STEP >= last:
            print(f"\rcopied {min(after + _STEP, last) * COPIES:,} returns", end="", flush=True)
    print(flush=True)


def _require_copies(connection: Connection, returns: int) -> None:
    for table in (*_BY_RETURN, *_OTHERS):
        statement = sql.SQL("SELECT (SELECT count(*) FROM small.{table}), (SELECT count(*) FROM {table})")
        small, copied = connection.execute(statement.format(table=sql.Identifier(table))).fetchone() or (0, 0)
        if copied != small * COPIES:
            raise Unfilled(f"{copied:,} rows of {table} instead of {COPIES} x {small:,}")
        if table == "returns" and copied < returns:
            raise Unfilled(f"{copied:,} returns instead of at least {returns:,}")


def _statement(
    connection: Connection, text: LiteralString, table: str, own: dict[str, LiteralString], **bounds: int
) -> sql.Composed:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", (table,)
    )
    columns = [name for (name,) in rows]
    own = {"batch_id": "pg_current_xact_id()"} | own if "batch_id" in columns else own
    copies = sql.Literal(COPIES)
    values = [
        sql.SQL(own[name]).format(copies=copies) if name in own else sql.SQL("t.{}").format(sql.Identifier(name))
        for name in columns
    ]
    return sql.SQL(text).format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(values),
        copies=copies,
        **{name: sql.Literal(value) for name, value in bounds.items()},
    )


if __name__ == "__main__":
    multiply(sys.argv[1], int(sys.argv[2]))
