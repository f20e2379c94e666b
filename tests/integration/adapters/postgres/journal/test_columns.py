"""The table of columns is the tables' own."""

from __future__ import annotations

import psycopg
import pytest

from service.adapters.postgres.journal.columns import EVENT_COLUMNS, HISTORY_COLUMNS

EVENT = {column.name for column in EVENT_COLUMNS}
OWN = {
    "history": {column.name for column in HISTORY_COLUMNS},
    "parked": EVENT | {"kind", "subject", "words", "unmapped"},
    "connote_deliveries": EVENT | {"connote", "words"},
}


@pytest.mark.parametrize("table", OWN)
def test_a_table_has_the_columns_that_are_written_and_no_others(database: str, table: str) -> None:
    with psycopg.connect(database) as connection:
        ask = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
        there = {name for (name,) in connection.execute(ask, (table,))}

    assert there == OWN[table] | {"batch_id", "recorded_at"}
