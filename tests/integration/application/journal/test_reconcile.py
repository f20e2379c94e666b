"""A journal that is not the one it was: the relay refuses, and one command sets it right."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg
import pytest
from kafka.structs import OffsetAndMetadata

from service.adapters.kafka.publishing.position import to_offset
from service.application.journal.publish import OutputTopics
from service.application.journal.slices import Position
from tests.support import relaying
from tests.support.databases import Databases
from tests.support.filling import Filler, world
from tests.support.journals import creation, differences, ingest, scan
from tests.support.pasts import Past
from tests.support.reconciling import Bench, pieces
from tests.support.service import OUTPUTS, Service
from tests.support.waiting import eventually


@pytest.fixture
def bench(service: Service) -> Bench:
    return Bench(service)


def test_a_journal_that_was_restored_and_grew_on_is_refused_and_then_set_right(
    bench: Bench, databases: Databases
) -> None:
    """Dumped, gone on, published, restored, and gone on in another way until it is longer than it was."""
    first, second, third = pieces(world(120, seed=31, invalid=0.02), 3)
    bench.fill(first)
    past = Past(databases, bench.database)
    bench.fill(second)
    bench.relay()
    long = bench.batches()
    past.restore()
    bench.refuses("the journal ends at")
    bench.fill(third + second[:50], batch=5)
    assert bench.batches() > long
    bench.refuses("of this journal is not the batch")

    dry, said = bench.reconcile(dry_run=True)
    bench.refuses("of this journal is not the batch")
    done, lines = bench.reconcile()
    bench.relay()

    assert said == lines
    assert dry == done
    assert done.told > 0
    unknown = [line.partition(":")[0] for line in lines if line.endswith("left alone")]
    assert len(unknown) == done.unknown
    bench.all_agree(without=unknown)


def test_what_subscribers_know_and_the_journal_does_not_goes_on_from_their_version(
    bench: Bench, databases: Databases
) -> None:
    past = Past(databases, bench.database)
    ingest(bench.database, [creation(), scan("COLLECTED", "10:00"), scan("DELIVERED", "11:00")])
    bench.relay()
    past.restore()
    ingest(bench.database, [creation("R-2")])
    bench.refuses("reconcile")

    done, lines = bench.reconcile()
    bench.relay()
    ingest(bench.database, [creation(), scan("DELIVERED", "11:00")])  # it is sent again after all, a scan is lost
    bench.relay()

    assert done.unknown == 1
    assert lines[-1] == (
        "R-1001: subscribers hold version 3, Transferred to Sorting Facility; not in this journal, left alone"
    )
    seen = bench.all_agree()
    assert [(c["version"], c["kind"], c["milestone"]) for c in seen.changes if c["return_id"] == "R-1001"] == [
        (1, "reached", "RC"), (2, "reached", "RT"), (3, "reached", "RDTPF"),
        (4, "revoked", "RDTPF"), (5, "revoked", "RT"), (6, "retimed", "RC"), (7, "reached", "RDTPF"),
    ]  # fmt: skip


def test_a_reconciliation_that_finds_nothing_to_tell_tells_nothing(bench: Bench, databases: Databases) -> None:
    """A restore after which the same events come again ends where subscribers are."""
    records = list(world(40, seed=33, shuffle=True))
    past = Past(databases, bench.database)
    bench.fill(records)
    bench.relay()
    past.restore()
    bench.fill(records, batch=25)
    before = bench.published()

    done, _ = bench.reconcile()
    bench.relay()

    versions = {line["return_id"] for line in bench.all_agree().changes}
    assert len(versions) == done.returns
    assert done.changes == 0
    assert bench.published()[0] == before[0]


def test_another_database_under_the_same_topics_is_refused_and_then_set_right(
    bench: Bench, databases: Databases, migrated_template: str
) -> None:
    ingest(bench.database, [creation(), scan("COLLECTED", "10:00")])
    bench.relay()
    other = databases.create(template=migrated_template)
    databases.drop(bench.database)
    bench.move_to(other)
    ingest(other, [creation(time="09:30"), scan("COLLECTED", "10:00")])
    bench.refuses("is another database")

    bench.reconcile()
    bench.relay()

    seen = bench.all_agree()
    assert [(c["version"], c["kind"]) for c in seen.changes] == [(1, "reached"), (2, "reached"), (3, "retimed")]
    databases.drop(other)


def forgotten(bench: Bench) -> None:
    bench.forget_position()


def set_back(bench: Bench) -> None:
    n, batch_id = bench.service.query("SELECT n, batch_id::text FROM batches ORDER BY n LIMIT 1 OFFSET 1")[0]
    bench.commit(to_offset(Position(n, batch_id=batch_id), topic_ids(bench)))


def set_ahead(bench: Bench) -> None:
    bench.fill(world(30, seed=36))
    n, batch_id = bench.service.query("SELECT n, batch_id::text FROM batches ORDER BY n DESC LIMIT 1")[0]
    bench.commit(to_offset(Position(n, batch_id=batch_id), topic_ids(bench)))


def overwritten(bench: Bench) -> None:
    n = bench.service.query("SELECT max(n) FROM batches")[0][0]
    bench.commit(OffsetAndMetadata(n, "", -1))


def topic_ids(bench: Bench) -> list[str]:
    consumer = bench.service.clients.consumer()
    consumer.topics()
    ids = [str(consumer._cluster.topic_id(topic)) for topic in bench.settings.output_topics]
    consumer.close()
    return ids


@pytest.mark.parametrize(
    ("change", "why"),
    (
        (forgotten, "is gone from Kafka"),
        (set_back, "somebody set it back"),
        (set_ahead, "somebody set the position ahead"),
        (overwritten, "another program commits under its name"),
    ),
)
def test_a_position_that_is_not_the_relays_own_is_named_and_refused_and_set_right(
    bench: Bench, change: Callable[[Bench], None], why: str
) -> None:
    bench.fill(world(30, seed=34, shuffle=True, invalid=0.05))
    bench.relay()
    change(bench)
    bench.fill(world(10, seed=35))

    bench.refuses(why)
    bench.reconcile()
    bench.relay()

    seen = bench.all_agree()
    exceptions, letters = relaying.counts(bench.database)
    assert (len(seen.exceptions), len(seen.dead)) == (exceptions, letters)


def test_an_output_topic_made_anew_under_a_relay_that_runs_is_noticed_and_refused(bench: Bench) -> None:
    """It asked which topics they are where it took over, and not again: it published into the new one, and was ready."""
    service = bench.service
    bench.fill(world(5, seed=41))
    relay = service.start("relay")
    eventually(lambda: bench.published()[1] > 0, 40)
    name = service.topics.name("current_status")
    service.topics.admin.delete_topics([name])
    eventually(lambda: name not in service.topics.admin.list_topics(), 10)
    service.topics.create("current_status", 3, cleanup_policy="compact")

    eventually(lambda: '"relay_refuses"' in service.newest_log.read_text(), 15, why=service.log_text())

    bench.fill(world(5, seed=42))
    assert service.stop(relay) == 0
    assert bench.published()[1] == 0
    bench.reconcile()
    bench.relay()
    bench.all_agree()


def test_a_missing_output_topic_is_said_and_not_made_by_the_way(bench: Bench) -> None:
    topics = bench.service.topics
    topics.admin.delete_topics([topics.name("exceptions")])

    result = bench.service.run("relay", "--drain")

    assert result.returncode == 1
    assert f"no such topic: {topics.name('exceptions')}" in result.stderr
    assert topics.name("exceptions") not in topics.admin.list_topics()


def test_verify_finds_what_the_topics_lack_and_have_too_much(bench: Bench) -> None:
    ingest(bench.database, [creation(), scan("COLLECTED", "10:00"), creation("R-2")])
    bench.relay()
    published = relaying.published_on(
        bench.service.topics.bootstrap_servers, OutputTopics(*(bench.service.topics.name(name) for name in OUTPUTS))
    )
    again = next(change for change in published.changes if change["return_id"] == "R-1001")
    document = {**published.current["R-2"], "retailer": "somebody-else"}
    envelope = {"source": "/returns-status", "specversion": "1.0", "time": "2026-11-20T00:00:00Z"}
    bench.service.publish(
        [
            (bench.settings.topic_status_changes, b"R-1001", json.dumps({**envelope, **message}).encode(), ())
            for message in ({"id": "R-1001/1", "type": "com.omnirps.return.status-changed.v1", "data": again},)
        ]
        + [
            (bench.settings.topic_current_status, b"R-2", json.dumps({**envelope, **message}).encode(), ())
            for message in ({"id": "R-2/current/1", "type": "com.omnirps.return.current-status.v1", "data": document},)
        ]
    )

    result = bench.service.run("verify", "--topics")

    assert result.returncode == 1
    assert "R-1001: version 1 is published out of order, behind version 2" in result.stdout
    assert "R-2: subscribers hold something else than row 1 says" in result.stdout


def test_a_worker_whose_journal_went_back_takes_nothing_for_known_that_is_gone(
    databases: Databases, database: str
) -> None:
    """A failover to a standby that lagged, while the worker lives: numbers and states of what is gone are not believed."""
    kept, lost = pieces(world(60, seed=42), 2)
    filler = Filler(database, remembered=10_000)
    filler.fill(kept)
    past = Past(databases, database)
    with pytest.raises(Exception, match="PostgreSQL"):  # its session has ended
        filler.fill(lost)
    filler.fill(lost, batch=20)
    past.restore()
    with pytest.raises(Exception, match="PostgreSQL"):
        filler.write([])
    others = list(world(60, seed=43))

    filler.fill(others[::-1], batch=20)  # takes the numbers that became free
    filler.fill(lost, batch=20)  # read again
    filler.close()

    assert differences(database) == []
    with psycopg.connect(database) as connection:
        (returns,) = connection.execute("SELECT count(*) FROM returns").fetchone() or (0,)
        (histories,) = connection.execute("SELECT count(DISTINCT return_no) FROM history").fetchone() or (0,)
    assert returns == histories == 120
