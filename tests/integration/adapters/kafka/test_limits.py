"""A setting that the brokers do not allow is no outage: it is said, with the limit, and the process ends."""

from __future__ import annotations

import pytest

from tests.support.service import Service


@pytest.mark.parametrize(
    ("command", "setting", "value", "limit"),
    (
        ("ingest", "SESSION_TIMEOUT_MS", "3600000", "group.max.session.timeout.ms=1800000"),
        ("relay", "RELAY_TRANSACTION_TIMEOUT_MS", "3600000", "transaction.max.timeout.ms=900000"),
    ),
)
def test_a_time_out_above_the_brokers_limit_is_said_and_ends_the_process(
    service: Service, command: str, setting: str, value: str, limit: str
) -> None:
    variables = {f"RETURNS_{setting}": value, "RETURNS_MAX_POLL_INTERVAL_MS": "7200000"}

    done = service.run(command, timeout=40, **variables)

    assert done.returncode == 1, done.stderr
    assert f"RETURNS_{setting}: Kafka refuses {value}" in done.stderr
    assert limit in done.stderr
