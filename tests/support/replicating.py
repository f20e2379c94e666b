"""A logical copy of a database: a publication of all tables, a subscription that follows it, and the end of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from psycopg import sql

from deploy.local.postgres_server import DATABASE, USER, PostgresServer
from service.adapters.postgres.migrations import migrate
from tests.support.standby import ask, connected, run
from tests.support.waiting import eventually

_SECONDS: Final = 60.0
# Filled by `migrate`; a schema alone, as a dump has it, comes without rows.
_TABLES: Final = """
SELECT string_agg(format('%I', c.relname), ', ') FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""
_FOLLOWED: Final = "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"
_CAUGHT_UP: Final = """
SELECT bool_and(confirmed_flush_lsn >= %s::pg_lsn) FROM pg_replication_slots WHERE slot_type = 'logical'
"""


@contextmanager
def logical_copy(primary: PostgresServer, folder: Path) -> Iterator[PostgresServer]:
    """A new server with a database that follows the primary's, until `cut_over`."""
    run(primary, "ALTER SYSTEM SET wal_level = logical")
    primary.stop()
    primary.start()
    copy = PostgresServer(folder / "postgres", shared_buffers="64MB")
    copy.start()
    try:
        migrate(copy.database_url)
        run(copy, f"TRUNCATE {ask(copy, _TABLES)}")
        run(primary, "CREATE PUBLICATION everything FOR ALL TABLES")
        there = urlsplit(primary.database_url)
        told = f"host=127.0.0.1 port={there.port} user={USER} password={there.password} dbname={DATABASE}"
        with connected(copy) as connection:
            subscribe = "CREATE SUBSCRIPTION copy CONNECTION {} PUBLICATION everything"
            connection.execute(sql.SQL(subscribe).format(sql.Literal(told)))
        eventually(lambda: ask(copy, _FOLLOWED), _SECONDS, why="the copy has not every table")
        yield copy
    finally:
        copy.kill()
        copy.remove()


def cut_over(primary: PostgresServer, copy: PostgresServer) -> None:
    """Wait until the copy has all that the primary committed, and follow no longer."""
    written = ask(primary, "SELECT pg_current_wal_lsn()")
    eventually(lambda: ask(primary, _CAUGHT_UP, written), _SECONDS, why="the copy does not catch up")
    run(copy, "DROP SUBSCRIPTION copy")
