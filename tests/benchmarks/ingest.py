"""How fast `ingest --drain` empties prefilled topics, beside the floor: COPY of the very same rows, ready-made."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.benchmarks.bed import Bed, fill, steps
from tests.benchmarks.filled import Contents, Unfilled, held, require
from tests.benchmarks.measure import Sample, sampled
from tests.support.service import ROOT, Service
from tests.support.topics import Topics

_TABLES = {
    "returns": "SELECT * FROM returns WHERE return_no IN (SELECT return_no FROM history WHERE seq = 1 AND {batch})",
    "labels": "SELECT * FROM labels WHERE return_no IN (SELECT return_no FROM history WHERE seq = 1 AND {batch})",
    "history": "SELECT * FROM history WHERE {batch} ORDER BY return_no, seq",
    "connote_members": "SELECT * FROM connote_members WHERE {batch}",
}


_DISORDER = 0.2


class Run(NamedTuple):
    """One drain."""

    events: int  # rows of the history
    sample: Sample
    steps: dict[str, float]  # seconds


def run(bed: Bed, returns: int, repeats: int, against: Path | None = None) -> dict[str, list[Run]]:
    """Floor, one worker and two, and one at a stream out of order, in turn, `repeats` times; and those of another checkout.

    Out of order: each message is behind by up to a fifth of the whole stream.
    """
    drains = {"1 worker": (1, False), "2 workers": (2, False), "1 shuffled": (1, True)}
    results: dict[str, list[Run]] = {"floor": []}
    with bed.topics() as topics, bed.topics() as disorder:
        with bed.database() as database, bed.service(database, topics) as service:
            meant = fill(service, returns)
            events = drain(bed, service, meant, workers=1).events  # warms the broker's page cache; rows for the floor
            rows = ready_made(database)
        with bed.database() as database, bed.service(database, disorder) as service:
            if fill(service, returns, shuffled=_DISORDER) != meant:
                raise Unfilled("the same world in another order holds something else")
        for repeat in range(repeats):
            results["floor"].append(floor(bed, rows, events))
            for name, (workers, is_shuffled) in drains.items():
                onto = disorder if is_shuffled else topics
                if against is not None:
                    before = fresh_drain(bed, onto, meant, workers, against)
                    results.setdefault(f"{name}, before", []).append(before)
                results.setdefault(name, []).append(fresh_drain(bed, onto, meant, workers))
            print(f"run {repeat + 1} of {repeats} done", flush=True)
    return results


def fresh_drain(bed: Bed, topics: Topics, meant: Contents, workers: int, code: Path = ROOT) -> Run:
    """A drain into a database of its own."""
    with bed.database(code) as database, bed.service(database, topics) as service:
        service.code = code
        return drain(bed, service, meant, workers)


def drain(bed: Bed, service: Service, meant: Contents, workers: int) -> Run:
    """Empty the topics with so many workers. Raises Unfilled when the journal does not hold all that they held then."""
    group = service.topics.name(f"group-{uuid.uuid4().hex[:8]}")
    with sampled(bed.servers) as sample:
        processes = [service.start("ingest", "--drain", RETURNS_GROUP_ID=group) for _ in range(workers)]
        for process in processes:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, service.log_text()
            sample.cpu["worker"] = sample.cpu.get("worker", 0.0) + used.ru_utime + used.ru_stime
    require(meant, held(service.database))
    events = service.query("SELECT count(*) FROM history")[0][0]
    return Run(events, sample, steps(service))


def ready_made(database: str) -> list[dict[str, bytes]]:
    """The rows that each batch wrote, table by table, in PostgreSQL's own binary form."""
    batches = []
    with psycopg.connect(database) as connection:
        ids = connection.execute("SELECT DISTINCT batch_id::text FROM history ORDER BY 1").fetchall()
        for (batch_id,) in sorted(ids, key=lambda row: int(row[0])):
            batch = {}
            for table, select in _TABLES.items():
                statement = f"COPY ({select.format(batch=f'batch_id = {chr(39)}{batch_id}{chr(39)}')}) TO STDOUT (FORMAT BINARY)"
                with connection.cursor().copy(statement.encode()) as copy:
                    batch[table] = b"".join(bytes(block) for block in copy)
            batches.append(batch)
    return batches


def floor(bed: Bed, batches: list[dict[str, bytes]], meant: int) -> Run:
    """COPY the rows of each batch in a transaction; nothing is read, decoded or decided."""
    with bed.database() as database:
        with sampled(bed.servers) as sample, psycopg.connect(database) as connection:
            for batch in batches:
                for table, rows in batch.items():
                    statement = f"COPY {table} FROM STDIN (FORMAT BINARY)"
                    with connection.cursor().copy(statement.encode()) as copy:
                        copy.write(rows)
                connection.commit()
        with psycopg.connect(database) as connection:
            (events,) = connection.execute("SELECT count(*) FROM history").fetchone() or (0,)
    if events != meant:
        raise Unfilled(f"{events:,} events copied instead of {meant:,}")
    return Run(events, sample, {})
