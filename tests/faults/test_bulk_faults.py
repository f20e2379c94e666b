"""`create` is killed while it creates a file of returns, again and again, and then given the file once more."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.support.commands import ROOT, run
from tests.support.topics import Clients, Topics

LINES = 600
RANGE = '[[range]]\ncarrier = "generic"\ncheck = "mod10"\nprefix = "9"\nfirst = "000000"\nlast = "000999"\n'


def test_killed_at_any_point_it_creates_each_line_once_with_a_number_of_its_own(
    database: str, topics: Topics, clients: Clients, tmp_path: Path
) -> None:
    topic = topics.create("returns")
    (tmp_path / "numbers.toml").write_text(RANGE)
    file = tmp_path / "returns.csv"
    file.write_text(
        "key,retailer,route,carrier\n" + "".join(f"k-{number},acme,omnirps,generic\n" for number in range(LINES))
    )
    settings = {
        "RETURNS_KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap_servers,
        "RETURNS_DATABASE_URL": database,
        "RETURNS_TOPIC_RETURNS": topic,
        "RETURNS_NUMBERS_FILE": str(tmp_path / "numbers.toml"),
    }

    reported = []
    for lines in (20, 150, 300):
        with subprocess.Popen(
            [sys.executable, "-m", "service", "create", str(file)],
            cwd=ROOT,
            env={"PATH": "", **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            reported.append([process.stdout.readline() for _ in range(lines)])
            time.sleep(0.01)  # in the middle of the next lines
            process.kill()
    last = run("create", str(file), **settings)

    assert last.returncode == 0, last.stderr
    rows = list(csv.DictReader(last.stdout.splitlines()))
    assert [row["line"] for row in rows] == [str(number) for number in range(2, LINES + 2)]
    assert len({row["return_id"] for row in rows}) == len({row["tracking_number"] for row in rows}) == LINES
    # What was reported before holds.
    final = {row["line"]: (row["return_id"], row["tracking_number"]) for row in rows}
    for lines_before in reported:
        for row in csv.DictReader(lines_before):
            assert final[row["line"]] == (row["return_id"], row["tracking_number"])
    # A kill between Kafka's answer and its note publishes the same event again, which is the same event.
    events = {record.value for record in clients.read(topic, topics.end(topic))}
    assert {json.loads(event)["data"]["tracking_number"] for event in events} == {
        row["tracking_number"] for row in rows
    }
    assert len(events) == LINES
    assert sorted(row["tracking_number"][:-1] for row in rows) == [f"9{serial:06}" for serial in range(LINES)]
