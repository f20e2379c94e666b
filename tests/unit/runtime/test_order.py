from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.application.ports import Partition
from service.runtime.order import ReadingOrder
from service.wire.record import Record

PARTITIONS = [("in", number) for number in range(6)]
WITH_MORE = dict.fromkeys(PARTITIONS, 1000)


def record(partition: Partition, offset: int, timestamp: int) -> Record:
    return Record(*partition, offset, timestamp, None, b"")


def test_the_older_half_is_read_next() -> None:
    order = ReadingOrder()
    order.note([record(partition, 5, 1_000 - number) for number, partition in enumerate(PARTITIONS)])

    choice = order.choose(PARTITIONS, WITH_MORE.get)

    assert (choice.read, choice.rest) == (PARTITIONS[:2:-1], PARTITIONS[2::-1])


def test_a_partition_that_was_never_read_comes_first() -> None:
    order = ReadingOrder()
    order.note([record(partition, 5, 7) for partition in PARTITIONS[1:]])

    choice = order.choose(PARTITIONS, lambda _: None)

    assert next(iter(choice.read)) == PARTITIONS[0]


def test_a_partition_at_its_end_holds_up_no_other() -> None:
    order = ReadingOrder()
    order.note([record(PARTITIONS[0], 999, 1), record(PARTITIONS[1], 5, 2), record(PARTITIONS[2], 5, 3)])

    choice = order.choose(PARTITIONS[:3], WITH_MORE.get)

    assert (set(choice.read), set(choice.rest)) == ({PARTITIONS[0], PARTITIONS[1]}, {PARTITIONS[2]})


def test_what_is_forgotten_counts_as_never_read() -> None:
    order = ReadingOrder()
    order.note([record(PARTITIONS[0], 5, 9), record(PARTITIONS[1], 5, 1)])
    order.forget(PARTITIONS[0])

    assert list(order.choose(PARTITIONS[:2], WITH_MORE.get).read) == [PARTITIONS[0]]


@given(
    st.lists(st.tuples(st.sampled_from(PARTITIONS), st.integers(0, 9)), max_size=40),
    st.sets(st.sampled_from(PARTITIONS)),
)
def test_every_partition_is_read_or_waits_and_something_is_always_read(
    read: list[tuple[Partition, int]], mine: set[Partition]
) -> None:
    order = ReadingOrder()
    order.note([record(partition, 5, timestamp) for partition, timestamp in read])

    choice = order.choose(mine, WITH_MORE.get)

    assert {*choice.read, *choice.rest} == mine
    assert not {*choice.read} & {*choice.rest}
    assert choice.read or not mine
