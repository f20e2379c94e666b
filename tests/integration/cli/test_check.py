"""`check`: events are judged before they are sent, from a file as publishers keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run
from tests.support.journals import creation, ingest, scan

pytestmark = pytest.mark.postgres


def test_a_file_of_events_is_judged_line_by_line(database: str, tmp_path: Path) -> None:
    ingest(database, [creation()])
    broken: dict[str, Any] = scan("COLLECTED", "11:00")
    del broken["data"]["code"]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in (scan("COLLECTED", "10:00"), broken)) + "\nno json\n")

    done = run("check", str(file), RETURNS_DATABASE_URL=database)

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "1: com.omnirps.carrier.scanned.v1 R-1001-COLLECTED-10:00: accepted, means RT",
        "    R-1001: advanced",
        "2: com.omnirps.carrier.scanned.v1 R-1001-COLLECTED-11:00: invalid, missing_field",
        "    data.code: missing",
        "3: no type without an id: invalid, not_json",
        "    the event: not JSON at line 1 column 2",
    ]


@pytest.mark.parametrize("indent", (None, 2), ids=("in a line", "over many lines"))
def test_an_array_is_judged_as_a_whole_batch(database: str, tmp_path: Path, indent: int | None) -> None:
    file = tmp_path / "events.json"
    file.write_text(json.dumps([scan("COLLECTED", "10:00"), creation()], indent=indent))

    done = run("check", str(file), "--json", RETURNS_DATABASE_URL=database)

    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["status"], first["concerns"]) == ("accepted", [])
    assert second["published_source"] == creation()["source"]


def test_what_goes_straight_to_kafka_is_judged_as_it_stands_and_by_the_file_of_publishers(
    database: str, tmp_path: Path
) -> None:
    ingest(database, [creation(), scan("COLLECTED", "10:00")])
    file, publishers = tmp_path / "events.jsonl", tmp_path / "publishers.toml"
    file.write_text(json.dumps(scan("COLLECTED", "10:00")) + "\n")
    publishers.write_text('[us]\ntopics = ["first-mile.scans"]\nsources = ["/test"]\n')
    environment = {"RETURNS_DATABASE_URL": database, "RETURNS_PUBLISHERS": str(publishers)}

    done = run("check", str(file), **environment)
    named = run("check", str(file), "--publisher", "nzpost", **environment)

    assert done.returncode == 0, done.stdout
    assert "R-1001: duplicate" in done.stdout
    assert named.returncode == 1
    assert "not_allowed" in named.stdout


def test_a_file_has_no_more_of_a_bound_than_lines_have(database: str, tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_text(json.dumps([scan("COLLECTED", "10:00", f"R-{n}") for n in range(1000, 1501)]))

    done = run("check", str(file), RETURNS_DATABASE_URL=database)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("accepted, means RT") == 501


def test_a_file_that_is_not_there_is_a_wrong_usage(database: str, tmp_path: Path) -> None:
    done = run("check", str(tmp_path / "none"), RETURNS_DATABASE_URL=database)

    assert done.returncode == 2
    assert "no such file" in done.stderr
