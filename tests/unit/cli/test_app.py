from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from service.cli.app import main
from tests.support.commands import run_afresh as run


class Ended(NamedTuple):
    """What a command said, and its exit status."""

    returncode: object
    stdout: str
    stderr: str


Here = Callable[..., Ended]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """A command inside this process: another takes half a second until it has imported anything."""

    def run_here(*arguments: str, **settings: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["service", *arguments])
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as exited:
            main()
        said = capsys.readouterr()
        return Ended(exited.value.code, said.out, said.err)

    return run_here


def test_without_arguments_there_is_help_and_the_status_of_wrong_usage() -> None:
    result = run()

    assert result.returncode == 2
    assert "Usage: python -m service" in result.stdout + result.stderr


@pytest.mark.slow
def test_every_command_explains_itself(here: Here) -> None:
    listed = here("--help").stdout.partition("Commands:")[2]
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]

    assert names == [
        *("migrate", "topics", "ingest", "relay", "project", "serve", "simulate", "check", "import", "create"),
        *("replay", "remap", "reassess", "reconcile", "verify", "run", "settings", "token"),
    ]
    for name in names:
        result = here(name, "--help")
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
        (
            ("token", "create", "--scopes", "scan", "--publisher", "omnireturns"),
            "omnireturns is a name that the service speaks under",
        ),
        (
            ("token", "create", "--scopes", "scan", "--publisher", "token-2"),
            "token-2 is a name that the service speaks under",
        ),
        (("token", "create", "--scopes", "scan", "--label", "Returns status"), "returns-status is a name that"),
    ),
)
def test_wrong_usage_is_said_in_a_line(here: Here, arguments: tuple[str, ...], says: str) -> None:
    result = here(*arguments)

    assert result.returncode == 2
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ("migrate", "topics", "ingest", "serve", "run"))
def test_a_wrong_setting_is_said_in_a_line_that_names_it(here: Here, command: str) -> None:
    result = here(command, RETURNS_HTTP_PORT="http", RETURNS_DATABASE_URL="hush")

    assert result.returncode == 2
    assert "RETURNS_HTTP_PORT" in result.stderr
    assert "RETURNS_DATABASE_URL" in result.stderr
    assert "hush" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_server_that_is_away_is_said_in_a_line() -> None:
    result = run("migrate", RETURNS_DATABASE_URL="postgresql://nobody:hush@127.0.0.1:1/none")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot connect to PostgreSQL")
    assert "hush" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_in_a_line() -> None:
    result = run("serve", RETURNS_HTTP_HOST="203.0.113.7", RETURNS_HTTP_PORT="0")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot listen on 203.0.113.7:0")


def test_the_settings_are_listed(here: Here) -> None:
    assert "| `RETURNS_HTTP_PORT` | `8080` |" in here("settings").stdout


def test_what_nobody_foresaw_ends_with_its_kind_and_no_value(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> str:
        raise ValueError("hush")

    monkeypatch.setattr("service.config.reference", fails)
    result = here("settings")

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "Error: ValueError, see the log line before"
    assert "hush" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    (
        (("--set", "data.hub=akl-1", "--by", "J. Doe"), "--id"),
        (("--set", "data.hub=akl-1", "--id", "12"), "--by NAME"),
        (("--set", "data.hub", "--id", "12", "--by", "J. Doe"), "PATH=VALUE or PATH:=JSON is expected"),
        (("--set", "data.items[0].quantity:=two", "--id", "12", "--by", "J. Doe"), "JSON is expected behind :="),
    ),
)
def test_a_correction_names_its_letters_its_author_and_a_value(
    here: Here, arguments: tuple[str, ...], said: str
) -> None:
    result = here("replay", *arguments)

    assert result.returncode == 2
    assert said in " ".join(result.stderr.split())
