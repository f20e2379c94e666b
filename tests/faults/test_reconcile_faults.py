"""More of what reconciliation must bear, where it takes longer: topics made anew, a crash in its middle, its commands."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from service.application.journal.publish import OutputTopics
from tests.support import relaying, subscribing
from tests.support.databases import Databases
from tests.support.filling import world
from tests.support.journals import creation, ingest, scan
from tests.support.pasts import Past
from tests.support.reconciling import Bench, pieces
from tests.support.service import OUTPUTS, Service


@pytest.fixture
def bench(service: Service) -> Bench:
    return Bench(service)


@pytest.mark.parametrize("name", ("current_status", "status_changes"))
def test_an_output_topic_that_was_made_anew_is_refused_and_set_right(bench: Bench, name: str) -> None:
    topics = bench.service.topics
    bench.fill(world(20, seed=37, shuffle=True))
    bench.relay()
    topics.admin.delete_topics([topics.name(name)])
    topics.create(name, 3, **({"cleanup_policy": "compact"} if name == "current_status" else {}))
    bench.fill(world(5, seed=38))

    bench.refuses("made anew|gone from Kafka")
    bench.reconcile()
    bench.relay()

    topics_now = OutputTopics(*(topics.name(each) for each in OUTPUTS))
    seen = relaying.published_on(topics.bootstrap_servers, topics_now)
    said = subscribing.answered(bench.database)
    compacted = {return_id: subscribing.of_document(document) for return_id, document in seen.current.items()}
    if name == "current_status":
        bench.all_agree()
    else:  # its versions go on from where they were: nobody who knew the old ones sees one twice
        assert compacted == said


def test_letters_and_exceptions_that_were_not_published_are_and_the_others_are_not_again(bench: Bench) -> None:
    bench.fill(world(30, seed=39, shuffle=True, invalid=0.05), batch=10_000)
    bench.relay()
    bench.fill(world(30, seed=40, shuffle=True, invalid=0.05), batch=10_000)
    bench.forget_position()

    done, _ = bench.reconcile()
    bench.relay()

    assert done.exceptions > 0
    assert done.letters > 0
    seen = bench.all_agree()
    exceptions, letters = relaying.counts(bench.database)
    assert (len(seen.exceptions), len(seen.dead)) == (exceptions, letters)


def test_crashed_between_the_journal_and_kafka_it_is_run_again(
    bench: Bench, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pieces(world(40, seed=41), 2)
    bench.fill(first)
    past = Past(databases, bench.database)
    bench.fill(second)
    bench.relay()
    past.restore()
    bench.fill(second[::2], batch=7)

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("service.adapters.kafka.publishing.sink.KafkaSink.publish", crash)
        with pytest.raises(KeyboardInterrupt):
            bench.reconcile()
    bench.refuses("reconcile")
    _, lines = bench.reconcile()
    bench.relay()

    unknown = [line.partition(":")[0] for line in lines if line.endswith("left alone")]
    bench.all_agree(without=unknown)


def test_the_commands_say_what_they_do(bench: Bench) -> None:
    ingest(bench.database, [creation(), scan("COLLECTED", "10:00")])
    bench.service.done("relay", "--drain")
    bench.forget_position()
    with psycopg.connect(bench.database) as connection:
        connection.execute("UPDATE batches SET recorded_at = recorded_at")  # ownership is all that it needs

    refused = bench.service.run("relay", "--drain")
    dry = bench.service.done("reconcile", "--dry-run")
    done = bench.service.done("reconcile")
    verified = bench.service.done("verify", "--topics")

    assert refused.returncode == 1
    assert "returns-status reconcile" in refused.stderr
    assert dry == (
        "1 returns compared: of 0 subscribers would be told 0 changes; 0 are known to subscribers only; "
        "0 exceptions and 0 dead letters have not been published\n"
    )
    assert done.startswith(
        "1 returns compared: of 0 subscribers are told 0 changes; 0 are known to subscribers only; 0 exc"
    )
    assert verified == "1 returns, 2 events: no difference\n"
