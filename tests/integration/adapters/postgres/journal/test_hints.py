"""Who reads the journal is told of new batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from service.adapters.postgres.database import connect
from service.adapters.postgres.journal.hints import Hints
from service.adapters.postgres.working import WorkingConnection
from service.errors import Retryable
from tests.support.filling import Filler, world

LONG = 10.0  # seconds; what does not wait for them takes a part of one


@pytest.fixture
def filler(database: str) -> Iterator[Filler]:
    filler = Filler(database)
    filler.fill(world(3, seed=1))
    yield filler
    filler.close()


@pytest.fixture
def connection(database: str) -> Iterator[WorkingConnection]:
    with connect(database, "test") as connection:
        yield connection


def newest(database: str) -> int:
    with psycopg.connect(database) as connection:
        return int(connection.execute("SELECT max(n) FROM batches").fetchall()[0][0])


def listening(connection: WorkingConnection) -> Hints:
    hints = Hints(connection)
    assert hints.wait(0, LONG)  # the first one does not wait: what came before is not told of
    return hints


def test_a_wait_ends_with_the_batch_that_is_committed_meanwhile(
    database: str, connection: WorkingConnection, filler: Filler
) -> None:
    n, hints = newest(database), listening(connection)
    later = threading.Timer(0.3, filler.fill, [list(world(2, seed=2))])
    later.start()
    began = time.monotonic()

    assert hints.wait(n, LONG)

    assert time.monotonic() - began < LONG / 2
    later.join()
    assert newest(database) > n


def test_a_batch_that_was_read_already_ends_no_wait(
    database: str, connection: WorkingConnection, filler: Filler
) -> None:
    hints = listening(connection)
    filler.fill(world(2, seed=2))

    assert not hints.wait(newest(database), 0.3)


def test_a_batch_is_heard_of_whatever_else_the_session_did_meanwhile(
    database: str, connection: WorkingConnection, filler: Filler
) -> None:
    n, hints = newest(database), listening(connection)
    filler.fill(world(2, seed=2))
    connection.execute("SELECT 1")  # with its answer comes what was told

    assert hints.wait(n, LONG)


def test_a_wait_ends_when_its_time_is_up(connection: WorkingConnection) -> None:
    hints = listening(connection)
    began = time.monotonic()

    assert not hints.wait(0, 0.3)

    assert 0.25 < time.monotonic() - began < LONG / 2


def test_a_session_that_ends_while_it_waits_says_so(database: str, connection: WorkingConnection) -> None:
    hints = listening(connection)
    backend = connection.info.backend_pid

    def end() -> None:
        with psycopg.connect(database) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (backend,))

    threading.Timer(0.2, end).start()

    with pytest.raises(Retryable):
        hints.wait(0, LONG)
