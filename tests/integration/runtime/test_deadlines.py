"""A server that is frozen or cut off says nothing; whoever waits for it says so himself, in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from service.adapters.postgres import working
from service.adapters.postgres.database import connect, is_at_work
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.search import PostgresSearch
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.adapters.postgres.working import NoAnswer, WorkingConnection
from service.application.access.bounds import UNBOUND
from service.application.journal.slices import SliceLimits
from service.errors import Retryable
from service.wire.carriers import CarrierTables
from tests.support.proxy import Middlebox
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits twenty seconds for a test."""
    monkeypatch.setattr(working.WorkingConnection, "deadline", 1.0)
    monkeypatch.setattr(working, "DOUBT_SECONDS", 0.4)
    monkeypatch.setattr("service.adapters.postgres.database._ASK_SECONDS", 2)


@pytest.fixture
def way(database: str) -> Iterator[tuple[Middlebox, str]]:
    box, url = Middlebox.before(database)
    with box:
        yield box, url


@pytest.fixture
def connection(way: tuple[Middlebox, str]) -> Iterator[WorkingConnection]:
    with connect(way[1], "test") as connection:
        yield connection


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("works", (False, True))
def test_a_statement_without_an_answer_ends_and_closes_the_connection(
    way: tuple[Middlebox, str], connection: WorkingConnection, *, works: bool
) -> None:
    connection.while_waiting = (lambda: False) if works else None
    way[0].drop()
    began = time.monotonic()

    with pytest.raises(NoAnswer, match="has not answered for"):
        connection.execute("SELECT 1")

    assert connection.closed
    assert time.monotonic() - began < 4


@pytest.mark.usefixtures("short")
def test_a_commit_without_an_answer_ends_and_the_rollback_does_not_wait_again(
    way: tuple[Middlebox, str], connection: WorkingConnection
) -> None:
    began = time.monotonic()

    def transaction() -> None:
        with connection.transaction():
            connection.execute("CREATE TABLE made (n int)")
            way[0].drop()

    with pytest.raises(NoAnswer):
        transaction()

    assert time.monotonic() - began < 4


@pytest.mark.usefixtures("short")
def test_rows_that_nobody_takes_end_the_copy(way: tuple[Middlebox, str], connection: WorkingConnection) -> None:
    connection.execute("CREATE TEMPORARY TABLE copied (text text)")
    began = time.monotonic()

    def copy_in() -> None:
        with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN") as copy:
            copy.write_row(("x" * 100_000,))
            way[0].drop()

    with pytest.raises(NoAnswer):
        copy_in()

    assert time.monotonic() - began < 4


@pytest.mark.usefixtures("short")
def test_a_server_that_answers_others_is_waited_for_to_the_deadline(connection: WorkingConnection) -> None:
    assert connection.execute("SELECT 1 FROM pg_sleep(0.7)").fetchone() == (1,)
    with pytest.raises(NoAnswer):
        connection.execute("SELECT pg_sleep(30)")


@pytest.mark.usefixtures("short")
def test_a_server_that_is_slow_but_alive_ends_a_statement_itself(connection: WorkingConnection) -> None:
    connection.execute("SET statement_timeout = '200ms'")

    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(30)")

    assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.usefixtures("short")
def test_a_long_statement_may_take_its_time_where_it_says_so(connection: WorkingConnection) -> None:
    with connection.patient():
        row = connection.execute("SELECT 1 FROM pg_sleep(2)").fetchone()

    assert row == (1,)


@pytest.mark.usefixtures("short")
def test_an_answer_that_comes_while_the_server_says_that_it_gave_one_is_taken(
    connection: WorkingConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "_GRACE_SECONDS", 10.0)
    with connection.patient():
        connection.is_at_work = lambda _: False
        row = connection.execute("SELECT 1 FROM pg_sleep(1.5)").fetchone()

    assert row == (1,)


@pytest.mark.usefixtures("short")
def test_a_long_statement_on_a_server_that_is_cut_off_ends_too(
    way: tuple[Middlebox, str], connection: WorkingConnection
) -> None:
    began = time.monotonic()

    with connection.patient():
        threading.Timer(0.3, way[0].drop).start()
        with pytest.raises(NoAnswer):
            connection.execute("SELECT pg_sleep(30)")

    assert time.monotonic() - began < 6


@pytest.mark.usefixtures("short")
def test_a_long_statement_whose_answer_was_dropped_ends_after_the_cure(
    way: tuple[Middlebox, str], connection: WorkingConnection
) -> None:
    began = time.monotonic()

    def hiccup() -> None:
        way[0].drop()
        way[0].cure()

    with connection.patient():
        threading.Timer(0.2, hiccup).start()
        with pytest.raises(NoAnswer):
            connection.execute("SELECT pg_sleep(1.2)")

    assert time.monotonic() - began < 6


def test_a_session_that_has_ended_is_not_at_work(database: str) -> None:
    with connect(database, "test") as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        assert not is_at_work(database, row[0])  # it waits for the next statement

    eventually(lambda: not is_at_work(database, row[0]))


@pytest.mark.usefixtures("short")
def test_the_journal_is_away_when_it_does_not_answer_and_back_after_the_cure(way: tuple[Middlebox, str]) -> None:
    box, url = way
    journal = PostgresJournal(url, CarrierTables.load())
    journal.swept()
    box.drop()

    with pytest.raises(Retryable, match="PostgreSQL has not answered for"):
        journal.swept()
    box.cure()

    assert journal.swept().newest == 0
    journal.close()


@pytest.mark.usefixtures("short")
def test_a_projector_goes_on_at_once_after_the_cure(way: tuple[Middlebox, str]) -> None:
    box, url = way
    search = PostgresSearch(url, SliceLimits())
    search.progress()
    box.drop()
    box.cure()  # what was connected before stays dead

    with pytest.raises(Retryable):
        search.progress()

    assert search.progress() == (0, 0)
    search.close()


def test_a_web_process_gives_up_on_a_silent_server(way: tuple[Middlebox, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.adapters.postgres.reading.returns._WebConnection.deadline", 0.5)
    box, url = way
    with open_pool(url, 2) as pool:
        reading = PostgresReading(pool)
        assert reading.state(UNBOUND, "R-1") is None
        box.drop()
        began = time.monotonic()

        with pytest.raises(Retryable):
            reading.state(UNBOUND, "R-1")

        assert time.monotonic() - began < 3
    assert time.monotonic() - began < 8, "closing does not wait for the server"
