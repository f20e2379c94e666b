"""The promise where the database is not the one it was, with real servers: a dump into a new one, a standby that lagged."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from service.simulator.answer import Answer
from service.simulator.messages import Message
from service.simulator.options import Options
from service.simulator.options import Topics as WorldTopics
from service.simulator.world import World
from tests.support import dumping
from tests.support.filling import NOW, world
from tests.support.journals import as_bytes, creation
from tests.support.reconciling import Bench, pieces
from tests.support.replicating import cut_over, logical_copy
from tests.support.returns import stored_timelines
from tests.support.service import INPUTS, Service, create_topics, new_service
from tests.support.standby import Standby, both
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually


@pytest.fixture
def bench(service: Service) -> Bench:
    return Bench(service)


def test_dumped_into_a_new_server_whose_transaction_ids_come_by_again_nothing_shows(
    bench: Bench, private_stack: LocalStack
) -> None:
    """Rows of old batches and of new ones would have the same transaction ids, whose server counts from low again."""
    first, second = pieces(world(150, seed=51, shuffle=True), 2)
    bench.fill(first, batch=15)
    bench.relay()
    private_stack.postgres.start()
    new = private_stack.postgres.database_url
    dumping.restore(bench.database, new)
    (lowest,) = bench.service.query("SELECT min(xmin::text::bigint) FROM history")[0]
    dumping.drive_transactions(new, lowest)
    bench.move_to(new)

    bench.fill(second, batch=15)
    bench.relay()

    bench.all_agree()


def test_failed_over_to_a_standby_that_lagged_nothing_shows_once_it_is_reconciled(
    private_stack: LocalStack, tmp_path: Path
) -> None:
    """The primary dies with transactions that the standby never got, and that subscribers were told. The workers live on."""
    kafka, primary = private_stack.kafka, private_stack.postgres
    kafka.start()
    primary.start()
    migrate(primary.database_url)
    topics, clients = Topics(kafka.bootstrap_servers), Clients(kafka.bootstrap_servers)
    create_topics(topics)
    inputs = WorldTopics(*(topics.name(name) for name in INPUTS))
    options = Options(returns=150, seed=55, rate=0, late=0.1, repeated=0.1, invalid=0.01, shuffle=True)
    messages = list(World(options, lambda: NOW, inputs).messages())
    half = len(messages) // 2
    with (
        closing(clients),
        closing(topics),
        Standby.of(primary) as standby,
        new_service(both(primary, standby), topics, clients, tmp_path) as service,
    ):
        bench = Bench(service)
        workers = [service.start("ingest"), service.start("ingest"), service.start("relay")]
        publish(service, messages[:half])
        bench.everything_is_published()
        standby.catch_up(primary)
        standby.cut_off()
        publish(service, messages[half:])
        bench.everything_is_published()
        lost = bench.batches()
        primary.kill()
        standby.promote()
        assert bench.batches() < lost
        eventually(lambda: '"relay_refuses"' in service.log_text_of("relay"), 60, why="the relay refuses")
        before = bench.published()

        service.done("reconcile")
        bench.everything_is_published()

        assert bench.published()[0] >= before[0]
        assert [service.stop(worker, 40) for worker in workers] == [0, 0, 0]
        assert stored_timelines(service.database) == Answer(messages).timelines()
        bench.all_agree()


def publish(service: Service, messages: Iterable[Message]) -> None:
    service.publish((m.topic, m.key, m.value, m.headers) for m in messages)


def test_run_goes_on_serving_beside_a_relay_that_refuses_and_the_relay_goes_on_once_it_is_set_right(
    bench: Bench,
) -> None:
    service = bench.service
    bench.fill(world(20, seed=52, shuffle=True))
    bench.relay()
    service.topics.admin.delete_groups([bench.settings.relay_group_id])
    bench.fill(world(5, seed=53))
    before = bench.published()
    running = service.start("run")
    eventually(lambda: '"relay_refuses"' in service.newest_log.read_text(), 60, why="the relay refuses")
    eventually(lambda: '"serving"' in service.newest_log.read_text(), 60, why="the API is there")
    assert bench.published() == before
    assert running.poll() is None

    service.done("reconcile")

    eventually(lambda: '"relay_leads"' in service.newest_log.read_text(), 60, why="the relay goes on by itself")
    eventually(lambda: bench.published() != before, 30)
    assert service.stop(running, 60) == 0
    bench.all_agree()


def test_reconciliation_waits_for_the_workers_and_says_so(bench: Bench) -> None:
    service = bench.service
    header = [("content-type", b"application/cloudevents+json")]
    service.publish([(bench.settings.topic_returns, b"R-1001", as_bytes(creation()), header)])

    dry = service.run("reconcile", "--dry-run")
    waiting = service.start("reconcile")
    eventually(lambda: "waiting until workers have ingested 1 of" in service.newest_log.read_text(), 60)
    service.done("ingest", "--drain")

    assert "not ingested yet, and not counted here: 1 of" in dry.stderr
    assert waiting.wait(60) == 0
    bench.relay()
    bench.all_agree()


def test_a_logical_copy_goes_on_where_its_original_was(bench: Bench, private_stack: LocalStack, tmp_path: Path) -> None:
    """Logical replication carries every row and no sequence: numbers of returns would be given a second time."""
    first, second, third = pieces(world(150, seed=57, shuffle=True), 3)
    original = private_stack.postgres
    original.start()
    migrate(original.database_url)
    bench.move_to(original.database_url)
    bench.fill(first, batch=15)
    bench.relay()
    with logical_copy(original, private_stack.home / "copy") as copy:
        bench.fill(second, batch=15)
        bench.relay()
        cut_over(original, copy)
        bench.move_to(copy.database_url)
        refused = bench.service.run("ingest", "--drain")
        assert refused.returncode == 1
        assert "taken already, as in a copy by logical replication" in refused.stderr

        bench.service.done("migrate")
        bench.fill(third, batch=15)
        bench.relay()

        bench.all_agree()
