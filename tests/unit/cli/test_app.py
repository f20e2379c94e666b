from __future__ import annotations

import pytest

from tests.support.commands import run


def test_without_arguments_there_is_help_and_the_status_of_wrong_usage() -> None:
    result = run()

    assert result.returncode == 2
    assert "Usage: python -m service" in result.stdout + result.stderr


def test_every_command_explains_itself() -> None:
    listed = run("--help").stdout.partition("Commands:")[2]
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]

    assert {"migrate", "topics", "ingest", "serve", "run", "token"} <= set(names)
    for name in names:
        result = run(name, "--help")
        assert result.returncode == 0
        assert len(result.stdout.splitlines()) > 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    (
        (("nonsense",), "No such command 'nonsense'"),
        (("migrate", "--now"), "No such option"),
        (("token", "create"), "Missing option"),
        (("token", "create", "--scopes", "read,fly"), "no scope 'fly'; there are read, create, scan, hub, ops"),
        (("token", "create", "--scopes", ""), "there are read, create, scan, hub, ops"),
    ),
)
def test_wrong_usage_is_said_in_a_line(arguments: tuple[str, ...], says: str) -> None:
    result = run(*arguments)

    assert result.returncode == 2
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ("migrate", "topics", "ingest", "serve", "run"))
def test_a_wrong_setting_is_said_in_a_line_that_names_it(command: str) -> None:
    result = run(command, RETURNS_HTTP_PORT="http", RETURNS_DATABASE_URL="hush")

    assert result.returncode == 2
    assert "RETURNS_HTTP_PORT" in result.stderr
    assert "RETURNS_DATABASE_URL" in result.stderr
    assert "hush" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_server_that_is_away_is_said_in_a_line() -> None:
    result = run("migrate", RETURNS_DATABASE_URL="postgresql://nobody:hush@127.0.0.1:1/none")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot connect to PostgreSQL")
    assert "hush" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_said_in_a_line() -> None:
    result = run("serve", RETURNS_HTTP_HOST="203.0.113.7", RETURNS_HTTP_PORT="0")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot listen on 203.0.113.7:0")


@pytest.mark.slow
def test_a_broker_that_is_away_is_said_in_a_line() -> None:
    result = run("topics", RETURNS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot connect to Kafka at 127.0.0.1:1")


def test_the_settings_are_listed() -> None:
    assert "| `RETURNS_HTTP_PORT` | `8080` |" in run("settings").stdout
