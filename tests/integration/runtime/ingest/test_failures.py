"""What goes wrong around a batch, with the real servers: nothing is lost, nothing is counted twice, work goes on."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions
from pydantic import SecretStr

from service.adapters.kafka.fetching import subscribing
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.transaction import BATCH_LOG_LOCK
from service.application.journal.appending import Placed, decide
from service.application.journal.ingest import decode, write
from service.application.journal.sweep import sweep
from service.application.ports import Arrival, HistoryRow, Move, Stored, Transaction
from service.errors import LostPartition, Retryable
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.ingesting import (
    STRUCTURED,
    Worker,
    assert_right,
    assert_verified,
    drain,
    hub,
    message,
    publish,
    working,
)
from tests.support.journals import DELIVERED, DS, RE, RP, creation, event, scan
from tests.support.proxy import CommitCutter, Cut
from tests.support.returns import stored_timelines
from tests.support.service import Service
from tests.support.waiting import eventually

TABLES = CarrierTables.load()


def world(returns: int) -> list[dict[str, Any]]:
    """Six events a return, shuffled."""
    documents = [event(DELIVERED, "d-1", "18:00", connote="CN-1")]
    for number in range(returns):
        return_id = f"R-{number:04}"
        documents += [
            creation(return_id),
            scan("COLLECTED", "10:00", return_id),
            hub(DS, f"{return_id}-ds", "13:00", return_id),
            hub(RP, f"{return_id}-rp", "14:00", return_id),
            hub(RE, f"{return_id}-re", "15:00", return_id, connote="CN-1"),
        ]
    random.Random(20_261_123).shuffle(documents)
    return documents


def recorded(service: Service) -> int:
    return int(service.query("SELECT count(*) FROM history")[0][0])


def metric(worker: Worker, name: str, **labels: str) -> float:
    registry = worker.loop._observer._metrics.registry
    found = [
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found)


def duplicates(worker: Worker) -> float:
    return metric(worker, "returns_duplicates_total")


class TestDatabase:
    @pytest.mark.parametrize("cuts", (("before",), ("after",), ("after", "before", "after", "after")))
    def test_an_answer_to_commit_that_is_lost_is_found_out_about(self, service: Service, cuts: tuple[Cut, ...]) -> None:
        documents = world(8)
        with CommitCutter(service.database) as cutter:
            with working(service, database_url=SecretStr(cutter.url), batch_size=10) as worker:
                publish(service, *documents[:10])
                eventually(lambda: service.query("SELECT sum(next) FROM offsets") == [(10,)], 20)
                cutter.arm(*cuts)
                publish(service, *documents[10:])
                eventually(lambda: service.query("SELECT sum(next) FROM offsets") == [(len(documents),)], 20)
                eventually(lambda: recorded(service) == len(documents) + 7, 20)
            assert cutter.cuts == len(cuts)
            assert duplicates(worker) == 0
            assert metric(worker, "returns_conflicts_total", kind="offset") == 0  # it asked before it sent again

        assert_right(service, documents)

    def test_a_deadlock_makes_the_batch_come_again(self, service: Service) -> None:
        with working(service) as worker, psycopg.connect(service.database) as other:
            publish(service, creation())
            eventually(lambda: recorded(service) == 1, 20)
            time_out = "SET deadlock_timeout = '30s'"  # the worker is to be the victim
            other.execute(time_out.encode())
            other.execute("SELECT pg_advisory_xact_lock(%s)", (BATCH_LOG_LOCK,))
            publish(service, creation("R-0002"))
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            eventually(lambda: service.query(waits)[0][0] == 1, 20)

            other.execute("UPDATE offsets SET next = next")
            other.rollback()

            eventually(lambda: recorded(service) == 2, 20)
            assert metric(worker, "returns_retries_total", cause="deadlock") >= 1
        assert_right(service, [creation(), creation("R-0002")])
        assert duplicates(worker) == 0

    def test_a_server_that_became_read_only_is_waited_for(self, service: Service) -> None:
        name = service.query("SELECT current_database()")[0][0]

        def read_only(value: str) -> None:
            with psycopg.connect(service.database, autocommit=True) as connection:
                connection.execute("SET transaction_read_only = off")
                connection.execute("SET default_transaction_read_only = off")
                connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}".encode())
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'returns-ingest'"
                )

        with working(service) as worker:
            publish(service, creation())
            eventually(lambda: recorded(service) == 1, 20)
            read_only("on")
            publish(service, creation("R-0002"))
            eventually(lambda: metric(worker, "returns_retries_total", cause="read_only") >= 3, 20)

            read_only("off")

            eventually(lambda: recorded(service) == 2, 20)
        assert_right(service, [creation(), creation("R-0002")])


class TestWorkers:
    def test_a_rebalance_in_mid_batch_loses_nothing(self, service: Service) -> None:
        documents = world(80)
        pieces = [documents[start : start + 100] for start in range(0, len(documents), 80)]
        with working(service, batch_size=10) as first:
            for number, piece in enumerate(pieces):
                with contextlib.ExitStack() as stack:
                    if number % 2:  # joins while events flow, and leaves while they flow
                        stack.enter_context(working(service, batch_size=7))
                    publish(service, *piece)
            eventually(lambda: recorded(service) == len(documents) + 79, 60)
        assert_right(service, documents)
        assert metric(first, "returns_conflicts_total", kind="offset") == 0

    def test_sigterm_in_mid_batch_ends_well_and_loses_nothing(self, service: Service) -> None:
        documents = world(500)
        publish(service, *documents)

        for wanted in (150, 600):
            worker = service.start("ingest", RETURNS_BATCH_SIZE="10")
            eventually(lambda wanted=wanted: recorded(service) >= wanted, 30)  # type: ignore[misc]
            assert service.stop(worker) == 0, service.log_text()

        before = recorded(service)
        assert before < len(documents) + 499
        drain(service)
        assert_right(service, documents)
        assert recorded(service) == len(documents) + 499

    def test_sigterm_ends_a_worker_that_waits_for_kafka(self, service: Service) -> None:
        worker = service.start("ingest", RETURNS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
        eventually(lambda: "kafka_away" in service.log_text(), 30)

        began = time.monotonic()

        assert service.stop(worker) == 0
        assert time.monotonic() - began < 8

    def test_a_terminal_that_closes_ends_a_worker_in_good_order(self, service: Service) -> None:
        # It died of SIGHUP, and its partitions waited for the end of its session.
        worker = service.start("ingest")
        eventually(lambda: "rebalanced" in service.log_text(), 30)

        worker.send_signal(signal.SIGHUP)

        assert worker.wait(15) == 0
        (group,) = service.topics.admin.describe_groups([service.topics.name("group")]).values()
        assert not group["members"], "it has left the group"

    def test_a_missing_topic_is_said_in_one_line(self, service: Service) -> None:
        result = service.run("ingest", RETURNS_TOPIC_SCANS=service.topics.name("nowhere"))

        assert result.returncode == 1
        lines = [line for line in result.stderr.splitlines() if "no such topic" in line]
        assert len(lines) == 1
        assert service.topics.name("nowhere") in lines[0]
        assert "Traceback" not in result.stderr

    def test_a_partition_has_one_owner_even_if_two_workers_believe_to_be_it(self, service: Service) -> None:
        publish(service, *(creation(f"R-{number:04}") for number in range(20)))
        journals = [PostgresJournal(service.database, TABLES) for _ in range(2)]
        partition = (service.topics.name("returns"), 0)
        starts = [journal.stored_offsets({partition: Stored(0)}) for journal in journals]
        assert starts == [{partition: Stored(0)}] * 2

        write(journals[0], arrivals(partition, "R-0001"), {partition: Move(0, 1)})
        with pytest.raises(LostPartition):
            write(journals[1], arrivals(partition, "R-0002"), {partition: Move(0, 1)})

        assert journals[1].stored_offsets({partition: Stored(0)}) == {partition: Stored(1)}
        assert list(stored_timelines(service.database)) == ["R-0001"]
        for journal in journals:
            journal.close()


def arrivals(partition: tuple[str, int], *return_ids: str) -> list[Any]:
    values = [json.dumps(creation(return_id)).encode() for return_id in return_ids]
    return decode(
        Parser(TABLES), [Record(*partition, n, 1_795_600_000_000, None, v, STRUCTURED) for n, v in enumerate(values)]
    )


class TestCollisions:
    @pytest.mark.parametrize("seed", (1, 2))
    def test_two_workers_on_the_same_returns_at_once_leave_whole_histories(self, service: Service, seed: int) -> None:
        # Every return gets its events from both workers at the same moments: they collide on nearly every batch.
        documents = world(30)
        documents += [scan("IN_TRANSIT", f"1{n // 60}:{n % 60:02}", f"R-{r:04}") for r in range(30) for n in range(12)]
        print(f"seed {seed}")
        random.Random(seed).shuffle(documents)
        halves = documents[::2], documents[1::2]
        barrier = threading.Barrier(2)
        outcomes: list[Any] = []

        def work(own: list[dict[str, Any]], offsets: Iterator[int]) -> None:
            journal = PostgresJournal(service.database, TABLES)
            for start in range(0, len(own), 25):
                values = [json.dumps(each).encode() for each in own[start : start + 25]]
                records = [Record("in", 0, next(offsets), 1_795_600_000_000, None, v, STRUCTURED) for v in values]
                items = decode(Parser(TABLES), records)
                assert all(isinstance(item, Arrival) for item in items)
                barrier.wait(30)
                again(lambda items=items: write(journal, items, {}))  # type: ignore[misc]
                again(lambda: sweep(journal))
            journal.close()

        def again(attempt: Callable[[], Any]) -> None:
            """As the loop does it: whoever is a deadlock's victim tries again."""
            while True:
                with contextlib.suppress(Retryable):
                    outcomes.append(attempt())
                    return

        threads = [
            threading.Thread(target=work, args=(own, itertools.count(10_000 * number)))
            for number, own in enumerate(halves)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        journal = PostgresJournal(service.database, TABLES)
        while sweep(journal) is not None:
            pass
        journal.close()

        assert sum(outcome.conflicts for outcome in outcomes if outcome is not None) > 0
        assert_right(service, documents)
        assert recorded(service) == len(documents) + 29
        assert service.query("SELECT count(*) - max(n) FROM batches") == [(0,)]

    def test_a_collision_costs_only_the_returns_that_collided(self, service: Service) -> None:
        seed_journal = PostgresJournal(service.database, TABLES)
        others = [f"R-{number:04}" for number in range(50)]
        write(seed_journal, arrivals(("in", 0), "R-1001", *others), {})
        seed_journal.close()

        journal, intruder = (PostgresJournal(service.database, TABLES) for _ in range(2))

        def step(name: str) -> None:
            if name == "decide":  # another worker appends after this one has read
                write(intruder, parsed(hub(DS, "ds-intruder", "13:00")), {})

        documents = [hub(RP, f"{r}-rp", "14:00", r) for r in ["R-1001", *others]]
        outcome = write(journal, parsed(*documents), {}, step)
        intruder.close()
        journal.close()

        assert outcome.conflicts == 1
        assert outcome.recorded == 51
        assert_verified(service)
        rows = service.query(
            "SELECT id, verdict FROM history JOIN returns USING (return_no) WHERE return_id = 'R-1001'"
        )
        assert dict(rows)["R-1001-rp"] == "advanced"
        assert dict(rows)["ds-intruder"] == "advanced"

    def test_workers_that_have_collided_decide_by_turns(self, service: Service) -> None:
        first, second, intruder = (PostgresJournal(service.database, TABLES) for _ in range(3))
        write(intruder, arrivals(("in", 0), "R-1001"), {})
        for name, journal in (("first", first), ("second", second)):

            def intrude(step: str, name: str = name) -> None:
                if step == "load":
                    write(intruder, parsed(hub(DS, f"{name}-other", "13:00")), {})

            assert write(journal, parsed(hub(DS, f"{name}-own", "12:00")), {}, intrude).conflicts == 1
        outcomes: list[Any] = []
        late = threading.Thread(target=lambda: outcomes.append(write(second, parsed(hub(RP, "second", "15:00")), {})))

        def meanwhile(step: str) -> None:
            if step == "load":
                late.start()
                waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = ("
                waits += "SELECT oid FROM pg_database WHERE datname = current_database())"
                eventually(lambda: service.query(waits) == [(1,)], why="the second worker does not wait for the first")

        outcomes.append(write(first, parsed(hub(RP, "first", "14:00")), {}, meanwhile))
        late.join(30)

        assert [(outcome.recorded, outcome.conflicts) for outcome in outcomes] == [(1, 0), (1, 0)]
        for journal in (first, second, intruder):
            journal.close()

    def test_who_would_wait_out_of_order_gives_way(self, service: Service) -> None:
        journals = [PostgresJournal(service.database, TABLES) for _ in range(2)]
        write(journals[0], arrivals(("in", 0), "R-1001", "R-1002"), {})
        numbers = dict(service.query("SELECT return_id, return_no FROM returns"))

        def rows(tx: Transaction, return_id: str) -> list[HistoryRow]:
            return_no = numbers[return_id]
            placed = [Placed(return_no, item) for item in parsed(hub(DS, f"{return_id}-ds", "12:00", return_id))]
            return decide(tx, placed, tx.load([return_no]))[0]

        failures: list[Retryable] = []

        def wait_for_the_first() -> None:
            try:
                with journals[1].transaction() as tx:
                    assert tx.append_contested(rows(tx, "R-1002")) == set()
                    tx.append_contested(rows(tx, "R-1001"))
            except Retryable as error:
                failures.append(error)

        with journals[0].transaction() as tx:
            assert tx.append_contested(rows(tx, "R-1001")) == set()
            late = threading.Thread(target=wait_for_the_first)
            late.start()
            late.join(10)  # lock_timeout is 20 s
            assert [str(failure) for failure in failures] == ["PostgreSQL 55P03"]
            assert tx.append_contested(rows(tx, "R-1002")) == set()
            tx.number_batch(2)
        assert service.query("SELECT id FROM history WHERE seq = 2 ORDER BY 1") == [("R-1001-ds",), ("R-1002-ds",)]
        for journal in journals:
            journal.close()


def parsed(*documents: dict[str, Any]) -> list[Any]:
    numbers = itertools.count(random.Random(0).randrange(10**6))
    records = [
        Record("in", 1, next(numbers), 1_795_600_000_000, None, json.dumps(each).encode(), STRUCTURED)
        for each in documents
    ]
    return decode(Parser(TABLES), records)


class TestKafka:
    def test_records_of_aborted_transactions_are_none_and_markers_are_passed(self, service: Service) -> None:
        producer = service.clients.producer(transactional_id=service.topics.name("tx"))
        producer.init_transactions()
        for number, commit in enumerate((True, False, True, False)):
            producer.begin_transaction()
            topic, key, value, headers = message(service, creation(f"R-{number:04}"))
            producer.send(topic, value, key, headers=list(headers), partition=0)
            producer.flush()
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()

        drain(service)

        assert_right(service, [creation("R-0000"), creation("R-0002")])
        topic = service.topics.name("returns")
        assert service.query("SELECT sum(next) FROM offsets WHERE topic = %s", topic) == [(8,)]

    def test_partitions_that_are_added_are_read_from_their_beginning(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(subscribing, "METADATA_MAX_AGE_MS", 500)
        topic = service.topics.name("returns")
        documents = [creation(f"R-{number:04}") for number in range(40)]
        with working(service):
            publish(service, *documents[:10])
            eventually(lambda: recorded(service) == 10, 20)
            with contextlib.closing(KafkaAdminClient(bootstrap_servers=service.topics.bootstrap_servers)) as admin:
                admin.create_partitions({topic: NewPartitions(6)})
            producer = service.clients.producer(metadata_max_age_ms=200)
            eventually(lambda: len(producer.partitions_for(topic)) == 6, 20)
            for number, document in enumerate(documents[10:]):
                _, key, value, headers = message(service, document)
                producer.send(topic, value, key, headers=list(headers), partition=number % 6).get(30)

            eventually(lambda: recorded(service) == 40, 30)

        assert_right(service, documents)
        assert service.query("SELECT count(*) FROM offsets WHERE topic = %s", topic) == [(6,)]


@pytest.mark.parametrize("timestamp", (-1, 0, 2**62, 2**63 - 1, -(2**63)))
def test_any_timestamp_that_kafka_can_carry_can_be_kept(database: str, timestamp: int) -> None:
    # The worker once ended itself over such a record, again and again.
    journal = PostgresJournal(database, TABLES)
    values = [json.dumps(each).encode() for each in (creation(), scan("COLLECTED", "10:00", "R-none"))] + [b"{"]
    records = [Record("in", 0, n, timestamp, None, value, STRUCTURED) for n, value in enumerate(values)]
    items = decode(Parser(TABLES), records)

    write(journal, items, {})
    journal.close()

    with psycopg.connect(database) as connection:
        kept = connection.execute(
            "SELECT published_at FROM history UNION ALL SELECT published_at FROM parked"
            " UNION ALL SELECT published_at FROM dead_letters"
        ).fetchall()
    assert len(kept) == 3
