"""The example that subscribers copy is right, however often it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from service.simulator.answer import Answer
from service.simulator.options import Options, Topics
from service.simulator.world import World
from tests.support.ingesting import Message
from tests.support.killing import NOW
from tests.support.service import INPUTS, ROOT, Service
from tests.support.subscribing import MEMBERS, Held, answered, held
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEED = int(os.environ.get("SEED", "20261123"))
RETURNS, KILLS = 300, 8
PROGRAM = ROOT / "schemas" / "examples" / "subscriber.py"


class Subscriber:
    """The example as a process, with a database of its own."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._command = [sys.executable, str(PROGRAM), service.topics.bootstrap_servers]
        self._database = folder / "statuses.sqlite"
        self._command += [service.topics.name("status_changes"), str(self._database)]
        self._log = folder / "subscriber.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL; it was at work until then."""
        process, self._process = self._process, None
        if process is not None:
            assert process.poll() is None, self._log.read_text()
            process.kill()
            process.wait(10)

    def table(self) -> dict[str, Held]:
        """What it holds now."""
        with contextlib.closing(sqlite3.connect(self._database, timeout=10, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            db.execute("BEGIN")  # both tables of one moment
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'positions'").fetchone():
                return {}  # nor were the others made yet
            rows = [dict(row) for row in db.execute("SELECT * FROM returns")]
            steps = [dict(row) for row in db.execute("SELECT * FROM timeline")]
        timelines: dict[str, dict[str, Any]] = {row["return_id"]: {} for row in rows}
        for step in steps:
            location = json.loads(step["location"]) if step["location"] else None
            timelines[step["return_id"]][step["milestone"]] = (step["occurred_at"], location, step["source"])
        return {row["return_id"]: held(_typed(row), timelines[row["return_id"]]) for row in rows}


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: bool(row[name]) if name == "complete" else row[name] for name in MEMBERS}


def world(service: Service) -> tuple[list[Message], Answer]:
    """What is sent, and what it comes to."""
    topics = Topics(*(service.topics.name(name) for name in INPUTS))
    options = Options(returns=RETURNS, seed=SEED, rate=0, late=0.1, repeated=0.1, shuffle=True)
    messages = list(World(options, lambda: NOW, topics).messages())
    return [(each.topic, each.key, each.value, each.headers) for each in messages], Answer(messages)


def test_killed_again_and_again_its_table_is_what_the_api_says(service: Service, tmp_path: Path) -> None:
    print(f"SEED={SEED}")
    rng = Random(SEED)
    messages, answer = world(service)
    size = len(messages) // KILLS + 1
    workers = [
        service.start("ingest", RETURNS_BATCH_SIZE="50"),
        service.start("relay", RETURNS_RELAY_SLICE_ROWS="10"),
    ]
    subscriber = Subscriber(service, tmp_path)
    versions = [0]

    def applied() -> int:
        return sum(int(row["version"]) for row in subscriber.table().values())

    try:
        for number in range(KILLS):
            service.publish(messages[number * size : (number + 1) * size])
            subscriber.start()
            eventually(lambda: applied() > versions[-1], 30)
            time.sleep(rng.uniform(0, 0.3))  # somewhere in its work
            subscriber.kill()
            versions.append(applied())
        assert [service.stop(worker) for worker in workers] == [0, 0], service.log_text()
        service.done("ingest", "--drain")
        service.done("relay", "--drain")
        expected = answered(service.database)
        subscriber.start()
        eventually(lambda: subscriber.table() == expected, 30, every=0.2)
    finally:
        subscriber.kill()

    print(f"changes applied when it was killed: {versions}")
    assert versions == sorted(versions)
    assert expected.keys() == answer.returns
