"""Dead letters that their topic does not take: they go as stubs, and the relay goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from service.adapters.kafka.limits import MessageLimits
from service.adapters.postgres.journal.batch_log import RelayLog
from service.application.journal.publish import Outgoing, messages_of
from service.application.journal.slices import Position, SliceLimits
from service.errors import Retryable
from service.wire.outbound import Message, dead_letter
from service.wire.record import Record
from service.wire.stubs import LARGEST, size_of
from tests.support import relaying
from tests.support.filling import NOW, Filler, world
from tests.support.relaying import Order, build
from tests.support.topics import Topics
from tests.support.waiting import eventually

MIB = 1024 * 1024
TIMESTAMP = int(NOW * 1000)


@pytest.fixture
def filler(database: str) -> Iterator[Filler]:
    filler = Filler(database)
    yield filler
    filler.close()


def made(database: str, topics: Topics, **config: str) -> Order:
    """A relay's topics; `config` is of all but the dead letters' size, which is what `topics` makes of it."""
    for name, partitions in (("changes", 4), ("current", 4), ("exceptions", 2)):
        topics.create(name, partitions, **config)
    topics.create("dead", 2, **{"max_message_bytes": str(2 * MIB), **config})
    return Order(topics.bootstrap_servers, database, topics.prefix, drain=True)


@pytest.fixture
def order(database: str, topics: Topics) -> Order:
    return made(database, topics)


def limit(order: Order, most: int) -> None:
    """Set it, and wait until the broker has heard of it, which is after it has answered."""
    name, topic = "max.message.bytes", order.topics.dead_letters
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=order.bootstrap_servers)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: str(most)})])
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, [name])

        def said() -> Any:
            return admin.describe_configs([asked], config_filter="all")["topic"][topic][name]["value"]

        eventually(lambda: said() == str(most), 20)


def letter(offset: int, size: int, key: bytes = b"k") -> Record:
    return Record("in", 3, offset, TIMESTAMP, key, b"x" * size, (("a", b"1"),))


def dead(order: Order) -> list[tuple[bytes | None, int | None, bytes | None]]:
    """Key, length of the value and `dlq.stub` of each dead letter of topic `in`, by its offset."""
    told = [(record, dict(record.headers)) for record in relaying.published(order).dead]
    told = [each for each in told if each[1]["dlq.topic"] == b"in"]
    told.sort(key=lambda each: int(each[1]["dlq.offset"]))
    return [(r.key, None if r.value is None else len(r.value), h.get("dlq.stub")) for r, h in told]


def test_a_letter_larger_than_its_topic_takes_goes_as_a_stub_and_the_rest_goes_on(filler: Filler, order: Order) -> None:
    # A gzip record of a few kB unpacks to such a one; the relay ended itself over it, at every start.
    largest = letter(2, 2 * MIB - 1000)
    room = 2 * MIB - size_of(dead_letter(largest, "too_large", "the value is larger than 262144 bytes"))
    largest = letter(2, 2 * MIB - 1000 + room)
    too_large = letter(3, 2 * MIB - 1000 + room + 1)
    filler.fill(world(5, seed=1))
    filler.write([letter(0, 10), letter(1, 3 * MIB), largest, too_large, letter(4, 10 * MIB, b"y" * 3 * MIB)])
    filler.fill(world(5, seed=2))

    build(order).run(drain=True)

    seen = relaying.check(order)
    assert dead(order) == [
        (b"k", 10, None),
        (b"k", None, b"true"),
        (b"k", 2 * MIB - 1000 + room, None),
        (b"k", None, b"true"),
        (None, None, b"true"),
    ]
    all_told = [dict(record.headers) for record in seen.dead]
    told = {each["dlq.offset"]: each for each in all_told if each["dlq.topic"] == b"in"}
    numbers = filler.letter_numbers()
    assert [told[n]["dlq.size"] for n in (b"1", b"4")] == [str(n * MIB).encode() for n in (3, 10)]
    assert [told[n]["dlq.letter"] for n in (b"1", b"4")] == [str(numbers[n]).encode() for n in (1, 4)]
    assert (told[b"1"]["a"], told[b"1"]["dlq.reason"]) == (b"1", b"too_large")


def test_a_limit_that_is_lowered_while_the_relay_works_is_asked_again(filler: Filler, order: Order) -> None:
    relay = build(order)
    relay.run_once()
    limit(order, 100_000)
    filler.write([letter(0, MIB), letter(1, 10)])

    with pytest.raises(Retryable, match="larger than its topic takes"):
        relay.run_once()
    relay.let_go()
    relay.run(drain=True)

    assert dead(order) == [(b"k", None, b"true"), (b"k", 10, None)]
    relaying.check(order)


def test_topics_that_take_little_are_written_in_small_batches(filler: Filler, database: str, topics: Topics) -> None:
    order = made(database, topics, max_message_bytes="20000")
    filler.fill(world(30, seed=3, invalid=0.1))
    filler.write([letter(0, 50_000)])

    build(order).run(drain=True)

    relaying.check(order)
    assert dead(order)[0] == (b"k", None, b"true")


def test_segments_that_hold_little_bound_a_message_too(filler: Filler, database: str, topics: Topics) -> None:
    order = made(database, topics, segment_bytes=str(MIB))
    filler.write([letter(0, MIB + 1000), letter(1, 10)])

    build(order).run(drain=True)

    assert dead(order) == [(b"k", None, b"true"), (b"k", 10, None)]


def test_a_slice_holds_so_many_bytes_of_letters_and_the_first_of_any_size(filler: Filler, order: Order) -> None:
    sizes = [10, 3 * MIB, 3 * MIB, 3 * MIB, 9 * MIB, 10, 10, 3 * MIB, *[10] * 150]
    filler.write([letter(n, size) for n, size in enumerate(sizes)])
    log = RelayLog(order.database_url, SliceLimits(letter_bytes=8 * MIB))
    pieces, position = list[list[int]](), Position(0)

    while (piece := log.read(position)).position != position:
        position = piece.position
        pieces.append([len(each.value or b"") for each in piece.letters])
        assert [each.size for each in piece.letters] == [sizes[each.offset] for each in piece.letters]
        assert len(messages_of(piece, order.topics)) == len(piece.letters)
    log.close()

    assert [size for piece in pieces for size in piece] == [0 if size > 8 * MIB else size for size in sizes]
    assert all(sum(piece) <= 8 * MIB and len(piece) <= 100 for piece in pieces)


class TestLimits:
    def limits(self, order: Order, monkeypatch: pytest.MonkeyPatch, *answers: dict[str, int]) -> MessageLimits:
        told = iter(answers)
        limits = MessageLimits(order.settings, order.topics)
        monkeypatch.setattr(limits, "_ask", lambda: next(told))
        limits.ask()
        return limits

    def test_are_what_the_topics_say(self, order: Order) -> None:
        limits = MessageLimits(order.settings, order.topics)

        limits.ask()

        assert limits.limit(order.topics.dead_letters) == 2 * MIB
        assert limits.limit(order.topics.status_changes) == limits.smallest == 1_048_588

    def test_are_kafkas_default_where_nobody_tells(self, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.limits(order, monkeypatch, {}).limit(order.topics.dead_letters) == 1_048_588

    def test_are_lowered_until_the_broker_takes_it(self, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
        topic = order.topics.dead_letters
        limits, found = self.limits(order, monkeypatch, *[{}] * 20, {topic: 5 * MIB}), list[int]()

        for _ in range(19):
            limits.refused()
            limits.ask()
            found.append(limits.limit(topic))

        assert found[:2] == [524_294, 262_147]
        assert found[-1] == 2048
        limits.ask()
        assert limits.limit(topic) == 5 * MIB

    def test_are_no_larger_than_what_the_producer_sends(self, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
        topic = order.topics.dead_letters
        assert self.limits(order, monkeypatch, {topic: 10**9}).limit(topic) == LARGEST

    def test_concern_letters_alone(self, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
        message: Any = Message(b"k", b"x" * 3 * MIB)

        assert self.limits(order, monkeypatch, {}).fitted(Outgoing(order.topics.current_status, message)) is message
