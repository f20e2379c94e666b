"""`import` with a real broker."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.commands import run
from tests.support.topics import Clients, Topics

ROWS = """\
ConsignmentNo,EventDT,OmniCode,Part
1245,2018-12-27T09:00:00,OP-33,1
1245,2018-12-28T17:22:43,OP-72,1
1245,no time,OP-72,1
1245,2018-12-28T18:00:00,OP-999,1
"""


def test_a_file_is_published_twice_with_the_same_ids_and_its_faults_are_told(
    topics: Topics, clients: Clients, tmp_path: Path
) -> None:
    topic = topics.create("scans")
    settings = {"RETURNS_KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap_servers, "RETURNS_TOPIC_SCANS": topic}
    file = tmp_path / "tracking.csv"
    file.write_text(ROWS)

    def imported(*more: str) -> str:
        done = run("import", str(file), "--feed", "omniparcel", *more, **settings)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout

    assert "3 scans would be published, 1 of them unmapped; 1 faults" in imported("--dry-run")
    assert topics.end(topic) == 0
    first, again = imported(), imported()

    assert first == again
    assert "line 4: line 4 time (event.EventDT): " in first
    assert "4 lines: 3 scans published, 1 of them unmapped; 1 faults" in first
    ids = [json.loads(record.value)["id"] for record in clients.read(topic, 6)]
    assert ids[:3] == ids[3:]
    assert len({*ids}) == 3


def test_a_file_of_deliveries_of_connotes_is_published_as_such(
    topics: Topics, clients: Clients, tmp_path: Path
) -> None:
    topic = topics.create("deliveries")
    (tmp_path / "feeds.toml").write_text(
        '[final]\nfeed = "omniparcel"\nnumbers = "connotes"\nsecret = "user:password"\n'
    )
    file = tmp_path / "deliveries.csv"
    file.write_text("".join(ROWS.splitlines(keepends=True)[:3]))

    done = run(
        *("import", str(file), "--feed", "final"),
        RETURNS_KAFKA_BOOTSTRAP_SERVERS=topics.bootstrap_servers,
        RETURNS_TOPIC_DELIVERIES=topic,
        RETURNS_FEEDS_FILE=str(tmp_path / "feeds.toml"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "2 lines: 1 scans published, 0 of them unmapped; 1 that say of a connote no delivery; 0 faults" in done.stdout
    )
    (record,) = clients.read(topic, 1)
    assert json.loads(record.value)["data"]["connote"] == "1245"


def test_without_kafka_or_without_such_a_feed_an_import_fails_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "tracking.csv"
    file.write_text(ROWS)

    nowhere = run("import", str(file), "--feed", "omniparcel", RETURNS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    nobody = run("import", str(file), "--feed", "nobody")
    unknown = run("import", str(file), "--feed", "omniparcel", "--format", "xls")

    assert (nowhere.returncode, nobody.returncode, unknown.returncode) == (1, 2, 2)
    assert "no Kafka broker answers" in nowhere.stderr
    assert "there is no feed 'nobody'; there are 17track, aftership," in nobody.stderr
    assert "one of csv, jsonl is expected" in unknown.stderr
