"""The local stack: it starts once, survives what is done to it, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local import packages, stack
from deploy.local.kafka_server import answers
from deploy.local.process import Identity, StackError
from deploy.local.stack import DATABASE_VARIABLE, KAFKA_VARIABLE, LocalStack
from deploy.local.state import State
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def test_a_process_number_that_was_given_to_another_is_not_taken_for_the_server(private_stack: LocalStack) -> None:
    server = private_stack.postgres
    server.start()
    server.kill()
    data = next(server.log.parent.glob("data-*"))
    # Of the same user, for PostgreSQL knows that a process of another cannot be its own.
    bystander = subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd="/", user=data.stat().st_uid)
    State(server.home / "state.json").update(pid=bystander.pid)
    (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n0\n0\n\n127.0.0.1\n")

    server.stop()
    server.start()

    assert bystander.poll() is None
    assert server.is_running()
    bystander.communicate(timeout=10)


def test_a_frozen_server_does_not_count_as_running(private_stack: LocalStack) -> None:
    server = private_stack.postgres
    server.start()

    server.pause()
    frozen = server.is_running()
    server.resume()

    assert not frozen
    eventually(server.is_running)


def test_a_server_whose_first_start_was_cut_short_gets_its_database(private_stack: LocalStack) -> None:
    server = private_stack.postgres
    server.start()
    with psycopg.connect(server.database_url, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE returns")  # as it is before the last step of a first start
    cut_short = server.is_running()

    server.start()

    assert not cut_short
    psycopg.connect(server.database_url).close()


def test_under_root_postgresql_runs_as_somebody_else(private_stack: LocalStack) -> None:
    private_stack.postgres.start()

    identity = private_stack.postgres.identity

    assert identity is not None
    assert psutil.Process(identity.pid).uids().real != 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder that another user cannot enter")
def test_under_root_a_folder_that_the_other_user_cannot_enter_is_no_obstacle(private_stack: LocalStack) -> None:
    private_stack.home.mkdir()
    private_stack.home.chmod(0o700)

    private_stack.postgres.start()
    folder = Path(State(private_stack.postgres.home / "state.json").read()["folder"])
    private_stack.postgres.remove()

    assert folder.is_relative_to("/var/tmp")
    assert not folder.exists()


def test_servers_that_are_given_are_neither_started_nor_stopped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as kafka:
        given = {
            KAFKA_VARIABLE: f"127.0.0.1:{kafka.getsockname()[1]}",
            DATABASE_VARIABLE: "postgresql://elsewhere/returns",
        }
        guest = LocalStack(tmp_path, environment=given)

        started = guest.up()
        guest.down()

    assert started == []
    assert guest.variables == given
    assert not list(tmp_path.rglob("state.json"))


def test_a_given_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    given = {KAFKA_VARIABLE: "127.0.0.1:1", DATABASE_VARIABLE: "postgresql://elsewhere/returns"}

    with pytest.raises(StackError, match=f"{KAFKA_VARIABLE} is set to 127.0.0.1:1"):
        LocalStack(tmp_path, environment=given).up()


def test_a_person_reads_one_line_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "kafka", _missing)
    monkeypatch.setattr(stack, "LocalStack", lambda: LocalStack(tmp_path, environment={}))

    code = stack.main(["up"])

    assert code == 1
    assert capsys.readouterr().err.splitlines()[-1] == "stack: nothing to start it with: install it"


def test_a_dead_process_has_no_identity_left() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    identity = Identity.of(child.pid)

    eventually(lambda: identity.process() is None)
    child.wait(timeout=10)

    assert Identity(os.getpid(), "another birth").process() is None
    assert Identity.of(os.getpid()).process() is not None
    assert not answers(1)


def _missing() -> Path:
    raise StackError("nothing to start it with: install it")
