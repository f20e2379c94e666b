"""The local stack where its broker is started, killed and started again: a minute of processor time in all."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import psycopg
import pytest

from deploy.local import packages
from deploy.local.process import is_free
from deploy.local.stack import LocalStack
from deploy.local.state import State

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
