"""Behind PgBouncer: with a session of its own all guards hold; where it gets none, it says so and does nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import sql

from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.database import connect
from service.adapters.postgres.migrations import refuse_unfit
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.adapters.postgres.session import SESSION
from service.application.access.bounds import UNBOUND
from service.errors import Fatal
from tests.support.commands import run
from tests.support.journals import creation, ingest
from tests.support.pgbouncer import pooled

pytestmark = pytest.mark.postgres

REFUSED = r"a pooler between .* gives each transaction another session.*set pool_mode = session"


def test_in_session_mode_everything_is_as_without(database: str) -> None:
    with pooled(database, "session") as url:
        ingest(url, [creation()])
        with connect(url, "test") as through, connect(database, "test") as direct:
            assert shown(through) == shown(direct)
        with open_pool(url, 2) as pool:
            assert PostgresReading(pool).state(UNBOUND, "R-1001") is not None
            assert PostgresReading(pool).problems() == []
            with pool.connection() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute("DELETE FROM tokens")
            with writing(pool) as connection:
                connection.execute("DELETE FROM tokens")


def shown(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """The settings of a session."""
    return {name: connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone() for name in SESSION}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_in_transaction_mode_it_is_refused_in_words_and_nothing_is_left_in_sessions_of_others(database: str) -> None:
    with pooled(database, "transaction") as url, psycopg.connect(url, autocommit=True) as other:
        before = shown(other)
        with pytest.raises(Fatal, match=REFUSED):
            refuse_unfit(url)
        with pytest.raises(Fatal, match=REFUSED):
            connect(url, "test")
        assert shown(other) == before
        with open_pool(url, 1) as pool:
            assert PostgresReading(pool).problems()[0].startswith("a pooler between")
        ended = run("relay", RETURNS_DATABASE_URL=url)

    assert ended.returncode == 1
    assert "pool_mode = session" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.fixture
def busy(database: str) -> Iterator[str]:
    """A PgBouncer in transaction mode that others use meanwhile, as fast as they can."""
    stop = threading.Event()

    def ask(url: str) -> None:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            while not stop.is_set():
                connection.execute("SELECT 1")

    with ExitStack() as stack:
        url = stack.enter_context(pooled(database, "transaction", server_round_robin="1"))
        others = [threading.Thread(target=ask, args=(url,)) for _ in range(3)]
        for other in others:
            other.start()
        try:
            yield url
        finally:
            stop.set()
            for other in others:
                other.join()


def test_in_a_busy_pool_it_is_seen_as_well(busy: str) -> None:
    for _ in range(10):
        with pytest.raises(Fatal, match=REFUSED):
            connect(busy, "test")


def test_in_statement_mode_it_is_refused_too(database: str) -> None:
    with pooled(database, "statement") as url, pytest.raises(Fatal, match=REFUSED):
        connect(url, "test")
