from __future__ import annotations

import pytest

from deploy.local.stack import LocalStack
from service.adapters.postgres.access.tokens import create_token
from service.adapters.postgres.database import connect
from service.adapters.postgres.migrations import migrate
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.metrics import Metrics
from service.web.app import create_app
from tests.support.journals import creation, ingest
from tests.support.waiting import eventually
from tests.support.web import served


@pytest.mark.slow
def test_the_api_says_that_the_database_is_away_and_answers_once_it_is_back(private_stack: LocalStack) -> None:
    postgres = private_stack.postgres
    postgres.start()
    url = postgres.database_url
    migrate(url)
    ingest(url, [creation()])
    with connect(url, "test") as connection:
        token = create_token(connection, ["read"])

    with open_pool(url, 4) as pool, served(create_app(PostgresReading(pool), Metrics()), token) as client:
        client.timeout = 20
        assert client.get("/v1/returns/R-1001").status_code == 200

        postgres.stop()
        assert client.get("/v1/returns/R-1001").status_code == 503
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200

        postgres.start()
        eventually(lambda: client.get("/readyz").status_code == 200, timeout=20)
        assert client.get("/v1/returns/R-1001").status_code == 200
