"""Something else is done while PostgreSQL is at work, and every answer is the same as without."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from service.adapters.postgres.database import connect
from service.adapters.postgres.working import WorkingConnection


class Work:
    """Some work, in little pieces."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces
        self.done = 0

    def __call__(self) -> bool:
        if not self.left:
            return False
        self.left -= 1
        self.done += 1
        return True


@pytest.fixture
def connection(database: str) -> Iterator[WorkingConnection]:
    with connect(database, "test") as connection:
        yield connection


def test_work_goes_on_until_the_answer_is_there(connection: WorkingConnection) -> None:
    connection.while_waiting = work = Work(10**9)

    row = connection.execute("SELECT 1 FROM pg_sleep(0.1)").fetchone()

    assert row == (1,)
    assert work.done > 10


def test_with_nothing_left_to_do_it_waits(connection: WorkingConnection) -> None:
    connection.while_waiting = work = Work(3)

    row = connection.execute("SELECT 1 FROM pg_sleep(0.1)").fetchone()

    assert row == (1,)
    assert work.done == 3


@pytest.mark.parametrize("pieces", (0, 5, 10**9))
def test_rows_are_copied_whole(connection: WorkingConnection, pieces: int) -> None:
    connection.execute("CREATE TEMPORARY TABLE copied (number int, text text)")
    connection.while_waiting = Work(pieces)
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "text"])
            for number in range(20_000):
                copy.write_row((number, "x" * 100))
        count = cursor.execute("SELECT count(*), sum(number) FROM copied").fetchone()

    assert count == (20_000, sum(range(20_000)))


def test_an_error_is_raised_as_ever_and_the_connection_goes_on(connection: WorkingConnection) -> None:
    connection.while_waiting = Work(10**9)

    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1 / (count(*) - 1) FROM pg_sleep(0.02)")

    assert connection.execute("SELECT 2").fetchone() == (2,)


def test_a_server_that_hangs_up_is_noticed(connection: WorkingConnection) -> None:
    connection.while_waiting = Work(10**9)

    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid()) FROM pg_sleep(0.02)")

    assert connection.closed
