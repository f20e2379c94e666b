"""Topics that are not what they were, on a real broker: deleted and made anew, and offsets that lead nowhere."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from service.adapters.kafka.fetching import subscribing
from service.adapters.postgres.journal.journal import PostgresJournal
from service.application.journal.ingest import write
from service.application.ports import Move, Rebinding, Stored
from service.errors import LostPartition
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wire.carriers import CarrierTables
from tests.support.ingesting import STRUCTURED, loop, publish, working
from tests.support.journals import creation, scan
from tests.support.service import Service
from tests.support.waiting import eventually


def drained(service: Service) -> Metrics:
    """What a worker counted that ingested all that is there."""
    worker = loop(service, stop=Stop(), drain=True, poll_timeout_ms=30)
    worker.run()
    return worker._observer._metrics


def make_anew(service: Service, topic: str, partitions: int = 3) -> None:
    """Delete a topic and make it again under its name."""
    admin = service.topics.admin
    admin.delete_topics([topic])

    def made() -> bool:
        try:
            admin.create_topics(
                {topic: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True
            )
        except KafkaError:  # it is still being deleted
            return False
        return True

    eventually(made, 20)
    # The broker may take messages for the old one still, for a moment, and they go with it.
    eventually(lambda: service.topics.end(topic) == 0, 20)


def many(first: int, count: int) -> list[dict[str, Any]]:
    return [creation(f"R-{number:05}") for number in range(first, first + count)]


def recorded(service: Service) -> int:
    return int(service.query("SELECT count(*) FROM history")[0][0])


def ids(service: Service, table: str) -> list[int]:
    """How many rows there are of each topic id, the least first."""
    rows = service.query(f"SELECT count(*) FROM {table} WHERE topic_id IS NOT NULL GROUP BY topic_id ORDER BY 1")
    return [count for (count,) in rows]


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_a_topic_made_anew_while_no_worker_ran_is_read_from_its_beginning(service: Service) -> None:
    # 3,200 of 3,600 events were skipped: it went on at the offsets that were stored of the old one.
    topic = service.topics.name("returns")
    publish(service, *many(0, 60))
    drained(service)
    make_anew(service, topic)
    publish(service, *many(100, 90))

    metrics = drained(service)

    assert recorded(service) == 150
    assert ids(service, "history") == [60, 90]
    assert service.query("SELECT sum(next) FROM offsets WHERE topic = %s", topic) == [(90,)]
    assert value(metrics, "returns_offsets_out_of_range_total", topic=topic, reason="topic_made_anew") == 3


def test_a_worker_that_runs_reads_a_topic_made_anew_from_its_beginning(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribing, "METADATA_MAX_AGE_MS", 500)
    topic = service.topics.name("returns")
    with working(service) as worker:
        publish(service, *many(0, 60))
        eventually(lambda: recorded(service) == 60, 40)

        make_anew(service, topic)
        publish(service, *many(100, 90))

        eventually(lambda: recorded(service) == 150, 60)
        total = "SELECT sum(next) FROM offsets WHERE topic = %s"
        eventually(lambda: service.query(total, topic) == [(90,)], 40)
        metrics = worker.loop._observer._metrics

    assert value(metrics, "returns_offsets_out_of_range_total", topic=topic, reason="topic_made_anew") == 3


def test_letters_at_coordinates_that_another_topic_had_used_are_kept_and_what_is_counted_is_what_is_kept(
    service: Service,
) -> None:
    # The second one vanished, by ON CONFLICT DO NOTHING, while the metric counted it.
    topic = service.topics.name("scans")
    letter = (topic, b"k", b"{", STRUCTURED)
    service.publish([letter])
    drained(service)
    make_anew(service, topic)
    service.publish([letter])

    metrics = drained(service)

    assert ids(service, "dead_letters") == [1, 1]
    assert service.query('SELECT count(DISTINCT (partition, "offset")) FROM dead_letters') == [(1,)]
    assert value(metrics, "returns_invalid_total", topic=topic) == 1


def test_a_letter_that_is_read_again_is_a_duplicate_and_no_further_letter(service: Service) -> None:
    topic = service.topics.name("scans")
    service.publish([(topic, b"k", b"{", STRUCTURED)])
    drained(service)
    with_rewound = "UPDATE offsets SET next = 0, leader_epoch = NULL WHERE topic = %s RETURNING partition"
    assert len(service.query(with_rewound, topic)) == 3

    metrics = drained(service)

    assert service.query("SELECT count(*) FROM dead_letters") == [(1,)]
    assert value(metrics, "returns_invalid_total", topic=topic) == 0
    assert value(metrics, "returns_duplicates_total", topic=topic) == 1


def test_what_waited_and_what_is_replayed_keeps_the_id_of_its_record(service: Service) -> None:
    publish(service, scan("COLLECTED", "10:00"))
    broken = creation("R-2002") | {"time": "yesterday"}
    service.publish([(service.topics.name("returns"), b"R-2002", json.dumps(broken).encode(), STRUCTURED)])
    drained(service)
    assert ids(service, "parked") == [1]
    mended = json.dumps(creation("R-2002"))
    service.query("UPDATE dead_letters SET value = %s RETURNING letter_no", mended.encode())
    publish(service, creation())
    drained(service)

    service.done("replay")

    rows = service.query("SELECT topic, count(DISTINCT topic_id), count(topic_id), count(*) FROM history GROUP BY 1")
    assert sorted(rows) == [(service.topics.name("returns"), 1, 2, 2), (service.topics.name("scans"), 1, 1, 1)]


def test_a_stored_offset_beyond_the_end_of_the_same_topic_is_told_and_counted(service: Service) -> None:
    topic = service.topics.name("returns")
    publish(service, *many(0, 30))
    drained(service)
    service.query("UPDATE offsets SET next = next + 1000 WHERE topic = %s RETURNING next", topic)
    publish(service, *many(100, 30))

    metrics = drained(service)

    assert recorded(service) == 60
    assert value(metrics, "returns_offsets_out_of_range_total", topic=topic, reason="truncated") == 3


def test_what_retention_took_is_counted(service: Service) -> None:
    topic = service.topics.name("returns")
    publish(service, *many(0, 30))
    drained(service)
    publish(service, *many(100, 30))
    before = dict(service.query("SELECT partition, next FROM offsets WHERE topic = %s", topic))
    service.topics.admin.delete_records({TopicPartition(topic, n): at + 2 for n, at in before.items()})

    metrics = drained(service)

    assert recorded(service) == 54
    assert value(metrics, "returns_offsets_out_of_range_total", topic=topic, reason="retention") == 3
    assert value(metrics, "returns_records_lost_total", topic=topic) == 6


class TestCompareAndSet:
    PARTITION = ("in", 0)
    OLD, NEW = Stored(5, b"1" * 16, 2), Stored(0, b"2" * 16)

    @pytest.fixture
    def journal(self, database: str) -> Iterator[PostgresJournal]:
        with contextlib.closing(PostgresJournal(database, CarrierTables.load())) as journal:
            assert journal.stored_offsets({self.PARTITION: self.OLD}) == {self.PARTITION: self.OLD._replace(epoch=-1)}
            yield journal

    def rebind(self, journal: PostgresJournal, before: Stored, after: Stored) -> None:
        with journal.transaction() as tx:
            tx.rebind({self.PARTITION: Rebinding(before, after)})

    def stored(self, journal: PostgresJournal) -> Stored:
        return journal.stored_offsets({self.PARTITION: Stored(99)})[self.PARTITION]

    def test_a_batch_keeps_the_epoch_of_its_last_record(self, journal: PostgresJournal) -> None:
        write(journal, [], {self.PARTITION: Move(5, 7, self.OLD.topic_id, 3)})
        assert self.stored(journal) == Stored(7, self.OLD.topic_id, 3)

        write(journal, [], {self.PARTITION: Move(7, 8, self.OLD.topic_id, -1)})

        assert self.stored(journal) == Stored(8, self.OLD.topic_id, -1), "an older one would be taken for a cut"

    def test_a_commit_for_another_topic_of_the_name_hits_no_row(self, journal: PostgresJournal) -> None:
        self.rebind(journal, self.OLD, self.NEW)

        with pytest.raises(LostPartition):
            write(journal, [], {self.PARTITION: Move(0, 1, self.OLD.topic_id)})

        assert self.stored(journal) == self.NEW

    def test_of_two_that_bind_a_row_anew_one_loses(self, journal: PostgresJournal) -> None:
        self.rebind(journal, self.OLD, self.NEW)

        with pytest.raises(LostPartition):
            self.rebind(journal, self.OLD, self.NEW)

    def test_an_offset_that_moved_meanwhile_is_not_bound_anew(self, journal: PostgresJournal) -> None:
        write(journal, [], {self.PARTITION: Move(5, 7, self.OLD.topic_id)})

        with pytest.raises(LostPartition):
            self.rebind(journal, self.OLD, self.NEW)

    def test_a_worker_whose_broker_tells_no_ids_moves_a_row_that_has_one(self, journal: PostgresJournal) -> None:
        write(journal, [], {self.PARTITION: Move(5, 7)})

        assert self.stored(journal) == Stored(7, self.OLD.topic_id)

    def test_a_row_from_before_there_were_ids_is_moved_by_nobody_who_knows_one(self, journal: PostgresJournal) -> None:
        self.rebind(journal, self.OLD, Stored(5))

        with pytest.raises(LostPartition):
            write(journal, [], {self.PARTITION: Move(5, 7, self.OLD.topic_id)})
        self.rebind(journal, Stored(5), self.OLD)

        write(journal, [], {self.PARTITION: Move(5, 7, self.OLD.topic_id)})
