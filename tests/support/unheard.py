"""Lets the hour pass after which a void that names nothing is seen."""

from __future__ import annotations

import psycopg

from service.adapters.postgres.journal.journal import PostgresJournal
from service.application.journal.watches.unheard import look
from service.wire.carriers import CarrierTables


def pass_an_hour(database: str) -> int:
    """For the voids that wait, and have a worker look at them; how many there were."""
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE unheard_voids SET recorded_at = recorded_at - interval '1 hour'")
    return look_now(database)


def look_now(database: str) -> int:
    journal = PostgresJournal(database, CarrierTables.load())
    try:
        return look(journal)
    finally:
        journal.close()
