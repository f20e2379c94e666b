from __future__ import annotations

import signal
import socket
from pathlib import Path

import httpx
import psutil
import pytest

from service.adapters.postgres.access.tokens import find_caller
from service.adapters.postgres.database import connect
from service.application.access.bounds import UNBOUND
from tests.support.commands import run, running, settings_of
from tests.support.journals import creation, ingest
from tests.support.topics import Topics


def test_migrate_and_topics_may_be_run_again(empty_database: str, topics: Topics) -> None:
    settings = settings_of(empty_database, topics)

    first = [run(command, **settings) for command in ("migrate", "topics")]
    second = [run(command, **settings) for command in ("migrate", "topics")]

    assert [result.returncode for result in (*first, *second)] == [0, 0, 0, 0]
    assert first[0].stdout.splitlines()[-1].startswith("applied 0001")
    assert len(first[1].stdout.splitlines()) == 8
    assert [result.stdout for result in second] == ["nothing to do\n", "nothing to do\n"]


@pytest.mark.slow
def test_a_broker_that_is_away_is_said_in_a_line() -> None:
    result = run("topics", RETURNS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot connect to Kafka at 127.0.0.1:1")


def test_a_token_is_all_that_is_printed_and_only_its_hash_is_kept(database: str) -> None:
    result = run("token", "create", "--scopes", "read, ops", "--label", "test", RETURNS_DATABASE_URL=database)

    token = result.stdout.removesuffix("\n")
    assert result.returncode == 0
    assert token.startswith("rts_")
    assert len(token) >= 40
    with connect(database, "test") as connection:
        found = find_caller(connection, token)
        assert found is not None
        assert (found.scopes, found.bounds) == (frozenset({"read", "ops"}), UNBOUND)
        assert find_caller(connection, token + "x") is None
        row = connection.execute("SELECT hash, label FROM tokens").fetchone()
    assert row is not None
    assert token.encode() not in row[0]
    assert row[1] == "test"


def test_a_token_is_listed_and_once_revoked_it_is_none(database: str) -> None:
    def tell(*command: str) -> str:
        result = run("token", *command, RETURNS_DATABASE_URL=database)
        assert result.returncode == 0, result.stderr
        return result.stdout

    token = tell("create", "--scopes", "read,ops", "--label", "Aroha's desk").strip()
    number, scopes, _, _, state, *_, publisher = tell("list").removesuffix("  Aroha's desk\n").split()
    tell("revoke", number)
    tell("revoke", number)

    assert (scopes, state, publisher) == ("ops,read", "valid", "aroha-s-desk")
    assert "revoked 20" in tell("list")
    assert token not in tell("list")
    with connect(database, "test") as connection:
        assert find_caller(connection, token) is None
    missing = run("token", "revoke", "99", RETURNS_DATABASE_URL=database)
    assert (missing.returncode, missing.stderr) == (1, "Error: there is no token 99\n")


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
def test_serve_answers_until_it_is_told_to_stop(database: str, tmp_path: Path, number: signal.Signals) -> None:
    ingest(database, [creation()])
    token = run("token", "create", "--scopes", "read", RETURNS_DATABASE_URL=database).stdout.strip()

    with running(tmp_path / "log", "serve", RETURNS_DATABASE_URL=database, RETURNS_HTTP_PORT="0") as serve:
        url = serve.logged("serving")[0]["url"]
        headers = {"authorization": f"Bearer {token}"}
        answer = httpx.get(f"{url}/v1/returns/R-1001?hush=1", headers=headers)
        serve.process.send_signal(number)
        status = serve.end()

    assert answer.status_code == 200
    assert status == 0
    log = (tmp_path / "log").read_text()
    assert '"path": "/v1/returns/R-1001"' in log
    assert "hush" not in log
    assert token not in log


@pytest.fixture
def settings(database: str, topics: Topics) -> dict[str, str]:
    settings = settings_of(database, topics)
    assert run("topics", **settings).returncode == 0
    return settings


def test_run_stops_all_of_its_children_when_told_to(settings: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path / "log", "run", **settings) as everything:
        everything.logged("serving")
        children = everything.family()[1:]
        everything.process.send_signal(signal.SIGTERM)
        status = everything.end()

    assert status == 0
    assert len(children) >= 2
    assert [child for child in children if child.is_running()] == []


def test_run_ends_when_one_of_its_children_does(settings: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path / "log", "run", **settings) as everything:
        everything.logged("serving")
        children = everything.family()[1:]
        victim = next(child for child in children if "serve" in child.cmdline())
        victim.kill()
        status = everything.end()

    assert status == 1
    assert [child for child in children if child.is_running()] == []
    assert [line["child"] for line in everything.lines() if line["event"] == "child_ended"] == ["serve"]


def test_the_children_of_a_killed_run_do_not_outlive_it(settings: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path / "log", "run", **settings) as everything:
        everything.logged("serving")
        children = everything.family()[1:]
        everything.process.kill()
        everything.end()
        gone, alive = psutil.wait_procs(children, 30)

    assert alive == []
    assert len(gone) >= 2


def test_a_worker_shows_its_metrics_where_it_is_told_to(settings: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = {**settings, "RETURNS_METRICS_PORT": str(port)}

    with running(tmp_path / "log", "ingest", **settings) as worker:
        worker.logged("rebalanced")
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        statuses = {
            path: httpx.get(f"http://127.0.0.1:{port}{path}").status_code for path in ("/livez", "/", "/metrics/x")
        }
        second = run("ingest", **settings)
        worker.process.send_signal(signal.SIGTERM)
        status = worker.end()

    assert "# TYPE returns_batch_records histogram" in text
    assert statuses == {"/livez": 200, "/": 404, "/metrics/x": 404}
    assert status == 0
    assert second.returncode == 1
    assert second.stderr.startswith(f"Error: cannot listen for metrics on 127.0.0.1:{port}")
