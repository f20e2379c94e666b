"""Servers that are away for longer than anybody waits at a terminal."""

from __future__ import annotations

import time

import pytest

from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from tests.integration.runtime.ingest.test_failures import duplicates, metric, recorded, world
from tests.support.ingesting import assert_right, publish, working
from tests.support.service import Service
from tests.support.waiting import eventually


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_postgresql_stopped_for_20_seconds_and_back(service: Service, private_stack: LocalStack) -> None:
    # Two workers go on polling all the while, so that none leaves the group, and no event is lost or doubled.
    documents = world(60)
    private_stack.postgres.start()
    service.database = private_stack.postgres.database_url
    service.variables["RETURNS_DATABASE_URL"] = service.database
    migrate(service.database)
    with working(service, batch_size=20) as one, working(service, batch_size=20) as other:
        publish(service, *documents[:100])
        eventually(lambda: recorded(service) >= 50, 30)

        private_stack.postgres.stop()
        publish(service, *documents[100:])
        stopped = time.monotonic()
        eventually(lambda: time.monotonic() - stopped >= 20, 30)
        assert all(each.thread.is_alive() for each in (one, other))
        private_stack.postgres.start()

        eventually(lambda: recorded(service) == len(documents) + 59, 40)
        assert all(metric(each, "returns_retries_total", cause="database") >= 3 for each in (one, other))
        assert all(metric(each, "returns_retries_total", cause="kafka") == 0 for each in (one, other))
    assert_right(service, documents)
    assert duplicates(one) + duplicates(other) == 0
