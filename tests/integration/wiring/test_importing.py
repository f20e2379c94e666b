"""`import` with a real broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.__main__ import app
from tests.support.topics import Clients, Topics

ROWS = """\
ConsignmentNo,EventDT,OmniCode,Part
1245,2018-12-27T09:00:00,OP-33,1
1245,2018-12-28T17:22:43,OP-72,1
1245,no time,OP-72,1
1245,2018-12-28T18:00:00,OP-999,1
"""


def test_a_file_is_published_twice_with_the_same_ids_and_its_faults_are_told(
    topics: Topics, clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = topics.create("scans")
    monkeypatch.setenv("RETURNS_KAFKA_BOOTSTRAP_SERVERS", topics.bootstrap_servers)
    monkeypatch.setenv("RETURNS_TOPIC_SCANS", topic)
    file = tmp_path / "tracking.csv"
    file.write_text(ROWS)

    def run(*more: str) -> str:
        done = CliRunner().invoke(app, ["import", str(file), "--feed", "omniparcel", *more])
        assert done.exit_code == 1, done.output
        return done.stdout

    assert "3 scans would be published, 1 of them unmapped; 1 faults" in run("--dry-run")
    assert topics.end(topic) == 0
    first, again = run(), run()

    assert first == again
    assert "line 4: line 4 time (event.EventDT): " in first
    assert "4 lines: 3 scans published, 1 of them unmapped; 1 faults" in first
    ids = [json.loads(record.value)["id"] for record in clients.read(topic, 6)]
    assert ids[:3] == ids[3:]
    assert len({*ids}) == 3
