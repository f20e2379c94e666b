"""The relay on real servers: what it publishes, and that it does so once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import psycopg
import pytest

from service.adapters.kafka.publishing.sink import KafkaSink
from service.adapters.kafka.publishing.standing import read_position
from service.application.journal.publish import Outgoing
from service.application.journal.slices import Position
from service.errors import Retryable
from service.wire.outbound import Message
from service.wire.record import Record
from tests.support import relaying
from tests.support.filling import NOW, Filler, world
from tests.support.relaying import Order, RelayProcess, build
from tests.support.topics import Topics
from tests.support.waiting import PATIENCE, eventually


@pytest.fixture
def filler(database: str) -> Iterator[Filler]:
    filler = Filler(database)
    yield filler
    filler.close()


@pytest.fixture
def processes(order: Order, tmp_path: Path) -> Iterator[Callable[[Order], RelayProcess]]:
    """Starts relays that are gone after the test, whatever happens."""
    made: list[RelayProcess] = []

    def start(order: Order) -> RelayProcess:
        made.append(RelayProcess(order, tmp_path / f"relay{len(made)}.log"))
        return made[-1]

    yield start
    for process in made:
        process.kill()


@pytest.fixture
def order(database: str, topics: Topics) -> Order:
    for name, partitions in (("changes", 4), ("current", 4), ("exceptions", 2)):
        topics.create(name, partitions)
    topics.create("dead", 2, max_message_bytes=str(2 * 1024 * 1024))
    return Order(topics.bootstrap_servers, database, topics.prefix, drain=True)


def open_sink(order: Order) -> KafkaSink:
    return KafkaSink(order.settings, order.sink, order.topics, lambda: None)


def a_message(order: Order, key: str = "R-1") -> Outgoing:
    return Outgoing(order.topics.status_changes, Message(key.encode(), b'{"data": {}}'))


def leading(relays: list[RelayProcess]) -> list[RelayProcess]:
    return [relay for relay in relays if relay.says("relay_leads")]


def at(n: int) -> Position:
    """The end of a batch."""
    return Position(n, batch_id=f"batch-{n}")


def changes_seen(order: Order) -> int:
    return len(relaying.published(order).changes)


def test_subscribers_are_told_what_the_journal_holds(filler: Filler, order: Order) -> None:
    filler.fill(world(60, seed=5, shuffle=True, invalid=0.03))

    build(order).run(drain=True)

    seen = relaying.check(order)
    assert len(seen.changes) > 200
    assert seen.exceptions
    assert seen.dead


def test_a_batch_may_take_several_transactions_and_a_relay_goes_on_in_its_middle(filler: Filler, order: Order) -> None:
    filler.fill(world(30, seed=6, shuffle=True, invalid=0.1), batch=10_000)
    first = build(order._replace(rows=7))
    first.run_once()
    first.run_once()
    first.let_go()
    middle = read_position(order.settings, order.sink, order.topics)

    build(order._replace(rows=11)).run(drain=True)

    assert middle is not None
    assert not middle.is_whole
    relaying.check(order)


def test_what_comes_later_is_published_by_a_relay_that_was_at_rest(filler: Filler, order: Order) -> None:
    relay = build(order)
    assert relay.run_once() > 0
    filler.fill(world(5, seed=7))

    while relay.run_once() == 0:
        pass

    relaying.check(order)
    relay.let_go()


def test_a_dead_letter_is_published_byte_for_byte(filler: Filler, order: Order) -> None:
    headers = (("a", b"\xff\x00"), ("a", b"again"), ("none", None), ("empty", b""))
    filler.write(
        [
            Record("in", 3, 17, int(NOW * 1000), b"\x00key", b"\xffnot json", headers),
            Record("in", 3, 18, int(NOW * 1000), None, None),
        ]
    )

    build(order).run(drain=True)

    by_key = {record.key: record for record in relaying.published(order).dead}
    letter, tombstone = by_key[b"\x00key"], by_key[None]
    told = dict(letter.headers[4:])
    assert letter.value == b"\xffnot json"
    assert tuple(letter.headers[:4]) == headers
    assert (told["dlq.topic"], told["dlq.partition"], told["dlq.offset"]) == (b"in", b"3", b"17")
    assert told["dlq.timestamp"] == str(int(NOW * 1000)).encode()
    assert {"dlq.reason", "dlq.error"} < told.keys()
    assert tombstone.value is None


def test_the_largest_message_that_a_topic_takes_can_be_a_dead_letter(filler: Filler, order: Order) -> None:
    value = b"x" * 1_048_400  # the broker's default limit is 1,048,588 bytes a batch
    filler.write([Record("in", 0, n, int(NOW * 1000), b"k", value) for n in range(3)])

    build(order).run(drain=True)

    assert [record.value for record in relaying.published(order).dead] == [value] * 3


def test_a_relay_that_was_fenced_publishes_nothing_and_says_so(order: Order) -> None:
    zombie = open_sink(order)
    zombie.publish([a_message(order)], at(1))
    successor = open_sink(order)

    with pytest.raises(Retryable):
        zombie.publish([a_message(order)], at(2))

    assert successor.position() == at(1)
    successor.publish([a_message(order)], at(2))
    assert changes_seen(order) == 2
    zombie.close()
    successor.close()


def test_a_position_in_an_open_transaction_is_not_taken_for_the_truth(order: Order) -> None:
    sink = open_sink(order)
    sink.publish([a_message(order)], at(1))
    # A crash right before the commit.
    producer = sink._producer
    producer.begin_transaction()
    partition = sink._home
    producer.include(partition)
    producer.flushed([producer.append(partition, b"R-1", b'{"data": {}}', ())], lambda: None)
    sink._wait(producer.offsets_sent({partition: sink._offset(at(2))}, order.sink.group_id))
    sink.close()

    with pytest.raises(Retryable, match="part of a transaction that does not end"):
        read_position(order.settings, order.sink, order.topics, timeout_ms=1000)
    successor = open_sink(order)

    assert successor.position() == at(1)
    assert changes_seen(order) == 1
    successor.close()


def test_a_second_relay_stands_by_until_the_first_is_gone(filler: Filler, order: Order) -> None:
    first, second = build(order), build(order)
    first.run_once()
    assert second.run_once() >= 0.5
    filler.fill(world(5, seed=10), batch=20)
    while first.run_once() == 0:
        pass
    second.run(drain=True)  # the first has published everything: nothing to do
    first.let_go()
    filler.fill(world(5, seed=11), batch=20)

    while second.run_once() == 0:
        pass

    relaying.check(order)
    second.let_go()


def test_a_relay_whose_session_ended_stops_publishing_and_starts_over(filler: Filler, order: Order) -> None:
    relay = build(order)
    relay.run_once()
    with psycopg.connect(order.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'returns-relay'"
        )
    filler.fill(world(5, seed=12), batch=20)

    with pytest.raises(Retryable):
        relay.run_once()
    relay.let_go()
    relay.run(drain=True)

    relaying.check(order)


@pytest.mark.thorough
@pytest.mark.slow
def test_killed_at_random_points_relays_lose_repeat_and_swap_nothing(
    filler: Filler, order: Order, processes: Callable[[Order], RelayProcess]
) -> None:
    """A relay is killed with SIGKILL again and again while the journal grows; another is always waiting."""
    rng = Random(20261123)
    order = order._replace(rows=15, transaction_timeout_ms=5000, drain=False)
    records = list(world(250, seed=13, shuffle=True))
    relays = [processes(order), processes(order)]

    for n in range(8):
        piece = len(records) // 8 + 1
        filler.fill(records[n * piece : (n + 1) * piece], batch=rng.randint(5, 60))
        leaders = eventually(partial(leading, relays), 20, why="one takes over")
        time.sleep(rng.uniform(0, 0.3))  # somewhere in the middle of its work
        victim = rng.choice(leaders)
        victim.kill()
        relays = [relay for relay in relays if relay is not victim]
        relays.append(processes(order))
    for relay in relays:
        eventually(partial(relay.says, "relay_starts"))
        relay.process.send_signal(signal.SIGTERM)
    codes = [relay.process.wait(20 * PATIENCE) for relay in relays]
    build(order).run(drain=True)

    assert codes == [0, 0]
    relaying.check(order)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_relay_frozen_past_its_time_outs_is_replaced_and_repeats_nothing(
    filler: Filler, order: Order, processes: Callable[[Order], RelayProcess]
) -> None:
    order = order._replace(rows=15, transaction_timeout_ms=1000, drain=False)
    one, two = processes(order), processes(order)
    (frozen,) = eventually(partial(leading, [one, two]), 20)
    other = two if frozen is one else one
    filler.fill(world(40, seed=14), batch=20)
    eventually(lambda: frozen.says("relay_published"))
    frozen.process.send_signal(signal.SIGSTOP)
    filler.fill(world(40, seed=15), batch=20)

    began = time.monotonic()
    eventually(lambda: other.says("relay_leads"), 15, why="the other one takes over")
    took = time.monotonic() - began
    frozen.process.send_signal(signal.SIGCONT)
    filler.fill(world(40, seed=16), batch=20)
    build(order).run(drain=True)

    assert took < 10
    relaying.check(order)
