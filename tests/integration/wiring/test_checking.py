"""What `topics --check` and the start of a process say of the servers' settings."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs

from service.adapters.kafka import check as kafka_check
from service.adapters.kafka.admin import ensure_topics
from service.adapters.postgres import check as postgres_check
from service.application.safety import Checked
from service.errors import Fatal, Retryable
from service.metrics import Metrics
from service.wiring import checking
from tests.support.service import Service
from tests.support.topics import Topics
from tests.support.waiting import eventually


def unsafe(metrics: Metrics, server: str) -> float | None:
    return metrics.registry.get_sample_value("returns_unsafe_settings", {"server": server})


def test_what_topics_makes_is_all_good_and_what_is_altered_is_found(service: Service) -> None:
    ensure_topics(service.settings)

    # A broker tells of a setting a moment after the controller has it.
    eventually(lambda: service.run("topics", "--check").returncode == 0, why="what was set is not told")
    well = service.done("topics", "--check")
    assert well.splitlines()[-1] == "all good"
    assert "note: cluster: brokers is 1" in well
    assert "WRONG" not in well

    topics = service.topics
    topics.admin.delete_topics([topics.name("exceptions")])
    altered = {"scans": {"cleanup.policy": "compact"}, "returns": {"retention.ms": "1000"}}
    altered["current_status"] = {"cleanup.policy": "delete", "unclean.leader.election.enable": "true"}
    for name, configs in altered.items():
        topics.alter(name, configs)
    before = own(topics)

    result = service.run("topics", "--check")

    assert result.returncode == 1
    wrong = sorted(line.split("; ")[0] for line in result.stdout.splitlines() if line.startswith("WRONG"))
    assert wrong == sorted(
        f"WRONG: {topics.name(name)}: {found}"
        for name, found in (
            ("scans", "cleanup.policy is compact"),
            ("returns", "retention.ms is 1000"),
            ("current_status", "cleanup.policy is delete"),
            ("current_status", "unclean.leader.election.enable is true"),
            ("exceptions", "topic is missing"),
        )
    )
    assert own(topics) == before, "it changes nothing"


def own(topics: Topics) -> list[str]:
    """The topics of this test: others make theirs at the same time."""
    return sorted(name for name in topics.admin.list_topics() if name.startswith(topics.prefix))


def test_a_process_warns_at_its_start_of_what_endangers_the_promise(service: Service) -> None:
    ensure_topics(service.settings)
    service.topics.alter("scans", {"cleanup.policy": "compact"})
    metrics = Metrics()

    with capture_logs() as lines:
        assert checking.look("kafka", lambda: kafka_check.check(service.settings), metrics)

    warnings = [line for line in lines if line["log_level"] == "warning"]
    assert [(line["event"], line["topic"], line["setting"], line["value"]) for line in warnings] == [
        ("kafka_setting", service.topics.name("scans"), "cleanup.policy", "compact")
    ]
    assert unsafe(metrics, "kafka") == 1


def test_postgresql_that_forgets_what_it_acknowledged_is_told_of(database: str) -> None:
    metrics = Metrics()
    assert checking.look("postgres", lambda: postgres_check.check(database), metrics)
    assert unsafe(metrics, "postgres") == 0
    with psycopg.connect(database, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))

    with capture_logs() as lines:
        assert checking.look("postgres", lambda: postgres_check.check(database), metrics)

    assert [(line["event"], line["setting"], line["value"]) for line in lines] == [
        ("postgres_setting", "synchronous_commit", "off")
    ]
    assert unsafe(metrics, "postgres") == 1


@pytest.mark.parametrize(
    ("error", "answered", "events"),
    (
        (Retryable("away"), False, []),
        (Fatal("Kafka refused: not allowed"), True, ["kafka_settings_unchecked"]),
        (KeyError("x"), True, ["kafka_settings_unchecked"]),
    ),
)
def test_a_check_that_fails_ends_nothing_and_does_not_look_like_all_good(
    error: Exception, answered: bool, events: list[str]
) -> None:
    metrics = Metrics()

    def check() -> Checked:
        raise error

    with capture_logs() as lines:
        assert checking.look("kafka", check, metrics) is answered

    assert [line["event"] for line in lines] == events
    assert unsafe(metrics, "kafka") is None


def test_a_worker_and_a_relay_look_at_both_servers_and_show_what_they_found(service: Service, topics: Topics) -> None:
    ensure_topics(service.settings)
    topics.alter("current_status", {"cleanup.policy": "delete"})
    for command in ("ingest", "relay"):
        process = service.start(command)
        eventually(lambda: "kafka_setting" in service.newest_log.read_text(), 20)
        assert '"value": "delete"' in service.newest_log.read_text()
        assert service.stop(process) == 0
