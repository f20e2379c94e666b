"""Several hosts in the database's address: the one that takes writes is found, at the start and after a failover."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from deploy.local.postgres_server import PostgresServer
from deploy.local.stack import LocalStack
from service.adapters.postgres.access.tokens import create_token
from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.database import connect
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.migrations import migrate
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.application.access.bounds import UNBOUND
from service.config import load
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wire.carriers import CarrierTables
from service.wiring import serving
from tests.support.api import settings_for
from tests.support.journals import creation, ingest
from tests.support.standby import Standby, ask, both, run
from tests.support.waiting import eventually
from tests.support.web import served

pytestmark = pytest.mark.slow


@pytest.fixture
def primary(private_stack: LocalStack) -> PostgresServer:
    private_stack.postgres.start()
    migrate(private_stack.postgres.database_url)
    ingest(private_stack.postgres.database_url, [creation()])
    return private_stack.postgres


@pytest.fixture
def standby(primary: PostgresServer) -> Iterator[Standby]:
    with Standby.of(primary) as standby:
        yield standby


def test_a_worker_and_the_web_find_the_new_primary_by_themselves(primary: PostgresServer, standby: Standby) -> None:
    # The standby first: to land there is no use.
    url = load({"RETURNS_DATABASE_URL": both(standby, primary)}).database_url.get_secret_value()
    journal = PostgresJournal(url, CarrierTables.load())
    with journal.transaction() as tx:
        tx.number_batch(0)
    with open_pool(url, 4) as pool:
        reading = PostgresReading(pool)
        assert reading.state(UNBOUND, "R-1001") is not None
        standby.catch_up(primary)

        primary.stop()
        with pytest.raises(Retryable), journal.transaction() as tx:
            tx.number_batch(0)
        standby.promote()

        def goes_on() -> bool:
            try:
                with journal.transaction() as tx:
                    tx.number_batch(0)
                with writing(pool) as connection:
                    connection.execute("DELETE FROM ops_sessions")
            except Retryable:
                return False
            return True

        eventually(goes_on, timeout=30)
        assert reading.state(UNBOUND, "R-1001") is not None
        assert ask(standby, "SELECT max(n) FROM batches") == 3
    journal.close()


def test_a_session_with_a_standby_is_not_kept_and_writes_are_answered_with_503(
    primary: PostgresServer, standby: Standby
) -> None:
    # Whatever the address says: here it lets the standby in.
    url = both(standby, primary, "")
    with connect(primary.database_url, "test") as connection:
        token = create_token(connection, ["read", "create"])
    standby.catch_up(primary)
    new = {
        "retailer": "acme",
        "route": "omnirps",
        "carrier": "omniparcel",
        "tracking_number": "OP1",
        "return_id": "R-2",
    }
    with pytest.raises(Retryable, match=r"PostgreSQL 25006.*read-only"):
        connect(url, "test")

    with serving.web(settings_for(url), Metrics(), Stop()) as app, served(app, token) as client:
        client.timeout = 30
        assert client.get("/v1/returns/R-1001").status_code == 200
        refused = client.post("/v1/returns", json=new)

        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
    assert ask(standby, "SELECT count(*) FROM creations") == 0


def test_a_pool_lets_go_of_a_server_that_takes_no_more_writes(primary: PostgresServer, standby: Standby) -> None:
    with open_pool(both(primary, standby), 4) as pool:
        with writing(pool) as connection:
            assert connection.info.port == urlsplit(primary.database_url).port

        # Fenced, not stopped: its sessions live on.
        run(primary, "ALTER SYSTEM SET default_transaction_read_only = on")
        ask(primary, "SELECT pg_reload_conf()")
        standby.promote()

        def where() -> int | None:
            try:
                with writing(pool) as connection:
                    return connection.info.port
            except Retryable:
                return None

        eventually(lambda: where() == urlsplit(standby.database_url).port, timeout=30)
        with pool.connection() as connection:
            assert connection.info.port == urlsplit(standby.database_url).port
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        run(primary, "CREATE TABLE no (way int)")


def test_a_host_that_accepts_and_says_nothing_is_passed_over_within_its_own_time(database: str) -> None:
    parts = urlsplit(database)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{parts.port}"
        user = parts.netloc.rpartition("@")[0]
        began = time.monotonic()

        with connect(f"postgresql://{user}@{hosts}{parts.path}", "test") as connection:
            assert connection.info.port == parts.port

    assert time.monotonic() - began < 12
