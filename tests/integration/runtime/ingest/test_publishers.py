"""Publishers that misbehave, with the real servers: what they may not say is refused, and nobody else waits for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.ingesting import STRUCTURED, assert_verified, drain, hub, message, working
from tests.support.journals import RC, RP, VOID, creation, event, scan
from tests.support.service import Service
from tests.support.waiting import eventually

RR = "com.omnirps.hub.rejected.v1"


def letters(service: Service) -> list[tuple[Any, ...]]:
    """Why, and how large their bodies are; in the order of their partition."""
    return service.query('SELECT reason, octet_length(value) FROM dead_letters ORDER BY topic, partition, "offset"')


def test_what_a_publisher_may_not_say_is_a_dead_letter_and_changes_nothing(service: Service, tmp_path: Path) -> None:
    # Tried against the service: a hub that rejects another hub's return, a source that voids another's events, ids that
    # are squatted before the real event, a second creation from long ago that takes a return over.
    hubs, returns = service.topics.name("hub_events"), service.topics.name("returns")
    file = tmp_path / "publishers.toml"
    file.write_text(
        f"""
        [shop]
        topics = ["{returns}"]
        sources = ["/shop"]
        [akl-1]
        topics = ["{hubs}"]
        sources = ["/hubs/akl-1"]
        hubs = ["akl-1"]
        [syd-1]
        topics = ["{hubs}"]
        sources = ["/hubs/syd-1"]
        hubs = ["syd-1"]
        """,
        encoding="utf-8",
    )
    akl, syd, shop = {"source": "/hubs/akl-1"}, {"source": "/hubs/syd-1"}, {"source": "/shop"}
    good = [creation() | shop, hub(RP, "rp", "14:00") | akl]
    void = event(VOID, "v", "16:00", return_id="R-1001", source="/hubs/akl-1", id="rp", by="x", reason="y")
    attacks = [
        event(RR, "rr", "15:00", return_id="R-1001", hub="akl-1", reason="z") | syd,
        void | syd,
        event(RP, "rp", "10:00", return_id="R-1001", hub="syd-1") | akl,
    ]
    keyed = message(service, hub(RP, "k", "14:00") | akl)
    mismatched = (keyed[0], b"R-1002", *keyed[2:])
    old = creation(retailer="mallory") | shop | {"id": "old", "time": "2000-01-01T00:00:00Z"}

    service.publish([*[message(service, each) for each in (*attacks, *good, old)], mismatched])
    drain(service, publishers=str(file))

    found = service.query("SELECT reason, error FROM dead_letters ORDER BY reason, error")
    assert [reason for reason, _ in found] == ["key_mismatch", *["not_allowed"] * 3, "time_out_of_range"]
    assert [error.partition(":")[0] for _, error in found[1:4]] == ["data.hub", "data.hub", "data.source"]
    assert service.query("SELECT type, verdict FROM history ORDER BY seq") == [(RC, "advanced"), (RP, "advanced")]
    assert_verified(service)


def test_a_broken_deploy_stops_nobody_fills_nothing_and_is_read_again_from_kafka(service: Service) -> None:
    # 1,100 messages of one byte once stopped a shared partition for everyone, for ever.
    topic = service.topics.name("scans")
    broken = scan("COLLECTED", "10:00") | {"type": "of no type", "source": "/broken"}
    flood = [(topic, None, json.dumps(broken | {"id": str(n)}).encode(), STRUCTURED) for n in range(40)]
    neighbour = scan("COLLECTED", "11:00")

    service.publish([message(service, creation()), *flood, message(service, neighbour)])
    drain(service, fuse_run=10, fuse_ratio=1.0)

    kept = letters(service)
    assert [reason for reason, _ in kept] == ["unknown_type"] * 40
    assert sum(size is None for _, size in kept) == 31
    assert service.query("SELECT count(*) FROM history") == [(2,)]
    (told,) = service.query("SELECT sum(letters)::int, count(mended_at), min(source), max(source) FROM fuses")
    assert told == (31, 0, "/broken", "/broken")

    # Tomorrow's version knows the type: here it is said by correcting one, and seen from what is wrong with the others.
    thin = [n for (n,) in service.query("SELECT letter_no FROM dead_letters WHERE value IS NULL ORDER BY 1")]
    one, other = str(thin[0]), str(thin[1])
    said = service.done("replay", "--id", one, "--set", f"type={scan('COLLECTED', '10:00')['type']}", "--by", "J. Doe")
    service.done("replay", "--id", other)

    assert "1 letter" in said or "1 of 1" in said or "recorded" in said
    resolved = service.query("SELECT letter_no, value IS NULL FROM dead_letters WHERE resolved_at IS NOT NULL")
    assert resolved == [(thin[0], True)]
    assert service.query("SELECT source FROM history WHERE source = '/broken'") == [("/broken",)]
    (again,) = service.query("SELECT attempts, error FROM dead_letters WHERE letter_no = %s", thin[1])
    assert again[0] == 2
    assert again[1].startswith("type: not one that this service takes in: ")
    assert len(again[1]) > 200  # it was read whole, and this is not the sentence that was kept cut
    assert service.query("SELECT action, subject, detail FROM audit ORDER BY audit_no") == [
        ("replay", one, {"changed": "type", "by": "J. Doe"}),
        ("replay", other, {}),
    ]
    assert_verified(service)


def test_what_kafka_has_no_more_stays_a_letter_that_says_so(service: Service) -> None:
    topic = service.topics.create("scans-of-its-own", 1)
    service.variables["RETURNS_TOPIC_SCANS"] = topic
    service.publish([(topic, None, b"broken", ()) for _ in range(5)])
    drain(service, fuse_run=2, fuse_ratio=1.0)
    service.topics.admin.delete_records({_partition(topic): 3})

    service.done("replay")

    errors = [error for (error,) in service.query('SELECT error FROM dead_letters ORDER BY "offset"')]
    assert ["Kafka does not have it" in error for error in errors] == [False, True, True, False, False]


def _partition(topic: str) -> Any:
    from kafka import TopicPartition

    return TopicPartition(topic, 0)


def test_a_new_owner_of_a_partition_counts_anew_and_notes_that_the_fuse_is_whole(service: Service) -> None:
    topic = service.topics.name("scans")
    service.publish([(topic, None, b"broken", ()) for _ in range(30)])
    drain(service, fuse_run=3, fuse_ratio=1.0)
    assert service.query("SELECT count(*) FROM fuses WHERE mended_at IS NULL AND source = ''")[0][0] > 0

    with working(service):
        eventually(lambda: service.query("SELECT count(*) FROM fuses WHERE mended_at IS NULL") == [(0,)], 20)


def test_without_a_file_every_worker_says_once_that_everything_is_allowed(service: Service, tmp_path: Path) -> None:
    bound = tmp_path / "publishers.toml"
    bound.write_text(f'[shop]\ntopics = ["{service.topics.name("returns")}"]\nsources = ["/shop"]\n', encoding="utf-8")

    without = service.run("ingest", "--drain", RETURNS_LOG_FORMAT="json").stderr
    with_one = service.run("ingest", "--drain", RETURNS_LOG_FORMAT="json", RETURNS_PUBLISHERS=str(bound)).stderr

    assert without.count('"publishers_unbound"') == 1
    assert "publishers_unbound" not in with_one
    assert with_one.count('"topics_without_publishers"') == 1
    wrong = service.run("ingest", "--drain", RETURNS_PUBLISHERS=str(tmp_path / "none.toml"))
    assert wrong.returncode == 2
