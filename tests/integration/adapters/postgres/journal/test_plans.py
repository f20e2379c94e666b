"""What ingestion asks stays a probe of an index a key, whatever the planner believes of the tables.

It happened: a join whose plan was made while a table was believed to be small compared every row with every other,
took 8 s instead of 50 ms, and held up all workers.
"""

from __future__ import annotations

import re
from itertools import count

import pytest

from service.adapters.postgres.database import connect, probe_indexes
from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.queries import load_queries
from tests.support.any_batch import ANY_BATCH

QUERIES = load_queries("journal.sql", LISTS) | load_queries("labels.sql", LISTS)
# What compares a row with all others, or reads a table from end to end.
WRONG = ("Seq Scan", "Join Filter", "Materialize", "Hash Join", "Merge Join")
# Everything that takes many keys, or reads what a batch wrote. Not the offsets: there are some dozens of them.
ASKED = sorted(
    {
        "claim_labels", "create_returns", "find_labels", "find_returns", "join_connotes", "load_keys",
        "load_past", "load_states", "undelivered", "unpark", "unswept",
        "bounds", "scan_places", "touched_labels", "unpark_scans", "waiting_scans",
    }
)  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("rows", (0, 20_000))
def test_a_query_of_ingestion_probes_indexes_only(database: str, name: str, rows: int) -> None:
    with connect(database, "test") as connection:
        connection.execute(ANY_BATCH)
        connection.execute("INSERT INTO returns (return_id) SELECT 'R-' || n FROM generate_series(1, %s) AS n", (rows,))
        connection.execute("INSERT INTO labels SELECT 'c', 'T-' || n, n FROM generate_series(1, %s) AS n", (rows,))
        connection.execute("ANALYZE")
        probe_indexes(connection)
        numbers = count(1)
        statement = re.sub("%b", lambda _: f"${next(numbers)}", QUERIES[name])

        plan = connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode()).fetchall()

    text = "\n".join(line for (line,) in plan)
    assert not [line for line in text.splitlines() if any(wrong in line for wrong in WRONG)], text
