"""The local stack: it starts once, survives what is done to it, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local import packages, stack
from deploy.local.kafka_server import answers
from deploy.local.process import Identity, StackError, is_free
from deploy.local.stack import DATABASE_VARIABLE, KAFKA_VARIABLE, LocalStack
from deploy.local.state import State
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def test_servers_killed_the_hard_way_come_back_with_their_data_on_the_same_ports(private_stack: LocalStack) -> None:
    private_stack.up()
    before = private_stack.variables
    with psycopg.connect(private_stack.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    postgres, kafka = private_stack.postgres.identity, private_stack.kafka.identity
    assert postgres is not None
    assert kafka is not None

    # Only the main processes; one of PostgreSQL's children is frozen and outlives its parent with the shared memory.
    os.kill(kafka.pid, 9)
    psutil.Process(postgres.pid).children()[0].suspend()
    os.kill(postgres.pid, 9)
    started = private_stack.up()

    assert started == ["kafka", "postgres"]
    assert private_stack.variables == before
    with psycopg.connect(private_stack.database_url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)


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


def test_a_second_up_changes_nothing_and_down_leaves_no_process_and_no_listener(private_stack: LocalStack) -> None:
    first = private_stack.up()
    identities = [private_stack.kafka.identity, private_stack.postgres.identity]
    mine = [psutil.Process(each.pid) for each in identities if each is not None]
    children = [child for process in mine for child in process.children(recursive=True)]

    began = time.monotonic()
    second = LocalStack(private_stack.home, environment={}).up()
    took = time.monotonic() - began
    private_stack.down()
    private_stack.down()

    assert (first, second) == (["kafka", "postgres"], [])
    assert took < 2
    assert len(mine) == 2
    assert children
    assert not [process for process in mine + children if process.is_running()]
    ports = [State(private_stack.home / half / "state.json").read()["port"] for half in ("kafka", "postgres")]
    assert all(is_free(port) for port in ports)


def test_two_ups_at_once_start_one_of_each(private_stack: LocalStack) -> None:
    program = (
        "import sys, pathlib; from deploy.local.stack import LocalStack;"
        "print(LocalStack(pathlib.Path(sys.argv[1]), environment={}).up())"
    )
    command = [sys.executable, "-c", program, str(private_stack.home)]
    racers = [
        subprocess.Popen(command, cwd=packages.CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    said = sorted(racer.communicate(timeout=60)[0].strip() for racer in racers)

    assert said == ["['kafka', 'postgres']", "[]"]


def test_a_frozen_server_does_not_count_as_running(private_stack: LocalStack) -> None:
    server = private_stack.postgres
    server.start()

    server.pause()
    frozen = server.is_running()
    server.resume()

    assert not frozen
    eventually(server.is_running)


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
