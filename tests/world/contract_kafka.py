"""What the world's model of Kafka promises: played on the model and on the real broker alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

import pytest
from kafka import TopicPartition

from service.adapters.kafka.publishing.sink import KafkaSink
from service.application.journal.publish import Outgoing, OutputTopics
from service.application.journal.slices import Position
from service.application.ports import Bounds, Partition, Source
from service.errors import BrokenSource, Retryable
from service.wire.outbound import SOURCE, Message
from service.wire.published import STATUS_CHANGED


class Broker(Protocol):
    """The model's, or the real one."""

    outputs: OutputTopics
    topic: str  # one of the inputs

    def play(self, part: Callable[[], object]) -> None:
        """Where it may wait."""

    def sink(self) -> KafkaSink: ...

    def source(self) -> Source: ...

    def publish(self, values: list[bytes], *, commit: bool | None = None) -> None:
        """To partition 0 of the input topic; in a transaction that is committed, aborted, or (None) in none."""


def change(topics: OutputTopics, return_id: str, version: int) -> Outgoing:
    """One message on the status changes."""
    data = {"return_id": return_id, "version": version}
    value = json.dumps({"type": STATUS_CHANGED, "source": SOURCE, "data": data}).encode()
    return Outgoing(topics.status_changes, Message(return_id.encode(), value))


def at(n: int) -> Position:
    """The end of a batch."""
    return Position(n, batch_id=f"batch-{n}")


class SinkContract:
    """`broker` is a fixture of whoever inherits the tests."""

    def test_messages_and_position_stand_together_for_the_next_sink(self, broker: Broker) -> None:
        def part() -> None:
            one = broker.sink()
            assert one.position() is None
            assert one.is_empty()
            assert one.tails() == {}
            one.publish([change(broker.outputs, "R-1", 1), change(broker.outputs, "R-1", 2)], at(3))
            one.publish((), at(4))
            one.close()
            two = broker.sink()
            assert two.position() == at(4)
            assert not two.is_empty()
            assert [(tail.return_id, tail.version, tail.offset) for tail in two.tails().values()] == [("R-1", 2, 1)]
            two.publish([change(broker.outputs, "R-1", 3)], None)
            two.close()
            three = broker.sink()
            assert three.position() == at(4)
            assert [tail.version for tail in three.tails().values()] == [3]
            three.close()

        broker.play(part)

    def test_a_sink_fences_the_one_before_it(self, broker: Broker) -> None:
        def part() -> None:
            one = broker.sink()
            one.publish([change(broker.outputs, "R-1", 1)], at(1))
            two = broker.sink()
            with pytest.raises(Retryable) as caught:
                one.publish([change(broker.outputs, "R-1", 2)], at(2))
            assert caught.value.cause == "fenced"
            one.close()
            assert two.position() == at(1)
            assert [tail.version for tail in two.tails().values()] == [1]
            two.close()

        broker.play(part)

    def test_what_was_left_open_is_aborted_before_the_next_one_looks(self, broker: Broker) -> None:
        def part() -> None:
            one = broker.sink()
            one.publish([change(broker.outputs, "R-1", 1)], at(1))
            producer: Any = one._producer
            producer.begin_transaction()
            topic, message, _ = change(broker.outputs, "R-1", 2)
            target = TopicPartition(topic, one.partition("R-1"))
            producer.include(target)
            sent = producer.offsets_sent({one._home: one._offset(at(2))}, one._options.group_id)
            producer.flushed([producer.append(target, message.key, message.value, ())], lambda: None)
            assert sent.wait(10_000)
            two = broker.sink()  # its predecessor never ended what it began
            assert two.position() == at(1)
            assert [tail.version for tail in two.tails().values()] == [1]
            two.publish([change(broker.outputs, "R-1", 2)], at(2))
            assert [(tail.version, tail.offset) for tail in two.tails().values()] == [(2, 4)]
            one.close()
            two.close()

        broker.play(part)


class SourceContract:
    """`broker` is a fixture of whoever inherits the tests."""

    @staticmethod
    def gained(source: Source, topic: str) -> set[Partition]:
        mine = set[Partition]()
        for _ in range(200):
            source.poll(100, 10)
            mine |= source.take_gained()
            if (topic, 0) in mine:
                return mine
        pytest.fail("no partitions came")

    @staticmethod
    def read(source: Source, number: int) -> list[bytes | None]:
        values = list[bytes | None]()
        for _ in range(200):
            values += [record.value for record in source.poll(100, 100)]
            if len(values) >= number:
                return values
        pytest.fail(f"only {values} came")

    def test_what_is_gained_gives_nothing_until_it_is_resumed_at_its_place(self, broker: Broker) -> None:
        def part() -> None:
            broker.publish([b"0", b"1", b"2"])
            one, place = broker.source(), (broker.topic, 0)
            assert self.gained(one, broker.topic) == one.all_partitions()
            assert one.poll(300, 10) == []
            assert one.bounds([place]) == {place: Bounds(0, 3)}
            one.seek(place, 1)
            one.resume([place])
            assert self.read(one, 2) == [b"1", b"2"]
            assert one.position(place) == 3
            one.seek(place, 0)
            assert self.read(one, 3) == [b"0", b"1", b"2"]
            one.pause([place])
            broker.publish([b"3"])
            assert one.poll(300, 10) == []
            one.close()

        broker.play(part)

    def test_markers_and_what_was_aborted_are_passed(self, broker: Broker) -> None:
        def part() -> None:
            broker.publish([b"0"], commit=True)
            broker.publish([b"1", b"2"], commit=False)
            broker.publish([b"3"], commit=True)
            one, place = broker.source(), (broker.topic, 0)
            self.gained(one, broker.topic)
            one.seek(place, 0)
            one.resume([place])
            assert self.read(one, 2) == [b"0", b"3"]
            assert one.bounds([place]) == {place: Bounds(0, 7)}
            for _ in range(50):
                if one.position(place) == 7:
                    break
                one.poll(100, 10)
            assert one.position(place) == 7
            one.close()

        broker.play(part)

    def test_a_place_where_nothing_is_breaks_the_source(self, broker: Broker) -> None:
        def part() -> None:
            broker.publish([b"0"])
            one, place = broker.source(), (broker.topic, 0)
            self.gained(one, broker.topic)
            one.seek(place, 100)
            one.resume([place])
            with pytest.raises(BrokenSource):
                self.read(one, 1)
            one.close()

        broker.play(part)

    def test_a_member_that_comes_takes_part_of_it_and_gives_it_back_when_it_goes(self, broker: Broker) -> None:
        def part() -> None:
            one = broker.source()
            everything = self.gained(one, broker.topic)
            two = broker.source()
            lost, gained, others = set[Partition](), set[Partition](), set[Partition]()
            # Polled in turn, they may keep each other from joining at once for a good while.
            for _ in range(1500):
                one.poll(50, 10)
                two.poll(50, 10)
                gone = one.take_lost()
                lost |= gone
                gained = (gained - gone) | one.take_gained()
                others = (others - two.take_lost()) | two.take_gained()
                if others and gained | others == everything:
                    break
            assert lost == everything  # eager: all is taken away, and some given back
            assert gained | others == everything
            assert not gained & others
            two.close()
            back = set[Partition]()
            for _ in range(1500):
                one.poll(50, 10)
                back |= one.take_gained()
                if back == everything:
                    break
            assert back == everything
            one.close()

        broker.play(part)
